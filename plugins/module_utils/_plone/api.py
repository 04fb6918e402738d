# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all services of plone.restapi have in common: one site, its answers read, and what answers in their place.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from .._core.errors import AnswerLostError, CallError, UnexpectedAnswerError
from .._core.http import Answer, HttpClient
from .._core.text import one_line

if t.TYPE_CHECKING:
    from .credentials import Credentials

SYSTEM = "/@system"
SERVICE_SINCE = {"@upgrade": "8.32.0", "@transactions": "8.29.0"}
"""The release of plone.restapi that brought a service (its change log)."""

GATEWAY_STATUSES = (502, 503, 504)
"""With what a gateway answers that cannot reach the server, or does not wait any longer."""

TRACEBACK_LINES_KEPT = 6

LOOK_BEHIND = "Check what answers there, and whether Plone runs."
LET_THROUGH = "Have what stands in front of Plone, such as a login page or a firewall, let this call through."

S = t.TypeVar("S", bound="PloneApi")
T = t.TypeVar("T")


class PloneApi:
    """One site, seen with one set of credentials."""

    def __init__(self, http: HttpClient, credentials: Credentials) -> None:
        self._http = http
        self._credentials = credentials

    @property
    def url(self) -> str:
        """The URL of the site."""
        return self._http.base_url

    def look(self: S, seconds: float) -> S:
        """The same site for one look of many: see :meth:`HttpClient.look`."""
        return type(self)(self._http.look(seconds), self._credentials)

    def get(self, path: str) -> Answer:
        """The answer of a service, whatever its status.

        :raises CallError: the network failed.
        """
        return self._http.get(path)

    def read(self, path: str, reader: t.Callable[[t.Any], T]) -> T:
        """The document of a service in our form.

        :raises CallError: the site, the service or the permission is missing, the document is of another shape, or the
            network failed.
        """
        return read_document(self.expect_success(self._http.get(path)), reader)

    def send(self, method: str, path: str, payload: t.Any, *, timeout: float | None = None) -> Answer:
        """Have a service change something, once. The payload travels as JSON.

        :raises NotSentError: nothing reached the server.
        :raises AnswerLostError: no answer of Plone's own came back; it may be at work.
        :raises CallError: the server says that it failed. Nothing is committed then.
        """
        answer = self._http.send(method, path, timeout=timeout, json=payload)
        strange = answer.status < 300 and bool(answer.body) and not answer.is_json
        if strange or (answer.status >= 500 and not _is_plones_failure(answer)):
            raise AnswerLostError(answer.call, _by_another(answer), status=answer.status)
        return self.expect_success(answer)

    def expect_success(self, answer: Answer) -> Answer:
        """The same answer if its status is a success.

        :raises CallError: it is not. Further GETs find out the cause for the message.
        """
        if answer.status < 300:
            return answer
        if answer.status == 401 and error_type(answer):
            raise CallError(answer.call, "was refused (401 Unauthorized)", status=401, hint=self._why_unauthorized())
        if answer.status == 404:
            raise CallError(answer.call, "found nothing (404)", status=404, hint=self._why_not_found(answer))
        raise _server_error(answer)

    def _why_unauthorized(self) -> str:
        """Tell a wrong password from a missing role: Plone answers 401 to both, but lets a user read the own data."""
        user = self._credentials.user
        own_data = self._probe(f"/@users/{quote(user, safe='')}") if user else None
        if own_data is not None and own_data.status == 200:
            return f"The user '{user}' is known, but lacks the Manager role here; Site Administrator is not enough."
        return self._credentials.why_refused

    def _why_not_found(self, answer: Answer) -> str:
        system = self._probe(SYSTEM)
        if system is not None and system.status in (200, 401):
            if not answer.is_json:
                return "This is a Plone site, but what stands in front of it does not let this path through."
            release = one_line(f"plone.restapi {_object(system).get('plone_restapi_version', '')}")
            service = next((name for name in SERVICE_SINCE if f"/{name}" in answer.call), "such service")
            since = f", which came with {SERVICE_SINCE[service]}" if service in SERVICE_SINCE else ""
            return f"This is a Plone site, but its {release} has no {service}{since}."
        if _object(answer):
            return "There is a Zope server, but no Plone site at this path; check the URL's path."
        return (
            f"The answer was {answer.describe_body()}: no plone.restapi is there. Check the URL; "
            "where a Volto front end answers, the site's URL for programs ends in /++api++."
        )

    def _probe(self, path: str) -> Answer | None:
        """An answer that only makes the message of a failure more precise; None if it cannot be read."""
        try:
            return self._http.get(path)
        except CallError:
            return None


def read_document(answer: Answer, reader: t.Callable[[t.Any], T]) -> T:
    """The document of an answer in our form.

    :raises UnexpectedAnswerError: it is not JSON, or not of the shape that this service sends.
    """
    if not answer.is_json:
        what = f"answered {answer.status} with {answer.describe_body()} instead of JSON"
        raise UnexpectedAnswerError(answer.call, what, status=answer.status, hint=LET_THROUGH)
    document = answer.document()
    try:
        return reader(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"answered {answer.status} with JSON that is not plone.restapi's for this service"
        hint = "Check that the URL is that of a Plone site."
        raise UnexpectedAnswerError(answer.call, what, status=answer.status, hint=hint) from error


def _object(answer: Answer) -> dict[str, t.Any]:
    """The JSON object of an answer; empty where it is something else."""
    try:
        document = answer.document()
    except UnexpectedAnswerError:
        return {}
    return document if isinstance(document, dict) else {}


def _error_document(answer: Answer) -> dict[str, t.Any]:
    """The error object of plone.restapi, which comes in two envelopes (measured); empty where there is none."""
    document = _object(answer)
    inner = document.get("error")
    return inner if isinstance(inner, dict) else document


def error_type(answer: Answer) -> str:
    """The ``type`` of plone.restapi's error object: the name of a Python exception, or empty.

    A gateway that answers with JSON of its own (RFC 9457) has a URI there.
    """
    name = str(_error_document(answer).get("type") or "")
    return name if name.isidentifier() else ""


def _is_plones_failure(answer: Answer) -> bool:
    """Whether a status of 500 and above is Plone's own, so that nothing was committed.

    A gateway that gave up waiting may use the same words. What Zope answers 502 to 504 to is an exception that was
    raised, and plone.restapi shows its traceback to managers (measured).
    """
    return bool(error_type(answer)) and (
        answer.status not in GATEWAY_STATUSES or "traceback" in _error_document(answer)
    )


def _by_another(answer: Answer) -> str:
    return f"was answered {answer.status} with {answer.describe_body()} by something in front of Plone"


def _server_error(answer: Answer) -> CallError:
    """The server's own words for a failure, with the end of its traceback."""
    document = _error_document(answer)
    if not error_type(answer):
        hint = answer.wait_asked or (LET_THROUGH if answer.status < 500 else LOOK_BEHIND)
        return CallError(
            answer.call, _by_another(answer), status=answer.status, hint=hint, retry_after=answer.retry_after
        )
    words = one_line(f"{document['type']}: {document.get('message', '')}")
    traceback = document.get("traceback")
    lines = [str(line) for line in traceback] if isinstance(traceback, list) else []
    return CallError(
        answer.call,
        f"answered {answer.status} {words}",
        status=answer.status,
        retry_after=answer.retry_after,
        type=str(document["type"]),
        message=str(document.get("message", "")),
        traceback=lines[-TRACEBACK_LINES_KEPT:],
    )
