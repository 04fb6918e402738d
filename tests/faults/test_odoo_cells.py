# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every cell of the matrix that is about Odoo, played between the modules and the rehearsal platform."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.figures import Figure
from faults.listeners import Listener, closed_port
from faults.matrix import CALLS, FAULTS, LOST, ODOO, Play, plays, representatives
from faults.odoo_plays import Stage, detour_to
from faults.outcomes import assert_nothing_slipped_out, count, ended_in_words
from faults.redirect_target import RedirectTargets
from faults.runners import InPlaybook, InProcess, Runner
from support.platform import Platform


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform(stage_seconds=None) as server:
        yield server


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory, platform: Platform, targets: RedirectTargets) -> tuple[Path, Path]:
    """A private key, and the authorities of the platform and of the servers that are none."""
    folder = tmp_path_factory.mktemp("keys")
    private_key, authorities = folder / "id_ed25519", folder / "authorities.pem"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(private_key)], check=True)
    authorities.write_bytes(platform.ca_path.read_bytes() + targets.authority.read_bytes())
    return private_key, authorities


@pytest.mark.parametrize("play", tuple(plays(ODOO)), ids=lambda play: play.name)
def test_cell(
    play: Play,
    platform: Platform,
    keys: tuple[Path, Path],
    runner: InProcess,
    targets: RedirectTargets,
    tmp_path: Path,
    figure: Figure,
) -> None:
    act(play, Stage(platform, tmp_path, *keys), targets, runner)
    count(play, figure)


@pytest.mark.parametrize("play", tuple(representatives(ODOO)), ids=lambda play: play.name)
def test_a_cell_of_each_call_in_a_playbook(
    play: Play, platform: Platform, keys: tuple[Path, Path], targets: RedirectTargets, tmp_path: Path, figure: Figure
) -> None:
    folder = tmp_path / "stage"
    folder.mkdir()
    act(play, Stage(platform, folder, *keys), targets, InPlaybook(tmp_path / "playbook"))
    figure("plays of the matrix through ansible-playbook", 1)


def act(play: Play, stage: Stage, targets: RedirectTargets, runner: Runner) -> None:
    """Play a cell and compare everything that can be seen with the matrix."""
    foreign = f"http://127.0.0.1:{targets.foreign.port}"
    with closed_port() as closed, Listener(answers=False) as silent:
        options, detour = stage.set(play, closed=closed, silent=silent.port, foreign=foreign)
        detour = detour_to(detour, targets.origins.get(play.fault, ""))
        run = runner.run(CALLS[play.call].module, options, detour=detour)
    ended_in_words(play, run)
    assert_nothing_slipped_out(run, stage.secrets)
    stage.ended_as_expected(play)
    if play.call == "create":
        assert stage.request_file.exists() is (play.succeeds or FAULTS[play.fault].hurts_in(ODOO) == LOST)
    assert not targets.received()
