# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-not-found"
"""The upgrade steps of the stand-in for a third-party add-on; faults.py makes the second one fail on request."""

from __future__ import annotations

from typing import Any

from Products.CMFPlone.interfaces import INonInstallable
from zope.interface import implementer


@implementer(INonInstallable)
class HiddenProfiles:
    def getNonInstallableProducts(self) -> list[str]:
        return []

    def getNonInstallableProfiles(self) -> list[str]:
        return ["siteops.testaddon:uninstall"]


def first(setup_tool: Any) -> None:
    _append_to_description(setup_tool, "first")


def second(setup_tool: Any) -> None:
    _append_to_description(setup_tool, "second")


def _append_to_description(setup_tool: Any, word: str) -> None:
    """Leave a trace that GET on the site root shows."""
    site = setup_tool.aq_parent
    site.description = f"{site.description} {word}".strip()
