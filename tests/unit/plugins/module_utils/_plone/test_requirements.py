# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rehearsals count for a version of the code."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.requirements import require_rehearsal

CODE = "6205"


def row(to: str, *, passed: bool) -> dict[str, Any]:
    return {"to": to, "passed": passed, "age": 60, "reason": "" if passed else "the server did not start."}


def require(*rows: dict[str, Any]) -> None:
    require_rehearsal(rows, 3600, CODE, "/var/backups/plone")


def test_a_failure_before_the_version_was_known_comes_before_an_older_success() -> None:
    with pytest.raises(UpgradeError, match="the newest one failed: the server did not start"):
        require(row("", passed=False), row(CODE, passed=True))


def test_a_success_after_such_a_failure_counts() -> None:
    require(row(CODE, passed=True), row("", passed=False))


def test_a_failure_with_other_code_does_not_count() -> None:
    require(row("6199", passed=False), row(CODE, passed=True))


def test_a_success_without_a_version_is_none() -> None:
    with pytest.raises(UpgradeError, match="there is none"):
        require(row("", passed=True))
