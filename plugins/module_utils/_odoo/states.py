# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that knows the states of an Odoo upgrade request, and what of its status document may be shown.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .._core.errors import UpgradeError
from .._core.text import encodings_of, one_line

DRAFT = "draft"
IN_WORK = frozenset({"pending", "processing", "testing"})
SUCCESS = frozenset({"done", "delivered"})
FAILED = frozenset({"invalid", "failed", "cancelled", "error"})
"""Only ``invalid`` is known of this API; the others are those of its successor."""

TESTING = "testing"

HIDDEN = "(hidden)"
MASK = "********"


def state_of(document: t.Mapping[str, t.Any]) -> str:
    """The state in a status document, in small letters; ``unknown`` where it names none. Any text is possible too."""
    state = document.get("state")
    return state.strip().lower() if isinstance(state, str) and state.strip() else "unknown"


class RequestFailed(UpgradeError):
    """The platform gave up on a request, or somebody did; there will be no result."""

    def __init__(self, document: t.Mapping[str, t.Any], key: str = "", request_id: str = "") -> None:
        public = public_document(document, key)
        number = str(public.get("id") or request_id)
        words = one_line(public.get("customer_message") or "", 2000)
        said = f"The platform says: {words.rstrip('.')}." if words else "The platform gives no reason."
        super().__init__(
            f"Request {number} ended in the state '{state_of(document)}'. {said} There is nothing to fetch. "
            "Once the cause is fixed, make another request: with another 'request_file', or by running "
            "odoo_upgrade_request once with 'renew: true'.",
            request=public,
            request_id=number,
            state=state_of(document),
        )


def public_document(document: t.Mapping[str, t.Any], key: str = "") -> dict[str, t.Any]:
    """The status document without anything that opens the request.

    The key and each URL, which all carry it, become a placeholder, so that their presence is still seen. In other
    texts, such as a message of the support with a link, only the key itself is masked.
    """
    secrets = (key, str(document.get("key") or ""))
    return {
        name: HIDDEN if value and (name == "key" or name.endswith("_url")) else masked(value, *secrets)
        for name, value in document.items()
    }


def masked(value: t.Any, *secrets: str) -> t.Any:
    """The same JSON value with stars in place of these secrets, in whatever form they are written."""
    if isinstance(value, str):
        for form in sorted(
            (form for secret in secrets if secret for form in encodings_of(secret)), key=len, reverse=True
        ):
            value = value.replace(form, MASK)
        return value
    if isinstance(value, dict):
        return {name: masked(item, *secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [masked(item, *secrets) for item in value]
    return value
