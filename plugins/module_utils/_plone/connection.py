# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a Plone site is reached: the shared options, checked and parsed once into credentials and a connection.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._core.clock import Deadline
from .._core.errors import OptionError
from .._core.gate_options import client_certificate, gate_arguments, gate_headers
from .._core.http_client import HttpClient
from .._core.masking import register_secrets
from .._core.options import (
    base_url,
    connection_arguments,
    from_environment,
    require_not_negative,
    require_positive,
    sends_in_clear,
    verification,
)
from .._core.progress import progress_arguments
from .tokens import GET_ANOTHER, Ticket, claims_of, end_in_words, has_ended

UPGRADE_SERVICE = "/@upgrade"

CREDENTIALS = ("username", "password", "token")

BASIC, JWT = "basic", "jwt"
"""How user name and password are used: with each request, or once to buy a token."""

NO_URL = (
    "is not set, and PLONE_URL is not in the environment of the process that runs the module either. Variables count "
    "where the module runs, and 'become' drops them: leave 'become' out, or give the URL as an option."
)

SURROGATES = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes of the environment that are not UTF-8."""


def plone_arguments() -> dict[str, dict[str, t.Any]]:
    """The argument spec that all Plone modules share; documented in the fragment ``plone``."""
    return {
        # Not required, so that its absence is said in words of ours: see NO_URL.
        "url": from_environment("PLONE_URL", type="str"),
        **credential_arguments(),
        **gate_arguments("PLONE"),
        **connection_arguments("PLONE"),
    }


def credential_arguments() -> dict[str, dict[str, t.Any]]:
    """The options that say who asks."""
    return {
        "username": from_environment("PLONE_USERNAME", type="str"),
        "password": from_environment("PLONE_PASSWORD", type="str", no_log=True),
        "token": from_environment("PLONE_TOKEN", type="str", no_log=True),
        "login": from_environment("PLONE_LOGIN", type="str", choices=[BASIC, JWT], default=BASIC),
    }


def wait_arguments() -> dict[str, dict[str, t.Any]]:
    """The argument spec of the modules that start long work; documented in ``plone_wait`` and ``progress``."""
    return {
        "wait_timeout": {"type": "int", "default": 7200},
        "wait_interval": {"type": "int", "default": 10},
        **progress_arguments(),
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


@dataclass(frozen=True)
class Connection:
    """One server and one set of credentials: ``url`` has no trailing slash, ``timeout`` is in seconds.

    ``verify`` is true (the system's certificate authorities), false, or the path of a bundle. ``headers`` and ``cert``
    are for a gate in front of the server: more headers, as pairs of name and value, and a client certificate.
    """

    url: str
    credentials: Credentials
    verify: bool | str
    timeout: float
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    cert: str | tuple[str, str] | None = None

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Connection:
        """The connection to the site that the shared options name.

        :raises OptionError: one of the options is bad; nothing was sent.
        """
        if not (params["url"] or "").strip():
            raise OptionError("url", NO_URL)
        return cls.to(site_url(params, "url"), params)

    @classmethod
    def to(cls, url: str, params: t.Mapping[str, t.Any]) -> Connection:
        """The connection to a URL that was checked, with the other shared options.

        :raises OptionError: one of the options is bad; nothing was sent.
        """
        credentials = Credentials.from_params(params)
        require_positive(params, "timeout")
        headers, cert = tuple(gate_headers(params).items()), client_certificate(params)
        return cls(url, credentials, verification(params), params["timeout"], headers, cert)

    def open(self) -> HttpClient:
        """An HTTP client for this server."""
        return HttpClient(
            self.url,
            verify=self.verify,
            timeout=self.timeout,
            auth=self.credentials,
            headers=dict(self.headers),
            cert=self.cert,
        )


@dataclass(frozen=True)
class Waiting:
    """How long a module waits, in seconds: ``timeout`` for everything, ``interval`` between two reads at most."""

    timeout: float
    interval: float

    @classmethod
    def from_params(cls, params: t.Mapping[str, t.Any]) -> Waiting:
        """The options of :func:`wait_arguments`.

        :raises OptionError: one of them is bad.
        """
        require_positive(params, "wait_timeout", "wait_interval")
        require_not_negative(params, "progress_interval")
        return cls(params["wait_timeout"], params["wait_interval"])

    def start(self) -> Deadline:
        """The deadline of a run that starts now."""
        return Deadline(self.timeout)


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


def site_url(params: t.Mapping[str, t.Any], option: str) -> str:
    """The URL of a site, without the path of the upgrade service behind it.

    :raises OptionError: it is not a URL that can be used.
    """
    return base_url(params, option).removesuffix(UPGRADE_SERVICE).rstrip("/")


def warn_if_unencrypted(url: str, warn: t.Callable[[str], None]) -> None:
    """Warn where credentials that are sent to this URL can be read on the way."""
    if sends_in_clear(url):
        warn(f"The credentials travel unencrypted to {url}; use https.")
