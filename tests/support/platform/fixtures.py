# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures around one rehearsal platform, ``running_platform``, that every conftest starts by its own settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.odoo_job import Job
from support.platform import Platform


@pytest.fixture
def platform(running_platform: Platform) -> Platform:
    """The platform without requests, faults and calls, with the settings that it was started with."""
    running_platform.reset()
    return running_platform


@pytest.fixture
def job(platform: Platform, tmp_path: Path) -> Iterator[Job]:
    """One database; every file that its runs make is made under umask 000."""
    former = os.umask(0)
    try:
        yield Job(platform, tmp_path / "work")
    finally:
        os.umask(former)
