# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole plays that are killed, with everything that they have started, at moments spread over their run."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.ansible_cli import SECONDS, environment
from support.processes import kill_tree

MOMENTS = int(os.environ.get("SITEOPS_KILLS", "25"))
"""How many moments of each kind of run; fewer make a quicker test of the tests."""


def fractions(moments: int) -> list[float]:
    """So many moments, as parts of the time that an undisturbed run takes."""
    return [(number + 0.5) / moments for number in range(moments)]


FRACTIONS = fractions(MOMENTS)
"""The moments at which modules are killed."""

PLAY_FRACTIONS = fractions(MOMENTS // 3 + 1)
"""The moments at which whole plays are killed: fewer, because a play of half a minute belongs to each."""

BY_PLAY = 3
"""Of so many killed plays one is finished by a play, the others by the modules of the role in-process, in its order.

What a next run finds is on the server and in the files of the job, and the modules read both.
"""

ATTEMPTS, EARLIER = 4, 0.8
"""A play that was quicker than the measured one and ended before its kill is done again, and killed so much earlier."""


def seconds_of(command: Sequence[str], env: Mapping[str, str], log: Path) -> float:
    """How long a run takes that nobody disturbs."""
    started = time.monotonic()
    with log.open("wb") as output:
        status = subprocess.run(
            command, env=environment(env), stdout=output, stderr=output, timeout=SECONDS, check=False
        ).returncode
    assert status == 0, log.read_text(encoding="utf-8")
    return time.monotonic() - started


def killed_after(command: Sequence[str], env: Mapping[str, str], seconds: float, log: Path) -> bool:
    """Start a run and kill it after so many seconds; whether there was something to kill by then."""
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment(env), stdout=output, stderr=output) as play,
    ):
        try:
            status = play.wait(seconds)
        except subprocess.TimeoutExpired:
            kill_tree(play)
            return True
    assert status == 0, log.read_text(encoding="utf-8")
    return False
