# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failures that the clients raise and that a module turns into ``fail_json``.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t


class UpgradeError(Exception):
    """A failure with one sentence for the reader and structured fields for the result.

    ``result`` has plain JSON values that a module returns beside ``msg``.
    """

    def __init__(self, message: str, **result: t.Any) -> None:
        super().__init__(message)
        self.result = result


class OptionError(UpgradeError):
    """Bad input, found before the first request; names the option."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(f"Option '{option}': {message}", option=option)


class CallError(UpgradeError):
    """A call of a server's API that failed.

    The message names the call and its path, what came back in the server's own words, and the next thing to do.
    """

    def __init__(
        self,
        call: str,
        what: str,
        *,
        status: int | None = None,
        hint: str = "",
        retry_after: float | None = None,
        **failure: t.Any,
    ) -> None:
        message = f"{call} {what.rstrip('.')}."
        super().__init__(
            f"{message} {hint}".strip(),
            failure={"call": call, "status": status, **failure},
        )
        self.call = call
        self.what = what
        self.status = status
        self.retry_after = retry_after


class NotSentError(CallError):
    """Nothing of the call reached the server: no address, refused, no trusted TLS. It can be tried again.

    ``refused`` says that no process accepts connections at the server's own address.
    """

    refused = False


class NotTrustedError(NotSentError):
    """The server's certificate is not trusted: waiting does not help, another option does."""


class AnswerLostError(CallError):
    """The server may have acted, but no answer of its own came back. Only the state that is read decides."""


class UnexpectedAnswerError(CallError):
    """A whole answer arrived that this API does not send."""
