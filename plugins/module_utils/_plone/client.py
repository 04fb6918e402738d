# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One Plone site: the services of plone.restapi that report and change its version.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .._core.errors import AnswerLostError, OptionError, UnexpectedAnswerError
from .answers import error_type, read_document
from .connection import UPGRADE_SERVICE, Connection, warn_if_unencrypted
from .not_found import SYSTEM_SERVICE
from .site_calls import SiteCalls
from .state import (
    SiteState,
    UpgradeAnswer,
    state_from_system,
    state_from_upgrade,
    system_of,
    upgrade_answer_of,
)
from .token_successor import ticket_for
from .tokens import GET_ANOTHER, end_in_words, has_ended

VISIBLE_WITHIN_SECONDS = 15
"""How long a change that the server has accepted may take to be seen: several Zope clients on one database see a commit
one after the other."""


class PloneClient(SiteCalls):
    """One site, reached with one set of credentials, and its version."""

    def site_state(self) -> SiteState:
        """Versions and pending steps.

        GET @upgrade breaks with 503 KeyError where an upgrade step outside a group is registered for the core profile
        (measured, every version of plone.restapi); then @system has the versions and the steps stay unknown.

        :raises CallError: see :meth:`read`.
        """
        answer = self.get(UPGRADE_SERVICE)
        if answer.status == 503 and error_type(answer) == "KeyError":
            return self.read(SYSTEM_SERVICE, state_from_system)
        return read_document(self.expect_success(answer), state_from_upgrade)

    def system(self) -> dict[str, t.Any]:
        """The document of GET @system: versions of Plone, plone.restapi, Zope and Python among others.

        :raises CallError: see :meth:`read`.
        """
        return self.read(SYSTEM_SERVICE, system_of)

    def post_upgrade(self, *, dry_run: bool, timeout: float) -> UpgradeAnswer:
        """Run all pending steps, once.

        ``dry_run`` is always sent, as a JSON boolean: left out, null or form-encoded means the real upgrade (measured).

        :raises CallError: see :meth:`send`.
        """
        answer = self.send("POST", UPGRADE_SERVICE, {"dry_run": dry_run}, timeout=timeout)
        try:
            return read_document(answer, upgrade_answer_of)
        except UnexpectedAnswerError as error:
            raise AnswerLostError(answer.call, error.what, status=answer.status) from error


def connect(connection: Connection, warn: t.Callable[[str], None]) -> PloneClient:
    """The client for the site of a connection, with a warning where credentials can be read on the way.

    :raises OptionError: the token has ended.
    """
    warn_if_unencrypted(connection.url, warn)
    ticket = ticket_for(connection.url, connection.credentials)
    token = ticket.token
    if has_ended(token):
        # A site refuses it as well, but says nothing of the cause.
        raise OptionError("token", f"The token expired at {end_in_words(token)}; {GET_ANOTHER}.")
    return PloneClient(connection.open(), connection.credentials, ticket)
