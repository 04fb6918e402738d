# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every cell of the matrix that is about Odoo, played between the modules and the rehearsal platform."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.figures import Figure
from faults.listeners import Listener, closed_port
from faults.matrix import CALLS, FAULTS, LOST, ODOO, Play, plays, representatives
from faults.odoo_plays import Stage, detour_to
from faults.outcomes import assert_nothing_slipped_out, count, ended_in_words
from faults.redirect_target import RedirectTargets
from faults.runners import InProcess, run_in_playbook
from support.module_runner import ModuleRun
from support.platform import Platform


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with Platform(stage_seconds=None) as server:
        yield server


@pytest.fixture(scope="module")
def private_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private key for SFTP."""
    path = tmp_path_factory.mktemp("keys") / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    return path


def trust(folder: Path, platform: Platform, targets: RedirectTargets) -> Path:
    """A file with the authorities of a platform and of the servers that are none."""
    path = folder / "authorities.pem"
    path.write_bytes(platform.ca_path.read_bytes() + targets.authority.read_bytes())
    return path


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory, platform: Platform, targets: RedirectTargets) -> Path:
    return trust(tmp_path_factory.mktemp("authorities"), platform, targets)


@pytest.fixture
def ports() -> Iterator[dict[str, int]]:
    """Ports where nobody answers."""
    with closed_port() as closed, Listener(answers=False) as silent:
        yield {"closed": closed, "silent": silent.port}


@pytest.mark.parametrize("play", tuple(plays(ODOO)), ids=lambda play: play.name)
def test_cell(
    play: Play,
    platform: Platform,
    private_key: Path,
    authorities: Path,
    ports: dict[str, int],
    runner: InProcess,
    targets: RedirectTargets,
    tmp_path: Path,
    figure: Figure,
) -> None:
    stage = Stage(platform, tmp_path, private_key, authorities)
    options, detour = stage.set(play, **ports, foreign=foreign(targets))
    detour = detour_to(detour, targets.origins.get(play.fault, ""))
    run = runner.run(CALLS[play.call].module, options, detour=detour)
    ended_as_the_matrix_says(play, stage, run, targets)
    count(play, figure)


def test_a_cell_of_each_call_in_a_playbook(
    private_key: Path, ports: dict[str, int], targets: RedirectTargets, tmp_path: Path, figure: Figure
) -> None:
    """Each with a platform of its own."""
    played = tuple(representatives(ODOO))
    stages: list[Stage] = []
    calls: list[tuple[str, dict[str, Any]]] = []
    with contextlib.ExitStack() as stack:
        for play in played:
            platform = stack.enter_context(Platform(stage_seconds=None))
            folder = tmp_path / play.name
            (folder / "stage").mkdir(parents=True)
            stages.append(Stage(platform, folder / "stage", private_key, trust(folder, platform, targets)))
            options, detour = stages[-1].set(play, **ports, foreign=foreign(targets))
            assert detour is None
            calls.append((CALLS[play.call].module, options))
        runs = run_in_playbook(tmp_path, calls)
        for play, stage, run in zip(played, stages, runs, strict=True):
            ended_as_the_matrix_says(play, stage, run, targets)
    figure("plays of the matrix through ansible-playbook", len(played))


def foreign(targets: RedirectTargets) -> str:
    return f"http://127.0.0.1:{targets.foreign.port}"


def ended_as_the_matrix_says(play: Play, stage: Stage, run: ModuleRun, targets: RedirectTargets) -> None:
    """Compare everything that can be seen with the matrix."""
    ended_in_words(play, run)
    assert_nothing_slipped_out(run, stage.secrets)
    stage.ended_as_expected(play)
    if play.call == "create":
        assert stage.request_file.exists() is (play.succeeds or FAULTS[play.fault].hurts_in(ODOO) == LOST)
    assert not targets.received()
