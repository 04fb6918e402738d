# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for the report page whatever lies in the folder: it is made, well-formed, and shows texts as texts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.siteops.upgrades.plugins.module_utils._report.fleet import gather
from ansible_collections.siteops.upgrades.plugins.module_utils._report.html import page
from ansible_collections.siteops.upgrades.plugins.module_utils._report.markdown import document
from ansible_collections.siteops.upgrades.plugins.module_utils._report.reader import Unreadable, read_file
from ansible_collections.siteops.upgrades.plugins.module_utils._report.run import Run
from ansible_collections.siteops.upgrades.plugins.module_utils._report.values import clean
from ansible_collections.siteops.upgrades.tests.unit.run_reports import FINISHED, STARTED, Page, report

UNHURRIED = settings(
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PIECES = ["<", ">", "&", '"', "'", "|", "\\", "`", "[x](y)", "{{", "}}", "</script>", "<!--", "\x1b[1m", "\u202e", "\n"]
TEXT = st.one_of(st.text(max_size=40), st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5))).map("".join))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=8,
)
LINE = st.dictionaries(
    st.sampled_from(["name", "result", "message", "duration", "title", "source", "destination", "id", "state", "at"]),
    st.one_of(TEXT, st.floats(), st.sampled_from([STARTED, FINISHED, "failed", "ok"])),
)
REQUEST = st.dictionaries(
    st.sampled_from(["id", "aim", "target", "states", "sent", "fetched"]), st.one_of(TEXT, st.lists(LINE), LINE)
)
VALUES = {
    "target": TEXT,
    "message": TEXT,
    "server_report": TEXT,
    "state_before": TEXT,
    "duration": st.floats(),
    "check_mode": st.booleans(),
    "versions": st.dictionaries(st.sampled_from(["before", "after"]), st.dictionaries(TEXT, TEXT, max_size=3)),
    "phases": st.lists(LINE, max_size=4),
    "steps": st.lists(LINE, max_size=4),
    "addons": st.lists(LINE, max_size=3),
    "warnings": st.lists(TEXT, max_size=3),
    "request": REQUEST,
}
RIGHT = st.fixed_dictionaries(
    {
        "host": TEXT.map("host ".__add__),
        "product": st.sampled_from(["plone", "odoo"]),
        "result": st.sampled_from(["ok", "changed", "failed", "refused"]),
    },
    optional={name: st.one_of(strategy, JSON) for name, strategy in VALUES.items()},
)


def read(folder: Path, content: Any) -> Run | Unreadable:
    path = folder / "run.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return read_file(str(path))


@UNHURRIED
@given(values=st.lists(RIGHT, min_size=1, max_size=3), title=TEXT)
def test_a_page_is_made_of_any_reports(values: list[dict[str, Any]], title: str, tmp_path: Path) -> None:
    runs = [read(tmp_path, report(**each)) for each in values]
    assert [Run.from_json(run.to_json(), run.file) for run in runs if isinstance(run, Run)] == runs
    fleet = gather(runs, 20)
    assert len(fleet.unreadable) == 0
    made = page(fleet, clean(title))
    assert not set(made) & set("\x1b\x00\u202e\u2066")
    shown = Page(made)
    elements = {name for name, _attributes in shown.elements}
    assert not elements & {"script", "img", "iframe", "object", "embed", "form", "base"}
    assert len(shown.all("article")) == len(fleet.hosts)
    for host in fleet.hosts:
        assert " ".join(host.latest.message.split()) in shown.text
    rows = [line for line in document(fleet, "Report").splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows} == {8}


@UNHURRIED
@given(content=JSON)
def test_any_json_is_read_or_named(content: Any, tmp_path: Path) -> None:
    found = read(tmp_path, content)
    assert isinstance(found, Unreadable)
    assert found.reason
    Page(page(gather([found], 20), "Report"))
