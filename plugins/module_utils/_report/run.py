# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of one run: its fields, to JSON and from JSON.

``roles/upgrade_report/files/run_report.schema.json`` describes the JSON for other programs; a test compares both.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import datetime as dt
import json
import typing as t
from dataclasses import dataclass, field, replace

from .._core.clock import utc_text
from .copy_rehearsal import CopyRehearsal
from .parts import Addon, ComparedDatabase, Json, Phase, Request, Step
from .values import (
    LONGEST_NAME,
    MOST_ITEMS,
    as_list,
    as_moment,
    as_name,
    as_names,
    as_number,
    as_object,
    as_objects,
    as_text,
    clean,
    seconds_between,
)

SCHEMA = 1
PRODUCTS = ("plone", "odoo")
OK, CHANGED, FAILED, REFUSED, UNFINISHED = "ok", "changed", "failed", "refused", "unfinished"
RESULTS = (FAILED, UNFINISHED, REFUSED, CHANGED, OK)
"""From the one that needs a person most."""

LONGEST_SHOWN_REPORT = 20_000
"""Characters of a server's report that are read back: the last ones."""


class NotARunReport(Exception):
    """The reason why a document is not a run report."""


@dataclass(frozen=True)
class Run:
    """One run for one host. ``finished_at`` and ``duration`` are None while it goes on and if it was killed.

    The last three fields are not part of the JSON: the file that it was read from, and how many steps and how many
    characters of the server's report are only in that file.
    """

    product: str
    host: str
    target: str
    check_mode: bool
    started_at: dt.datetime
    collection_version: str = ""
    finished_at: dt.datetime | None = None
    duration: float | None = None
    result: str = UNFINISHED
    message: str = ""
    state_before: str = ""
    state_after: str = ""
    versions_before: t.Mapping[str, str] = field(default_factory=dict)
    versions_after: t.Mapping[str, str] = field(default_factory=dict)
    phases: tuple[Phase, ...] = ()
    steps: tuple[Step, ...] = ()
    server_report: str = ""
    addons: tuple[Addon, ...] = ()
    request: Request | None = None
    database: ComparedDatabase | None = None
    rehearsal: CopyRehearsal | None = None
    warnings: tuple[str, ...] = ()
    file: str = ""
    steps_omitted: int = 0
    report_omitted: int = 0

    @property
    def seen_at(self) -> dt.datetime:
        """The last moment that the report knows of."""
        return self.finished_at or self.started_at

    def offset_of(self, phase: Phase) -> float:
        """Seconds from the start of the run to that of a phase."""
        return seconds_between(self.started_at, phase.started_at)

    def in_brief(self) -> Run:
        """The same run without what is shown of a host's latest run only."""
        gone: dict[str, t.Any] = {"request": None, "database": None, "rehearsal": None, "server_report": ""}
        return replace(self, steps=(), addons=(), phases=(), warnings=(), **gone)

    def to_json(self) -> Json:
        """The document that a file of a report holds."""
        return {
            "schema": SCHEMA,
            "collection_version": self.collection_version,
            "product": self.product,
            "host": self.host,
            "target": self.target,
            "check_mode": self.check_mode,
            "started_at": utc_text(self.started_at),
            "finished_at": utc_text(self.finished_at) if self.finished_at else None,
            "duration": self.duration,
            "result": self.result,
            "message": self.message,
            "state_before": self.state_before,
            "state_after": self.state_after,
            "versions": {"before": dict(self.versions_before), "after": dict(self.versions_after)},
            "phases": [phase.to_json() for phase in self.phases],
            "steps": [step.to_json() for step in self.steps],
            "server_report": self.server_report,
            "addons": [addon.to_json() for addon in self.addons],
            "request": self.request.to_json() if self.request else None,
            "database": self.database.to_json() if self.database else None,
            "rehearsal": self.rehearsal.to_json() if self.rehearsal else None,
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, document: t.Any, file: str = "") -> Run:
        """The run that a document describes, whoever wrote it.

        What identifies a run must be present and right. Everything else is left out if it is missing or unexpected.

        :raises NotARunReport: it is not a report of this schema.
        """
        if not isinstance(document, dict) or "schema" not in document:
            raise NotARunReport("It is not a run report: it has no 'schema'.")
        if document["schema"] is True or document["schema"] != SCHEMA:
            raise NotARunReport(f"Its 'schema' is {_shown(document['schema'])}, and this version reads {SCHEMA}.")
        started, finished = as_moment(document.get("started_at")), as_moment(document.get("finished_at"))
        if started is None:
            raise NotARunReport("Its 'started_at' is not a time in UTC such as 2026-11-21T03:00:00Z.")
        result = _one_of("result", document.get("result"), RESULTS)
        if finished is None and result != UNFINISHED:
            raise NotARunReport(f"Its 'finished_at' is not a time in UTC, and its 'result' is {result}.")
        host = as_name(document.get("host"))
        if not host.strip():
            raise NotARunReport("Its 'host' is empty or not a text.")
        product = _one_of("product", document.get("product"), PRODUCTS)
        versions = as_object(document.get("versions"))
        report = _whole_text(document.get("server_report"))
        return cls(
            product=product,
            host=host,
            target=as_text(document.get("target")),
            check_mode=document.get("check_mode") is True,
            started_at=started,
            collection_version=as_name(document.get("collection_version")),
            finished_at=finished,
            duration=as_number(document.get("duration"), seconds_between(started, finished)) if finished else None,
            result=result,
            message=as_text(document.get("message")),
            state_before=as_name(document.get("state_before")),
            state_after=as_name(document.get("state_after")),
            versions_before=as_names(versions.get("before")),
            versions_after=as_names(versions.get("after")),
            phases=tuple(map(Phase.from_json, as_objects(document.get("phases")))),
            steps=tuple(map(Step.from_json, as_objects(document.get("steps")))),
            server_report=report[-LONGEST_SHOWN_REPORT:],
            addons=tuple(map(Addon.from_json, as_objects(document.get("addons")))),
            request=Request.from_json(document.get("request")),
            database=ComparedDatabase.from_json(document.get("database")),
            rehearsal=CopyRehearsal.from_json(document.get("rehearsal")),
            warnings=tuple(filter(None, map(as_text, as_list(document.get("warnings"))[:MOST_ITEMS]))),
            file=file,
            steps_omitted=max(len(as_list(document.get("steps"))) - MOST_ITEMS, 0),
            report_omitted=max(len(report) - LONGEST_SHOWN_REPORT, 0),
        )


def _whole_text(value: t.Any) -> str:
    return as_text(value, longest=len(value) if isinstance(value, str) else LONGEST_NAME).strip("\n")


def _one_of(key: str, value: t.Any, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise NotARunReport(f"Its '{key}' is {_shown(value)} and not one of {', '.join(choices)}.")
    return value


def _shown(value: t.Any) -> str:
    return clean(json.dumps(value), 40)
