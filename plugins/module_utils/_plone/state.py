# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Plone site says about its own version, and the state that follows from it.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

UP_TO_DATE = "up_to_date"
PENDING = "pending"
NEWER_THAN_CODE = "newer_than_code"
NO_UPGRADE_PATH = "no_upgrade_path"


@dataclass(frozen=True)
class Versions:
    """The profile version of Products.CMFPlone in the database and on the file system, both strings of digits."""

    instance: str
    fs: str

    def as_result(self) -> dict[str, str]:
        """The two versions as a module returns them."""
        return {"instance": self.instance, "fs": self.fs}


@dataclass(frozen=True)
class UpgradeStep:
    """One upgrade step; ``group`` is ``source-dest`` as @upgrade writes it, such as ``6011-6012``."""

    group: str
    id: str
    title: str

    def as_result(self) -> dict[str, str]:
        """The step as a module returns it."""
        return {"group": self.group, "id": self.id, "title": self.title}


@dataclass(frozen=True)
class SiteState:
    """The answer of GET @upgrade, or of @system where that one breaks.

    ``steps`` is in run order; it is None where the site could not list its steps, which does not prevent an upgrade.
    """

    versions: Versions
    steps: tuple[UpgradeStep, ...] | None

    @property
    def name(self) -> str:
        """One of the four states.

        An empty list of steps does not make a site up to date: it is also empty where plone.app.upgrade is missing
        and where the database is newer than the code (measured), so the versions decide.
        """
        if self.versions.instance == self.versions.fs:
            return UP_TO_DATE
        if version_key(self.versions.instance) > version_key(self.versions.fs):
            return NEWER_THAN_CODE
        return PENDING if self.steps is None or self.steps else NO_UPGRADE_PATH

    @property
    def upgraded(self) -> SiteState:
        """The state that an upgrade which goes well leads to."""
        return SiteState(Versions(self.versions.fs, self.versions.fs), steps=())

    def steps_as_result(self) -> list[dict[str, str]]:
        """The pending steps as a module returns them; empty also where they are unknown."""
        return [step.as_result() for step in self.steps or ()]


def version_key(version: str) -> tuple[tuple[int, str], ...]:
    """A profile version in the order of its numbers, so that 999 comes before 6018; however long they are."""
    numbers = (digits.lstrip("0") for digits in re.findall("[0-9]+", version))
    return tuple((len(digits), digits) for digits in numbers)


def steps_in_run_order(groups: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]]) -> tuple[UpgradeStep, ...]:
    """The steps of the ``upgrade_steps`` object of GET @upgrade.

    The server sorts its keys as text; they run in the order of their numbers.
    """
    return tuple(
        UpgradeStep(group=group, id=str(step.get("id", "")), title=str(step.get("title", "")))
        for group in sorted(groups, key=version_key)
        for step in groups[group]
    )
