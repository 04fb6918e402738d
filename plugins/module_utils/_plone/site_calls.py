# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to one Plone site: with its credentials, read past caches, and their failures put into words.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import secrets
import typing as t
from urllib.parse import quote

from .._core.errors import AnswerLostError, CallError
from .._core.http_answer import Answer
from .._core.http_client import HttpClient
from .answers import (
    answers_for_plone,
    describe_stranger,
    error_type,
    is_zopes_own,
    json_object,
    may_refuse_query,
    read_document,
    server_error,
)
from .connection import UPGRADE_SERVICE
from .credentials import Credentials, Ticket
from .journal import API_PREFIX
from .not_found import why_not_found
from .sign_in import Tokens
from .token_successor import forget_successor, ticket_for
from .unauthorized import MAY_NOT_UNDO, why_unauthorized

UNCACHED = "_"
"""The name in the query of each read whose value is another one each time; plone.restapi ignores it (measured)."""

S = t.TypeVar("S", bound="SiteCalls")
T = t.TypeVar("T")


class SiteCalls:
    """One site, reached with one set of credentials.

    ``answered_directly`` says whether Zope itself sent the latest answer to a read, as far as its headers show.
    """

    def __init__(self, http: HttpClient, credentials: Credentials, ticket: Ticket | None = None) -> None:
        self._ticket = ticket or Ticket(credentials)
        self._http = http.as_user(self._ticket)
        self._credentials = credentials
        self._tokens = Tokens(self._http, credentials, self._ticket, self.expect_success)
        self._queries_found = True
        self._path_end = ""
        self.answered_directly = False

    @property
    def url(self) -> str:
        """The URL of the site."""
        return self._http.base_url

    def user_id(self) -> str:
        """The id of the user, by which the database knows her; empty where the site does not confirm it.

        Who logs in with an e-mail address has another id than name.
        """
        name = self._credentials.user
        answer = self._probe(f"/@users/{quote(name, safe='')}") if name else None
        return name if answer and answer.status == 200 and json_object(answer).get("id") == name else ""

    def at(self: S, url: str) -> S:
        """Another site of the same server, with the same connections and credentials."""
        # A token that was bought or renewed is one site's own.
        return type(self)(self._http.at(url), self._credentials, ticket_for(url, self._credentials))

    def look(self: S, seconds: float) -> S:
        """The same site for one look of many: see :meth:`HttpClient.look`."""
        return type(self)(self._http.look(seconds), self._credentials, self._ticket)

    def past_cache(self: S) -> S:
        """The same site by paths that end in a slash, of which a cache that ignores queries as well has no answer yet.

        To plone.restapi it is the same path (measured).
        """
        other = type(self)(self._http, self._credentials, self._ticket)
        other._path_end = "/"
        return other

    # What all services have in common

    def get(self, path: str) -> Answer:
        """The answer of a service, whatever its status.

        :raises CallError: the network failed, or no token could be bought.
        """
        signed_in_before = bool(self._ticket.token)
        self._sign_in()
        answer = self._read(path)
        if answer.status == 401 and self._credentials.buys_token and signed_in_before:
            self._ticket.token = ""
            self._sign_in()
            answer = self._read(path)
        if answer.status == 401 and self._ticket.token != self._credentials.token and self._credentials.token:
            answer = self._read_with_given_token(path, answer)
        self.answered_directly = is_zopes_own(answer)
        return answer

    def _read_with_given_token(self, path: str, refused: Answer) -> Answer:
        """Read with the token that was given, where the site refuses the one that took its place."""
        successor = self._ticket.token
        self._ticket.token = self._credentials.token
        answer = self._read(path)
        if answer.status == 401:
            self._ticket.token = successor
            return refused
        forget_successor(self.url, self._credentials.token)
        return answer

    def _read(self, path: str) -> Answer:
        """Read with a query of its own each time, so that a cache that ignores what clients ask has no answer to it.

        Where something in front of Plone refuses an address with a query, it is asked for without.
        """
        head, mark, query = path.partition("?")
        path = f"{head}{self._path_end}{mark}{query}"
        if not self._queries_found:
            return self._http.get(path)
        answer = self._http.get(path, params={UNCACHED: secrets.token_hex(8)})
        if not may_refuse_query(answer):
            return answer
        plain = self._http.get(path)
        if plain.status == answer.status:
            return answer
        self._queries_found = False
        return plain

    def page(self, path: str) -> Answer:
        """A page of Zope itself, which is not there for clients of the API.

        :raises CallError: the network failed, or no token could be bought.
        """
        self._sign_in()
        zope = self._http.at(self.url.removesuffix(API_PREFIX))
        return zope.get(path, params={UNCACHED: secrets.token_hex(8)}, headers={"Accept": "text/html"})

    def read(self, path: str, reader: t.Callable[[t.Any], T]) -> T:
        """The document of a service in our form.

        :raises CallError: the site, the service or the permission is missing, the document is of another shape, or the
            network failed.
        """
        return read_document(self.expect_success(self.get(path)), reader)

    def send(self, method: str, path: str, payload: t.Any, *, timeout: float | None = None) -> Answer:
        """Have a service change something, once. The payload travels as JSON.

        :param timeout: seconds until the answer is given up; that of a quick call if None.
        :raises NotSentError: nothing reached the server.
        :raises AnswerLostError: no answer of Plone's own came back; it may be at work.
        :raises CallError: the server says that it failed. Nothing is committed then.
        """
        self._sign_in()
        answer = self._http.send(method, path, timeout=timeout, json=payload)
        if answers_for_plone(answer):
            raise AnswerLostError(answer.call, describe_stranger(answer), status=answer.status)
        return self.expect_success(answer)

    def expect_success(self, answer: Answer) -> Answer:
        """The same answer if its status is a success.

        :raises CallError: it is not. Further GETs find out the cause for the message.
        """
        if answer.status < 300:
            return answer
        if answer.status == 401 and error_type(answer):
            hint = self._why_unauthorized(answer.call)
            raise CallError(answer.call, "was refused (401 Unauthorized)", status=401, hint=hint)
        if answer.status == 404:
            raise CallError(answer.call, "found nothing (404)", status=404, hint=why_not_found(answer, self._probe))
        raise server_error(answer)

    def as_http(self) -> HttpClient:
        """The same server and credentials, for calls whose answers are not plone.restapi's.

        :raises CallError: no token could be bought.
        """
        self._sign_in()
        return self._http

    def _sign_in(self) -> None:
        self._tokens.sign_in()

    def prepare_to_post(self, seconds: float) -> list[str]:
        """Renew a token that ends within ``seconds``, where the site allows that; warnings for the reader.

        :raises OptionError: the token has ended.
        """
        return self._tokens.prepare_to_post(seconds)

    def keep_token(self: S, pause: float) -> S:
        """The same client for a read of a wait, ``pause`` seconds before the next, with a token that lasts for both."""
        self._tokens.keep(pause)
        return self

    # Why a call failed

    def _why_unauthorized(self, call: str) -> str:
        """Which of the causes of a 401 it is: Plone answers 401 to all of them."""
        if call.startswith("PATCH ") and (state := self._probe(UPGRADE_SERVICE)) is not None and state.status == 200:
            return MAY_NOT_UNDO
        return why_unauthorized(self._credentials, self._ticket, self._http)

    def _probe(self, path: str) -> Answer | None:
        """An answer that only makes the message of a failure more precise; None if it cannot be read."""
        try:
            return self._read(path)
        except CallError:
            return None
