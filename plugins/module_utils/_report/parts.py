# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a run's report: phases, steps, add-ons, Odoo's request, dumps and database, to JSON and from JSON.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass

from .._core.clock import utc_text
from .values import MOST_ITEMS, as_list, as_moment, as_name, as_number, as_object, as_objects, as_text, seconds_between

MOST_BYTES = 1e18

Json = dict[str, t.Any]


@dataclass(frozen=True)
class Phase:
    """A part of a run. The times are unknown only in a file that somebody else wrote."""

    name: str
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    duration: float
    result: str
    message: str

    def to_json(self) -> Json:
        """As the schema describes it."""
        times = {"started_at": _written(self.started_at), "finished_at": _written(self.finished_at)}
        return {"name": self.name, **times, "duration": self.duration, "result": self.result, "message": self.message}

    @classmethod
    def from_json(cls, each: Json) -> Phase:
        """One phase, with defaults for what is missing."""
        start, end = as_moment(each.get("started_at")), as_moment(each.get("finished_at"))
        duration = as_number(each.get("duration"), seconds_between(start, end))
        return cls(
            as_name(each.get("name")), start, end, duration, as_name(each.get("result")), as_text(each.get("message"))
        )


@dataclass(frozen=True)
class Step:
    """An upgrade step from one version to another; ``status`` is run, rehearsed or pending."""

    title: str
    source: str
    destination: str
    status: str

    def to_json(self) -> Json:
        """As the schema describes it."""
        return {"title": self.title, "source": self.source, "destination": self.destination, "status": self.status}

    @classmethod
    def from_json(cls, each: Json) -> Step:
        """One step, with defaults for what is missing."""
        source, destination, status = (as_name(each.get(key)) for key in ("source", "destination", "status"))
        return cls(as_text(each.get("title")), source, destination, status)


@dataclass(frozen=True)
class Addon:
    """An add-on that was changed from one version to another."""

    id: str
    source: str
    destination: str

    def to_json(self) -> Json:
        """As the schema describes it."""
        return {"id": self.id, "from": self.source, "to": self.destination}

    @classmethod
    def from_json(cls, each: Json) -> Addon:
        """One add-on, with defaults for what is missing."""
        return cls(as_text(each.get("id")), as_name(each.get("from")), as_name(each.get("to")))


@dataclass(frozen=True)
class Transfer:
    """A dump that was sent or fetched: its base name, bytes, and when and how it arrived."""

    name: str
    size: int
    sha256: str
    transport: str
    duration: float
    at: dt.datetime | None

    def to_json(self) -> Json:
        """As the schema describes it."""
        what = {"name": self.name, "size": self.size, "sha256": self.sha256}
        return {**what, "transport": self.transport, "duration": self.duration, "at": _written(self.at)}

    @classmethod
    def from_json(cls, value: t.Any) -> Transfer | None:
        """One transfer, with defaults for what is missing; None if there is nothing."""
        each = as_object(value)
        if not each:
            return None
        return cls(
            name=as_name(each.get("name")),
            size=int(as_number(each.get("size"), 0.0, MOST_BYTES)),
            sha256=as_text(each.get("sha256"), 64),
            transport=as_text(each.get("transport"), 40),
            duration=as_number(each.get("duration"), 0.0),
            at=as_moment(each.get("at")),
        )


@dataclass(frozen=True)
class SeenState:
    """A state of a request, and when it was seen first."""

    state: str
    at: dt.datetime | None

    def to_json(self) -> Json:
        """As the schema describes it."""
        return {"state": self.state, "at": _written(self.at)}

    @classmethod
    def from_json(cls, each: Json) -> SeenState:
        """One state, with defaults for what is missing."""
        return cls(as_name(each.get("state")), as_moment(each.get("at")))


@dataclass(frozen=True)
class Request:
    """A request to Odoo's platform, with the states that were seen and the dumps that were moved."""

    id: str
    aim: str
    target: str
    states: tuple[SeenState, ...]
    sent: Transfer | None
    fetched: Transfer | None
    protocol: str = ""
    pg_compatible: bool | None = None

    def to_json(self) -> Json:
        """As the schema describes it."""
        return {
            "id": self.id,
            "aim": self.aim,
            "target": self.target,
            "states": [seen.to_json() for seen in self.states],
            "sent": self.sent.to_json() if self.sent else None,
            "fetched": self.fetched.to_json() if self.fetched else None,
            "protocol": self.protocol,
            "is_pg_version_compatible": self.pg_compatible,
        }

    @classmethod
    def from_json(cls, value: t.Any) -> Request | None:
        """One request, with defaults for what is missing; None if there is nothing."""
        each = as_object(value)
        if not each:
            return None
        return cls(
            id=as_name(each.get("id")),
            aim=as_name(each.get("aim")),
            target=as_name(each.get("target")),
            states=tuple(map(SeenState.from_json, as_objects(each.get("states")))),
            sent=Transfer.from_json(each.get("sent")),
            fetched=Transfer.from_json(each.get("fetched")),
            protocol=as_name(each.get("protocol")),
            pg_compatible=compatible if isinstance(compatible := each.get("is_pg_version_compatible"), bool) else None,
        )


def _written(moment: dt.datetime | None) -> str:
    return utc_text(moment) if moment else ""


@dataclass(frozen=True)
class ComparedDatabase:
    """A database before and after its upgrade: version, numbers of rows by table or kind, modules that are gone."""

    version_before: str
    version_after: str
    counts_before: t.Mapping[str, int]
    counts_after: t.Mapping[str, int]
    modules_lost: tuple[str, ...]

    def to_json(self) -> Json:
        """As the schema describes it."""
        return {
            "version_before": self.version_before,
            "version_after": self.version_after,
            "counts_before": dict(self.counts_before),
            "counts_after": dict(self.counts_after),
            "modules_lost": list(self.modules_lost),
        }

    @classmethod
    def from_json(cls, value: t.Any) -> ComparedDatabase | None:
        """One database, with defaults for what is missing; None if there is nothing."""
        each = as_object(value)
        if not each:
            return None
        return cls(
            version_before=as_name(each.get("version_before")),
            version_after=as_name(each.get("version_after")),
            counts_before=_counts(each.get("counts_before")),
            counts_after=_counts(each.get("counts_after")),
            modules_lost=tuple(filter(None, map(as_name, as_list(each.get("modules_lost"))[:MOST_ITEMS]))),
        )


def _counts(value: t.Any) -> dict[str, int]:
    found = list(as_object(value).items())[:MOST_ITEMS]
    return {as_name(name): int(as_number(count, 0.0, MOST_BYTES)) for name, count in found}
