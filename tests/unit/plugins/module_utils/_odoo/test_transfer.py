# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the upload and the download decide before anything moves."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.task import Task
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api.result_name import choose_result
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api.transfer import transport_for
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.destination import FileDestination, permissions
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.transfer_options import (
    DownloadOptions,
    TransferOptions,
    transfer_options,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.resume import Retries
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sftp_protocol import (
    Entry,
    SftpBrokenError,
    SftpError,
)

if t.TYPE_CHECKING:
    from pathlib import Path

DEFAULTS: dict[str, t.Any] = {
    "transport": "auto",
    "sftp_threshold": "1G",
    "sftp_private_key": None,
    "sftp_private_key_text": None,
    "sftp_public_keys": None,
    "sftp_passphrase": None,
    "sftp_known_hosts": None,
    "sftp_host_key": None,
    "checksum": "where_changed",
    "timeout": 60,
    "retries": 5,
    "connections": 4,
    "ssh_options": [],
}
GIBIBYTE = 2**30


@pytest.mark.parametrize(
    ("options", "size", "expected"),
    (
        ({}, 2 * GIBIBYTE, "https"),
        ({"sftp_private_key": "key"}, GIBIBYTE, "https"),
        ({"sftp_private_key": "key"}, GIBIBYTE + 1, "sftp"),
        ({"sftp_public_keys": "keys"}, GIBIBYTE + 1, "sftp"),
        ({"sftp_private_key_text": "a key"}, GIBIBYTE + 1, "sftp"),
        ({"sftp_private_key": "key", "sftp_threshold": "1000"}, 1001, "sftp"),
        ({"sftp_private_key": "key", "sftp_threshold": "2 GiB"}, 2 * GIBIBYTE, "https"),
        ({"sftp_private_key": "key", "transport": "https"}, 2 * GIBIBYTE, "https"),
        ({"transport": "sftp"}, 1, "sftp"),
    ),
)
def test_the_transport(options: dict[str, t.Any], size: int, expected: str) -> None:
    assert transport_for(transfer_options({**DEFAULTS, **options}), size) == expected


@pytest.mark.parametrize(
    ("option", "value"), (("sftp_threshold", "much"), ("sftp_threshold", ""), ("retries", -1), ("connections", 0))
)
def test_bad_options(option: str, value: t.Any) -> None:
    with pytest.raises(OptionError, match=option):
        transfer_options({**DEFAULTS, option: value})


def entries(*names: str) -> list[Entry]:
    return [Entry(name, 1, 1) for name in names]


@pytest.mark.parametrize(
    ("filename", "names", "expected"),
    (
        ("db.dump", ("upgraded_db.dump",), "upgraded_db.dump"),
        ("db.tar.gz", ("upgraded_db.zip",), "upgraded_db.zip"),
        ("db.tar.gz", ("upgraded_db.tar.zip",), "upgraded_db.tar.zip"),
        ("db", ("upgraded_db.zip",), "upgraded_db.zip"),
        ("db.zip", ("upgraded_db.zip",), "upgraded_db.zip"),
        ("my.db.dump", ("upgraded_my.db.zip", "notes.txt"), "upgraded_my.db.zip"),
        ("db.dump", ("upgraded_db.dump", "upgraded_db.zip"), "upgraded_db.dump"),
        ("db.dump", ("/upgraded_db.dump",), "/upgraded_db.dump"),
    ),
)
def test_the_result_is_picked_from_the_list(filename: str, names: tuple[str, ...], expected: str) -> None:
    assert choose_result(filename, entries(*names)).name == expected


@pytest.mark.parametrize(
    ("filename", "names"),
    (
        ("db.dump", ()),
        ("db.dump", ("db.dump",)),
        ("db.dump", ("upgraded_other.dump",)),
        ("db.dump", ("upgraded_d.zip",)),
        (".dump", ("upgraded_.zip",)),
        ("my.db.dump", ("upgraded_my.zip", "upgraded_my.db.zip")),
        ("db.dump", ("../upgraded_db.dump",)),
    ),
)
def test_nothing_is_guessed(filename: str, names: tuple[str, ...]) -> None:
    with pytest.raises(SftpError, match="transport"):
        choose_result(filename, entries(*names))


def test_destinations(tmp_path: Path) -> None:
    def path_of(dest: str) -> str:
        return FileDestination(DownloadOptions(dest, "archive", "0600", False, TransferOptions()), Task()).path

    assert path_of(str(tmp_path / "x")) == str(tmp_path / "x")
    for bad in (tmp_path, tmp_path / "missing/x", f"{tmp_path}/x/", "/dev/null"):
        with pytest.raises(OptionError, match="'dest'"):
            path_of(str(bad))


@pytest.mark.parametrize(("value", "mode"), (("0600", 0o600), ("640", 0o640), ("0o600", 0o600), (0o644, 0o644)))
def test_permissions(value: str | int, mode: int) -> None:
    """YAML makes a number of 0644 without quotes."""
    assert permissions(value) == mode


@pytest.mark.parametrize("value", ("", "rw", "0800", "1777", "-1", "384 ", 644, -1, True, ["0600"], None))
def test_bad_permissions(value: object) -> None:
    with pytest.raises(OptionError, match="'mode'"):
        permissions(value)


def test_progress_gives_new_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    error = SftpBrokenError("broken")
    retries = Retries(2)
    for offset in (0, 0, 5, 5, 9):
        retries.pause_after(error, offset)
    assert pauses == [0.5, 1.0, 0.5, 1.0, 0.5]
    retries.pause_after(error, 9)
    with pytest.raises(SftpBrokenError):
        retries.pause_after(error, 9)
    with pytest.raises(SftpBrokenError):
        Retries(0).pause_after(error, 100)
