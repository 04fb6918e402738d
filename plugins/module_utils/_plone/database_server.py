# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a RelStorage needs of its PostgreSQL server; the modules hand over who does it.

The rooms for Plone and for PostgreSQL do not know each other: a module brings them together.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import typing as t


class DatabaseServer(t.Protocol):
    """One PostgreSQL server."""

    @property
    def place(self) -> str:
        """The server in words."""

    @property
    def environment(self) -> t.Mapping[str, str]:
        """How libpq connects to it: the variables that begin with PG."""

    def owner(self, database: str) -> str:
        """The owner of a database; empty if there is no such database."""

    def rows(self, sql: str, database: str, seconds: float) -> list[dict[str, t.Any]]:
        """The rows of a query."""

    def connected(self, database: str) -> list[str]:
        """Who is connected to a database, in words."""

    def only_run(self, database: str) -> contextlib.AbstractContextManager[None]:
        """Have the name of a database to this run alone."""

    def dump(self, database: str, path: str, seconds: float) -> None:
        """Dump a database to a file that nobody else can read."""

    def restore(self, path: str, database: str, owner: str, seconds: float) -> None:
        """Restore a dump to a new database, which is marked as made here."""

    def drop_made(self, database: str) -> None:
        """Drop a database that was made here. Any other one of that name is a failure."""

    def rename(self, database: str, name: str) -> None:
        """Rename a database that nobody is connected to."""
