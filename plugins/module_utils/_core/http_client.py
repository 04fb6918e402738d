# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one HTTP client: TLS, timeouts, redirects, repeated reads, and the words for what went wrong.

It knows no product. Callers judge status codes; an error is raised where no whole answer came back.
Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import copy
import traceback
import typing as t
from urllib.parse import urljoin, urlsplit

from .clock import FixedPauses, TimeLimitPassed, time_limit
from .errors import AnswerLostError, NotSentError, NotTrustedError, UnexpectedAnswerError
from .http_answer import Answer
from .http_errors import explain, is_refused, verification_error
from .proof import read_until
from .socket_options import socket_options
from .text import one_line, whole_number

try:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter

    REQUESTS_IMPORT_ERROR = None
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()

MEBIBYTE = 1024 * 1024
LONGEST_DOCUMENT = 64 * MEBIBYTE
"""Bytes of one API answer; a report of 100,000 steps takes about a fifth of it."""

MOST_REDIRECTS = 5
READ_AGAIN_AFTER = (0.5, 2.0)
"""Seconds before the second and the third try of a GET."""

FROM_THE_SERVER = {"Cache-Control": "no-cache"}
"""Makes a cache on the way ask the server (RFC 9111): a state that is read is a proof."""

LONGEST_WAIT_ASKED = 60
"""Seconds; a server that asks for more with Retry-After is asked again after so many."""

SILENCE_AFTER_A_BODY = 600
"""Seconds that a server may take to process an upload before it answers."""

SEND_BLOCK = 128 * 1024
"""Bytes in one write of a request body: measured 7 % faster than urllib3's 16 KiB over TLS."""


