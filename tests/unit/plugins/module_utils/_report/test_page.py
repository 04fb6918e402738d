# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of the report of upgrades: escaping, structure, drawings. How it looks is tested in a browser."""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._report.fleet import gather
from ansible_collections.siteops.upgrades.plugins.module_utils._report.html import page
from ansible_collections.siteops.upgrades.plugins.module_utils._report.html_host import identity
from ansible_collections.siteops.upgrades.plugins.module_utils._report.markdown import document
from ansible_collections.siteops.upgrades.plugins.module_utils._report.markup import Markup, tag
from ansible_collections.siteops.upgrades.plugins.module_utils._report.reader import Unreadable
from ansible_collections.siteops.upgrades.plugins.module_utils._report.svg_timeline import phases_of, timeline
from ansible_collections.siteops.upgrades.tests.unit.run_reports import STARTED, Page, run_of

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_collections.siteops.upgrades.plugins.module_utils._report.run import Run

HOSTILE = (
    "</title></style></script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</text></svg><svg onload=alert(1)>",
    "</summary></details></td></table></pre>",
    "]]><!--",
    "--><b>",
    "&lt;script&gt; &amp;",
    "{{ 7 * 7 }} {% raw %} ${x} <%= y %>",
    "javascript:alert(1)",
)


def everywhere(folder: Path, text: str) -> Run:
    """A run that says the text wherever a server or a person could have put it."""
    phase = {
        "name": text,
        "started_at": STARTED,
        "finished_at": "2026-11-21T03:01:00Z",
        "result": text,
        "message": text,
    }
    transfer = {"name": text, "size": 1, "transport": text, "duration": 1, "sha256": text}
    request = {"id": text, "aim": text, "target": text, "states": [{"state": text, "at": text}], "protocol": text}
    versions = dict.fromkeys(("instance", "target", "plone", text), text)
    return run_of(
        folder,
        "run.json",
        host=text,
        result="failed",
        target=text,
        message=text,
        state_before=text,
        state_after="x",
        versions={"before": versions, "after": {"instance": "1"}},
        phases=[phase],
        steps=[{"title": text, "source": text, "destination": text, "status": text}],
        server_report=text,
        addons=[{"id": text, "from": text, "to": text}],
        request={**request, "sent": transfer, "fetched": transfer},
        database={
            "version_before": text,
            "version_after": text,
            "counts_before": {text: 1},
            "counts_after": {text: 2},
            "modules_lost": [text],
        },
        warnings=[text],
    )


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_texts_of_anybody_stay_texts(text: str, tmp_path: Path) -> None:
    run = everywhere(tmp_path, text)
    made = Page(page(gather([run, run, Unreadable(text, text)], 20), text))
    plain = Page(page(gather([everywhere(tmp_path, "plain")] * 2 + [Unreadable("plain", "plain")], 20), "plain"))
    assert [name for name, _attributes in made.elements] == [name for name, _attributes in plain.elements]
    names = {name for _tag, attributes in made.elements for name in attributes}
    assert names == {name for _tag, attributes in plain.elements for name in attributes}
    assert " ".join(text.split()) in made.text


@pytest.mark.parametrize("compatible", (True, False, None))
@pytest.mark.parametrize(
    ("protocol", "shown"),
    (("upgrade_service", "today's upgrade service"), ("database_api", "database API v1"), ("", "")),
)
def test_a_request_is_shown_with_its_platform(
    protocol: str, shown: str, compatible: bool | None, tmp_path: Path
) -> None:
    request = {"id": "7", "aim": "test", "protocol": protocol, "is_pg_version_compatible": compatible}
    fleet = gather([run_of(tmp_path, product="odoo", message="Fetched it.", request=request)], 20)
    text = Page(page(fleet, "Report")).text
    assert ("Platform" in text) is bool(shown)
    assert shown in text
    for made in (text, document(fleet, "Report")):
        assert ("too old to restore the result" in made) is (compatible is False)


def test_nothing_is_asked_for(tmp_path: Path) -> None:
    made = Page(page(gather([everywhere(tmp_path, "https://evil.example/x.png")], 20), "Report"))
    assert {name for name, _attributes in made.elements} & {
        "script",
        "img",
        "iframe",
        "object",
        "form",
        "base",
    } == set()
    links = [each["href"] for name in ("a", "use", "link") for each in made.all(name)]
    assert [link for link in links if not link.startswith("#")] == ["data:,"]
    assert not any("style" in attributes for _tag, attributes in made.elements)
    references = [value for _tag, attributes in made.elements for value in attributes.values() if "url(" in value]
    assert set(references) == {"url(#hatch)"}


def test_the_policy_allows_this_style_and_nothing_else(tmp_path: Path) -> None:
    text = page(gather([run_of(tmp_path)], 20), "Report")
    [style] = re.findall("<style>(.*)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    [policy] = [each["content"] for each in Page(text).all("meta") if each.get("http-equiv")]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
    assert "url(" not in style
    assert "@import" not in style


def test_every_table_tells_its_rows_and_columns(tmp_path: Path) -> None:
    made = Page(page(gather([everywhere(tmp_path, "x")] * 2 + [Unreadable("x", "x")], 20), "Report"))
    assert len(made.all("caption")) == len(made.all("table")) == 8
    assert {each["scope"] for each in made.all("th")} == {"row", "col"}
    assert all(each["role"] in ("columnheader", "rowheader") for each in made.all("th"))


def test_headings_come_in_order_and_anchors_are_there_once(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, host=name) for name in ("a b", "a-b", "A-B", "\u4e2d", "x" * 150, "x" * 151)]
    made = Page(page(gather([*runs, Unreadable("x", "x")], 20), "Report"))
    levels = [int(name[1]) for name, _attributes in made.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:]))
    anchors = [attributes["id"] for _tag, attributes in made.elements if "id" in attributes]
    assert len(anchors) == len(set(anchors))
    assert {each["href"][1:] for each in made.all("a")} <= set(anchors)


