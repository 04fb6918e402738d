# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures around one database with its filestore and its service, and one platform for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.platform import Platform
from support.postgres.server import Postgres
from support.postgres.shop import Shop, platform_beside


@pytest.fixture(scope="module")
def platform_of_databases(running_postgres: Postgres) -> Iterator[Platform]:
    """A platform that turns archives into SQL with the programs of the server's version."""
    with platform_beside(running_postgres) as platform:
        yield platform


@pytest.fixture
def shop(postgres: Postgres, tmp_path: Path, platform_of_databases: Platform) -> Shop:
    """The database of a shop, on a server and a platform with nothing else."""
    platform_of_databases.reset()
    folder = tmp_path / "shop"
    folder.mkdir()
    return Shop(postgres, folder, platform_of_databases)
