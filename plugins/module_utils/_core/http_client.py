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

from .clock import FixedPauses, TimeLimitPassed, time_limit
from .errors import AnswerLostError, NotSentError, UnexpectedAnswerError
from .http_answer import Answer, read_body
from .http_errors import faults_in_words, missing_bundle_in_words
from .proof import read_until
from .socket_options import socket_options
from .urls import call_name, place, redirect_target, same_place

try:
    import requests
    import urllib3
    from requests.adapters import HTTPAdapter

    REQUESTS_IMPORT_ERROR = None
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()

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
    :param url_option: the option that names the server, for messages.
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
        url_option: str = "url",
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
        self._url_option = url_option
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

    def get(
        self, path: str, *, params: t.Mapping[str, str] | None = None, headers: t.Mapping[str, str] | None = None
    ) -> Answer:
        """Read a document; a passing fault is read again twice, and not before the server asked for it.

        :param headers: more headers for this request, such as another ``Accept``.
        :raises NotSentError: the server cannot be reached.
        :raises AnswerLostError: no whole answer within the timeout.
        """
        asked = {**FROM_THE_SERVER, **(headers or {})}
        reading = read_until(
            lambda: self._exchange("GET", path, self.timeout, params=params, headers=asked),
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
        with faults_in_words(call, f"said nothing for {silence:g} seconds"):
            response = self.open(method, url, timeout=(self.timeout, silence), call=call, leave_to=leave_to, **request)
            with contextlib.closing(response):
                yield response

    def document(self, response: requests.Response, call: str) -> Answer:
        """The whole answer behind a response of :meth:`transfer`, for one that is a document.

        :raises AnswerLostError: it did not come whole within the timeout.
        """
        try:
            with time_limit(self.timeout):
                return Answer(call, response.status_code, response.headers, read_body(response, call))
        except TimeLimitPassed as error:
            raise AnswerLostError(call, _too_slow(self.timeout)) from error

    def _exchange(self, method: str, path: str, seconds: float, **request: t.Any) -> Answer:
        call = call_name(method, self.base_url + path)
        with faults_in_words(call, _too_slow(seconds)), time_limit(seconds):
            response = self.open(method, self.base_url + path, timeout=seconds, **request)
            with contextlib.closing(response):
                return Answer(call, response.status_code, response.headers, read_body(response, call))

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
            with missing_bundle_in_words(call):
                response = self._session.request(
                    method, url, verify=self._verify, timeout=timeout, stream=True, allow_redirects=False, **request
                )
            if not (follow and response.is_redirect):
                return response
            response.close()
            target = redirect_target(call, url, response)
            if method == "GET" and leave_to and not same_place(url, target) and leave_to(target):
                request.update(auth=_without_credentials, cert=None, headers=given)
            elif method != "GET" or not same_place(url, target):
                raise UnexpectedAnswerError(
                    call,
                    f"was redirected to {place(target)}",
                    status=response.status_code,
                    hint="Credentials are not sent there and no call that writes is repeated. "
                    f"If that is the right address, give it as '{self._url_option}'.",
                )
            url, request = target, {key: value for key, value in request.items() if key != "params"}
        what = f"was redirected more than {MOST_REDIRECTS} times"
        raise UnexpectedAnswerError(call, what, status=response.status_code)


def _block_size() -> dict[str, int]:
    """The size of a write, where urllib3 lets it be chosen: not before 2.0."""
    return {"blocksize": SEND_BLOCK} if "key_blocksize" in urllib3.poolmanager.PoolKey._fields else {}


def _too_slow(seconds: float) -> str:
    return f"got no whole answer within {seconds:g} seconds"


def pause_asked(pause: float, retry_after: float | None) -> float:
    """The pause before the next try, longer where the server asked for that."""
    return max(pause, min(retry_after or 0.0, LONGEST_WAIT_ASKED))


def _without_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
