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
import json
import socket
import ssl
import time
import traceback
import typing as t
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from .clock import FixedPauses, TimeLimitPassed, time_limit
from .errors import AnswerLostError, NotSentError, NotTrustedError, UnexpectedAnswerError
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

DEEPEST_DOCUMENT = 64
"""Levels of lists and objects in one API answer; those of both APIs have less than ten."""

MOST_REDIRECTS = 5
READ_AGAIN_AFTER = (0.5, 2.0)
"""Seconds before the second and the third try of a GET."""

FROM_THE_SERVER = {"Cache-Control": "no-cache"}
"""Makes a cache on the way ask the server (RFC 9111): a state that is read is a proof."""

PASSING_STATUSES = frozenset((429, 502, 504))
"""503 only without JSON: Zope answers it, with JSON, for a KeyError in Python code, which stays (measured)."""

LONGEST_WAIT_ASKED = 60
"""Seconds; a server that asks for more with Retry-After is asked again after so many."""

SILENCE_AFTER_A_BODY = 600
"""Seconds that a server may take to process an upload before it answers."""

SEND_BLOCK = 128 * 1024
"""Bytes in one write of a request body: measured 7 % faster than urllib3's 16 KiB over TLS."""

UNKNOWN_AUTHORITY = "Give the authority that signed it as 'ca_path', or set 'validate_certs' to false to trust any."
VERIFICATION_HINTS = {
    9: "It is not valid yet: check the clocks of both machines.",
    10: "Have it renewed.",
    62: "Use the name that it was issued for.",
    64: "Use the name that it was issued for.",
}
"""What to do about a certificate, by OpenSSL's X509_V_ERR_ codes: not yet valid, expired, another name or address."""


@dataclass(frozen=True)
class Answer:
    """One whole answer of a server."""

    call: str
    status: int
    headers: t.Mapping[str, str]
    body: bytes

    def document(self) -> t.Any:
        """The JSON value of the body.

        :raises UnexpectedAnswerError: it is not JSON, or nested so deep that walking it could exhaust the stack.
        """
        try:
            value = json.loads(self.body)
            if _is_deep(value):
                raise ValueError("nested too deep")
            return value
        except (ValueError, RecursionError) as error:
            raise UnexpectedAnswerError(
                self.call, f"answered {self.status} with {self.describe_body()} instead of JSON", status=self.status
            ) from error

    def describe_body(self) -> str:
        """What the body is, in a few words: for a message about an answer that is not JSON."""
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        if not self.body.strip():
            return "an empty body"
        if kind == "text/html" or self.body.lstrip()[:1] == b"<":
            return "an HTML page"
        return f"{len(self.body)} bytes of {one_line(kind, 60) or 'no stated type'}"

    @property
    def passes(self) -> bool:
        """Whether the same call may be answered otherwise in a moment."""
        return self.status in PASSING_STATUSES or (self.status == 503 and not self.is_json)

    @property
    def is_json(self) -> bool:
        """Whether the body is a JSON value."""
        try:
            self.document()
        except UnexpectedAnswerError:
            return False
        return True

    @property
    def wait_asked(self) -> str:
        """The sentence for a reader about how long the server asked to wait; empty where it did not."""
        return "" if self.retry_after is None else f"It asks to wait {self.retry_after:.0f} seconds; run again then."

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asked to wait, as a number or until a date (RFC 9110, 10.2.3)."""
        asked = self.headers.get("Retry-After", "")
        seconds = whole_number(asked)
        if seconds is not None:
            return float(seconds)
        until = _moment(asked)
        # By the server's own clock, where it sends its time.
        return until and max(0.0, until - (_moment(self.headers.get("Date", "")) or time.time()))


def _moment(date: str) -> float | None:
    """The seconds since the epoch of a date in a header; None for anything else."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _is_deep(value: t.Any) -> bool:
    level = [value]
    for _depth in range(DEEPEST_DOCUMENT):
        containers = [
            item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list))
        ]
        if not containers:
            return False
        level = [item for container in containers for item in container]
    return True


