# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of zip archives, good and hostile ones."""

from __future__ import annotations

import io
import typing as t
import zipfile

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.zip_members import DAMAGE, content, members

CONTENTS = {"dump.sql": b"SELECT 1;\n" * 300_000, "filestore/aa/x": b"", "filestore/bb/y": b"\0" * 10, "folder/": b""}


def packed(method: int, contents: t.Mapping[str, bytes] | None = None) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in (CONTENTS if contents is None else contents).items():
            archive.writestr(name, data)
    return file


def read(file: io.BytesIO) -> dict[str, bytes]:
    return {member.name: b"".join(content(file, member)) for member in members(file)}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_every_member_comes_whole(method: int) -> None:
    assert read(packed(method)) == CONTENTS


def test_the_long_sizes_of_zip64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 5)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    assert read(packed(zipfile.ZIP_DEFLATED)) == CONTENTS


def test_a_member_that_is_a_link_says_so() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        entry = zipfile.ZipInfo("filestore/aa/link")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    assert [member.is_link for member in members(file)] == [True]


@pytest.mark.parametrize("place", range(0, 400, 7))
def test_a_changed_byte_is_found_or_harmless(place: int) -> None:
    contents = {"dump.sql": b"SELECT 1;\n" * 20, "filestore/aa/x": b"content"}
    data = bytearray(packed(zipfile.ZIP_DEFLATED, contents).getvalue())
    data[place % len(data)] ^= 0x55
    try:
        found = read(io.BytesIO(bytes(data)))
    except DAMAGE:
        return
    assert set(found.values()) == set(contents.values())


@pytest.mark.parametrize("part", [0, 10, 0.5, -1, -30])
def test_a_cut_archive_is_found(part: float) -> None:
    data = packed(zipfile.ZIP_DEFLATED).getvalue()
    end = int(len(data) * part) if isinstance(part, float) else part
    with pytest.raises(DAMAGE):
        read(io.BytesIO(data[:end]))


def test_members_that_share_their_bytes_are_refused() -> None:
    data = bytearray(packed(zipfile.ZIP_STORED, {"a": b"x" * 1000, "b": b"x" * 1000}).getvalue())
    second = data.rindex(b"PK\x01\x02")
    # The second entry claims the whole archive as its own.
    data[second + 20 : second + 24] = len(data).to_bytes(4, "little")
    with pytest.raises(ValueError, match="overlap"):
        read(io.BytesIO(bytes(data)))
