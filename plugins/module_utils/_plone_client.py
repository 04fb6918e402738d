# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""plone.restapi's services for upgrading a site, and the diagnosis of what answers in their place.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ._errors import AnswerLostError, CallError, UnexpectedAnswerError
from ._http import Answer, HttpClient
from ._plone_state import SiteState, Versions, steps_in_run_order
from ._text import one_line

if t.TYPE_CHECKING:
    from ._plone_credentials import Credentials

UPGRADE = "/@upgrade"
SYSTEM = "/@system"
TRACEBACK_LINES_KEPT = 6

T = t.TypeVar("T")


@dataclass(frozen=True)
class UpgradeAnswer:
    """A well-formed answer of POST @upgrade; ``versions`` are those after it, or after a dry run before its abort."""

    report: str
    versions: Versions


class PloneClient:
    """One site, seen with one set of credentials."""

    def __init__(self, http: HttpClient, credentials: Credentials) -> None:
        self._http = http
        self._credentials = credentials

    @property
    def url(self) -> str:
        """The URL of the site."""
        return self._http.base_url

    def site_state(self) -> SiteState:
        """Versions and pending steps.

        GET @upgrade breaks with 503 KeyError where an upgrade step outside a group is registered for the core profile
        (measured, every version of plone.restapi); then @system tells the versions and the steps stay unknown.

        :raises CallError: the site, the service or the permission is missing, or the network failed.
        """
        answer = self._http.get(UPGRADE)
        if answer.status == 503 and _error_type(answer) == "KeyError":
            return _read(self._expect_success(self._http.get(SYSTEM)), _state_from_system)
        return _read(self._expect_success(answer), _state_from_upgrade)

    def system(self) -> dict[str, t.Any]:
        """The document of GET @system: versions of Plone, plone.restapi, Zope and Python among others.

        :raises CallError: as for :meth:`site_state`.
        """
        return _read(self._expect_success(self._http.get(SYSTEM)), dict)

    def post_upgrade(self, *, dry_run: bool, timeout: float) -> UpgradeAnswer:
        """Run all pending steps, once.

        ``dry_run`` is always sent, as a JSON boolean: left out, null or form-encoded means the real upgrade (measured).

        :raises NotSentError: nothing reached the server.
        :raises AnswerLostError: no answer of Plone's own came back; the upgrade may be running.
        :raises CallError: the server says that it failed. Nothing is committed then.
        """
        answer = self._http.send("POST", UPGRADE, timeout=timeout, json={"dry_run": dry_run})
        if answer.status < 300:
            try:
                return _read(answer, _upgrade_answer)
            except UnexpectedAnswerError as error:
                raise AnswerLostError(answer.call, error.what, status=answer.status) from error
        if answer.status >= 500 and not _error_type(answer):
            what = f"was answered {answer.status} with {answer.describe_body()} by something in front of Plone"
            raise AnswerLostError(answer.call, what, status=answer.status)
        self._expect_success(answer)
        raise AssertionError("every status from 300 on raises")

    def _expect_success(self, answer: Answer) -> Answer:
        """The same answer if its status is a success.

        :raises CallError: it is not; the message tells the causes apart, which takes further GETs.
        """
        if answer.status < 300:
            return answer
        if answer.status == 401:
            raise CallError(answer.call, "was refused (401 Unauthorized)", status=401, hint=self._why_unauthorized())
        if answer.status == 404:
            raise CallError(answer.call, "found nothing (404)", status=404, hint=self._why_not_found(answer))
        raise _server_error(answer)

    def _why_unauthorized(self) -> str:
        """Tell a wrong password from a missing role: Plone answers 401 to both, but lets a user read the own data."""
        user = self._credentials.user_id
        own_data = self._probe(f"/@users/{user}") if user else None
        if own_data is not None and own_data.status == 200:
            return f"The user '{user}' is known, but lacks the Manager role here; Site Administrator is not enough."
        return self._credentials.why_refused

    def _why_not_found(self, answer: Answer) -> str:
        system = self._probe(SYSTEM)
        if system is not None and system.status in (200, 401):
            version = _object(system).get("plone_restapi_version", "")
            return f"This is a Plone site, but its plone.restapi {version} has no @upgrade, which came with 8.32.0."
        if _object(answer):
            return "There is a Zope server, but no Plone site at this path; check the URL's path."
        return (
            f"The answer was {answer.describe_body()}: no plone.restapi is there. Check the URL; "
            "where a Volto front end answers, the site's URL for programs ends in /++api++."
        )

    def _probe(self, path: str) -> Answer | None:
        """An answer that only serves to word a failure: where it cannot be had, the failure goes without."""
        try:
            return self._http.get(path)
        except CallError:
            return None


def _read(answer: Answer, reader: t.Callable[[t.Any], T]) -> T:
    """The document of an answer in our form.

    :raises UnexpectedAnswerError: it is not JSON, or not of the shape that this service sends.
    """
    document = answer.document()
    try:
        return reader(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"answered {answer.status} with JSON that is not plone.restapi's for this service"
        hint = "Check that the URL is that of a Plone site."
        raise UnexpectedAnswerError(answer.call, what, status=answer.status, hint=hint) from error


def _versions(instance: t.Any, fs: t.Any) -> Versions:
    if not isinstance(instance, str) or not isinstance(fs, str) or not instance or not fs:
        raise TypeError("versions are non-empty strings")
    return Versions(instance=instance, fs=fs)


def _state_from_upgrade(document: dict[str, t.Any]) -> SiteState:
    versions = document["versions"]
    steps = steps_in_run_order(document["upgrade_steps"])
    return SiteState(_versions(versions["instance"], versions["fs"]), steps)


def _state_from_system(document: dict[str, t.Any]) -> SiteState:
    installed = document["plone_gs_metadata_version_installed"]
    return SiteState(_versions(installed, document["plone_gs_metadata_version_file_system"]), steps=None)


def _upgrade_answer(document: dict[str, t.Any]) -> UpgradeAnswer:
    versions = document["versions"]
    report = document["report"]
    if not isinstance(report, str):
        raise TypeError("a report is text")
    return UpgradeAnswer(report, _versions(versions["instance"], versions["fs"]))


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


def _error_type(answer: Answer) -> str:
    """The ``type`` of plone.restapi's error object: the name of a Python exception, or empty."""
    return str(_error_document(answer).get("type") or "")


def _server_error(answer: Answer) -> CallError:
    """The server's own words for a failure, with the end of its traceback."""
    document = _error_document(answer)
    if not document.get("type"):
        return CallError(answer.call, f"answered {answer.status} with {answer.describe_body()}", status=answer.status)
    words = one_line(f"{document['type']}: {document.get('message', '')}")
    traceback = [str(line) for line in document.get("traceback") or []][-TRACEBACK_LINES_KEPT:]
    return CallError(
        answer.call,
        f"answered {answer.status} {words}",
        status=answer.status,
        retry_after=answer.retry_after,
        type=str(document["type"]),
        message=str(document.get("message", "")),
        traceback=traceback,
    )
