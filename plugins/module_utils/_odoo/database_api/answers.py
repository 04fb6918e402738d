# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of the database API v1: their documents, the failures that they name, and what to do about each.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..._core.errors import AnswerLostError, UnexpectedAnswerError
from ..._core.http_answer import Answer
from ..._core.text import one_line, whole_number
from ..failures import Refusal

SERVER_ERROR = "SERVER:ERROR"
"""The one failure that passes by itself: an existing client of the platform's maker goes on polling after it."""
HINTS = {
    "TARGET:INVALID": "Give one of the expected versions as target.",
    "CONTRACT:NOT_FOUND": "Check the reference of the enterprise contract.",
    SERVER_ERROR: "The platform failed on its own side; try again later.",
}
USUAL_HINTS = {
    "archive": "Read the state with odoo_upgrade_request_info, or set 'transport' to sftp.",
    "create": "No request was made.",
    "process": "Upload a dump with odoo_upgrade_upload first.",
    "request_sftp_access": "The platform gives access in the states draft and done.",
    "skip_test": "Only later editions of the API know this call, and only in the state testing; wait for the result.",
    "sql": "Read the state with odoo_upgrade_request_info, or set 'content' to archive.",
    "status": "Check the id and the key of the request; it may no longer exist.",
    "upload": "The platform takes a dump in the state draft only.",
}
"""What to do about a failure that is not among the hints, by the last part of the call."""
NOT_THE_PLATFORM = "Check 'api_url', and any proxy between this host and the platform."
REFUSED_IN_DETAIL = (":INVALID", ":NOT_FOUND")
"""Ends of the documented reasons that say that a parameter is wrong: nothing was done, also with HTTP status 500."""
RESULT_URLS = {"archive": ("upgraded_dump_url",), "sql": ("upgraded_sql_url", "migrated_sql_url")}
"""Keys of the status document; the last one was seen in place of the documented one."""
TOO_LARGE = 413


class PlatformFailure(Refusal):
    """The platform refuses a call; ``failures`` is all that it says at once, each with ``reason`` and ``message``."""

    def __init__(self, answer: Answer, failures: list[dict[str, t.Any]]) -> None:
        self.failures = failures
        known = [HINTS[failure["reason"]] for failure in failures if failure["reason"] in HINTS]
        hints = known or [USUAL_HINTS.get(answer.call.rpartition("/")[2], "")]
        super().__init__(
            answer.call,
            f"was refused by the platform ({answer.status}): {'; '.join(map(failure_in_words, failures))}",
            status=answer.status,
            hint=" ".join(dict.fromkeys(hints)),
            retry_after=answer.retry_after,
            failures=failures,
        )

    @property
    def is_server_error(self) -> bool:
        """Whether it is the platform's own fault, which may pass by itself."""
        return any(failure["reason"] == SERVER_ERROR for failure in self.failures) or (self.status or 0) >= 500

    @property
    def may_have_acted(self) -> bool:
        """Whether the platform may have acted before it failed."""
        in_detail = all(failure["reason"].endswith(REFUSED_IN_DETAIL) for failure in self.failures)
        return self.is_server_error and not in_detail


@dataclass(frozen=True)
class SftpAccess:
    """Where the SFTP server of a request listens, and the one file that it serves; empty where that is unknown."""

    hostname: str
    port: int
    user: str
    shared_file: str
    sample_command: str = ""


def failure_in_words(failure: t.Mapping[str, t.Any]) -> str:
    """One failure for a reader, such as: TARGET:INVALID: Invalid value "5.0" (expected: 6.0, 6.1)."""
    words = one_line(f"{failure['reason']}: {failure['message']}" if failure["message"] else failure["reason"])
    details = []
    for name in ("value", "code"):
        value = failure.get(name)
        if value is not None and one_line(value) not in words:
            details.append(f"{name}: {one_line(value)}")
    expected = failure.get("expected")
    if expected:
        listed = expected if isinstance(expected, list) else [expected]
        details.append(f"expected: {one_line(', '.join(map(str, listed)))}")
    return f"{words} ({'; '.join(details)})" if details else words


def document_of(answer: Answer, *, writes: bool) -> dict[str, t.Any]:
    """The JSON object of a successful answer.

    Failures are read from the body with any HTTP status: it is not documented which one carries them.

    :raises PlatformFailure: the platform names failures.
    :raises AnswerLostError: the answer leaves open what a call that writes has done, or was cut short.
    :raises CallError: something that is not this API answered.
    """
    document = json_of(answer)
    require_no_failures(answer, document)
    what = f"answered {answer.status} with {answer.describe_body()}"
    if document is not None and answer.status < 300:
        if "failures" in document or "request" in document:
            return document
        what = f"answered {answer.status} with JSON that is not this API's"
    hint = answer.wait_asked or _hint_for_a_stranger(answer)
    cut_short = document is None and answer.status < 300 and answer.body.lstrip()[:1] in (b"{", b"")
    if (writes and (answer.status < 300 or answer.status >= 500)) or cut_short:
        raise AnswerLostError(answer.call, what, status=answer.status, retry_after=answer.retry_after)
    raise UnexpectedAnswerError(answer.call, what, status=answer.status, hint=hint, retry_after=answer.retry_after)


def require_no_failures(answer: Answer, document: dict[str, t.Any] | None) -> None:
    failures = _failures(document.get("failures")) if document is not None else []
    if failures:
        raise PlatformFailure(answer, failures)


def _hint_for_a_stranger(answer: Answer) -> str:
    """What to do about an answer that is not of this API."""
    name = answer.call.rpartition("/")[2]
    if name == "upload" and answer.status == TOO_LARGE:
        return "A proxy between this host and the platform takes no body of that size. Set 'transport' to sftp."
    is_unknown = answer.status in (404, 405, 501)
    helps = name in RESULT_URLS or (name == "skip_test" and is_unknown)
    return f"{NOT_THE_PLATFORM} {USUAL_HINTS[name]}" if helps else NOT_THE_PLATFORM


def json_of(answer: Answer) -> dict[str, t.Any] | None:
    try:
        document = answer.document()
    except UnexpectedAnswerError:
        return None
    return document if isinstance(document, dict) else None


def _failures(value: t.Any) -> list[dict[str, t.Any]]:
    """The failures of an answer, each with reason and message as text, which the platform may leave out."""
    entries = value if isinstance(value, list) else [value] if value else []
    return [
        {**entry, "reason": str(entry.get("reason") or "no reason given"), "message": str(entry.get("message") or "")}
        if isinstance(entry, dict)
        else {"reason": str(entry), "message": ""}
        for entry in entries
    ]


def sftp_access_of(access: t.Any) -> SftpAccess:
    hostname, user = str(access["hostname"]), str(access["sftp_user"])
    # The sample of the document shows the file with and without the slash of the server's first folder.
    shared_file = access.get("shared_file")
    name = None if shared_file is None else str(shared_file).removeprefix("/")
    port = whole_number(str(access["sftp_port"])) or 0
    texts = [text for text in (hostname, user, name) if text is not None]
    usable = all(text and text.isprintable() and not text.startswith("-") for text in texts)
    if not usable or "/" in (name or "") or name in (".", "..") or not 0 < port < 65536:
        raise ValueError("not an SFTP server")
    return SftpAccess(hostname, port, user, name or "", str(access.get("sample_command") or ""))
