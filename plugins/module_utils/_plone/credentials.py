# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asks a Plone site: the options for it, checked and parsed once, and put on each request.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import base64
import re
import typing as t
from dataclasses import dataclass, field

from .._core.errors import OptionError
from .._core.masking import register_secrets
from .._core.options import from_environment
from .tokens import GET_ANOTHER, claims_of, end_in_words, has_ended, seconds_left

CREDENTIALS = ("username", "password", "token")

BASIC, JWT = "basic", "jwt"
"""How user name and password are used: with each request, or once to buy a token."""

SURROGATES = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes of the environment that are not UTF-8."""


def credential_arguments() -> dict[str, dict[str, t.Any]]:
    """The options that say who asks."""
    return {
        "username": from_environment("PLONE_USERNAME", type="str"),
        "password": from_environment("PLONE_PASSWORD", type="str", no_log=True),
        "token": from_environment("PLONE_TOKEN", type="str", no_log=True),
        "login": from_environment("PLONE_LOGIN", type="str", choices=[BASIC, JWT], default=BASIC),
    }


@dataclass(frozen=True)
class Credentials:
    """Who asks a Plone site: either ``username`` and ``password`` or ``token``, a JSON Web Token, is filled.

    ``login`` is ``basic``, or ``jwt`` where user name and password buy a token.

    Its secrets are registered when it is made, so that they are masked wherever they turn up.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    login: str = BASIC

    def __post_init__(self) -> None:
        register_secrets(self.password, self.token)
        if self.username and self.password:
            register_secrets(f"{self.username}:{self.password}")

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Credentials:
        """The credentials among a module's options.

        :raises OptionError: both kinds, neither, half of one, or characters that HTTP cannot carry.
        """
        username, password, token = (params[name] or "" for name in ("username", "password", "token"))
        if token and (username or password):
            raise OptionError(
                "token", "give a token, or username and password, not both (look at PLONE_TOKEN as well)."
            )
        if not token and not (username or password):
            raise OptionError("username", "give username and password, or a token; there are no credentials at all.")
        if not token and not password:
            raise OptionError("password", "is required together with 'username'.")
        if not token and not username:
            raise OptionError("username", "is required together with 'password'.")
        login = params.get("login") or BASIC
        if ":" in username and login == BASIC:
            raise OptionError(
                "username",
                "must not contain a colon: HTTP Basic authentication cannot carry it. With 'login' set to jwt it may.",
            )
        for option, value in (("username", username), ("password", password)):
            if SURROGATES.search(value):
                raise OptionError(option, "contains bytes that are not UTF-8; check where it is read from.")
        if not token.isprintable() or not token.isascii() or " " in token:
            raise OptionError("token", "contains a space, a line end or another character that no token has.")
        return cls(username, password, token, login)

    @property
    def buys_token(self) -> bool:
        """Whether user name and password are to buy a token."""
        return self.login == JWT and not self.token

    def __call__(self, request: t.Any) -> t.Any:
        """Put the credentials on a request of requests: see :class:`Ticket`."""
        return Ticket(self)(request)

    @property
    def user(self) -> str:
        """The user's name; empty where a token does not name it."""
        return self.username or str(claims_of(self.token).get("sub", ""))

    @property
    def why_refused(self) -> str:
        """The likely cause of a 401, and the next thing to do."""
        if not self.token:
            return "The user name or the password is wrong, or the user lacks the Manager role."
        if has_ended(self.token):
            return f"The token expired at {end_in_words(self.token)}; {GET_ANOTHER}."
        return (
            "The token is not valid for this site, or its user lacks the Manager role, or what stands in front of "
            "Plone takes the Authorization header away."
        )


def own_or_shared(entry: t.Mapping[str, t.Any], shared: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options of one entry of a list; what it does not set is taken from the options beside the list.

    An entry with a token takes no user name and password from there, and the other way round.
    """
    own = {name: entry[name] for name in CREDENTIALS if entry.get(name)}
    others = {name: value for name, value in entry.items() if name not in CREDENTIALS and value is not None}
    if others.get("headers") == "":
        del others["headers"]
    taken = dict(shared)
    if "token" in own:
        taken.update(username="", password="")
    elif own:
        taken.update(token="")
    return {**taken, **others, **own}


class Ticket:
    """Puts the credentials on the requests to one site; a callable as requests takes it.

    ``token`` is the one in use; empty with user name and password, and before one is bought. ``life`` is for how many
    seconds a token lasted when the site gave it to us; None where that is not known.
    """

    def __init__(self, credentials: Credentials) -> None:
        self.credentials = credentials
        self.token = credentials.token
        self.life: float | None = None

    def use(self, token: str) -> None:
        """Go on with this token, which is a secret."""
        register_secrets(token)
        self.token, self.life = token, None

    def use_new(self, token: str) -> None:
        """Go on with this token, which the site has just made."""
        self.use(token)
        self.life = seconds_left(token)

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
