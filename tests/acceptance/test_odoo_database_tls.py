# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to a PostgreSQL that offers TLS, by each value of ssl_mode; only the server of Debian has it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.platform.certificates import ensure_certificates
from support.postgres.odoo import make_database
from support.postgres.runs import Databases
from support.postgres.server import PASSWORD, SETTINGS, Postgres, debian_bin, ordinary_user, running

DEBIAN = next(filter(None, map(debian_bin, range(18, 12, -1))), None)
pytestmark = pytest.mark.skipif(not DEBIAN, reason="there is no PostgreSQL of Debian, whose server has TLS")


@pytest.fixture(scope="module")
def encrypted() -> Iterator[tuple[Postgres, Path]]:
    """A server with TLS, and the file of its authority."""
    assert DEBIAN
    folder = Path(tempfile.mkdtemp(prefix="tls-", dir="/tmp"))
    try:
        folder.chmod(0o755)
        authority, chain = ensure_certificates(folder)
        user = ordinary_user()
        if user.user is not None and user.group is not None:
            os.chown(chain, user.user, user.group)
        settings = {**SETTINGS, "ssl": "on", "ssl_cert_file": str(chain), "ssl_key_file": str(chain)}
        with running(DEBIAN, settings) as server:
            make_database(server, "shop")
            yield server, authority
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def databases(encrypted: tuple[Postgres, Path], tmp_path: Path) -> Databases:
    return Databases(encrypted[0], tmp_path)


def test_the_certificate_is_verified_as_far_as_is_asked_for(
    databases: Databases, encrypted: tuple[Postgres, Path], tmp_path: Path
) -> None:
    name, options = "odoo_database_info", {"database": "shop", "counts": [], "tools": False}
    databases.env["HOME"] = str(tmp_path)
    for mode in ("allow", "disable", "prefer", "require"):
        assert databases.done(name, ssl_mode=mode, **options)["readable"]
    for mode in ("verify-ca", "verify-full"):
        assert "Name the file of the CA in PGSSLROOTCERT" in databases.refused(name, ssl_mode=mode, **options)
    databases.env["PGSSLROOTCERT"] = str(encrypted[1])
    for mode in ("verify-ca", "verify-full"):
        assert databases.done(name, ssl_mode=mode, **options)["readable"]
    databases.env["PGHOSTADDR"] = "127.0.0.1"
    other = {**options, "login_host": "db.example.com"}
    assert databases.done(name, ssl_mode="verify-ca", **other)["readable"]
    assert "Set 'login_host' to a name that the certificate" in databases.refused(name, ssl_mode="verify-full", **other)
    del databases.env["PGHOSTADDR"]
    (tmp_path / "others").mkdir()
    databases.env["PGSSLROOTCERT"] = str(ensure_certificates(tmp_path / "others")[0])
    for mode in ("verify-ca", "verify-full"):
        assert "not of the CA that PGSSLROOTCERT names" in databases.refused(name, ssl_mode=mode, **options)
    assert [output for output in databases.outputs if PASSWORD in output] == []


def test_a_dump_and_a_restore_verify_it_too(databases: Databases, encrypted: tuple[Postgres, Path]) -> None:
    databases.env["PGSSLROOTCERT"] = str(encrypted[1])
    databases.env["PGSSLMODE"] = "verify-full"
    dump = str(databases.folder / "shop.dump")
    assert databases.done("odoo_database_dump", database="shop", dest=dump)["changed"]
    assert databases.done("odoo_database_restore", src=dump, database="copy")["changed"]
    databases.env["PGSSLROOTCERT"] = "/nowhere/ca.pem"
    message = databases.refused("odoo_database_dump", database="shop", dest=str(databases.folder / "other.dump"))
    assert "PGSSLROOTCERT" in message


def test_a_server_without_tls_is_named(postgres: Postgres, tmp_path: Path) -> None:
    make_database(postgres, "shop")
    plain = Databases(postgres, tmp_path)
    message = plain.refused("odoo_database_info", database="shop", ssl_mode="require", pg_bin=str(DEBIAN))
    assert "Set 'ssl_mode' to prefer" in message