def test_an_anchor_can_be_read(tmp_path: Path) -> None:
    [host] = gather([run_of(tmp_path, host="intranet-2")], 20).hosts
    assert identity(host) == "plone-intranet-2"


def test_the_same_reports_make_the_same_page(tmp_path: Path) -> None:
    runs = [run_of(tmp_path, host=name) for name in "abc"]
    assert page(gather(runs, 20), "Report") == page(gather(reversed(runs), 20), "Report")


def test_a_page_without_runs_says_so() -> None:
    made = Page(page(gather([], 20), "Report"))
    assert "There are no runs yet." in made.text
    assert made.all("table") == made.all("nav") == []
    with_foreign = Page(page(gather([Unreadable("notes.json", "It is not a run report.")], 20), "Report"))
    assert "There are no runs yet." in with_foreign.text
    assert "notes.json" in with_foreign.text


def test_what_did_not_end_well_is_unfolded(tmp_path: Path) -> None:
    phases = [{"name": "check", "duration": 1, "result": "ok"}]
    folded = Page(page(gather([run_of(tmp_path, phases=phases)], 20), "Report"))
    unfolded = Page(page(gather([run_of(tmp_path, phases=phases, result="failed")], 20), "Report"))
    assert ["open" in each for each in folded.all("details")] == [False]
    assert ["open" in each for each in unfolded.all("details")] == [True]


def test_a_check_that_came_later_is_told(tmp_path: Path) -> None:
    failed = run_of(tmp_path, "1.json", result="failed")
    checked = run_of(tmp_path, "2.json", started_at="2026-11-22T03:00:00Z", check_mode=True, result="changed")
    made = Page(page(gather([failed, checked], 20), "Report"))
    assert "since then would change" in made.text
    assert "1 host, which failed." in made.text


def test_rows_are_shown_before_and_after(tmp_path: Path) -> None:
    database = {
        "version_before": "16.0",
        "version_after": "18.0",
        "counts_before": {"res_partner": 1043, "old_table": 7},
        "counts_after": {"res_partner": 1044},
        "modules_lost": ["web_old"],
    }
    shown = Page(page(gather([run_of(tmp_path, product="odoo", database=database)], 20), "Report")).text
    assert "16.0 → 18.0" in shown
    assert "Rows of the database 2 tables and kinds, 1 module lost" in shown
    assert "Modules that are not installed any more: web_old." in shown
    assert "res_partner 1,043 1,044 old_table 7" in shown


def test_what_was_cut_is_told(tmp_path: Path) -> None:
    run = run_of(tmp_path, steps=[{"title": "x"}] * 501, server_report="x" * 20_001)
    told = Page(page(gather([run], 20), "Report")).text
    assert "1 more are in the file run.json." in told
    assert "1 characters before these are in the file run.json." in told


def test_segments_lie_where_their_times_are(tmp_path: Path) -> None:
    phases = [
        {"name": "check", "started_at": STARTED, "duration": 25, "result": "ok"},
        {"name": "upgrade", "started_at": "2026-11-21T03:00:50Z", "duration": 50, "result": "failed"},
    ]
    fleet = gather([run_of(tmp_path, duration=100, phases=phases, result="failed")], 20)
    drawing = Page(timeline(fleet.hosts, "plone"))
    places = [(each["x"], each["width"]) for each in drawing.all("rect") if "phase" in each.get("class", "")]
    assert places == [("0%", "25%"), ("50%", "50%")]
    assert "check: 25 s, ok" in drawing.text
    assert "intranet: failed after 1 min 40 s; check 25 s, upgrade 50 s (failed)." in drawing.text


def test_a_last_phase_too_short_to_be_seen_is_drawn_within_the_bar(tmp_path: Path) -> None:
    phases = [
        {"name": "upgrade", "started_at": STARTED, "duration": 999, "result": "changed"},
        {"name": "verification", "started_at": "2026-11-21T03:16:39Z", "duration": 1, "result": "ok"},
    ]
    fleet = gather([run_of(tmp_path, duration=1000, phases=phases, result="changed")], 20)
    drawing = Page(timeline(fleet.hosts, "plone"))
    places = [(each["x"], each["width"]) for each in drawing.all("rect") if "phase" in each.get("class", "")]
    assert places == [("0%", "99.9%"), ("99.4%", "0.6%")]


@pytest.mark.parametrize("duration", (0, 0.3, 59, 3600, 1e9))
def test_an_axis_has_few_marks(duration: float, tmp_path: Path) -> None:
    fleet = gather([run_of(tmp_path, duration=duration, phases=[{"name": "later", "duration": 1e9}])], 20)
    drawing = Page(timeline(fleet.hosts, "plone"))
    assert 1 <= len([each for each in drawing.all("line") if each["class"] == "tick"]) <= 6
    assert phases_of(fleet.hosts) == ["later"]


def test_markup_escapes_all_that_is_none() -> None:
    made = tag("a", "<b>", Markup("<b>"), None, ["&", ("x",)], href='"', data_x="'", class_="c", hidden=True, id=None)
    assert made == '<a href="&quot;" data-x="&#x27;" class="c" hidden>&lt;b&gt;<b>&amp;x</a>'
