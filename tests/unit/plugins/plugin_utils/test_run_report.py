# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a run, from results as the modules return them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._report.run import Run
from ansible_collections.siteops.upgrades.plugins.module_utils._report.values import as_moment
from ansible_collections.siteops.upgrades.plugins.plugin_utils import _run_report_odoo, _run_report_plone
from ansible_collections.siteops.upgrades.plugins.plugin_utils._run_report import (
    LONGEST_SERVER_REPORT,
    NO_REASON,
    Results,
    RunStart,
    ended,
    phase,
    public_target,
    server_report,
    text,
)

CHECK = {
    "state": "pending",
    "versions": {"instance": "6018", "fs": "6205", "plone": "6.2.2"},
    "steps": [
        {"group": "6018-6019", "id": "1", "title": "Miscellaneous"},
        {"group": "6019-6020", "id": "2", "title": "Move things"},
        {"group": "6020-6205", "id": "3", "title": "Miscellaneous"},
    ],
}


def result(second: int, **more: t.Any) -> dict[str, t.Any]:
    """What a module returns that began at this second and took half of one."""
    times = {f"{name}_at": f"2026-11-21T23:00:{second:02d}.{part}Z" for name, part in TIMES.items()}
    return {"changed": False, "failed": False, **times, **more}


TIMES = {"started": "000", "finished": "500"}


def started(product: str = "plone", *, check_mode: bool = False) -> Run:
    return RunStart(product, "intranet", "there", "1.0.0", check_mode, "2026-11-21T23:00:00.000Z").run()


def plone(*, check_mode: bool = False, **registered: t.Any) -> dict[str, t.Any]:
    return _run_report_plone.describe(started(check_mode=check_mode), Results(registered, {})).to_json()


def odoo(asked: dict[str, str], **registered: t.Any) -> dict[str, t.Any]:
    return _run_report_odoo.describe(started("odoo"), Results(registered, {}), asked).to_json()


def end_of(registered: dict[str, t.Any], failure: dict[str, t.Any], at: str = "2026-11-21T23:01:00.250Z") -> Run:
    moment = as_moment(at)
    assert moment
    return ended(started(), Results(registered, {}), moment, failure)


def test_what_was_skipped_or_is_no_result_has_no_part() -> None:
    skipped = {"changed": False, "skipped": True, "skip_reason": "Conditional result was False"}
    assert list(Results({"check": {}, "rehearsal": skipped, "upgrade": None, "addons": ["?"]}, {})) == []


def test_what_an_earlier_run_left_behind_has_no_part() -> None:
    old, new = result(1), result(2)
    results = Results({"check": old, "upgrade": new}, {"check": old["started_at"], "upgrade": old["started_at"]})
    assert list(results) == [new]


def test_a_phase_spans_its_results() -> None:
    assert phase("check", [result(3, msg="first"), result(5)]).to_json() == {
        "name": "check",
        "started_at": "2026-11-21T23:00:03.000Z",
        "finished_at": "2026-11-21T23:00:05.500Z",
        "duration": 2.5,
        "result": "ok",
        "message": "first",
    }
    assert phase("upgrade", [result(1, changed=True, failed=True)]).result == "failed"
    assert phase("upgrade", [result(1, changed=True)]).result == "changed"
    assert phase("window", [result(1, failed=True, refused=True)]).result == "refused"


def test_only_a_look_at_the_window_that_mattered_is_a_phase() -> None:
    at_once, waited = result(1, waited=0.0), result(2, waited=900.0)
    found = Results({"first": at_once, "second": waited}, {}).phases({}, ("first", "second"))
    assert [each.to_json()["started_at"] for each in found] == [waited["started_at"]]


@pytest.mark.parametrize(
    ("registered", "failure", "expected"),
    [
        ({"check": result(1)}, {}, "ok"),
        ({"upgrade": result(1, changed=True)}, {}, "changed"),
        ({"upgrade": result(1, changed=True), "undo": result(2)}, {"msg": "no"}, "failed"),
        ({"window_upgrade": result(1, failed=True, refused=True)}, {"msg": "closed"}, "refused"),
    ],
)
def test_how_a_run_ends(registered: dict[str, t.Any], failure: dict[str, t.Any], expected: str) -> None:
    run = end_of(registered, failure)
    assert (run.result, run.duration, run.message) == (expected, 60.25, failure.get("msg", started().message))


def test_a_failure_without_a_message_says_so() -> None:
    assert end_of({}, {"rc": 1}).message == NO_REASON


