# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a Plone site answers 401: causes that look alike, told apart by further calls.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from .._core.errors import CallError
from .._core.http_client import HttpClient
from .answers import BASIC_GATE, asks_for_basic, error_type, json_object
from .connection import UPGRADE_SERVICE
from .credentials import Credentials, Ticket
from .sign_in import ask_for_token

UNAUTHORIZED = 401

MAY_NOT_UNDO = (
    "The user may upgrade the site, but lacks the permission 'Undo changes', which Zope gives to the Manager role "
    "unless its security settings say otherwise."
)

HEADER_TAKEN = (
    "what stands in front of Plone takes the Authorization header away. Have it pass that header on, or give Zope's "
    "own address."
)


def why_unauthorized(credentials: Credentials, ticket: Ticket, http: HttpClient) -> str:
    """The cause, and the next thing to do.

    A user who may read her own data has the wrong role. Where that is refused as well, the password is sent to @login,
    in a body, which needs no header: if it is right, the header Authorization does not arrive or is not taken.
    """
    user = credentials.user
    own_data = f"/@users/{quote(user, safe='')}"
    lacks_role = f"The user '{user}' is known, but lacks the Manager role here; Site Administrator is not enough."
    own = _status(http, own_data) if user else 0
    if own == 200:
        return lacks_role
    if credentials.token:
        return credentials.why_refused
    if ticket.token and own == UNAUTHORIZED:
        return f"The password is right, since it bought a token, but the token does not arrive: {HEADER_TAKEN}"
    if ticket.token:
        return (
            "The password is right, since it bought a token. The token is refused: the user lacks the Manager role, or "
            "what stands in front of Plone takes the Authorization header away."
        )
    token, wrong, gated = _token_for(credentials, http)
    if gated:
        return BASIC_GATE
    if wrong:
        return "The user name or the password is wrong."
    if not token:
        return f"{credentials.why_refused} Or what stands in front of Plone takes the Authorization header away."
    bearer = Ticket(credentials)
    bearer.use(token)
    with_token = http.as_user(bearer)
    if _status(with_token, UPGRADE_SERVICE) == UNAUTHORIZED:
        if _status(with_token, own_data) == 200:
            return f"{lacks_role} The site does not take the password by HTTP Basic either."
        return f"The password is right, as @login says, but neither it nor a token arrives: {HEADER_TAKEN}"
    return (
        "The password is right, as @login says, but this site does not take it by HTTP Basic. Set 'login' to jwt "
        "(plone_upgrade_login), or give a token."
    )


def _status(http: HttpClient, path: str) -> int:
    """The status of a read; 0 where nothing came back."""
    try:
        return http.get(path).status
    except CallError:
        return 0


def _token_for(credentials: Credentials, http: HttpClient) -> tuple[str, bool, bool]:
    """The token that the user name and the password buy, or empty; whether they are wrong; whether a gate refused."""
    try:
        answer = ask_for_token(http, credentials)
    except CallError:
        return "", False, False
    token: t.Any = json_object(answer).get("token")
    wrong = answer.status == UNAUTHORIZED and bool(error_type(answer) or json_object(answer).get("error"))
    good = isinstance(token, str) and answer.status == 200
    return (token if good else ""), wrong, asks_for_basic(answer)
