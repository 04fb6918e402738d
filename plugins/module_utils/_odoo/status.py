# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one look at a request shows: its stage, all that modules and roles decide by, and the platform's own words.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from enum import Enum

from .wanted import Handle


class Stage(Enum):
    """How far a request is: all that modules and roles decide by."""

    OPEN = "open"
    """It takes a dump, and its upgrade was not started."""
    WORKING = "working"
    TESTING = "testing"
    """The platform tests the upgraded database, and the tests can be skipped."""
    READY = "ready"
    """The upgraded database can be fetched."""
    FAILED = "failed"
    """There will be no upgraded database."""
    UNKNOWN = "unknown"


STARTED = frozenset({Stage.WORKING, Stage.TESTING, Stage.READY})
BEFORE_RESULT = frozenset({Stage.OPEN, Stage.WORKING, Stage.TESTING})


@dataclass(frozen=True)
class Status:
    """One look at a request.

    :param state: the platform's own word, on one line.
    :param message: the platform's own words about it.
    :param public: the status document with every secret masked, for the result of a module.
    :param detail: read by the implementation that made it only. It may hold secrets.
    :param handle: what to use from now on, where the platform changed that.
    :param problem: why a request that was made cannot be used for now; empty where it can.
    """

    stage: Stage
    state: str
    message: str = ""
    public: dict[str, t.Any] = field(default_factory=dict)
    detail: t.Any = field(default=None, repr=False)
    handle: Handle | None = None
    problem: str = ""
