# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odoo's own upgrade script, unchanged, as a witness of the rehearsal platform: it must complete against it.

Runs where ODOO_UPGRADE_SCRIPT names the script that https://upgrade.odoo.com/upgrade serves, as root: the script can
reach a host in charge on port 443 alone.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.odoo_shop import sql_dump
from support.platform import SAMPLE_CONTRACT, SAMPLE_DUMP, Platform

SCRIPT = os.environ.get("ODOO_UPGRADE_SCRIPT")
HTTPS = 443


def _can_serve_https() -> bool:
    try:
        socket.create_server(("127.0.0.1", HTTPS)).close()
    except OSError:
        return False
    return True


pytestmark = [
    pytest.mark.skipif(not SCRIPT, reason="ODOO_UPGRADE_SCRIPT does not name Odoo's upgrade script"),
    pytest.mark.skipif(bool(SCRIPT) and not _can_serve_https(), reason="port 443 of 127.0.0.1 cannot be used here"),
]


@pytest.fixture(params=["asyncssh", "sshd"])
def witnessed(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Platform, Path]]:
    with Platform(host_port=HTTPS, stage_seconds=4, ssh_server=request.param) as platform:
        yield platform, tmp_path


def _run(platform: Platform, folder: Path, dump: Path) -> subprocess.CompletedProcess[str]:
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    command = [sys.executable, str(SCRIPT), "test", "-i", str(dump), "-t", "18.0", "-c", SAMPLE_CONTRACT]
    env = {
        **os.environ,
        "UPGRADE_SERVER_NAME": platform.service_url,
        "SSL_CERT_FILE": str(platform.ca_path),
        "TMPDIR": str(temporary),
        "HOME": str(folder),
    }
    ended = subprocess.run(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )
    print(ended.stdout, ended.stderr, *platform.calls(), sep="\n")
    return ended


def _calls(platform: Platform) -> list[str]:
    """The calls in their order; reads that repeat are shown once."""
    names = [record.call.removeprefix("request/") for record in platform.calls()]
    return [name for place, name in enumerate(names) if name not in ("status", "logs") or name not in names[:place]]


def _custom(folder: Path) -> tuple[Path, str]:
    path = folder / "shop.dump"
    path.write_bytes(SAMPLE_DUMP.read_bytes())
    return path, "upgraded.zip"


def _directory(folder: Path) -> tuple[Path, str]:
    path = folder / "shop"
    path.mkdir()
    (path / "toc.dat").write_bytes(SAMPLE_DUMP.read_bytes())
    (path / "3001.dat").write_bytes(os.urandom(200_000))
    return path, "upgraded.dump"


@pytest.mark.parametrize("make", [_custom, _directory])
def test_completes(witnessed: tuple[Platform, Path], make: object) -> None:
    platform, folder = witnessed
    assert callable(make)
    dump, result = make(folder)
    ended = _run(platform, folder, dump)
    assert ended.returncode == 0
    assert _calls(platform) == [
        *("create", "transfer/start", "ssh", "transfer/stop", "process", "status", "logs"),
        *("transfer/start", "ssh", "transfer/stop"),
    ]
    assert all(record.acted for record in platform.calls() if record.call != "request/logs")
    arrived = {path.name for path in folder.rglob("*")}
    assert {result, "upgrade-report.html", "upgrade.log"} <= arrived


def test_says_success_of_a_failed_upgrade(witnessed: tuple[Platform, Path]) -> None:
    """The reason for much of this collection, see the comparison page."""
    platform, folder = witnessed
    dump = sql_dump(folder / "shop.sql", 200_000)
    platform.settings.update({"end_state": "failed", "customer_message": "A view cannot be upgraded."})
    ended = _run(platform, folder, dump)
    assert "A view cannot be upgraded." in ended.stdout + ended.stderr
    assert ended.returncode == 0


def test_a_cut_upload_is_an_error(witnessed: tuple[Platform, Path]) -> None:
    platform, folder = witnessed
    dump = sql_dump(folder / "shop.sql", 8_000_000)
    platform.fault("ssh_cut", after=3_000_000)
    ended = _run(platform, folder, dump)
    assert ended.returncode == 1
    assert [record.call for record in platform.calls()] == ["request/create", "request/transfer/start", "ssh"]


def test_a_result_without_its_dump_is_success_for_it(witnessed: tuple[Platform, Path]) -> None:
    platform, folder = witnessed
    dump = sql_dump(folder / "shop.sql", 200_000)
    platform.fault("edit", "request/transfer/start", skip=1, path="result.dump_name", value="gone.dump")
    ended = _run(platform, folder, dump)
    assert ended.returncode == 0
    assert not list(folder.glob("*.zip"))
