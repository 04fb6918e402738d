# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Databases and folders exchanged under one journal: killed at each step, and refused at each step."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError, UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.folder_swap import FolderSwap, Move
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.rel_storage import DatabaseNames

MOVES = 4


class Killed(BaseException):
    """What a kill is like for the code: nothing after it runs."""


class Server:
    """The databases of a server by name, each with what is in it; the others of its methods are not used."""

    def __init__(self) -> None:
        self.databases = {"plone": "old", "plone_restoring": "new"}

    def owner(self, database: str) -> str:
        return "plone" if database in self.databases else ""

    def rename(self, database: str, name: str) -> None:
        assert name not in self.databases
        self.databases[name] = self.databases.pop(database)


class Place:
    """A database and a folder, with what was restored beside them."""

    def __init__(self, folder: Path) -> None:
        self.server = Server()
        self.names = DatabaseNames(t.cast("t.Any", self.server))
        self.blobs = folder / "blobs"
        self.journal = folder / "journal.json"
        for path, text in ((self.blobs, "old"), (folder / "blobs.restoring", "new")):
            path.mkdir()
            (path / "content").write_text(text, encoding="utf-8")
        pairs = [("database:plone", "database:plone_before"), (str(self.blobs), f"{self.blobs}.before")]
        pairs += [("database:plone_restoring", "database:plone"), (f"{self.blobs}.restoring", str(self.blobs))]
        self.moves = [Move(*pair) for pair in pairs]
        self.swap = FolderSwap(str(self.journal), self.names)

    def content(self) -> tuple[str | None, str]:
        text = (self.blobs / "content").read_text(encoding="utf-8") if self.blobs.exists() else ""
        return self.server.databases.get("plone"), text

    def end_at(self, number: int, error: BaseException) -> None:
        """Have one rename, counted from 0, not happen; those before it and the ones back do."""
        rename, seen = self.names.rename, iter(range(100))

        def counted(name: str, other: str) -> None:
            if next(seen) == number:
                raise error
            rename(name, other)

        self.names.rename = counted  # type: ignore[method-assign]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("number", range(MOVES))
def test_an_exchange_that_was_killed_is_finished(place: Place, number: int) -> None:
    place.end_at(number, Killed())
    with pytest.raises(Killed):
        place.swap.run(place.moves)
    assert place.swap.is_begun
    again = FolderSwap(str(place.journal), DatabaseNames(t.cast("t.Any", place.server)))
    assert again.finish()
    assert (place.content(), place.server.databases["plone_before"]) == (("new", "new"), "old")
    assert (again.finish(), place.journal.exists()) == (False, False)


@pytest.mark.parametrize("number", range(MOVES))
def test_an_exchange_that_is_refused_is_taken_back(place: Place, number: int) -> None:
    place.end_at(number, UpgradeError("somebody is connected"))
    with pytest.raises(UpgradeError, match="somebody is connected"):
        place.swap.run(place.moves)
    assert place.content() == ("old", "old")
    assert not place.swap.is_begun


def test_names_beside_a_database_need_no_quotes_and_are_never_cut(place: Place) -> None:
    assert place.names.with_ending("database:plone", ".before") == "database:plone_before"
    assert place.names.with_ending("/srv/blobs", ".before") == "/srv/blobs.before"
    with pytest.raises(OptionError, match="'keep_as'.* has more than the 63 bytes"):
        place.names.with_ending("database:" + "x" * 57, ".before")
    with pytest.raises(OptionError, match="'database'.* has more than the 63 bytes"):
        place.names.with_ending("database:" + "x" * 60, ".restoring")
