# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that knows the states of an Odoo upgrade request, and what of its status document may be shown.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from ._text import spellings

DRAFT = "draft"
IN_WORK = frozenset({"pending", "processing", "testing"})
SUCCESS = frozenset({"done", "delivered"})
FAILED = frozenset({"invalid", "failed", "cancelled", "error"})
"""Only ``invalid`` is known of this API; the others are those of its successor."""

TESTING = "testing"

HIDDEN = "(hidden)"
MASK = "********"


def state_of(document: t.Mapping[str, t.Any]) -> str:
    """The state in a status document; ``unknown`` where it names none. Any other text is possible too."""
    state = document.get("state")
    return state.strip() if isinstance(state, str) and state.strip() else "unknown"


def public_document(document: t.Mapping[str, t.Any], key: str = "") -> dict[str, t.Any]:
    """The status document without anything that opens the request.

    The key and each URL, which all carry it, become a placeholder, so that their presence is still seen. In other
    texts, such as a message of the support with a link, only the key itself is masked.
    """
    secrets = sorted({form for secret in (key, str(document.get("key") or "")) if secret for form in spellings(secret)})
    return {
        name: HIDDEN if value and (name == "key" or name.endswith("_url")) else _masked(value, secrets)
        for name, value in document.items()
    }


def _masked(value: t.Any, secrets: t.Sequence[str]) -> t.Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, dict):
        return {name: _masked(item, secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, secrets) for item in value]
    return value
