# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report of a run of a role for Odoo says of the request and of the database.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace

from ..module_utils._report.parts import ComparedDatabase, Request, SeenState, Transfer
from ..module_utils._report.values import as_moment
from ._run_report import Result, Results, server_report, text

if t.TYPE_CHECKING:
    from ..module_utils._report.run import Run

PHASES = {
    "dump": ("origin", "dump"),
    "request": ("request",),
    "upload": ("upload",),
    "process": ("process",),
    "wait": ("wait",),
    "skip_test": ("skip_test",),
    "download": ("download",),
    "restore": ("restore",),
    "merge": ("merge",),
    "neutralize": ("neutralize", "neutralize_again"),
    "update": ("update",),
    "verify": ("verify",),
    "swap": ("swap",),
    "login": ("login",),
    "revert": ("revert",),
}
WINDOWS = ("window_dump", "window", "window_skip_test")
IN_ORDER = ("look", *(name for names in PHASES.values() for name in names))
OF_REQUEST = ("look", "request", "upload", "process", "wait", "skip_test", "download")


def describe(run: Run, results: Results, asked: t.Mapping[str, t.Any]) -> Run:
    """The run with what is known of its request, and with the message of a run that did not fail.

    :param asked: what the role was asked for: ``aim``, ``target`` and the ``baseline`` of a comparison.
    """
    about_request = asked.get("target") or any(results[name] for name in OF_REQUEST)
    public = results.latest("request", *IN_ORDER) or {}
    target = text(public.get("target") or asked.get("target"))
    return replace(
        run,
        message=text(results.latest("msg", *IN_ORDER)),
        state_before=_state_before(results),
        state_after=text(results.latest("state", *IN_ORDER)),
        versions_after={"target": target} if results.latest("finished", *IN_ORDER) is True else {},
        phases=results.phases(PHASES, WINDOWS),
        server_report=server_report(text(public.get("customer_message") or public.get("reason"))),
        request=_request(results, public, text(public.get("aim") or asked.get("aim")), target)
        if about_request
        else None,
        database=_database(results, asked.get("baseline") or {}),
    )


def _request(results: Results, public: Result, aim: str, target: str) -> Request:
    states = results.latest("states_seen", *IN_ORDER) or ()
    return Request(
        id=text(results.latest("request_id", *IN_ORDER)),
        aim=aim,
        target=target,
        states=tuple(SeenState(text(seen["state"]), as_moment(text(seen["at"]))) for seen in states),
        sent=_transfer(results["upload"].get("sent") or {}, "src"),
        fetched=_transfer(results["download"].get("fetched") or {}, "dest"),
        protocol=text(results.latest("protocol", *IN_ORDER)),
        pg_compatible=_compatible(results),
    )


def _database(results: Results, baseline: Result) -> ComparedDatabase | None:
    """What was read of the database at first and at last; None where nothing was."""
    before = baseline or results["origin"]
    after: Result = next((results[name] for name in ("verify", "login") if results[name].get("counts")), {})
    if not before.get("counts") and not after:
        return None
    return ComparedDatabase(
        version_before=text(before.get("version")),
        version_after=text(after.get("version")),
        counts_before={**(before.get("counts") or {}), **(before.get("invoices") or {})},
        counts_after={**(after.get("counts") or {}), **(after.get("invoices") or {})},
        modules_lost=tuple(map(text, after.get("modules_lost") or ())),
    )


def _state_before(results: Results) -> str:
    """The state that the run found: none if it made the request itself."""
    if results["look"]:
        return text(results["look"].get("state"))
    return "" if results["request"].get("changed") else text(results["request"].get("state"))


def _compatible(results: Results) -> bool | None:
    """Whether the dump's PostgreSQL can restore the result, which each result repeats once the platform has said it."""
    said = (results[name].get("is_pg_version_compatible") for name in reversed(IN_ORDER))
    return next((value for value in said if isinstance(value, bool)), None)


def _transfer(moved: Result, path: str) -> Transfer | None:
    """A dump that was moved; None if it was not, or only would be: then it has no digest."""
    if not moved.get("sha256"):
        return None
    return Transfer(
        name=os.path.basename(text(moved.get(path))),
        size=int(moved.get("size") or 0),
        sha256=text(moved["sha256"]),
        transport=text(moved.get("transport")),
        duration=float(moved.get("duration") or 0.0),
        at=as_moment(text(moved.get("at"))),
    )
