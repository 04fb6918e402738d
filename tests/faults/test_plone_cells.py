# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every cell of the matrix that is about Plone, played between the modules and a real Plone."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import plone_plays
from faults.figures import Figure
from faults.matrix import CALLS, PLONE, Play, plays, representatives
from faults.outcomes import assert_nothing_slipped_out, count, ended_in_words
from faults.redirect_target import RedirectTargets
from faults.runners import InPlaybook, InProcess, Runner
from support.plone import PloneServer


@pytest.fixture(scope="module")
def plone(plone_server: PloneServer) -> PloneServer:
    """The server as it was when it started; each cell prepares what it needs."""
    plone_server.restore()
    return plone_server


@pytest.mark.parametrize("play", tuple(plays(PLONE)), ids=lambda play: play.name)
def test_cell(
    play: Play, plone: PloneServer, runner: InProcess, targets: RedirectTargets, tmp_path: Path, figure: Figure
) -> None:
    act(play, plone, targets, tmp_path, runner)
    count(play, figure)


@pytest.mark.parametrize("play", tuple(representatives(PLONE)), ids=lambda play: play.name)
def test_a_cell_of_each_call_in_a_playbook(
    play: Play, plone: PloneServer, targets: RedirectTargets, tmp_path: Path, figure: Figure
) -> None:
    act(play, plone, targets, tmp_path, InPlaybook(tmp_path / "playbook"))
    figure("plays of the matrix through ansible-playbook", 1)


def act(play: Play, plone: PloneServer, targets: RedirectTargets, folder: Path, runner: Runner) -> None:
    """Play a cell and compare everything that can be seen with the matrix."""
    options = {**plone_plays.prepare(plone, play.call), **plone_plays.options_for(play)}
    wire = plone_plays.WIRES[play.call]
    foreign = f"http://127.0.0.1:{targets.foreign.port}"
    with plone_plays.playing(play, plone, targets.origins, foreign) as (proxy, detour):
        run = runner.run(
            CALLS[play.call].module,
            {**plone_plays.address(play, proxy), "ca_path": str(targets.authority), **wire.options, **options},
            variables=plone_plays.state_folder(folder),
            detour=detour,
        )
    ended_in_words(play, run)
    assert_nothing_slipped_out(run, plone_plays.secrets())
    # After a 401 the password is sent to @login, to find out which of its causes it is.
    changing = [path for method, path in proxy.arrived if method != "GET" and not path.endswith("/@login")]
    assert len(changing) <= 1
    written = [one for one in plone.requests() if one.method != "GET" and not one.path.endswith("/@login")]
    assert len(written) == (1 if play.acts and wire.done else 0)
    plone_plays.changed_as_expected(play, run, plone)
    assert not targets.received()