class HttpClient:
    """One server, one way of verifying it, one set of credentials.

    :param base_url: without a trailing slash; paths given to the methods are appended to it.
    :param verify: true (the system's authorities), false, or the path of a bundle. It wins over REQUESTS_CA_BUNDLE
        and CURL_CA_BUNDLE unless it is plain true.
    :param timeout: seconds for a whole quick call, from the name look-up to the last byte.
    :param auth: puts the credentials on a request; they are never sent to another host.
    :param headers: more headers for each request; they are never sent to another host.
    :param cert: the client certificate to show, as requests takes it; it is never shown to another host.
    """

    def __init__(
        self,
        base_url: str,
        *,
        verify: bool | str = True,
        timeout: float = 60,
        auth: t.Callable[[t.Any], t.Any] | None = None,
        headers: t.Mapping[str, str] | None = None,
        cert: str | tuple[str, str] | None = None,
    ) -> None:
        self.base_url = base_url
        self.timeout = timeout
        self._verify = verify
        self._read_again_after: tuple[float, ...] = READ_AGAIN_AFTER
        self._session = requests.Session()
        # Without an auth of its own requests takes one from ~/.netrc, in place of ours.
        self._auth = auth or _without_credentials
        self._headers = dict(headers or {})
        self._cert = cert
        self._session.headers.update({"Accept": "application/json", "User-Agent": "siteops.upgrades"})
        adapter = HTTPAdapter(max_retries=0)
        adapter.init_poolmanager(10, 10, block=False, socket_options=socket_options(), **_block_size())
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        # With allow_redirects=False, requests still reads the body and makes the next request; we do that ourselves.
        self._session.resolve_redirects = lambda *_response, **_options: iter(())  # type: ignore[method-assign]
        if verify is False:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def at(self, base_url: str) -> HttpClient:
        """The same credentials and open connections for another base URL, to which the caller may send them."""
        other = copy.copy(self)
        other.base_url = base_url
        return other

    def as_user(self, auth: t.Callable[[t.Any], t.Any]) -> HttpClient:
        """The same server and open connections with other credentials."""
        other = copy.copy(self)
        other._auth = auth
        return other

    def forget_cookie(self, name: str) -> None:
        """Do not send a cookie that a server has set: one that logs in would stand for credentials that are refused."""
        for cookie in [cookie for cookie in self._session.cookies if cookie.name == name]:
            self._session.cookies.clear(cookie.domain, cookie.path, cookie.name)

    def look(self, seconds: float) -> HttpClient:
        """The same for a caller that reads again and again: reads are tried once, in no more than ``seconds``."""
        other = copy.copy(self)
        other.timeout = min(self.timeout, seconds)
        other._read_again_after = ()
        return other

    def get(self, path: str, *, params: t.Mapping[str, str] | None = None) -> Answer:
        """Read a document; a passing fault is read again twice, and not before the server asked for it.

        :raises NotSentError: the server cannot be reached.
        :raises AnswerLostError: no whole answer within the timeout.
        """
        reading = read_until(
            lambda: self._exchange("GET", path, self.timeout, params=params, headers=FROM_THE_SERVER),
            lambda answer: not answer.passes,
            FixedPauses(self._read_again_after, LONGEST_WAIT_ASKED),
            passes=lambda error: isinstance(error, (NotSentError, AnswerLostError)),
            retry_after=lambda answer: answer.retry_after,
        )
        if reading.error or reading.state is None:
            raise reading.error or AssertionError("a read without an answer has an error")
        return reading.state

    def send(self, method: str, path: str, *, timeout: float | None = None, **request: t.Any) -> Answer:
        """Send a request that may change something: once, whatever happens, and never along a redirect.

        :param request: ``json``, ``data``, ``files``, ``params`` as requests takes them; ``follow`` as :meth:`open`.
        :raises NotSentError: nothing reached the server.
        :raises AnswerLostError: the server may have acted.
        """
        return self._exchange(method, path, self.timeout if timeout is None else timeout, **request)

    @contextlib.contextmanager
    def transfer(
        self,
        method: str,
        url: str,
        *,
        call: str,
        leave_to: t.Callable[[str], bool] | None = None,
        **request: t.Any,
    ) -> t.Iterator[requests.Response]:
        """Send one request whose body or answer takes the time that its bytes take; yields the response, body unread.

        The timeout bounds how long a socket may stay silent; a server may think longer about a body that it has just
        received. A network error while the caller reads is put into words too.

        :param call: the name in messages, for a URL whose path must not be seen.
        :param leave_to: whether a redirected GET may go to this URL on another host; it goes without credentials.
        :raises NotSentError: nothing reached the server.
        :raises AnswerLostError: the connection ended before everything was sent or read.
        """
        silence = self.timeout if method == "GET" else max(self.timeout, SILENCE_AFTER_A_BODY)
        with self._faults_in_words(call, f"said nothing for {silence:g} seconds"):
            response = self.open(method, url, timeout=(self.timeout, silence), call=call, leave_to=leave_to, **request)
            with contextlib.closing(response):
                yield response

    def document(self, response: requests.Response, call: str) -> Answer:
        """The whole answer behind a response of :meth:`transfer`, for one that is a document.

        :raises AnswerLostError: it did not come whole within the timeout.
        """
        try:
            with time_limit(self.timeout):
                return Answer(call, response.status_code, response.headers, _read_document(response, call))
        except TimeLimitPassed as error:
            raise AnswerLostError(call, _too_slow(self.timeout)) from error

    def _exchange(self, method: str, path: str, seconds: float, **request: t.Any) -> Answer:
        call = call_name(method, self.base_url + path)
        with self._faults_in_words(call, _too_slow(seconds)), time_limit(seconds):
            response = self.open(method, self.base_url + path, timeout=seconds, **request)
            with contextlib.closing(response):
                return Answer(call, response.status_code, response.headers, _read_document(response, call))

    def open(
        self,
        method: str,
        url: str,
        *,
        timeout: float | tuple[float, float],
        call: str = "",
        leave_to: t.Callable[[str], bool] | None = None,
        follow: bool = True,
        **request: t.Any,
    ) -> requests.Response:
        """Send one request and return the response with its body unread; a GET follows redirects on the same host.

        :param timeout: seconds that a socket may stay silent, or a pair: while connecting and sending, while reading.
        :param call: the name in messages; method and path where it is empty.
        :param leave_to: whether a GET may go to this URL on another host; it goes without credentials.
        :param follow: false where a redirect is an answer like any other.
        :raises UnexpectedAnswerError: a redirect of a call that writes, to another host, or without end.
        """
        call = call or call_name(method, url)
        given = request.get("headers") or {}
        request = {"auth": self._auth, "cert": self._cert, **request, "headers": {**self._headers, **given}}
        for _hop in range(MOST_REDIRECTS + 1):
            with _missing_bundle_in_words(call):
                response = self._session.request(
                    method, url, verify=self._verify, timeout=timeout, stream=True, allow_redirects=False, **request
                )
            if not (follow and response.is_redirect):
                return response
            response.close()
            target = _redirect_target(call, url, response)
            if method == "GET" and leave_to and not _same_place(url, target) and leave_to(target):
                request.update(auth=_without_credentials, cert=None, headers=given)
            elif method != "GET" or not _same_place(url, target):
                raise UnexpectedAnswerError(
                    call,
                    f"was redirected to {place(target)}",
                    status=response.status_code,
                    hint="Credentials are not sent there and no call that writes is repeated. "
                    "If that is the right address, give it as the URL.",
                )
            url, request = target, {key: value for key, value in request.items() if key != "params"}
        what = f"was redirected more than {MOST_REDIRECTS} times"
        raise UnexpectedAnswerError(call, what, status=response.status_code)

    @contextlib.contextmanager
    def _faults_in_words(self, call: str, too_slow: str) -> t.Iterator[None]:
        """Turn every network error into one of our errors.

        :param too_slow: the words for a timeout, of whichever clock that noticed it first.
        """
        try:
            yield
        except TimeLimitPassed as error:
            raise AnswerLostError(call, too_slow) from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
            reason, sent, hint = explain(error, too_slow)
            unsent = NotTrustedError if verification_error(error) else NotSentError
            if sent:
                raise AnswerLostError(call, reason, hint=hint) from error
            failed = unsent(call, f"could not be sent: {reason}", hint=hint)
            failed.refused = is_refused(error)
            raise failed from error


