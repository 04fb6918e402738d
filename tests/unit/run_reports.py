# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run reports for the unit tests of the report page, and what a page says to a reader."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace
from html.parser import HTMLParser

from ansible_collections.siteops.upgrades.plugins.module_utils._report.copy_rehearsal import CopyRehearsal
from ansible_collections.siteops.upgrades.plugins.module_utils._report.parts import (
    Addon,
    ComparedDatabase,
    Phase,
    Request,
    SeenState,
    Step,
    Transfer,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._report.reader import read_file
from ansible_collections.siteops.upgrades.plugins.module_utils._report.run import Run
from ansible_collections.siteops.upgrades.plugins.module_utils._report.values import as_moment

if t.TYPE_CHECKING:
    from pathlib import Path

STARTED = "2026-11-21T03:00:00Z"
FINISHED = "2026-11-21T03:04:12.500Z"
WITHOUT_END = {"br", "hr", "link", "meta"}


def report(**values: t.Any) -> dict[str, t.Any]:
    """What a run report has to have, and ``values``."""
    needed = {"schema": 1, "product": "plone", "host": "intranet", "result": "ok"}
    return {**needed, "started_at": STARTED, "finished_at": FINISHED, **values}


def run_of(folder: Path, name: str = "run.json", **values: t.Any) -> Run:
    """The run that such a report is read as."""
    path = folder / name
    path.write_text(json.dumps(report(**values)), encoding="utf-8")
    run = read_file(str(path))
    assert isinstance(run, Run), run
    return run


def begun_run() -> Run:
    """A run that has not ended."""
    started = as_moment(STARTED)
    assert started
    return Run(product="plone", host="intranet", target="", check_mode=False, started_at=started)


def whole_run() -> Run:
    """A run in which each field has a value, whatever the product."""
    started, finished = as_moment(STARTED), as_moment(FINISHED)
    sent = Transfer("shop.dump", 42, "c0" * 32, "sftp", 1.5, started)
    fetched = Transfer("shop-18.zip", 43, "", "https", 0.0, None)
    return replace(
        begun_run(),
        product="odoo",
        target="shop.dump",
        check_mode=True,
        collection_version="1.2.3",
        finished_at=finished,
        duration=252.5,
        result="failed",
        message="The platform gave up.",
        state_before="draft",
        state_after="failed",
        versions_before={"instance": "6018"},
        versions_after={"target": "18.0"},
        phases=(Phase("process", started, finished, 252.5, "failed", "It gave up."),),
        steps=(Step("A step", "6018", "6205", "run"),),
        server_report="one\ntwo",
        addons=(Addon("an.addon", "1", ""),),
        request=Request("7", "test", "18.0", (SeenState("draft", started),), sent, fetched),
        database=ComparedDatabase("16.0", "18.0", {"res_partner": 1043, "old": 1}, {"res_partner": 1044}, ("web_old",)),
        rehearsal=CopyRehearsal(
            *(False, True, "", started, "/backups/1", "6018", "6205"), {"upgrade": 1.5}, 2**28, 4096, 10, None
        ),
        warnings=("Careful.",),
    )


class Page(HTMLParser):
    """The elements and the text of a page. Fails where elements do not close in the order in which they opened."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(markup)
        self.close()
        assert self._open == []

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every element of this name."""
        return [attributes for name, attributes in self.elements if name == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in WITHOUT_END:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
