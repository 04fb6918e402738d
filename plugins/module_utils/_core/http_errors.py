# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an error of the network means: the reason in words, whether the request was sent, a hint, and the error of ours.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import re
import socket
import ssl
import traceback
import typing as t

from .clock import TimeLimitPassed
from .errors import AnswerLostError, NotSentError, NotTrustedError
from .text import one_line
from .urls import place

with contextlib.suppress(ImportError):
    import requests
    import urllib3

TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")
PROXY_AUTHENTICATION = 407
SCHEME_AND_PORT = "Check that scheme and port of the URL belong together."
NO_COMMON_VERSION = "Have the server, or what stands in front of it, take TLS 1.2 or newer."
NO_COMMON_CIPHER = (
    "The server takes no cipher, key exchange or signature that this host has, or asks for a client certificate."
)
CLIENT_CERTIFICATE = (
    "The server, or what stands in front of it, asks for a client certificate that it trusts. Where the module has no "
    "option for one, have this host let through by its address."
)
HANDSHAKE_HINTS = {
    "CERTIFICATE_REQUIRED": CLIENT_CERTIFICATE,
    "BAD_CERTIFICATE": CLIENT_CERTIFICATE,
    "UNKNOWN_CA": CLIENT_CERTIFICATE,
    "PROTOCOL_VERSION": NO_COMMON_VERSION,
    "UNSUPPORTED_PROTOCOL": NO_COMMON_VERSION,
    "HANDSHAKE_FAILURE": NO_COMMON_CIPHER,
    "NO_SHARED_CIPHER": NO_COMMON_CIPHER,
}
"""What to do about a failed handshake, by the end of OpenSSL's name of the reason."""
UNKNOWN_AUTHORITY = "Give the authority that signed it as 'ca_path', or set 'validate_certs' to false to trust any."
VERIFICATION_HINTS = {
    9: "It is not valid yet: check the clocks of both machines.",
    10: "Have it renewed.",
    62: "Use the name that it was issued for.",
    64: "Use the name that it was issued for.",
}
"""What to do about a certificate, by OpenSSL's X509_V_ERR_ codes: not yet valid, expired, another name or address."""


@contextlib.contextmanager
def faults_in_words(call: str, too_slow: str) -> t.Iterator[None]:
    """Turn every network error into one of our errors.

    :param too_slow: the words for a timeout, of whichever clock that noticed it first.
    """
    try:
        yield
    except TimeLimitPassed as error:
        if _in_handshake(error):
            raise NotSentError(
                call, "could not be sent: the TLS handshake did not end", hint=SCHEME_AND_PORT
            ) from error
        raise AnswerLostError(call, too_slow) from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        reason, sent, hint = explain(error, too_slow)
        unsent = NotTrustedError if verification_error(error) else NotSentError
        if sent:
            what = reason if reason == too_slow else f"got no whole answer: {reason}"
            raise AnswerLostError(call, what, hint=hint) from error
        failed = unsent(call, f"could not be sent: {reason}", hint=hint)
        failed.refused = is_refused(error)
        raise failed from error


@contextlib.contextmanager
def missing_bundle_in_words(call: str) -> t.Iterator[None]:
    """requests raises a plain OSError, without a number, for a bundle of the environment that is not there."""
    try:
        yield
    except OSError as error:
        if isinstance(error, requests.exceptions.RequestException) or error.errno is not None:
            raise
        hint = "Check REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE."
        raise NotSentError(call, f"could not be sent: {one_line(error)}", hint=hint) from error


def explain(error: Exception, too_slow: str = "no answer came in time") -> tuple[str, bool, str]:
    """What a network error means: the reason in words, whether the request may have reached the server, and a hint.

    The text of requests' own errors is not used: it can contain URLs with secrets in their query or user part.
    """
    chain = list(_chain(error))
    verification = verification_error(error)
    if verification is not None:
        words = getattr(verification, "verify_message", "") or one_line(verification)
        hint = VERIFICATION_HINTS.get(getattr(verification, "verify_code", 0), UNKNOWN_AUTHORITY)
        return f"its TLS certificate is not trusted ({words.rstrip('.')})", False, hint
    unsent = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
    sent = not any(isinstance(e, unsent) for e in chain)
    proxy = _proxy_fault(error, chain, sent)
    if proxy:
        return proxy[0], False, proxy[1]
    if any(isinstance(e, socket.gaierror) for e in chain):
        return "the host name cannot be resolved", False, f"Check the URL and DNS. {_address(error)}".rstrip()
    if isinstance(error, requests.exceptions.Timeout) and not sent:
        hint = f"Check that it runs, and that no firewall is in between. {_address(error)}".rstrip()
        return "the host does not answer", sent, hint
    system = next((e for e in reversed(chain) if isinstance(e, OSError) and e.strerror), None)
    if any(_is_http2(e) for e in chain):
        return "the server speaks HTTP/2 only", False, "Have it, or what stands in front of it, take HTTP/1.1 as well."
    handshake = _handshake_hint(chain)
    if handshake:
        words = (system and system.strerror) or "the connection ended"
        return f"the TLS handshake failed ({words})", False, handshake
    if any(isinstance(e, (requests.exceptions.Timeout, urllib3.exceptions.ReadTimeoutError)) for e in chain):
        return too_slow, sent, ""
    if system is not None:
        return f"the connection failed ({system.strerror})", sent, "" if sent else _address(error)
    invalid = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, urllib3.exceptions.LocationValueError)
    if isinstance(error, invalid):
        return "the URL is not valid", False, "Check it, and those of the proxies in the environment."
    return f"the connection was lost ({type(chain[-1]).__name__})", sent, ""


