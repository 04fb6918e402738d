# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in /data after an upgrade: the dump, a filestore, the report and the log.

Nothing is upgraded. A directory comes back as a directory with the same files, every other form as a zip archive with
`dump.sql` and a filestore in it. The log holds the SHA-256 of each file that was received, so a test can prove that all
bytes arrived.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import zipfile
import zlib
from pathlib import Path

from support.platform import dumps

REPORT, LOG, FILESTORE = "upgrade-report.html", "upgrade.log", "filestore"
DIRECTORY_RESULT, ZIP_RESULT = "upgraded.dump", "upgraded.zip"
_BLOCK = 1 << 20
_ATTACHMENT = b"an attachment that the upgrade made\n"


class Unreadable(Exception):
    """What was uploaded cannot be upgraded; the text is the reason for the customer."""


def origin(data: Path) -> Path | None:
    """What was uploaded; None where nothing was."""
    return next((path for path in sorted(data.glob("origin.*"))), None)


def digests(path: Path) -> dict[str, str]:
    """The SHA-256 of each file of a dump, by its path below /data."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(file.relative_to(path.parent)): _sha256(file) for file in files if file.is_file()}


def make(data: Path, target: str) -> str:
    """Make the result beside the upload; the name of the dump. Raises Unreadable."""
    source = origin(data)
    if source is None:
        raise Unreadable("There is no dump.")
    _require_readable(source)
    name = DIRECTORY_RESULT if source.is_dir() else ZIP_RESULT
    if source.is_dir():
        shutil.copytree(source, data / name, copy_function=_link)
        store = data / FILESTORE
        sha1 = hashlib.sha1(_ATTACHMENT).hexdigest()
        (store / sha1[:2]).mkdir(parents=True)
        (store / sha1[:2] / sha1).write_bytes(_ATTACHMENT)
    else:
        try:
            dumps.derive(source, data / name, target, with_filestore=True)
        except dumps.DumpError as error:
            raise Unreadable(str(error)) from error
    (data / REPORT).write_text(
        f"<!DOCTYPE html>\n<title>Upgrade to {target}</title>\n<p>Rehearsed.</p>\n", encoding="utf-8"
    )
    return name


def _link(source: str, destination: str) -> None:
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)


def _require_readable(source: Path) -> None:
    if source.is_dir():
        contents = source / "toc.dat"
        if not contents.is_file() or contents.read_bytes()[:5] != b"PGDMP":
            raise Unreadable("The directory has no toc.dat of pg_dump.")
        return
    kind = dumps.inspect(source).kind
    if kind == "unknown":
        raise Unreadable("The uploaded file is not a database dump that can be read.")
    try:
        if kind == "gzip":
            with gzip.open(source) as stream:
                while stream.read(_BLOCK):
                    pass
        if kind == "zip":
            with zipfile.ZipFile(source) as archive:
                damaged = archive.testzip()
            if damaged:
                raise Unreadable(f"{damaged} is damaged.")
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise Unreadable(f"The dump is damaged: {error}") from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
