# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the faults share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.figures import figure, pytest_terminal_summary
from faults.redirect_target import RedirectTargets, redirect_targets
from faults.runners import InProcess
from support.longest_first import pytest_collection_modifyitems
from support.odoo_shop import Shop
from support.platform import Platform
from support.platform.fixtures import job, platform
from support.plone.fixtures import as_admin, own_state_folder, plone, plone_server, upgrade
from support.postgres.fixtures import postgres, running_postgres

# Imported for pytest, which looks for fixtures and hooks here.
__all__ = [
    "as_admin",
    "figure",
    "job",
    "own_state_folder",
    "platform",
    "plone",
    "plone_server",
    "postgres",
    "pytest_collection_modifyitems",
    "pytest_terminal_summary",
    "running_postgres",
    "upgrade",
]


@pytest.fixture(scope="session")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedirectTargets]:
    """The servers that no call should end at."""
    with redirect_targets(tmp_path_factory.mktemp("authorities")) as servers:
        yield servers


@pytest.fixture(scope="session")
def runner() -> Iterator[InProcess]:
    """Runs modules in processes of their own."""
    with InProcess() as modules:
        yield modules


@pytest.fixture(scope="module")
def running_platform() -> Iterator[Platform]:
    """One platform for all tests of a module, that passes all states at once."""
    with Platform(stage_seconds=0) as started:
        yield started


@pytest.fixture(scope="module")
def platform_server() -> Iterator[Platform]:
    """One platform for all tests of a module, that stays in each state until a test advances it."""
    with Platform(stage_seconds=None) as started:
        yield started


@pytest.fixture
def shop(platform_server: Platform, tmp_path: Path) -> Shop:
    """One dump, and a request for it that was just made."""
    platform_server.reset()
    made = Shop(platform_server, tmp_path)
    made.forget_calls()
    return made
