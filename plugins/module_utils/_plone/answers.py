# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What plone.restapi answers, and what answers in its place: documents read, failures put into words.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .._core.errors import CallError, UnexpectedAnswerError
from .._core.http_answer import Answer
from .._core.text import one_line

GATEWAY_STATUSES = (502, 503, 504)
"""What a gateway answers that cannot reach the server, or does not wait any longer."""

QUERY_REFUSED = (400, 403, 405, 406)
"""What a gate answers, beside 404, to an address that it does not know."""

TRACEBACK_LINES_KEPT = 6

CHECK_SERVER = "Check which server answers at this URL, and that Plone runs."
LET_THROUGH = "Have what stands in front of Plone, such as a login page or a firewall, let this call through."
ASKS_FOR_MORE = f"{LET_THROUGH} If it asks for a header or a client certificate, set 'headers' or 'client_cert'."
BASIC_GATE = (
    "What stands in front of Plone asks for Basic authentication itself. A Basic gate and credentials for Plone cannot "
    "both be had, because a request has one Authorization header. Have the gate ask for another header ('headers') or "
    "a client certificate ('client_cert'), or let this host through by its address."
)
PAGE = (
    f"{LET_THROUGH} Where a Volto front end answers at the address of the site, the URL for programs ends in /++api++."
)

CONFLICT = (
    "Somebody wrote to the same objects meanwhile, each of the four times that Plone tried. Stop the writers, with a "
    "read-only site or a maintenance page, and run this again."
)

NO_CACHE = (
    "Have what stands in front of Plone cache no path with an '@' in it, or give Zope's own address; then run this "
    "again."
)

T = t.TypeVar("T")


def read_document(answer: Answer, reader: t.Callable[[t.Any], T]) -> T:
    """The document of an answer in our form.

    :raises UnexpectedAnswerError: it is not JSON, or not of the shape that this service sends.
    """
    if not answer.is_json:
        what = f"answered {answer.status} with {answer.describe_body()} instead of JSON"
        raise UnexpectedAnswerError(answer.call, what, status=answer.status, hint=PAGE)
    document = answer.document()
    try:
        return reader(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"answered {answer.status} with JSON that is not plone.restapi's for this service"
        hint = "Check that the URL is that of a Plone site."
        raise UnexpectedAnswerError(answer.call, what, status=answer.status, hint=hint) from error


def json_object(answer: Answer) -> dict[str, t.Any]:
    """The JSON object of an answer; empty where it is something else."""
    try:
        document = answer.document()
    except UnexpectedAnswerError:
        return {}
    return document if isinstance(document, dict) else {}


def error_type(answer: Answer) -> str:
    """The ``type`` of plone.restapi's error object: the name of a Python exception, or empty.

    A gateway that answers with JSON of its own (RFC 9457) has a URI there.
    """
    name = str(_error_object(answer).get("type") or "")
    return name if name.isidentifier() else ""


def is_zopes_own(answer: Answer) -> bool:
    """Whether the server of Zope itself sent an answer, as far as its headers show.

    Most proxies put in their name as ``Server``. Zope's own server calls itself a ``Via`` as well (measured).
    """
    server, via = (answer.headers.get(name, "").lower() for name in ("Server", "Via"))
    return server.startswith(("waitress", "zope")) and via in ("", "waitress")


def asks_for_basic(answer: Answer) -> bool:
    """Whether something in front of Plone refused a call because it asks for Basic authentication itself.

    Zope's realm is its own name, and plone.restapi sends an error object, that of @login without a Python name.
    """
    challenge = answer.headers.get("WWW-Authenticate", "").strip().lower()
    if answer.status != 401 or not challenge.startswith("basic"):
        return False
    is_plones = bool(error_type(answer)) or isinstance(json_object(answer).get("error"), dict)
    return not (is_plones or is_zopes_own(answer) or 'realm="zope"' in challenge)


def answers_for_plone(answer: Answer) -> bool:
    """Whether something in front of Plone answered a call that writes, so that Plone may be at work.

    That is so for a success that is not JSON, and for a server error without plone.restapi's error object. A gateway
    that gave up waiting may use the same words. What Zope answers 502 to 504 to is an exception that was raised, and
    plone.restapi shows its traceback to managers (measured).
    """
    if answer.status < 300:
        return bool(answer.body) and not answer.is_json
    if answer.status < 500:
        return False
    is_plones = bool(error_type(answer)) and (
        answer.status not in GATEWAY_STATUSES or "traceback" in _error_object(answer)
    )
    return not is_plones


def may_refuse_query(answer: Answer) -> bool:
    """Whether a read may have been refused for what stands in its query, as by a gate that knows exact addresses."""
    return answer.status == 404 or (answer.status in QUERY_REFUSED and not error_type(answer))


def describe_stranger(answer: Answer) -> str:
    """What came back from something that is not Plone."""
    return f"was answered {answer.status} with {answer.describe_body()} by something in front of Plone"


def server_error(answer: Answer) -> CallError:
    """The server's own words for a failure, with the end of its traceback."""
    document = _error_object(answer)
    if not error_type(answer):
        hint = answer.wait_asked or (ASKS_FOR_MORE if answer.status < 500 else CHECK_SERVER)
        if asks_for_basic(answer):
            hint = BASIC_GATE
        return CallError(
            answer.call, describe_stranger(answer), status=answer.status, hint=hint, retry_after=answer.retry_after
        )
    words = one_line(f"{document['type']}: {document.get('message', '')}")
    traceback = document.get("traceback")
    lines = [str(line) for line in traceback] if isinstance(traceback, list) else []
    return CallError(
        answer.call,
        f"answered {answer.status} {words}",
        status=answer.status,
        hint=CONFLICT if document["type"] == "ConflictError" else "",
        retry_after=answer.retry_after,
        type=str(document["type"]),
        message=str(document.get("message", "")),
        traceback=lines[-TRACEBACK_LINES_KEPT:],
    )


def _error_object(answer: Answer) -> dict[str, t.Any]:
    """The error object of plone.restapi, which comes in two envelopes (measured); empty where there is none."""
    document = json_object(answer)
    inner = document.get("error")
    return inner if isinstance(inner, dict) else document
