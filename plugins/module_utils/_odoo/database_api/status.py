# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states of the database API v1, and what of its status document may be shown.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from ..._core.masking import HIDDEN, masked
from ..._core.text import one_line
from ..status import Stage, Status

STAGES = {
    "draft": Stage.OPEN,
    "pending": Stage.WORKING,
    "processing": Stage.WORKING,
    "testing": Stage.TESTING,
    "done": Stage.READY,
    "delivered": Stage.READY,
    "invalid": Stage.FAILED,
    "failed": Stage.FAILED,
    "cancelled": Stage.FAILED,
    "error": Stage.FAILED,
}
"""Of the failed ones only ``invalid`` is known of this API; the others are those of its successor."""

LONGEST_STATE = 60


def stage_of(state: str) -> Stage:
    """The stage behind the API's own word."""
    return STAGES.get(state, Stage.UNKNOWN)


def status_of(document: t.Mapping[str, t.Any], key: str = "") -> Status:
    """The status in a document. From here on only its ``detail`` holds the key.

    :param key: the key of the request, which the document may repeat anywhere.
    """
    state = state_of(document)
    public = public_document(document, key)
    message = public.get("customer_message")
    return Status(stage_of(state), state, str(message or ""), public, document)


def state_of(document: t.Mapping[str, t.Any]) -> str:
    """The state in a document, in small letters; ``unknown`` where it names none. Any text is possible too."""
    state = document.get("state")
    return one_line(state.lower(), LONGEST_STATE) if isinstance(state, str) and state.strip() else "unknown"


def public_document(document: t.Mapping[str, t.Any], key: str = "") -> dict[str, t.Any]:
    """The document without anything that opens the request.

    The key and each URL, which all carry it, become a placeholder, so that their presence is still seen. In other
    texts, such as a message of the support with a link, only the key itself is masked.
    """
    secrets = (key, str(document.get("key") or ""))
    return {
        name: HIDDEN if value and (name == "key" or name.endswith("_url")) else masked(value, *secrets)
        for name, value in document.items()
    }
