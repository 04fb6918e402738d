# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every file says, and what none may say."""

from __future__ import annotations

import pathlib
import re

import pytest

LICENCE = "SPDX-License-Identifier: GPL-3.0-or-later"
HEAD = 400
NO_COMMENTS = {".json", ".md5", ".sha256", ".gz", ".j2", ".pem", ".sql", ".dump", ".zip", ".md"}
WITHOUT_LICENCE = {"COPYING", "changelogs/changelog.yaml"}

# Written in pieces, so that this file does not find itself.
FORBIDDEN = {
    "a path of one machine": re.compile("(?<![\\w.])/" + r"(root|home/\w+|work|Users/\w+)/"),
    "unfinished work": re.compile("|".join(f"\\b{word}\\b" for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X"))),
    "a merge conflict": re.compile("^" + "<" * 7 + " |^" + ">" * 7 + " ", re.MULTILINE),
    "a private key": re.compile("-----BEGIN [A-Z ]*PRIVATE" + " KEY-----\\n[A-Za-z0-9+/=]{32}"),
    "an address with a password": re.compile(
        r"https?://[^/\s:@{}\"']+:[^/\s:@{}\"'<]+@(?!127\.|localhost|[\w.]*example)"
    ),
}


def text_of(path: pathlib.Path) -> str:
    """The content of a text file; nothing for a binary one."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_says(what: str, root: pathlib.Path, files: list[pathlib.PurePath]) -> None:
    texts = {name: text_of(root / name) for name in files if name.name != "COPYING"}
    found = {str(name): match.group() for name, text in texts.items() if (match := FORBIDDEN[what].search(text))}
    assert not found


def test_every_file_names_its_licence(root: pathlib.Path, files: list[pathlib.PurePath]) -> None:
    expected = [name for name in files if name.as_posix() not in WITHOUT_LICENCE and name.suffix not in NO_COMMENTS]
    texts = {str(name): text_of(root / name) for name in expected}
    assert [name for name, text in texts.items() if text.strip() and LICENCE not in text[:HEAD]] == []


def test_links_of_the_shipped_pages_are_full(root: pathlib.Path) -> None:
    """Galaxy and Automation Hub show these pages without the files around them."""
    for page in ("README.md", "CONTRIBUTING.md"):
        links = re.findall(r"\]\(([^)]+)\)", text_of(root / page))
        assert links
        assert [link for link in links if not link.startswith("https://")] == []