def _address(error: Exception) -> str:
    """Which server was asked, for a user with several of them."""
    url = getattr(getattr(error, "request", None), "url", None)
    return f"The address was {place(url)}." if url else ""


def _proxy_fault(error: Exception, chain: t.Sequence[BaseException], sent: bool) -> tuple[str, str] | None:
    """What is wrong with the proxy of the environment, and what to do; None where it is not the proxy."""
    if "SOCKS" in str(error) and isinstance(error, requests.exceptions.InvalidSchema):
        hint = "Install it on the host that runs the module, or give an http:// proxy in https_proxy."
        return "the proxy named in the environment is a SOCKS proxy, for which the library PySocks is missing", hint
    if isinstance(error, requests.exceptions.InvalidProxyURL):
        hint = "Give https_proxy as http://host:port, with '%40' for an '@' in user or password."
        return "the URL of the proxy in the environment is not valid", hint
    if any("appears to only use HTTP" in str(e) for e in chain if isinstance(e, urllib3.exceptions.ProxyError)):
        hint = "Write http:// in https_proxy; what travels through the proxy is encrypted all the same."
        return "the proxy named in the environment does not speak TLS itself", hint
    if not any(isinstance(e, requests.exceptions.ProxyError) for e in chain) or (sent and _broke_off(chain)):
        return None
    refused = next((found for e in chain if (found := TUNNEL.search(str(e)))), None)
    status = int(refused[1]) if refused else 0
    if status == PROXY_AUTHENTICATION:
        hint = (
            "Give both in https_proxy, as in http://user:password@proxy.example.org:3128, and write '%40' for '@', "
            "'%3A' for ':' and '%2F' for '/' in them."
        )
        return "the proxy named in the environment refuses its user or password, or asks for them (407)", hint
    if status:
        hint = (
            "Have the host and its port allowed there, or name the host in no_proxy where it can be reached directly."
        )
        return f"the proxy named in the environment did not let it through ({status})", hint
    if not sent:
        system = next((e.strerror for e in reversed(chain) if isinstance(e, OSError) and e.strerror), "no answer")
        return f"the proxy named in the environment cannot be reached ({system})", "Check https_proxy and no_proxy."
    return "the proxy named in the environment did not let it through", "Check https_proxy and no_proxy."


def _is_http2(error: BaseException) -> bool:
    """Whether a server answered with a frame of HTTP/2, which begins with its length, or agreed to nothing else."""
    if isinstance(error, ssl.SSLError):
        return "NO_APPLICATION_PROTOCOL" in (error.reason or "")
    return isinstance(error, http.client.BadStatusLine) and str(error).startswith("\x00\x00")


def _handshake_hint(chain: t.Sequence[BaseException]) -> str:
    """What to do where TLS was not agreed upon; empty where it was.

    With TLS 1.3 a server refuses a client certificate after the client's last word, and reads no request (measured).
    """
    reasons = [e.reason or "" for e in chain if isinstance(e, ssl.SSLError)]
    hint = next((hint for end, hint in HANDSHAKE_HINTS.items() if any(reason.endswith(end) for reason in reasons)), "")
    if any(_in_handshake(e) for e in chain):
        return hint or SCHEME_AND_PORT
    return hint if hint == CLIENT_CERTIFICATE else ""


def is_refused(error: BaseException) -> bool:
    """Whether the server itself refused the connection; a proxy of the environment that did says nothing of it."""
    chain = list(_chain(error))
    by_proxy = any(isinstance(e, requests.exceptions.ProxyError) for e in chain)
    return not by_proxy and any(isinstance(e, OSError) and e.errno == errno.ECONNREFUSED for e in chain)


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


def verification_error(error: BaseException) -> BaseException | None:
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
