# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Failed calls of an upgrade platform: its own refusals, whether it may have acted, whether a later try may succeed.

Private to the collection: may change without notice.
"""

from __future__ import annotations

from .._core.errors import AnswerLostError, CallError, NotSentError, NotTrustedError, UpgradeError
from .._transfer.resume import BrokenOffError


class Refusal(CallError):
    """The platform refuses a call in its own words."""

    @property
    def is_server_error(self) -> bool:
        """Whether it is the platform's own fault, which may pass by itself."""
        return False

    @property
    def may_have_acted(self) -> bool:
        """Whether the platform may have acted before it failed."""
        return False


def may_have_acted(error: CallError) -> bool:
    """Whether a call that changes something may have done its work, although it failed."""
    return isinstance(error, AnswerLostError) or (isinstance(error, Refusal) and error.may_have_acted)


def passes_by_itself(error: UpgradeError) -> bool:
    """Whether a read or a transfer that failed may succeed later with nothing changed here."""
    if isinstance(error, BrokenOffError):
        return True
    if not isinstance(error, CallError) or isinstance(error, NotTrustedError):
        return False
    if isinstance(error, (NotSentError, AnswerLostError)):
        return True
    if isinstance(error, Refusal) and error.is_server_error:
        return True
    return error.status == 429 or (error.status or 0) >= 500
