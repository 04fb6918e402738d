# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run reports read from a folder, whoever wrote them.

roles/upgrade_report/files/run_report.schema.json describes them. What tells one run from another has to be there and
right, or the file is unreadable and named with the reason. What only adds to it is left out where it is not as
expected. Control characters are taken out of every text here, once.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import stat
import typing as t
from dataclasses import dataclass, replace

from .._core.errors import OptionError
from .._core.text import strip_control_chars

SCHEMA = 1
PRODUCTS = ("plone", "odoo")
# From the one that needs a person most.
RESULTS = ("failed", "unfinished", "refused", "changed", "ok")
SUFFIX = ".json"

LARGEST_FILE = 64 * 1024 * 1024
LONGEST_NAME = 200
LONGEST_TEXT = 2_000
LONGEST_REPORT = 20_000
MOST_ITEMS = 500
LONGEST_SECONDS = 1e9
MOST_BYTES = 1e18

MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?Z", re.ASCII)
# What ``strip_control_chars`` leaves in: whole commands to a terminal, marks of direction, and what no font shows.
COMMANDS = re.compile("\x1b[\\]PX^_][^\x07\x1b\n]{0,400}(?:\x07|\x1b\\\\)")
UNSEEN = re.compile("[\u061c\u200b\u200e\u200f\u2028\u2029\u2060\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]")


@dataclass(frozen=True)
class Phase:
    """A part of a run; ``offset`` is its begin in seconds after that of the run."""

    name: str
    result: str
    offset: float
    duration: float
    message: str


@dataclass(frozen=True)
class Step:
    """An upgrade step or an add-on, from one version to another; ``status`` is run, rehearsed or pending."""

    title: str
    source: str
    destination: str
    status: str = ""


@dataclass(frozen=True)
class Transfer:
    """A dump that was sent or fetched: bytes, seconds, and the way that it took."""

    name: str
    size: float
    duration: float
    transport: str
    sha256: str


@dataclass(frozen=True)
class Request:
    """A request to Odoo's platform, with the states that it passed and when each was seen."""

    id: str
    aim: str
    target: str
    states: tuple[tuple[str, datetime.datetime | None], ...]
    sent: Transfer | None
    fetched: Transfer | None


@dataclass(frozen=True)
class Run:
    """One run for one host. ``finished_at`` and ``duration`` are None where it goes on or was killed.

    ``steps_in_all`` counts the steps of the file, and ``report_cut`` the characters of the server's report before those
    that are in ``server_report``.
    """

    file: str
    product: str
    host: str
    target: str
    check_mode: bool
    started_at: datetime.datetime
    finished_at: datetime.datetime | None
    duration: float | None
    result: str
    message: str
    state_before: str
    state_after: str
    versions_before: dict[str, str]
    versions_after: dict[str, str]
    phases: tuple[Phase, ...]
    warnings: tuple[str, ...]
    addons: tuple[Step, ...]
    request: Request | None
    steps: tuple[Step, ...]
    steps_in_all: int
    server_report: str
    report_cut: int

    @property
    def seen_at(self) -> datetime.datetime:
        """The last moment that the report knows of."""
        return self.finished_at or self.started_at

    def in_brief(self) -> Run:
        """The same run without what is shown of a host's latest run only."""
        return replace(self, steps=(), server_report="", addons=(), request=None, phases=(), warnings=())


@dataclass(frozen=True)
class Unreadable:
    """A file that looks like a run report by its name and cannot be used as one."""

    file: str
    reason: str


class _NoReport(Exception):
    """Why a file is none."""


def read_folder(folder: str) -> t.Iterator[Run | Unreadable]:
    """Every file of the folder whose name ends in .json, by name; hidden ones and folders below it are passed over.

    Raises OptionError when the folder cannot be listed.
    """
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise OptionError("src", f"{folder} cannot be read as a folder: {error.strerror}.") from error
    for name in names:
        if name.endswith(SUFFIX) and not name.startswith("."):
            yield read_file(os.path.join(folder, name))


def read_file(path: str) -> Run | Unreadable:
    """One run, or why it is none; raises nothing for what a file can hold."""
    name = clean(os.fsencode(os.path.basename(path)).decode("utf-8", "replace"), LONGEST_NAME)
    try:
        return _run(name, _document(path))
    except _NoReport as why:
        return Unreadable(name, clean(str(why)))


