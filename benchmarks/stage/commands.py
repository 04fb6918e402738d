# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole commands, timed from outside, with the processor time of everything that they start."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from support.ansible_cli import environment, playbook_command

from .table import Measured

SECONDS = 3600


@dataclass(frozen=True)
class Ended:
    """A command that went well: what it took, and what it wrote."""

    took: Measured
    output: str


def timed(*command: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end.

    :raises SystemExit: it failed; with what it wrote.
    """
    before, started = os.times(), time.perf_counter()
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
    seconds, after = time.perf_counter() - started, os.times()
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return Ended(Measured(seconds, cpu), ended.stdout)


def timed_playbook(playbook: str, *arguments: str, collections: Path, env: Mapping[str, str] | None = None) -> Ended:
    """Run a playbook as a user starts it, with this checkout as the collection.

    :param collections: what `collections_folder` made; what modules remember of other runs goes there too.
    """
    own = {"ANSIBLE_COLLECTIONS_PATH": str(collections), "XDG_STATE_HOME": str(collections / "state"), **(env or {})}
    return timed(*playbook_command(playbook, *arguments), env=environment(own))
