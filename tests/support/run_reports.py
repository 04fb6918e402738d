# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run reports as the roles write them: a fleet with a history, with failures, and with what servers should not send."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

OLD, NEW = "6018", "6205"
SATURDAY = datetime(2026, 11, 21, 3, 0, 0)
HOSTILE = (
    '</td></table><script>document.title="taken"</script><img src=x onerror="alert(1)"> | a | b |\n'
    "{{ lookup('ansible.builtin.pipe', 'id') }} {% for x in y %} `code` [a link](https://evil.example/) "
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \u202etxt.exe\u202c \u2066isolated\u2069 \x00 https://evil.example/"
)
PLONE_STEPS = (
    ("Update the registry for Plone 6.1", "6018", "6100"),
    ("Add the image scales of 6.1 to the catalog", "6100", "6101"),
    ("Move the control panels of the editor", "6101", "6102"),
    ("Rebuild role mappings of the workflow definitions", "6102", "6200"),
    ("Remove the settings of the old resource registries", "6200", "6203"),
    ("Index the modification dates anew", "6203", "6205"),
)

Phase = tuple[str, float, str, str]


def moment(when: datetime) -> str:
    """As the schema wants it."""
    return when.isoformat(timespec="milliseconds") + "Z"


def report(
    host: str,
    *phases: Phase,
    started: datetime = SATURDAY,
    result: str = "ok",
    message: str = "Nothing to do: the database is at 6205, as the code is.",
    **more: Any,
) -> dict[str, Any]:
    """One report; ``phases`` are name, seconds, result and message, one after the other."""
    at, done = started, []
    for name, seconds, ended, said in phases:
        begin, at = at, at + timedelta(seconds=seconds)
        done.append(
            {
                "name": name,
                "started_at": moment(begin),
                "finished_at": moment(at),
                "duration": seconds,
                "result": ended,
                "message": said,
            }
        )
    return {
        "schema": 1,
        "collection_version": "1.0.0",
        "product": "plone",
        "host": host,
        "target": f"https://{host.partition(' ')[0]}.example.org",
        "check_mode": False,
        "started_at": moment(started),
        "finished_at": moment(at),
        "duration": (at - started).total_seconds(),
        "result": result,
        "message": message,
        "state_before": "up_to_date",
        "state_after": "up_to_date",
        "versions": {
            "before": {"instance": NEW, "fs": NEW, "plone": "6.2.2", "plone_restapi": "10.0.1", "python": "3.12.9"},
            "after": {"instance": NEW, "fs": NEW},
        },
        "phases": done,
        "steps": [],
        "server_report": "",
        "addons": [],
        "request": None,
        "warnings": [],
        **more,
    }


def idle(host: str, started: datetime, seconds: float = 0.7) -> dict[str, Any]:
    """A Plone site that was up to date."""
    return report(host, ("check", seconds, "ok", "The site is up to date."), started=started)


def upgraded(host: str, seconds: float, started: datetime = SATURDAY, **more: Any) -> dict[str, Any]:
    """A Plone site that was rehearsed and upgraded; ``seconds`` is what the upgrade took."""
    phases: tuple[Phase, ...] = (
        ("check", 0.8, "ok", "The upgrade from 6018 to 6205 is pending, 6 steps."),
        ("rehearsal", seconds * 0.8, "ok", "Rehearsed the upgrade from 6018 to 6205 in 6 steps."),
        ("upgrade", seconds, "changed", "Upgraded from 6018 to 6205 in 6 steps."),
        ("verification", 1.1, "ok", "The database is at 6205."),
    )
    lines = [f"Ran upgrade step: {title}" for title, _source, _destination in PLONE_STEPS]
    given = {
        "result": "changed",
        "message": "Upgraded from 6018 to 6205 in 6 steps.",
        "state_before": "pending",
        "versions": {
            "before": {"instance": OLD, "fs": NEW, "plone": "6.2.2", "plone_restapi": "10.0.1", "python": "3.12.9"},
            "after": {"instance": NEW, "fs": NEW},
        },
        "steps": [
            {"title": title, "source": source, "destination": destination, "status": "run"}
            for title, source, destination in PLONE_STEPS
        ],
        "server_report": "\n".join(
            [f"Starting the migration from version: {OLD}", *lines, f"Your Plone is now at version: {NEW}"]
        ),
    }
    return report(host, *phases, started=started, **{**given, **more})


