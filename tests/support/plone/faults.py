# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults a running server can be given, and the file that carries them to its add-on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

FAULTS: Mapping[str, tuple[type, str]] = {
    "message": (str, "the text of every exception below"),
    "step_sleep": (float, "the core upgrade takes that many seconds more"),
    "step_until": (str, "the core upgrade goes on once there is a file with this path, or after five minutes"),
    "step_commit": (bool, "a core step commits, also in a dry run"),
    "step_conflicts": (int, "a core step meets that many ConflictErrors, each time the upgrade is tried; -1: always"),
    "step_unpicklable": (
        bool,
        "a core step leaves what cannot be stored: PicklingError at the commit, none in a dry run",
    ),
    "step_error": (str, "a core step raises this built-in or ZODB exception"),
    "catalog_error": (str, "the recataloging after the core steps raises this exception, and Plone swallows it"),
    "role_error": (str, "the role update after the core steps raises this exception, and Plone swallows it"),
    "core_addon_error": (str, "an upgrade step of plone.restapi, a core add-on, raises this exception"),
    "addon_error": (str, "the second upgrade step of siteops.testaddon raises this exception"),
    "ungrouped_step": (bool, "the core has an upgrade step outside any group, which GET @upgrade cannot list"),
    "duplicate_group": (bool, "two groups of core steps lead from and to the same versions; only one gets listed"),
    "no_upgrade_code": (bool, "the core has no upgrade steps at all, as without plone.app.upgrade"),
}
"""Type of the value and meaning, by name. A step's faults take place in this order, after all real core steps."""


def write_faults(path: Path, faults: Mapping[str, object]) -> None:
    """Make ``faults`` take effect from the next request on. Raises ValueError for what the add-on would not know."""
    for name, value in faults.items():
        if name not in FAULTS:
            raise ValueError(f"no such fault: {name}; there are {', '.join(FAULTS)}")
        wanted = FAULTS[name][0]
        accepted = (int, float) if wanted is float else wanted
        # To Python a truth value is an int; to somebody who writes a fault it is a mistake.
        if isinstance(value, bool) != (wanted is bool) or not isinstance(value, accepted):
            raise ValueError(f"{name} takes a {wanted.__name__}, not {value!r}")
    enabled = {name: value for name, value in faults.items() if value}
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(enabled), encoding="utf-8")
    os.replace(draft, path)
