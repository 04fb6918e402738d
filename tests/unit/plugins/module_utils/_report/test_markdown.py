# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of upgrades as Markdown, and the words of both reports."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._report.fleet import gather
from ansible_collections.siteops.upgrades.plugins.module_utils._report.markdown import document, plain
from ansible_collections.siteops.upgrades.plugins.module_utils._report.reader import Unreadable
from ansible_collections.siteops.upgrades.plugins.module_utils._report.words import length, versions
from ansible_collections.siteops.upgrades.tests.unit.run_reports import run_of

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "shown"),
    (
        ("one | two\n| three", r"one \| two \| three"),
        ("<script>&amp;", "&lt;script&gt;&amp;amp;"),
        ("[a link](https://evil.example)", r"\[a link\](https\://evil.example)"),
        ("www.evil.example", r"www\.evil.example"),
        ("`code` *bold* _slanted_ ~~gone~~", r"\`code\` \*bold\* \_slanted\_ \~\~gone\~\~"),
        ("{{ x }} {% y %}", r"\{\{ x \}\} \{% y %\}"),
        ("@somebody #12 !x", r"\@somebody \#12 \!x"),
        (r"a\|b", r"a\\\|b"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("18.0", "18.0"),
        ("6018 → 6205", "6018 → 6205"),
        ("", ""),
    ),
)
def test_texts_of_anybody_stay_texts(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_table_keeps_its_columns(tmp_path: Path) -> None:
    text = "a | b\n| c \\| d ` e"
    run = run_of(tmp_path, host=text, message=text, result="failed", versions={"after": {"instance": text}})
    made = document(gather([run, Unreadable(text, text)], 20), text)
    rows = [line for line in made.splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows] == [8, 8, 8, 3, 3, 3]
    assert made.startswith("# a \\| b \\| c")


def test_what_did_not_end_well_is_told_in_full(tmp_path: Path) -> None:
    phases = [{"name": "check", "result": "ok"}, {"name": "upgrade", "result": "failed"}]
    fleet = gather([run_of(tmp_path, result="failed", message="Because.", phases=phases)], 20)
    made = document(fleet, "Report")
    assert "1 host: 1 failed. The newest of 1 run report is of 21 Nov 2026, 03:04 UTC." in made
    assert "- **intranet** failed, in the phase upgrade: Because." in made


def test_without_runs_it_says_so() -> None:
    assert document(gather([], 20), "Report") == "# Report\n\nThere are no runs yet.\n"


@pytest.mark.parametrize(("seconds", "shown"), ((0.02, "under 0.1 s"), (252, "4 min 12 s"), (None, "not known")))
def test_a_duration_in_words(seconds: float | None, shown: str) -> None:
    assert length(seconds) == shown


@pytest.mark.parametrize(
    ("product", "before", "after", "told"),
    (
        ("plone", {"instance": "6018"}, {"instance": "6205"}, "6018 → 6205"),
        ("plone", {"instance": "6205"}, {"instance": "6205"}, "6205"),
        ("plone", {"instance": "6018"}, {}, "6018"),
        ("odoo", {}, {"target": "18.0"}, "to 18.0"),
        ("odoo", {}, {}, ""),
    ),
)
def test_versions_in_words(
    product: str, before: dict[str, str], after: dict[str, str], told: str, tmp_path: Path
) -> None:
    assert versions(run_of(tmp_path, product=product, versions={"before": before, "after": after})) == told