def failed(host: str, message: str, *phases: Phase, **more: Any) -> dict[str, Any]:
    """A Plone site of which the upgrade failed in the last of ``phases``."""
    before = {"instance": OLD, "fs": NEW, "plone": "6.2.2"}
    versions = {"before": before, "after": {"instance": OLD, "fs": NEW}}
    states = {"state_before": "pending", "state_after": "pending"}
    return report(host, *phases, **{"result": "failed", "message": message, "versions": versions, **states, **more})


def database(
    host: str, *phases: Phase, states: Iterable[tuple[str, int]] = (), fetched: bool = False, **more: Any
) -> dict[str, Any]:
    """An Odoo database; ``states`` are those that its request passed, and the seconds after Saturday's begin."""
    seen = [{"state": state, "at": moment(SATURDAY + timedelta(seconds=after))} for state, after in states]
    sent = {
        "name": f"{host}.dump",
        "size": 41_827_350_112,
        "sha256": "c0" * 32,
        "transport": "sftp",
        "duration": 2980.4,
        "at": moment(SATURDAY + timedelta(seconds=3000)),
    }
    got = {**sent, "name": f"{host}-18.dump", "size": 44_102_981_533, "sha256": "9e" * 32, "duration": 3122.8}
    request = {"id": "10527", "aim": "production", "target": "18.0", "states": seen, "sent": sent}
    given = {
        "product": "odoo",
        "target": f"{host}.dump",
        "state_before": "",
        "state_after": seen[-1]["state"] if seen else "",
        "versions": {"before": {}, "after": {"target": "18.0"}},
        "request": {**request, "fetched": got if fetched else None},
    }
    return report(host, *phases, **{**given, **more})


