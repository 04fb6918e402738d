# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the faults share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faults.elsewhere import Elsewhere, servers_elsewhere
from faults.figures import figure, pytest_terminal_summary
from faults.forked import ModuleRunner

# Imported for pytest, which looks for fixtures and hooks here.
__all__ = ["elsewhere", "figure", "pytest_terminal_summary", "runner"]


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """The servers that no call should end at."""
    with servers_elsewhere(tmp_path_factory.mktemp("authorities")) as servers:
        yield servers


@pytest.fixture(scope="session")
def runner() -> Iterator[ModuleRunner]:
    """Runs modules in processes of their own."""
    with ModuleRunner() as modules:
        yield modules
