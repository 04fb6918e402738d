# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads that work together, and what becomes of those that do not end."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.workers import work_together


def nothing() -> None:
    """Nothing to look after."""


def fail() -> None:
    raise OSError("broke")


def test_all_of_them_run_and_what_they_raise_is_reported() -> None:
    ran: list[int] = []
    members = [lambda: ran.append(1), fail, lambda: ran.append(2)]
    errors = work_together(members, is_done=lambda: False, tick=nothing, stop=nothing)
    assert sorted(ran) == [1, 2]
    assert [str(error) for error in errors] == ["broke"]


def test_one_that_is_kept_waiting_is_left_when_everything_is_done() -> None:
    let_go = threading.Event()

    def wait() -> None:
        let_go.wait()

    stopped: list[bool] = []
    try:
        errors = work_together(
            [nothing, wait],
            is_done=lambda: True,
            tick=nothing,
            stop=lambda: stopped.append(True),
        )
    finally:
        let_go.set()
    assert errors == []
    assert stopped == [True]


def test_a_fault_of_the_one_who_looks_after_them_stops_them() -> None:
    over = threading.Event()

    def wait() -> None:
        over.wait(60)

    def tick() -> None:
        raise KeyError("disk")

    with pytest.raises(KeyError):
        work_together([wait], is_done=lambda: False, tick=tick, stop=over.set)
    assert over.is_set()