def fleet() -> list[dict[str, Any]]:
    """Fifteen hosts of both products, most of them with earlier runs."""
    night = timedelta(days=1)
    rehearsed = ("rehearsal", 71.2, "ok", "Rehearsed the upgrade from 6018 to 6205 in 6 steps.")
    checked = ("check", 0.9, "ok", "The upgrade from 6018 to 6205 is pending, 6 steps.")
    value_error = "ValueError: the catalog of /intranet has no index called 'modified'"
    reports = [
        failed(
            "intranet",
            f"The upgrade failed, behind an HTTP 200: {value_error}. Nothing was committed; fix the step and run this "
            "again.",
            checked,
            rehearsed,
            ("upgrade", 93.4, "failed", f"failed, behind an HTTP 200: {value_error}"),
            server_report="\n".join(
                [
                    f"Starting the migration from version: {OLD}",
                    *(f"Ran upgrade step: {title}" for title, _source, _destination in PLONE_STEPS[:3]),
                    "Upgrade aborted. Error:",
                    "Traceback (most recent call last):",
                    '  File "/srv/plone/src/Products/CMFPlone/MigrationTool.py", line 324, in upgrade',
                    value_error,
                ]
            ),
            steps=[
                {"title": title, "source": source, "destination": to, "status": "rehearsed" if number > 2 else "run"}
                for number, (title, source, to) in enumerate(PLONE_STEPS)
            ],
            warnings=["Plone reports: Exception was thrown while indexing /intranet/news/2019."],
        ),
        failed(
            "extranet",
            "GET @upgrade was answered with 401. Give the user the role Manager, or another password.",
            ("check", 0.2, "failed", "GET @upgrade was answered with 401."),
            versions={"before": {}, "after": {}},
            state_before="",
            state_after="",
            target="https://extranet.example.org/++api++",
        ),
        failed(
            f"hostile {HOSTILE[:60]}{'x' * 90}",
            HOSTILE,
            checked,
            ("upgrade", 3, "failed", HOSTILE),
            server_report=HOSTILE,
        ),
        upgraded("library", 128.4, addons=[{"id": "collective.easyform", "from": "1015", "to": "1017"}]),
        upgraded("press", 88.0, SATURDAY + timedelta(minutes=4)),
        upgraded("campus-with-a-name-that-goes-on-and-on.departments.example.org", 301.7),
        report(
            "archive",
            ("window", 0.1, "refused", "Saturday 03:00 to 06:00, Europe/Zurich."),
            result="refused",
            message="Outside of its maintenance window, which begins on Saturday at 03:00 (Europe/Zurich).",
        ),
        idle("museum", SATURDAY),
        idle("theatre", SATURDAY + timedelta(minutes=1), 1.4),
        {
            **upgraded("planning", 60.0),
            "check_mode": True,
            "message": "Would upgrade from 6018 to 6205 in 6 steps.",
        },
        {
            **failed("harbour", "The run goes on, or was killed.", checked, rehearsed, result="unfinished"),
            "finished_at": None,
            "duration": None,
        },
        database(
            "shop",
            ("request", 1.2, "changed", "Made request 10527."),
            ("upload", 2980.4, "changed", "Sent 41.8 GB by SFTP."),
            ("process", 1.5, "changed", "Started the upgrade."),
            ("wait", 21_600, "ok", "The request is done."),
            ("download", 3122.8, "changed", "Fetched and verified 44.1 GB."),
            states=[("draft", 1), ("pending", 2982), ("processing", 3400), ("testing", 20_000), ("done", 24_583)],
            fetched=True,
            result="changed",
            message="Fetched and verified the upgraded database.",
        ),
        database(
            "warehouse",
            ("request", 1.0, "ok", "Request 10528 is there."),
            ("wait", 4011.0, "failed", "The request is invalid: the dump holds no database of Odoo."),
            states=[("pending", 2), ("processing", 3000), ("invalid", 4012)],
            result="failed",
            message="The platform failed the request: the dump holds no database of Odoo.",
        ),
        database(
            "payroll",
            ("request", 0.9, "ok", "Request 10531 is there."),
            ("wait", 0.4, "ok", "The request is processing; run this again later."),
            states=[("pending", 2), ("processing", 3000)],
            message="In work on the platform, state processing; run this again later.",
        ),
        database(
            "ledger",
            ("request", 0.8, "ok", "The result of request 10420 is here."),
            message="Nothing to do: the upgraded database is there, and verified.",
        ),
    ]
    for number in range(1, 8):
        reports.append(upgraded("library", 90 + 9 * number % 40, SATURDAY - 7 * number * night))
        reports.append(idle("museum", SATURDAY - number * night, 0.5 + number / 10))
    for number in range(1, 4):
        reports.append(
            failed(
                "intranet", "GET @upgrade timed out.", checked, ("rehearsal", 40.0 * number, "failed", "It timed out.")
            )
            | {"started_at": moment(SATURDAY - number * night)}
        )
    reports.append({**idle("press", SATURDAY + night), "check_mode": True})
    return reports


def write(folder: Path, reports: Iterable[Mapping[str, Any]]) -> None:
    """Write the reports under the names that the roles give them."""
    for each in reports:
        host = "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in each["host"])
        when = "".join(sign for sign in each["started_at"][:19] if sign.isalnum())
        name, number = f"{host}-{when}Z", 1
        while (folder / f"{name}{f'-{number}' if number > 1 else ''}.json").exists():
            number += 1
        path = folder / f"{name}{f'-{number}' if number > 1 else ''}.json"
        path.write_text(json.dumps(each), encoding="utf-8")


def write_broken(folder: Path) -> set[str]:
    """Write files that are no run reports, for each way in which they can be none; returns their names."""
    contents = {
        "broken.json": b'{"schema": 1, "host": "cut',
        "empty.json": b"",
        "foreign.json": b'{"name": "a package", "version": "1.0"}',
        "later.json": json.dumps({**idle("later", SATURDAY), "schema": 2}).encode(),
        "latin1.json": '{"host": "gr\u00fcn"}'.encode("latin-1"),
        "list.json": b"[1, 2, 3]",
        "nested.json": b"[" * 200_000,
        "no-host.json": json.dumps({**idle("x", SATURDAY), "host": ""}).encode(),
        "no-time.json": json.dumps({**idle("x", SATURDAY), "started_at": "yesterday"}).encode(),
        "other-result.json": json.dumps({**idle("x", SATURDAY), "result": HOSTILE}).encode(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder.json").mkdir()
    (folder / "gone.json").symlink_to(folder / "nowhere")
    return {*contents, "folder.json", "gone.json"}
