# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every cell of the matrix that is about Plone, played between the modules and a real Plone."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from faults import plone_plays
from faults.figures import Figure
from faults.matrix import CALLS, PLONE, Play, plays, representatives
from faults.outcomes import assert_nothing_slipped_out, count, ended_in_words
from faults.redirect_target import RedirectTargets
from faults.runners import InProcess, run_in_playbook
from faults.surroundings import Detour
from support.cutting_proxy import CuttingProxy
from support.module_runner import ModuleRun
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
    prepared = plone_plays.prepare(plone, play.call)
    with playing(play, plone, targets) as (proxy, detour):
        module, options = module_call(play, proxy, prepared, targets)
        run = runner.run(module, options, variables=plone_plays.state_folder(tmp_path), detour=detour)
    ended_as_the_matrix_says(play, run, proxy, plone, targets)
    count(play, figure)


READS, WRITES = (
    tuple(play for play in representatives(PLONE) if (plone_plays.WIRES[play.call].done is None) is reads)
    for reads in (True, False)
)


@pytest.mark.parametrize("group", (READS, *((play,) for play in WRITES)), ids=lambda group: group[0].name)
def test_a_cell_of_each_call_in_a_playbook(
    group: tuple[Play, ...], plone: PloneServer, targets: RedirectTargets, tmp_path: Path, figure: Figure
) -> None:
    """The reads in one play, and each call that writes in a play of its own: it finds the server as it needs it."""
    with contextlib.ExitStack() as stack:
        proxies: list[CuttingProxy] = []
        calls: list[tuple[str, dict[str, Any]]] = []
        for play in group:
            prepared = plone_plays.prepare(plone, play.call)
            proxy, detour = stack.enter_context(playing(play, plone, targets))
            assert detour is None
            proxies.append(proxy)
            calls.append(module_call(play, proxy, prepared, targets))
        runs = run_in_playbook(tmp_path, calls, variables=plone_plays.state_folder(tmp_path))
    for play, run, proxy in zip(group, runs, proxies, strict=True):
        ended_as_the_matrix_says(play, run, proxy, plone, targets)
    figure("plays of the matrix through ansible-playbook", len(group))


def playing(
    play: Play, plone: PloneServer, targets: RedirectTargets
) -> AbstractContextManager[tuple[CuttingProxy, Detour | None]]:
    return plone_plays.playing(play, plone, targets.origins, f"http://127.0.0.1:{targets.foreign.port}")


def module_call(
    play: Play, proxy: CuttingProxy, prepared: dict[str, Any], targets: RedirectTargets
) -> tuple[str, dict[str, Any]]:
    """The module of a cell and its options."""
    given = {**plone_plays.address(play, proxy), "ca_path": str(targets.authority)}
    own = {**plone_plays.WIRES[play.call].options, **prepared, **plone_plays.options_for(play)}
    return CALLS[play.call].module, {**given, **own}


def ended_as_the_matrix_says(
    play: Play, run: ModuleRun, proxy: CuttingProxy, plone: PloneServer, targets: RedirectTargets
) -> None:
    """Compare everything that can be seen with the matrix."""
    ended_in_words(play, run)
    assert_nothing_slipped_out(run, plone_plays.secrets())
    # After a 401 the password is sent to @login, to find out which of its causes it is.
    changing = [path for method, path in proxy.arrived if method != "GET" and not path.endswith("/@login")]
    assert len(changing) <= 1
    written = [one for one in plone.requests() if one.method != "GET" and not one.path.endswith("/@login")]
    assert len(written) == (1 if play.acts and plone_plays.WIRES[play.call].done else 0)
    plone_plays.changed_as_expected(play, run, plone)
    assert not targets.received()
