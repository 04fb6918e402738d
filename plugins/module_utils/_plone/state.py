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


@dataclass(frozen=True)
class UpgradeAnswer:
    """A well-formed answer of POST @upgrade; ``versions`` are those after it, or after a dry run before its abort.

    ``migration_log`` is what the server calls the report.
    """

    migration_log: str
    versions: Versions


def versions_of(instance: t.Any, fs: t.Any) -> Versions:
    """The two versions in a document.

    :raises TypeError: they are not text.
    """
    if not isinstance(instance, str) or not isinstance(fs, str) or not instance or not fs:
        raise TypeError("versions are non-empty strings")
    return Versions(instance=instance, fs=fs)


def state_from_upgrade(document: dict[str, t.Any]) -> SiteState:
    """The state in the document of GET @upgrade."""
    versions = document["versions"]
    steps = steps_in_run_order(document["upgrade_steps"])
    return SiteState(versions_of(versions["instance"], versions["fs"]), steps)


def system_of(document: dict[str, t.Any]) -> dict[str, t.Any]:
    """The document of GET @system, if it is one.

    :raises TypeError: it is not.
    """
    if not isinstance(document["plone_version"], str):
        raise TypeError("a version is text")
    return document


def state_from_system(document: dict[str, t.Any]) -> SiteState:
    """The state in the document of GET @system, without the steps."""
    installed = document["plone_gs_metadata_version_installed"]
    return SiteState(versions_of(installed, document["plone_gs_metadata_version_file_system"]), steps=None)


def upgrade_answer_of(document: dict[str, t.Any]) -> UpgradeAnswer:
    """The answer in the document of POST @upgrade.

    :raises TypeError: it is not one.
    """
    versions = document["versions"]
    migration_log = document["report"]
    if not isinstance(migration_log, str):
        raise TypeError("a report is text")
    return UpgradeAnswer(migration_log, versions_of(versions["instance"], versions["fs"]))
