# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the acceptance tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.longest_first import pytest_collection_modifyitems  # noqa: E402
from support.odoo_shop import SMALL, Shop  # noqa: E402
from support.platform import Platform  # noqa: E402
from support.platform.fixtures import job, platform  # noqa: E402
from support.plone.fixtures import as_admin, own_state_folder, plone, plone_server, upgrade  # noqa: E402
from support.postgres.fixtures import postgres, running_postgres  # noqa: E402

# Imported for pytest, which looks for fixtures and hooks here.
__all__ = [
    "as_admin",
    "job",
    "own_state_folder",
    "platform",
    "plone",
    "plone_server",
    "postgres",
    "pytest_collection_modifyitems",
    "running_postgres",
    "upgrade",
]


@pytest.fixture(autouse=True)
def never_the_state_of_a_user(own_state_folder: None) -> None:
    """Every test has a state folder, also those that get their Plone from a playbook."""


@pytest.fixture(scope="session")
def running_platform() -> Iterator[Platform]:
    """One rehearsal platform for the whole session; tests take it as ``platform``."""
    with Platform(stage_seconds=0) as platform:
        yield platform


@pytest.fixture(scope="module")
def platform_server() -> Iterator[Platform]:
    """One platform for the tests of a module, whose requests stay in a state until a test puts them into another."""
    with Platform(stage_seconds=None) as platform:
        yield platform


@pytest.fixture
def shop(platform_server: Platform, tmp_path: Path) -> Shop:
    """A request for a small dump on that platform."""
    platform_server.reset()
    made = Shop(platform_server, tmp_path, SMALL)
    made.forget_calls()
    return made
