# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The JSON Web Token that opens a Plone site: given, or bought by @login; renewed before it ends.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import base64
import json
import time
import typing as t

from .._core.masking import register_secrets

if t.TYPE_CHECKING:
    from .._core.http_answer import Answer
    from .._core.http_client import HttpClient
    from .connection import Credentials

LOGIN_SERVICE = "/@login"
RENEW_SERVICE = "/@login-renew"

GET_ANOTHER = "get a new one from @login or @login-renew"


LOGIN_COOKIE = "__ac"
"""What @login sets beside the token. It logs in as well, so it would hide that a token is refused (measured)."""


def ask_for_token(http: HttpClient, credentials: Credentials) -> Answer:
    """The answer of @login to user name and password in the body, which need no header.

    :raises CallError: the network failed.
    """
    names = {"login": credentials.username, "password": credentials.password}
    answer = http.send("POST", LOGIN_SERVICE, json=names, auth=lambda request: request)
    http.forget_cookie(LOGIN_COOKIE)
    return answer


class Ticket:
    """Puts the credentials on the requests to one site; a callable as requests takes it.

    ``token`` is the one in use; empty with user name and password, and before one is bought.
    """

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.token = credentials.token

    def use(self, token: str) -> None:
        """Go on with this token, which is a secret."""
        register_secrets(token)
        self.token = token

    def __call__(self, request: t.Any) -> t.Any:
        """Put the credentials on a request of requests before it is sent.

        Plone answers 401 without WWW-Authenticate, so nothing would ask for them later (measured).
        """
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        elif not self.credentials.buys_token:
            pair = f"{self.credentials.username}:{self.credentials.password}".encode()
            request.headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return request


def claims_of(token: str) -> dict[str, t.Any]:
    """What a JSON Web Token says of itself (RFC 7519), unverified: for words and for when to renew it."""
    part = token.partition(".")[2].partition(".")[0]
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def end_of(token: str) -> float | None:
    """When a token ends, in seconds since the epoch; None where it does not say so."""
    end = claims_of(token).get("exp")
    if not isinstance(end, (int, float)) or isinstance(end, bool) or not end < 1e11:
        return None
    return float(max(end, 0))


def has_ended(token: str) -> bool:
    """Whether a token is no longer good, by the clock of this machine."""
    end = end_of(token)
    return end is not None and end <= time.time()


def end_in_words(token: str) -> str:
    """When a token ends, as a reader writes it; empty where it does not say so."""
    end = end_of(token)
    return "" if end is None else time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(end))
