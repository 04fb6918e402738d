# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures around one PostgreSQL server for all tests of a session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.postgres.server import Postgres, newest_bin, running


@pytest.fixture(scope="session")
def running_postgres() -> Iterator[Postgres]:
    """A server of the newest version that is here."""
    with running(newest_bin()) as server:
        yield server


@pytest.fixture
def postgres(running_postgres: Postgres) -> Iterator[Postgres]:
    """The server without databases."""
    running_postgres.drop()
    yield running_postgres
