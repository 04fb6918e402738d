# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The calls of the database API v1 of Odoo's upgrade platform, in their wire forms.

The rest of the collection speaks of requests, dumps and states. Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import typing as t
from urllib.parse import urljoin, urlsplit

from ..._core.errors import AnswerLostError, UnexpectedAnswerError
from ..._core.http_answer import Answer
from ..._core.http_client import HttpClient
from ..._core.text import encodings_of
from ..._core.urls import call_name
from ..hosts import Hosts
from .answers import RESULT_URLS, SftpAccess, document_of, json_of, require_no_failures, sftp_access_of

if t.TYPE_CHECKING:
    import requests

WHOLE, PARTIAL, NOT_SATISFIABLE = 200, 206, 416


class OdooClient:
    """One request on the platform, or with no id and key the platform itself."""

    def __init__(self, http: HttpClient, request_id: str = "", key: str = "") -> None:
        self._http = http
        self.request_id = request_id
        self.key = key

    @property
    def api_url(self) -> str:
        """The URL that the methods' names are appended to."""
        return self._http.base_url

    def for_request(self, request_id: str, key: str) -> OdooClient:
        """The client for one request on the same platform."""
        return OdooClient(self._http, request_id, key)

    def create(self, fields: t.Mapping[str, str]) -> dict[str, t.Any]:
        """Make a request; the status document of it, with ``id`` and ``key``. Each call makes another one.

        :param fields: contract, email, target, aim (test, production), filename, and timezone where it is needed.
        :raises PlatformFailure: refused.
        :raises AnswerLostError: a request may have been made whose key is unknown here.
        """
        answer = self._http.send("POST", "/create", data=dict(fields))
        document = document_of(answer, writes=True).get("request")
        if not isinstance(document, dict) or not all(_is_handle(document.get(name)) for name in ("id", "key")):
            raise AnswerLostError(answer.call, "answered without the id and key of a request", status=answer.status)
        return document

    def status(self) -> dict[str, t.Any]:
        """The status document, which carries the key in many places; with a single call.

        :raises CallError: it could not be read.
        """
        answer = self._http.send("POST", "/status", data=self._identity)
        document = document_of(answer, writes=False).get("request")
        if not isinstance(document, dict):
            raise UnexpectedAnswerError(answer.call, "answered without a status document", status=answer.status)
        return document

    def process(self) -> None:
        """Have the uploaded dump upgraded.

        :raises PlatformFailure: refused.
        :raises AnswerLostError: the work may have begun.
        """
        document_of(self._http.send("POST", "/process", data=self._identity), writes=True)

    def skip_test(self) -> None:
        """Have the result delivered without the platform's tests; known to later editions of the API only.

        :raises PlatformFailure: refused.
        :raises AnswerLostError: the result may have been delivered.
        """
        document_of(self._http.send("POST", "/skip_test", data=self._identity), writes=True)

    def request_sftp_access(self, public_keys: str) -> SftpAccess:
        """Have an SFTP server opened for the holders of these keys.

        :param public_keys: the text of an authorized_keys-like list: public keys, blank lines and comments.
        :raises PlatformFailure: refused.
        :raises AnswerLostError: it may be open; asking again does no harm.
        """
        keys = {"ssh_keys": ("authorized_keys", public_keys, "text/plain")}
        answer = self._http.send("POST", "/request_sftp_access", params=self._identity, files=keys)
        access = document_of(answer, writes=True).get("request")
        try:
            return sftp_access_of(access)
        except (KeyError, TypeError, ValueError) as error:
            what = "answered without a usable host, port, user and file of an SFTP server"
            raise UnexpectedAnswerError(answer.call, what, status=answer.status) from error

    def upload(self, body: t.Any, size: int) -> None:
        """Send a dump in one piece.

        :param body: has ``read(size) -> bytes``; what it raises comes through, unless it is an OSError.
        :param size: bytes in it, above zero; the platform is not known to take a body of unstated length.
        :raises PlatformFailure: refused.
        :raises AnswerLostError: the platform may or may not have it whole.
        """
        url = f"{self.api_url}/upload"
        call = call_name("POST", url)
        headers = {"Content-Type": "application/octet-stream"}
        sized = _SizedBody(body, size)
        with self._http.transfer(
            "POST", url, call=call, params=self._identity, headers=headers, data=sized
        ) as response:
            document_of(self._http.document(response, call), writes=True)

    @contextlib.contextmanager
    def open_result(
        self,
        kind: str,
        *,
        offset: int = 0,
        end: int | None = None,
        entity: str = "",
        document: t.Mapping[str, t.Any] | None = None,
    ) -> t.Iterator[requests.Response]:
        """The response that carries an upgraded database, with its body unread and never compressed on the way.

        Its status is 200 (the whole), 206 (from ``offset`` on) or 416 (there is nothing from ``offset`` on).

        :param kind: ``archive`` or ``sql``.
        :param offset: bytes that are here already.
        :param end: where to end; at the last byte where it is None.
        :param entity: strong ETag or Last-Modified of what they came from; if that is gone, the whole comes.
        :param document: the status document where one was read just now; read again otherwise.
        :raises PlatformFailure: refused.
        :raises CallError: anything else that is not such a response.
        """
        call = _result_call(kind)
        url = self._result_url(kind, call, document or self.status())
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if offset or end is not None:
            headers["Range"] = f"bytes={offset}-{'' if end is None else end - 1}"
            if entity:
                headers["If-Range"] = entity
        with self._http.transfer("GET", url, call=call, headers=headers, leave_to=self._may_leave_to) as response:
            if response.status_code not in (WHOLE, PARTIAL, NOT_SATISFIABLE):
                answer = self._http.document(response, call)
                document_of(answer, writes=False)
                raise UnexpectedAnswerError(
                    call, f"answered {answer.status} with {answer.describe_body()}", status=answer.status
                )
            yield response

    def require_result(self, kind: str, response: requests.Response, start: bytes) -> None:
        """Look whether the platform says no in place of a result, which it may do with status 200.

        :param start: the first bytes of the body.
        :raises PlatformFailure: it does.
        """
        answer = Answer(_result_call(kind), response.status_code, response.headers, start)
        require_no_failures(answer, json_of(answer))

    @property
    def _identity(self) -> dict[str, str]:
        return {"request": self.request_id, "key": self.key}

    def _result_url(self, kind: str, call: str, document: t.Mapping[str, t.Any]) -> str:
        named = next((str(document[name]) for name in RESULT_URLS[kind] if document.get(name)), "")
        try:
            url = urljoin(f"{self.api_url}/", named) if named else ""
            scheme = urlsplit(url).scheme
        except ValueError:
            url = scheme = ""
        if scheme not in ("http", "https"):
            raise UnexpectedAnswerError(call, "cannot be made: the status holds no usable URL of the result")
        if scheme == "http" and urlsplit(self.api_url).scheme == "https":
            hint = "Anyone who reads that URL on the way could fetch the database."
            raise UnexpectedAnswerError(
                call, "was not made: the URL in the status is not https, and it contains the key", hint=hint
            )
        return self._at_home(url)

    def _at_home(self, url: str) -> str:
        """A URL of a result; at the API itself where it holds the key and names a host outside of the API's domain.

        The platform names the address at which the world reaches it, which need not be the one that was asked.
        """
        there, here = urlsplit(url), urlsplit(self.api_url)
        if self._is_without_key(url) or Hosts(self.api_url, ()).allows(there.hostname or ""):
            return url
        return there._replace(scheme=here.scheme, netloc=here.netloc).geturl()

    def _may_leave_to(self, url: str) -> bool:
        """Whether a storage host may serve the result: over TLS, and without the key in the URL."""
        here, there = urlsplit(self.api_url), urlsplit(url)
        if "@" in there.netloc or there.scheme not in (here.scheme, "https"):
            return False
        return self._is_without_key(url)

    def _is_without_key(self, url: str) -> bool:
        return not any(form in url for form in encodings_of(self.key))


def _result_call(kind: str) -> str:
    """The name of the call that fetches a result, whose path holds the key."""
    return f"GET upgraded/{kind}"


def _is_handle(value: t.Any) -> bool:
    """Whether a value can be the id or the key of a request, and be sent and kept as it came."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


class _SizedBody:
    """A body that requests sends with its length stated."""

    def __init__(self, body: t.Any, size: int) -> None:
        self._body = body
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> t.Iterator[bytes]:
        raise NotImplementedError("it is read in blocks; requests takes an iterable for a stream")

    def read(self, size: int = -1) -> bytes:
        return self._body.read(size)
