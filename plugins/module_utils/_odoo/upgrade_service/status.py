# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states of today's service, and what of its status document may be shown.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from ..._core.masking import HIDDEN, masked
from ..._core.text import one_line
from ..status import Stage, Status
from ..wanted import Handle

NEW = "new"
STAGES = {
    NEW: Stage.OPEN,
    "pending": Stage.WORKING,
    "progress": Stage.WORKING,
    "done": Stage.READY,
    "failed": Stage.FAILED,
    "cancelled": Stage.FAILED,
}
LONGEST_STATE = 60


def stage_of(state: str) -> Stage:
    """The stage behind the service's own word."""
    return STAGES.get(state, Stage.UNKNOWN)


def status_of(document: t.Mapping[str, t.Any], handle: Handle) -> Status:
    """The status in a document, for the request of this handle; the host in charge is the one that it names."""
    state = one_line(str(document["status"]).strip().lower(), LONGEST_STATE)
    public = {
        name: HIDDEN if name == "token" and value else masked(value, handle.secret) for name, value in document.items()
    }
    reason = public.get("reason")
    moved = Handle(handle.id, handle.secret, str(document["host_uri"]))
    return Status(stage_of(state), state, str(reason or ""), public, document, moved if moved != handle else None)


def created(handle: Handle, problem: str = "") -> Status:
    """The status of a request that was made a moment ago."""
    document = {"status": NEW, "host_uri": handle.host, "reason": None, "archived": False}
    return Status(Stage.OPEN, NEW, "", document, document, problem=problem)
