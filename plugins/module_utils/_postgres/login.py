# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a running Odoo serves a database: its login page, and a login where a password is given.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .._core.errors import CallError
from .._core.http_client import HttpClient
from .._core.text import one_line

PAGE, AUTHENTICATE = "/web/login", "/web/session/authenticate"
FORM = (b'name="login"', b"oe_login_form")


def login_problem(client: HttpClient, database: str, user: str, password: str) -> str:
    """What is wrong with the login; empty if nothing is.

    Odoo answers a refused login, and one into no database, with status 200: the content decides.
    """
    try:
        page = client.get(PAGE, params={"db": database})
        if page.status != 200:
            return f"{page.call} answered {page.status}"
        if not any(mark in page.body for mark in FORM):
            return f"{page.call} answered with {page.describe_body()} without a login form"
        return _log_in(client, database, user, password) if password else ""
    except CallError as error:
        return f"the login failed: {one_line(error, 400).rstrip('.')}"


def _log_in(client: HttpClient, database: str, user: str, password: str) -> str:
    params = {"db": database, "login": user, "password": password}
    answer = client.send("POST", AUTHENTICATE, json={"jsonrpc": "2.0", "method": "call", "id": 1, "params": params})
    document = answer.document()
    result = document.get("result") if isinstance(document, dict) else None
    if isinstance(result, dict) and isinstance(result.get("uid"), int) and result["uid"] is not True:
        found = result.get("db", database)
        return "" if found == database else f"{answer.call} logged in to another database"
    return f"{answer.call} refused the login: {_words(document)}"


def _words(document: t.Any) -> str:
    error = document.get("error") if isinstance(document, dict) else None
    data = error.get("data") if isinstance(error, dict) else None
    words = data.get("message") if isinstance(data, dict) else error.get("message") if isinstance(error, dict) else ""
    return one_line(words or "no reason is given", 200)
