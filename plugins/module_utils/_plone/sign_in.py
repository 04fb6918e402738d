# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token for a Plone site: bought by @login, renewed before it ends, and remembered for the tasks that follow.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import time
import typing as t

from .._core.errors import CallError, OptionError, UnexpectedAnswerError
from .answers import asks_for_basic, json_object, server_error
from .token_successor import remember_successor
from .tokens import GET_ANOTHER, end_in_words, end_of, has_ended

if t.TYPE_CHECKING:
    from .._core.http_answer import Answer
    from .._core.http_client import HttpClient
    from .credentials import Credentials, Ticket

LOGIN_SERVICE = "/@login"
RENEW_SERVICE = "/@login-renew"
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


class Tokens:
    """The tokens of one site, each put into the ticket that its requests show.

    :param require_success: raises the failure of an answer that is none.
    """

    def __init__(
        self, http: HttpClient, credentials: Credentials, ticket: Ticket, require_success: t.Callable[[Answer], Answer]
    ) -> None:
        self._http = http
        self._credentials = credentials
        self._ticket = ticket
        self._require_success = require_success

    def sign_in(self) -> None:
        """Buy a token where user name and password are to buy one and there is none yet.

        :raises CallError: the site sells none for them.
        """
        if not self._credentials.buys_token or self._ticket.token:
            return
        answer = ask_for_token(self._http, self._credentials)
        if asks_for_basic(answer):
            raise server_error(answer)
        if answer.status == 401 and json_object(answer):
            hint = "The user name or the password is wrong."
            raise CallError(answer.call, "was refused (401 Unauthorized)", status=401, hint=hint)
        token = json_object(answer).get("token")
        if not isinstance(token, str) or not token:
            if not json_object(answer):
                self._require_success(answer)
            hint = "Without a token of this site, set 'login' to basic (plone_upgrade_login)."
            raise UnexpectedAnswerError(
                answer.call, f"answered {answer.status} and sold no token", status=answer.status, hint=hint
            )
        self._ticket.use(token)

    def prepare_to_post(self, seconds: float) -> list[str]:
        """Renew a token that ends within ``seconds``, where the site allows that; warnings for the reader.

        A site may be set to forget a token when it is renewed, so a token that lasts is left alone.

        :raises OptionError: the token has ended.
        """
        self.sign_in()
        warnings = self.renew(seconds)
        token = self._ticket.token
        if has_ended(token):
            raise OptionError("token", f"The token expired at {end_in_words(token)}; {GET_ANOTHER}.")
        if self._credentials.buys_token or not _ends_within(token, seconds):
            return warnings
        return [
            *warnings,
            f"The token ends at {end_in_words(token)}, before the {seconds:.0f} seconds of 'wait_timeout' are over. "
            "What is posted with it goes on after that, but how it ends cannot be read then.",
        ]

    def renew(self, seconds: float) -> list[str]:
        """Renew a token that ends within ``seconds``, where the site allows that; warnings for the reader."""
        if not self._ticket.token or not _ends_within(self._ticket.token, seconds):
            return []
        renewed = self._renewed_token()
        return self._use_successor(renewed) if renewed else []

    def _use_successor(self, token: str) -> list[str]:
        """Go on with a renewed token, and have the tasks that follow do so if they have the old one; warnings."""
        self._ticket.use(token)
        if self._credentials.token:
            try:
                remember_successor(self._http.base_url, self._credentials.token, token)
            except OSError as error:
                return [
                    "The token was renewed, and the new one cannot be kept for the tasks that follow: "
                    f"{error.strerror}. A site that stores tokens refuses them the old one."
                ]
        return []

    def _renewed_token(self) -> str:
        """A token that lasts longer; empty where the site gives none."""
        try:
            token = json_object(self._http.send("POST", RENEW_SERVICE, json={})).get("token")
            if not token and self._credentials.buys_token:
                token = json_object(ask_for_token(self._http, self._credentials)).get("token")
        except CallError:
            return ""
        return token if isinstance(token, str) else ""


def _ends_within(token: str, seconds: float) -> bool:
    end = end_of(token)
    return end is not None and end <= time.time() + seconds
