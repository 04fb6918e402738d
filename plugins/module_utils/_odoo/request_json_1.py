# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Request files of schema 1, which the versions before 2.0.0 wrote: the same in the form of schema 2.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

Values = dict[str, t.Any]

PROTOCOL = "database_api"
"""The only one that those versions spoke."""

MARK = ("size", "mtime_ns", "inode", "device")


def as_schema_2(document: Values) -> Values:
    """The JSON object of schema 2 for one of schema 1, without format and schema.

    What is of a wrong type goes on as it is, for the reader of schema 2 to refuse.

    :raises ValueError, TypeError, KeyError: it is not of schema 1.
    """
    values = dict(document)
    number, key = values.pop("id", ""), values.pop("key", "")
    if bool(number) != bool(key):
        raise ValueError("half a request")
    return {
        "protocol": PROTOCOL,
        **values,
        "handle": {"id": number, "secret": key} if number else None,
        "sent": _if_any(_sent, values.get("sent")),
        "sending": _if_any(_sending, values.get("sending")),
        "fetched": _if_any(_fetched, values.get("fetched")),
        "fetching": _if_any(_fetching, values.get("fetching")),
        "earlier": [_earlier(dict(one)) for one in values.get("earlier", [])],
    }


def _if_any(convert: t.Callable[[Values], Values], value: t.Any) -> Values | None:
    return None if value is None else convert(dict(value))


def _mark(values: Values) -> Values:
    return {name: values.pop(name) for name in MARK}


def _sent(values: Values) -> Values:
    name = values.pop("shared_name", "")
    return {"mark": _mark(values), "name": name, **values}


def _sending(values: Values) -> Values:
    proven = values.pop("proven", 0)
    beyond = [{"start": max(start, proven), "end": end} for start, end in values.pop("segments", []) if end > proven]
    held = {"prefix": {"size": proven, "sha256": values.pop("sha256", "")}, "beyond": beyond}
    return {"mark": _mark(values), "name": values.pop("shared_name"), "held": held, **values}


def _fetched(values: Values) -> Values:
    mark = {name: values.pop(name, 0) for name in MARK}
    return {"mark": mark, "content": values.pop("kind"), **values}


def _fetching(values: Values) -> Values:
    prefix = {"size": values.pop("done", 0), "sha256": values.pop("sha256", "")}
    held = {"prefix": prefix, "beyond": values.pop("segments", [])}
    return {"content": values.pop("kind"), "transport": values.pop("transport", ""), "held": held, **values}


def _earlier(values: Values) -> Values:
    handle = {"id": values.pop("id"), "secret": values.pop("key")}
    return {"protocol": PROTOCOL, "handle": handle, **values}
