# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asks a Plone site: a user name with a password, or a JSON Web Token.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import base64
import json
import re
import time
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError

SURROGATES = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes of the environment that are no UTF-8."""


@dataclass(frozen=True)
class Credentials:
    """Either ``username`` and ``password`` or ``token`` is filled."""

    username: str = ""
    password: str = ""
    token: str = ""

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
            raise OptionError("password", "is missing; a username needs one.")
        if not token and not username:
            raise OptionError("username", "is missing; a password needs one.")
        if ":" in username:
            raise OptionError("username", "must not hold a colon: HTTP Basic authentication cannot carry it.")
        for option, value in (("username", username), ("password", password)):
            if SURROGATES.search(value):
                raise OptionError(option, "holds bytes that are no UTF-8; look at where it is read from.")
        if not token.isprintable() or not token.isascii() or " " in token:
            raise OptionError("token", "holds a space, a line end or another character that no token has.")
        return cls(username, password, token)

    def __call__(self, request: t.Any) -> t.Any:
        """Put the credentials on a request of requests before it is sent.

        Plone answers 401 without WWW-Authenticate, so nothing would ask for them later (measured).
        """
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        else:
            pair = f"{self.username}:{self.password}".encode()
            request.headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return request

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must not be seen."""
        return tuple(s for s in (self.password, self.token, f"{self.username}:{self.password}") if s.strip(":"))

    @property
    def user(self) -> str:
        """The user's name; empty where a token does not tell it."""
        return self.username or str(self._claims.get("sub", ""))

    @property
    def why_refused(self) -> str:
        """The likely cause of a 401, and the next thing to do."""
        if not self.token:
            return "The user name or the password is wrong, or the user lacks the Manager role."
        expires = self._claims.get("exp")
        if isinstance(expires, (int, float)) and expires < time.time():
            when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(max(expires, 0)))
            return f"The token expired at {when}; get a new one from @login or @login-renew."
        return "The token is not valid for this site, or its user lacks the Manager role."

    @property
    def _claims(self) -> dict[str, t.Any]:
        """What a JSON Web Token says of itself (RFC 7519), unverified: only used for words in a message."""
        part = self.token.partition(".")[2].partition(".")[0]
        try:
            claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except ValueError:
            return {}
        return claims if isinstance(claims, dict) else {}
