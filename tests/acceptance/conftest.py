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

from support.plone import PloneServer  # noqa: E402


@pytest.fixture(scope="session")
def plone_server() -> Iterator[PloneServer]:
    """One server for the whole session; tests take it as ``plone``."""
    with PloneServer() as server:
        yield server


@pytest.fixture
def plone(plone_server: PloneServer) -> PloneServer:
    """The server as it was when it started, whatever the test before did to it: data, faults and access log."""
    plone_server.restore()
    return plone_server