class HttpClient:
    """One server, one way of verifying it, one set of credentials.

    :param base_url: without a trailing slash; paths given to the methods are appended to it.
    :param verify: true (the system's authorities), false, or the path of a bundle. It wins over REQUESTS_CA_BUNDLE
        and CURL_CA_BUNDLE unless it is plain true.
    :param timeout: seconds for a whole quick call, from the name look-up to the last byte.
    :param auth: puts the credentials on a request; they are never sent to another host.
    """

    def __init__(
        self,
        base_url: str,
        *,
        verify: bool | str = True,
        timeout: float = 60,
        auth: t.Callable[[t.Any], t.Any] | None = None,
    ) -> None:
        self.base_url = base_url
        self.timeout = timeout
        self._verify = verify
        self._read_again_after: tuple[float, ...] = READ_AGAIN_AFTER
        self._session = requests.Session()
        # Without an auth of its own requests takes one from ~/.netrc, in place of ours.
        self._session.auth = auth or (lambda request: request)
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

        :param request: ``json``, ``data``, ``files``, ``params`` as requests takes them.
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
        **request: t.Any,
    ) -> requests.Response:
        """Send one request and return the response with its body unread; a GET follows redirects on the same host.

        :param timeout: seconds that a socket may stay silent, or a pair: while connecting and sending, while reading.
        :param call: the name in messages; method and path where it is empty.
        :param leave_to: whether a GET may go to this URL on another host; it goes without credentials.
        :raises UnexpectedAnswerError: a redirect of a call that writes, to another host, or without end.
        """
        call = call or call_name(method, url)
        for _hop in range(MOST_REDIRECTS + 1):
            with _missing_bundle_in_words(call):
                response = self._session.request(
                    method, url, verify=self._verify, timeout=timeout, stream=True, allow_redirects=False, **request
                )
            if not response.is_redirect:
                return response
            response.close()
            target = _redirect_target(call, url, response)
            if method == "GET" and leave_to and not _same_place(url, target) and leave_to(target):
                request["auth"] = _without_credentials
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
            unsent = NotTrustedError if _verification_error(error) else NotSentError
            kind = AnswerLostError if sent else unsent
            raise kind(call, reason if sent else f"could not be sent: {reason}", hint=hint) from error


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


def explain(error: Exception, too_slow: str = "no answer came in time") -> tuple[str, bool, str]:
    """What a network error means: the reason in words, whether the request may have reached the server, and a hint.

    The text of requests' own errors is not used: it can contain URLs with secrets in their query or user part.
    """
    chain = list(_chain(error))
    verification = _verification_error(error)
    if verification is not None:
        words = getattr(verification, "verify_message", "") or one_line(verification)
        hint = VERIFICATION_HINTS.get(getattr(verification, "verify_code", 0), UNKNOWN_AUTHORITY)
        return f"its TLS certificate is not trusted ({words.rstrip('.')})", False, hint
    unsent = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    sent = not any(isinstance(e, unsent) for e in chain)
    if any(isinstance(e, requests.exceptions.ProxyError) for e in chain) and not (sent and _broke_off(chain)):
        return "the proxy named in the environment did not let it through", False, "Check https_proxy and no_proxy."
    if any(isinstance(e, socket.gaierror) for e in chain):
        return "the host name cannot be resolved", False, "Check the URL and DNS."
    if isinstance(error, requests.exceptions.Timeout) and not sent:
        return "the host does not answer", sent, "Check that it runs, and that no firewall is in between."
    system = next((e for e in reversed(chain) if isinstance(e, OSError) and e.strerror), None)
    if any(_in_handshake(e) for e in chain):
        words = (system and system.strerror) or "the connection ended"
        return f"the TLS handshake failed ({words})", False, "Check that scheme and port of the URL belong together."
    if any(isinstance(e, (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError)) for e in chain):
        return too_slow, sent, ""
    if system is not None:
        return f"the connection failed ({system.strerror})", sent, ""
    invalid = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, urllib3.exceptions.LocationValueError)
    if isinstance(error, invalid):
        return "the URL is not valid", False, "Check it, and those of the proxies in the environment."
    return f"the connection was lost ({type(chain[-1]).__name__})", sent, ""


def _broke_off(chain: t.Iterable[BaseException]) -> bool:
    """Whether a connection to a proxy broke after it stood.

    urllib3 calls that an error of the proxy too, although the proxy may have passed the request on (measured, 1.26 and
    2.8). A tunnel that the proxy refuses is an OSError without a number.
    """
    numberless_too = (requests.exceptions.RequestException, ConnectionError, TimeoutError)
    return not any(isinstance(e, OSError) and e.errno is None and not isinstance(e, numberless_too) for e in chain)


def _in_handshake(error: BaseException) -> bool:
    """Whether an error was raised while TLS was agreed upon, before anything of the request was sent."""
    frames = (frame.f_code for frame, _line in traceback.walk_tb(error.__traceback__))
    return any(code.co_name == "do_handshake" and code.co_filename == ssl.__file__ for code in frames)


def _verification_error(error: BaseException) -> BaseException | None:
    """The error of a certificate that is not trusted, where that is behind an error."""
    names = ("SSLCertVerificationError", "CertificateError")
    return next((e for e in _chain(error) if type(e).__name__ in names), None)


def _chain(error: BaseException) -> t.Iterator[BaseException]:
    """The error and every error that it wraps, outermost first: requests hides them in three different places."""
    waiting, seen = [error], set()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        waiting.extend(e for e in inner if isinstance(e, BaseException))
