# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token for a Plone site: bought by @login, renewed before it ends, and remembered for the tasks that follow.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .._core.errors import CallError, OptionError, UnexpectedAnswerError
from .answers import asks_for_basic, json_object, server_error
from .token_successor import remember_successor
from .tokens import GET_ANOTHER, end_in_words, has_ended, seconds_left

if t.TYPE_CHECKING:
    from .._core.http_answer import Answer
    from .._core.http_client import HttpClient
    from .credentials import Credentials, Ticket

LOGIN_SERVICE = "/@login"
RENEW_SERVICE = "/@login-renew"
RENEW_WITHIN = 120
"""Seconds; longer than a pause between two reads of a wait, so that a token does not end in between."""

HALF, MOST = 0.5, 0.9
"""Parts of the life of a token. A site that stores tokens writes to its database for each that it makes (measured), so
one that it has just made is used for a while: during a wait for half of its life, and before a POST, which no read can
interrupt, for a tenth."""

FOR_ONE_READ = 5
"""Seconds that a token must last beyond the next pause."""

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
        self._ticket.use_new(token)

    def prepare_to_post(self, seconds: float) -> list[str]:
        """Renew a token that ends within ``seconds``, where the site allows that; warnings for the reader.

        A site may be set to forget a token when it is renewed, so a token that lasts is left alone.

        :raises OptionError: the token has ended.
        """
        self.sign_in()
        warnings = self._renew(seconds, MOST)
        token = self._ticket.token
        if has_ended(token):
            raise OptionError("token", f"The token expired at {end_in_words(token)}; {GET_ANOTHER}.")
        left = seconds_left(token)
        if self._credentials.buys_token or left is None or left > seconds:
            return warnings
        return [
            *warnings,
            f"The token ends at {end_in_words(token)}, before the {seconds:.0f} seconds of 'wait_timeout' are over. "
            "What is posted with it goes on after that, but how it ends cannot be read then.",
        ]

    def keep(self, pause: float) -> None:
        """Renew a token that would end during a wait whose reads are at most ``pause`` seconds apart."""
        self._renew(RENEW_WITHIN, HALF, at_least=pause + FOR_ONE_READ)

    def _renew(self, within: float, part: float, *, at_least: float = 0) -> list[str]:
        """Renew a token that ends within so many seconds, where the site allows that; warnings for the reader.

        :param part: how much of its life a new token has left at most when it is renewed.
        :param at_least: a token that ends within so many seconds is renewed however new it is.
        """
        left, life = seconds_left(self._ticket.token), self._ticket.life
        if left is None or left > within or (life is not None and left > max(part * life, at_least)):
            return []
        renewed = self._renewed_token()
        return self._use_successor(renewed) if renewed else []

    def _use_successor(self, token: str) -> list[str]:
        """Go on with a renewed token, and have the tasks that follow do so if they have the old one; warnings."""
        self._ticket.use_new(token)
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
            # A site that stores tokens deletes the old one last: within one second both are the same text (measured).
            if token in (None, "", self._ticket.token) and self._credentials.buys_token:
                token = json_object(ask_for_token(self._http, self._credentials)).get("token")
        except CallError:
            return ""
        return token if isinstance(token, str) else ""