def _block_size() -> dict[str, int]:
    """The size of a write, where urllib3 lets it be chosen: not before 2.0."""
    return {"blocksize": SEND_BLOCK} if "key_blocksize" in urllib3.poolmanager.PoolKey._fields else {}


@contextlib.contextmanager
def _missing_bundle_in_words(call: str) -> t.Iterator[None]:
    """requests raises a plain OSError, without a number, for a bundle of the environment that is not there."""
    try:
        yield
    except OSError as error:
        if isinstance(error, requests.exceptions.RequestException) or error.errno is not None:
            raise
        hint = "Check REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE."
        raise NotSentError(call, f"could not be sent: {one_line(error)}", hint=hint) from error


def _too_slow(seconds: float) -> str:
    return f"got no whole answer within {seconds:g} seconds"


def pause_asked(pause: float, retry_after: float | None) -> float:
    """The pause before the next try, longer where the server asked for that."""
    return max(pause, min(retry_after or 0.0, LONGEST_WAIT_ASKED))


def _without_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def call_name(method: str, url: str) -> str:
    """The name of a call in messages: method and path, without host and query, which may contain secrets."""
    return f"{method} {urlsplit(url).path or '/'}"


def place(url: str) -> str:
    """Scheme, host and port of a URL: enough to say where a redirect leads, without secrets in its path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _redirect_target(call: str, url: str, response: requests.Response) -> str:
    """The absolute URL that a redirect leads to.

    :raises UnexpectedAnswerError: it is none.
    """
    try:
        target = urljoin(url, response.headers["Location"])
        _origin(target)
    except ValueError as error:
        what = "was redirected to something that is not a URL"
        raise UnexpectedAnswerError(call, what, status=response.status_code) from error
    return target


def _same_place(url: str, target: str) -> bool:
    """Whether a redirect stays on the host, or only moves it from http to https on the standard ports."""
    here, there = _origin(url), _origin(target)
    return here == there or (here, there) == (("http", here[1], 80), ("https", here[1], 443))


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)


def _read_document(response: requests.Response, call: str) -> bytes:
    """The body, if it is of a size that an API answer can have.

    :raises AnswerLostError: it is longer; what it would have said is unknown.
    """
    blocks, size = [], 0
    for block in response.iter_content(MEBIBYTE):
        blocks.append(block)
        size += len(block)
        if size > LONGEST_DOCUMENT:
            limit = LONGEST_DOCUMENT // MEBIBYTE
            raise AnswerLostError(call, f"sent more than {limit} MiB, which no answer of this API is")
    stated = whole_number(response.headers.get("Content-Length", ""))
    if stated not in (None, size) and not response.headers.get("Content-Encoding"):
        raise AnswerLostError(call, f"sent {size} of the {stated} bytes that it announced")
    return b"".join(blocks)