def test_a_result_whose_time_is_not_a_time_is_left_out() -> None:
    assert list(Results({"check": {**result(1), "started_at": "yesterday"}}, {})) == []
    assert phase("check", [{**result(1), "finished_at": "tomorrow"}]).duration == 0


def test_warnings_are_told_once_and_in_order() -> None:
    registered = {"upgrade": result(2, warnings=["b", "a"]), "check": result(1, warnings=["a"])}
    assert Results(registered, {}).warnings == ("a", "b")


def test_a_clock_that_was_set_back_gives_no_negative_time() -> None:
    assert end_of({}, {}, "2026-11-21T22:59:00Z").duration == 0


def test_steps_are_those_that_were_pending_with_what_became_of_them() -> None:
    ran = ["Miscellaneous", "Move things", "Something else"]
    described = plone(check=result(1, **CHECK), rehearsal=result(2), upgrade=result(3, steps_run=ran))
    told = [(step["source"], step["destination"], step["status"]) for step in described["steps"]]
    assert told == [
        ("6018", "6019", "run"),
        ("6019", "6020", "run"),
        ("6020", "6205", "pending"),
        ("", "", "run"),
    ]


def test_steps_of_a_rehearsal_alone_are_rehearsed() -> None:
    described = plone(check=result(1, **CHECK), rehearsal=result(2, steps_run=["Move things"], report=["a", "b"]))
    assert [step["status"] for step in described["steps"]] == ["pending", "rehearsed", "pending"]
    assert described["server_report"] == "a\nb"


def test_the_versions_after_are_those_that_were_read_last() -> None:
    old, new = {"instance": "6018", "fs": "6205"}, {"instance": "6205", "fs": "6205"}
    upgraded: dict[str, t.Any] = {
        "check": result(1, **CHECK),
        "upgrade": result(2, versions_after=new, state="up_to_date"),
    }
    assert plone(check=upgraded["check"])["versions"]["after"] == old
    assert plone(**upgraded)["versions"]["after"] == new
    undone = plone(**upgraded, undo=result(3, versions_after=old, state="pending"))
    assert (undone["versions"]["after"], undone["state_after"]) == (old, "pending")
    behind = plone(**upgraded, verification=result(3, versions={**old, "plone": "6.2.2"}, state="pending"))
    assert (behind["versions"]["after"], behind["state_after"]) == (old, "pending")


def test_check_mode_tells_the_add_ons_that_would_be_changed() -> None:
    needed = result(2, changes=[{"id": "a.b", "action": "install", "from": "", "to": None}])
    described = plone(check_mode=True, check=result(1, **CHECK), addons_needed=needed)
    assert described["addons"] == [{"id": "a.b", "from": "", "to": ""}]
    assert described["message"] == "The core is pending at 6018. Add-ons that would be changed: a.b (install)."
    assert plone(addons_needed=needed)["addons"] == []


def test_nothing_but_a_beginning_is_described_too() -> None:
    assert plone()["message"] == ""
    assert odoo({"aim": "test", "target": "18.0"})["request"] == {
        "id": "",
        "aim": "test",
        "target": "18.0",
        "states": [],
        "sent": None,
        "fetched": None,
        "protocol": "",
        "is_pg_version_compatible": None,
    }


def test_a_dump_that_would_be_sent_was_not() -> None:
    upload = result(1, changed=True, sent={"src": "/a/b.dump", "size": 7, "sha256": ""})
    assert odoo({}, upload=upload)["request"]["sent"] is None


def test_the_words_of_the_platform_are_the_report_of_the_server() -> None:
    wait = result(1, failed=True, request={"customer_message": "No filestore", "target": "17.0"})
    described = odoo({"target": "18.0"}, wait=wait)
    assert (described["server_report"], described["request"]["target"]) == ("No filestore", "17.0")


def test_a_long_report_keeps_its_end() -> None:
    cut = server_report("x" * LONGEST_SERVER_REPORT + "the end")
    assert cut.startswith("... 7 characters left out ...\n")
    assert cut.endswith("the end")


@pytest.mark.parametrize(
    ("target", "public"),
    [
        ("https://admin:secret@example.org:8443/Plone?token=x#y", "https://example.org:8443/Plone"),
        ("https://example.org/++api++", "https://example.org/++api++"),
        ("https://[broken", "(no URL)"),
        ("shop.dump", "shop.dump"),
        ("\x1b[31mshop", "shop"),
        ("", ""),
    ],
)
def test_a_target_holds_no_secret(target: str, public: str) -> None:
    assert public_target(target) == public


def test_text_is_harmless() -> None:
    assert [text(value) for value in (None, 7, "\x1b[31mred", ["a"])] == ["", "7", "red", "['a']"]