def clean(text: str, longest: int = LONGEST_TEXT) -> str:
    """Text without anything that acts on a terminal or on the direction of reading, cut at ``longest`` characters."""
    plain: str = strip_control_chars(UNSEEN.sub("", COMMANDS.sub("", text)))
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def _document(path: str) -> dict[str, t.Any]:
    try:
        # Without O_NONBLOCK, a named pipe would be waited for.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _NoReport("It is not a regular file.")
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise _NoReport(f"It cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST_FILE:
        raise _NoReport(f"It has more than {LARGEST_FILE // 1024 // 1024} MiB.")
    try:
        document = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _NoReport(f"It is not UTF-8: byte {error.start}.") from error
    except json.JSONDecodeError as error:
        raise _NoReport(f"It is not JSON: line {error.lineno}, column {error.colno}.") from error
    except (ValueError, RecursionError) as error:
        raise _NoReport("It is JSON with a number too long or a nesting too deep for a report.") from error
    if not isinstance(document, dict) or "schema" not in document:
        raise _NoReport("It is not a run report: it has no 'schema'.")
    return document


def _run(file: str, document: dict[str, t.Any]) -> Run:
    if document["schema"] is True or document["schema"] != SCHEMA:
        raise _NoReport(f"Its 'schema' is {_shown(document['schema'])}, and this version reads {SCHEMA}.")
    started, finished = _moment(document.get("started_at")), _moment(document.get("finished_at"))
    if started is None:
        raise _NoReport("Its 'started_at' is not a time in UTC such as 2026-11-21T03:00:00Z.")
    result = _one_of("result", document.get("result"), RESULTS)
    if finished is None and result != "unfinished":
        raise _NoReport(f"Its 'finished_at' is not a time in UTC, and its 'result' is {result}.")
    host = _text(document.get("host"), LONGEST_NAME)
    if not host.strip():
        raise _NoReport("Its 'host' is empty or no text.")
    versions = _object(document.get("versions"))
    steps = _list(document.get("steps"))
    report = _text(document.get("server_report"), LARGEST_FILE).strip("\n")
    return Run(
        file=file,
        product=_one_of("product", document.get("product"), PRODUCTS),
        host=host,
        target=_text(document.get("target")),
        check_mode=document.get("check_mode") is True,
        started_at=started,
        finished_at=finished,
        duration=_number(document.get("duration"), _between(started, finished)) if finished else None,
        result=result,
        message=_text(document.get("message")),
        state_before=_text(document.get("state_before"), LONGEST_NAME),
        state_after=_text(document.get("state_after"), LONGEST_NAME),
        versions_before=_versions(versions.get("before")),
        versions_after=_versions(versions.get("after")),
        phases=tuple(_phase(each, started) for each in _objects(document.get("phases"))),
        warnings=tuple(text for text in map(_text, _list(document.get("warnings"))[:MOST_ITEMS]) if text),
        addons=tuple(
            Step(_text(each.get("id")), _text(each.get("from"), LONGEST_NAME), _text(each.get("to"), LONGEST_NAME))
            for each in _objects(document.get("addons"))
        ),
        request=_request(document.get("request")),
        steps=tuple(_step(each) for each in _objects(steps)),
        steps_in_all=len(steps),
        server_report=report[-LONGEST_REPORT:],
        report_cut=max(len(report) - LONGEST_REPORT, 0),
    )


def _phase(each: dict[str, t.Any], run_started: datetime.datetime) -> Phase:
    started, finished = _moment(each.get("started_at")), _moment(each.get("finished_at"))
    return Phase(
        _text(each.get("name"), LONGEST_NAME),
        _text(each.get("result"), LONGEST_NAME),
        max(_between(run_started, started), 0.0),
        _number(each.get("duration"), max(_between(started, finished), 0.0)),
        _text(each.get("message")),
    )


def _step(each: dict[str, t.Any]) -> Step:
    return Step(
        _text(each.get("title")),
        _text(each.get("source"), LONGEST_NAME),
        _text(each.get("destination"), LONGEST_NAME),
        _text(each.get("status"), LONGEST_NAME),
    )


def _request(value: t.Any) -> Request | None:
    each = _object(value)
    if not each:
        return None
    return Request(
        _text(each.get("id"), LONGEST_NAME),
        _text(each.get("aim"), LONGEST_NAME),
        _text(each.get("target"), LONGEST_NAME),
        tuple(
            (_text(seen.get("state"), LONGEST_NAME), _moment(seen.get("at"))) for seen in _objects(each.get("states"))
        ),
        _transfer(each.get("sent")),
        _transfer(each.get("fetched")),
    )


def _transfer(value: t.Any) -> Transfer | None:
    each = _object(value)
    if not each:
        return None
    return Transfer(
        _text(each.get("name"), LONGEST_NAME),
        _number(each.get("size"), 0.0, MOST_BYTES),
        _number(each.get("duration"), 0.0),
        _text(each.get("transport"), 40),
        _text(each.get("sha256"), 64),
    )


def _versions(value: t.Any) -> dict[str, str]:
    pairs = list(_object(value).items())[:MOST_ITEMS]
    return {clean(name, LONGEST_NAME): _text(version, LONGEST_NAME) for name, version in pairs}


def _one_of(key: str, value: t.Any, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise _NoReport(f"Its '{key}' is {_shown(value)} and none of {', '.join(choices)}.")
    return value


def _shown(value: t.Any) -> str:
    return clean(json.dumps(value), 40)


def _moment(value: t.Any) -> datetime.datetime | None:
    """A time in UTC, which the value itself does not say."""
    matched = MOMENT.fullmatch(value) if isinstance(value, str) else None
    if not matched:
        return None
    try:
        return datetime.datetime.strptime(f"{matched[1]}{matched[2] or '.0'}", "%Y-%m-%dT%H:%M:%S.%f")
    except ValueError:
        return None


def _between(start: datetime.datetime | None, end: datetime.datetime | None) -> float:
    return (end - start).total_seconds() if start and end else 0.0


def _number(value: t.Any, otherwise: float, most: float = LONGEST_SECONDS) -> float:
    """A number that is neither negative nor out of all proportion, and ``otherwise`` in place of any other value."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        return min(max(otherwise, 0.0), most)
    return float(value)


def _text(value: t.Any, longest: int = LONGEST_TEXT) -> str:
    if isinstance(value, str):
        return clean(value, longest)
    return clean(str(value), longest) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def _object(value: t.Any) -> dict[str, t.Any]:
    return value if isinstance(value, dict) else {}


def _list(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []


def _objects(value: t.Any) -> list[dict[str, t.Any]]:
    return [each for each in _list(value)[:MOST_ITEMS] if isinstance(each, dict)]
