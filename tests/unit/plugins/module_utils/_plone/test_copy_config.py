# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The zope.conf of a copy, from those that people have."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.copy_config import zope_conf_of_copy

if t.TYPE_CHECKING:
    from pathlib import Path

FILE = """\
<zodb_db main>
  mount-point /
  cache-size 5000
  <blobstorage>
    blob-dir $INSTANCE/var/blobstorage
    <filestorage>
      path $INSTANCE/var/filestorage/Data.fs
    </filestorage>
  </blobstorage>
</zodb_db>
"""
ZEO = """\
<zodb_db main>
  mount-point /
  <zeoclient>
    server 10.0.0.1:8100
    storage 1
    blob-dir /srv/blobs
    shared-blob-dir on
  </zeoclient>
</zodb_db>
"""
RELSTORAGE = """\
%import relstorage
<zodb_db main>
  mount-point /
  <relstorage>
    <postgresql>
      dsn dbname='plone' password='secret'
    </postgresql>
  </relstorage>
</zodb_db>
"""
ZLIB = """\
%import zc.zlibstorage
<zodb_db main>
  mount-point /
  <zlibstorage>
    <filestorage>
      path /srv/Data.fs
    </filestorage>
  </zlibstorage>
</zodb_db>
"""
SERVERS = """\
<http-server>
  address 8080
</http-server>
<clock-server>
  method /Plone/@@tick
</clock-server>
<eventlog>
  <logfile>
    path /srv/log
  </logfile>
</eventlog>
<zodb_db temporary>
  <temporarystorage>
  </temporarystorage>
  mount-point /temp_folder
</zodb_db>
"""


def copied(text: str, folder: str = "/srv/etc") -> str:
    return zope_conf_of_copy(text, folder, "/copy/Data.fs", "/copy/blobs", "/copy/home")


@pytest.mark.parametrize("database", [FILE, ZEO, RELSTORAGE, ZLIB], ids=["file", "zeo", "relstorage", "zlib"])
def test_the_copy_has_its_own_database_and_no_server_of_the_original(database: str) -> None:
    made = copied(f"%define INSTANCE /srv\ninstancehome $INSTANCE\nclienthome /srv/var\n{database}{SERVERS}")
    assert "path /copy/Data.fs" in made
    assert "blob-dir /copy/blobs" in made
    assert "clienthome /copy/home" in made
    assert "%define INSTANCE /srv" in made
    assert "<temporarystorage>" in made
    for gone in ("/srv/var", "10.0.0.1", "secret", "/srv/Data.fs", "8080", "@@tick", "/srv/log", "/srv/blobs"):
        assert gone not in made, gone
    assert ("<zlibstorage>" in made) == (database == ZLIB)
    assert made.count("<") == made.count(">")


def test_a_database_in_an_included_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/database.conf").write_text("%include deeper.conf\n", encoding="utf-8")
    (tmp_path / "parts/deeper.conf").write_text(FILE, encoding="utf-8")
    (tmp_path / "other.conf").write_text("debug-mode off\n", encoding="utf-8")
    made = copied(
        f"%define BASE {tmp_path}\n%include ${{BASE}}/parts/database.conf\n%include other.conf\n", str(tmp_path)
    )
    assert "path /copy/Data.fs" in made
    assert "$INSTANCE" not in made
    assert f"%include {tmp_path}/other.conf" in made


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("instancehome /srv\n", "no database with the mount point '/'"),
        (FILE + FILE.replace("main", "catalog").replace("point /", "point /Plone/portal_catalog"), "second database"),
        ("<zodb_db main>\n", "not closed"),
    ],
    ids=["none", "mounted", "not closed"],
)
def test_what_cannot_be_rehearsed_is_named(text: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        copied(text)
