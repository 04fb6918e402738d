# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small database of a Plone instance in a RelStorage on a real PostgreSQL, with or without history."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from support.plone.environment import clean_variables, prepare_environment
from support.plone.extra_packages import extra_packages
from support.plone.relstorage import PACKAGES
from support.plone.small_database import SITE
from support.postgres.server import PASSWORD, ROLE, Postgres

WRITER = rf"""
import json, os, sys
from relstorage.adapters.postgresql import PostgreSQLAdapter
from relstorage.options import Options
from relstorage.storage import RelStorage

order = json.loads(sys.argv[1])
shared = {{"blob_dir": order["blobs"], "shared_blob_dir": order["shared"]}}
options = Options(keep_history=order["history"], **shared)
adapter = PostgreSQLAdapter(dsn="dbname='%s'" % order["database"], options=options)
storage = RelStorage(adapter, options=options)
{SITE}
"""


class SmallRelStorage:
    """A database of the server ``postgres`` and its folder of blobs; no Zope uses them."""

    def __init__(self, postgres: Postgres, folder: Path, *, keeps_history: bool, shared_blobs: bool) -> None:
        self.postgres = postgres
        self.blobs = folder / "blobstorage"
        self.name = "plone"
        self._order = {"database": self.name, "history": keeps_history, "shared": shared_blobs}
        self._packages = extra_packages("relstorage-postgresql", *PACKAGES, "psycopg2-binary==2.9.13", proof="psycopg2")
        postgres.sql(f"CREATE DATABASE {self.name} OWNER {ROLE}")

    @property
    def options(self) -> dict[str, Any]:
        """The options of the modules that say which database it is."""
        return {
            **self.postgres.options,
            "database": self.name,
            "python": str(prepare_environment() / "bin/python"),
            "environment": {"PYTHONPATH": str(self._packages)},
            **({"blobs": str(self.blobs)} if self._order["shared"] else {}),
        }

    def write(self, version: str = "6018", *, objects: int = 3, pack: bool = False, **files: str) -> None:
        """One transaction: the site's version, objects, and files that become blobs."""
        order = {**self._order, "blobs": str(self.blobs), "version": version, "objects": objects, "pack": pack}
        python = str(prepare_environment() / "bin/python")
        env = {**clean_variables(PYTHONPATH=str(self._packages)), **self._connection()}
        subprocess.run([python, "-c", WRITER, json.dumps({**order, "files": files})], env=env, check=True)

    def _connection(self) -> dict[str, str]:
        variables = self.postgres.environment(ROLE)
        return {name: value for name, value in variables.items() if name.startswith("PG")} | {"PGPASSWORD": PASSWORD}

    def content(self, name: str = "") -> str:
        """Every state of the database and every part of its blobs."""
        states = "SELECT zoid, tid, md5(state) FROM object_state ORDER BY 1, 2"
        chunks = "SELECT zoid, tid, chunk_num, md5(lo_get(chunk)) FROM blob_chunk ORDER BY 1, 2, 3"
        blobs = {str(path.relative_to(self.blobs)): path.read_bytes() for path in self.blobs.rglob("*.blob")}
        kept = sorted(blobs.items()) if self._order["shared"] else []
        return self.postgres.sql(f"{states};{chunks}", name or self.name) + os.linesep + repr(kept)
