# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON text of a request file: schema 2 is written, schema 1 is read as well.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from .._transfer.dump import FileMark
from .._transfer.ranges import Held, Prefix, Segment
from .records import EarlierRequest, Fetched, Fetching, HostJob, Intention, Record, Sending, Sent, StateSeen
from .request_json_1 import as_schema_2
from .wanted import Handle

FORMAT = "siteops.upgrades odoo request"
SCHEMA = 2
LONGEST = 16 * 1024 * 1024

T = t.TypeVar("T")


class NewerSchemaError(ValueError):
    """A request file of a schema that only a newer version of the collection knows."""

    def __init__(self, schema: int) -> None:
        super().__init__(f"schema {schema}")
        self.schema = schema


def to_json(record: Record) -> str:
    """The text of a record."""
    return json.dumps({"format": FORMAT, "schema": SCHEMA, **dataclasses.asdict(record)}, indent=2) + "\n"


def from_json(content: bytes) -> Record:
    """The record in a text.

    :raises NewerSchemaError: it is of a later schema.
    :raises ValueError, TypeError, KeyError, RecursionError: it is not the text of a record.
    """
    if len(content) > LONGEST:
        raise ValueError("longer than any request file")
    document = _exactly(dict)(json.loads(content))
    if document.pop("format") != FORMAT:
        raise ValueError("another format")
    schema = _exactly(int)(document.pop("schema"))
    if schema > SCHEMA:
        raise NewerSchemaError(schema)
    if schema == 1:
        document = as_schema_2(document)
    elif schema != SCHEMA:
        raise ValueError("no schema")
    record = _typed(Record, document)
    if not (record.handle or record.intention) or (record.handle and not record.handle.secret):
        raise ValueError("neither a request nor an intention")
    return record


def _typed(kind: type[T], values: t.Any) -> T:
    """A dataclass from a JSON object, each field checked by its annotation; unknown and missing fields are refused."""
    if not isinstance(values, dict):
        raise TypeError(f"{kind.__name__} is an object")
    annotations = {entry.name: str(entry.type) for entry in dataclasses.fields(t.cast(t.Any, kind))}
    return kind(**{name: _READERS[annotations[name]](value) for name, value in values.items()})


def _exactly(kind: type[T]) -> t.Callable[[t.Any], T]:
    def read(value: t.Any) -> T:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"not a value of type {kind.__name__}")
        return value

    return read


def _one(kind: type[T]) -> t.Callable[[t.Any], T]:
    return lambda value: _typed(kind, value)


def _optional(kind: type[T]) -> t.Callable[[t.Any], T | None]:
    return lambda value: None if value is None else _typed(kind, value)


def _many(kind: type[T]) -> t.Callable[[t.Any], tuple[T, ...]]:
    return lambda values: tuple(_typed(kind, value) for value in _exactly(list)(values))


def _texts(values: t.Any) -> dict[str, str]:
    return {name: _exactly(str)(value) for name, value in _exactly(dict)(values).items()}


_READERS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "str": _exactly(str),
    "int": _exactly(int),
    "dict[str, str]": _texts,
    "FileMark": _one(FileMark),
    "Handle": _one(Handle),
    "Held": _one(Held),
    "Prefix": _one(Prefix),
    "tuple[Segment, ...]": _many(Segment),
    "tuple[StateSeen, ...]": _many(StateSeen),
    "tuple[EarlierRequest, ...]": _many(EarlierRequest),
    **{
        f"{kind.__name__} | None": _optional(kind)
        for kind in (Intention, Handle, HostJob, Sent, Sending, Fetched, Fetching)
    },
}
