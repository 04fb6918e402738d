# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an add-on needs, what was done about it, and the words for what is left behind.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._core.errors import UpgradeError
from .addons import INSTALL, UNINSTALL, UPGRADE, Addon
from .journal import Posted, clear_if_finished
from .state import NEWER_THAN_CODE, NO_UPGRADE_PATH, UP_TO_DATE

PRESENT, LATEST, ABSENT = "present", "latest", "absent"


@dataclass(frozen=True)
class Change:
    """One call that an add-on needs."""

    addon: Addon
    action: str

    @property
    def what(self) -> str:
        """The change in words, the same each time that it is asked for."""
        versions = f" from {self.addon.installed_version} to {self.addon.available_version}"
        return f"the {self.action} of {self.addon.id}{versions if self.action == UPGRADE else ''}"

    def is_final(self, addon: Addon) -> bool:
        """Whether the add-on is as this change leaves it: done, or moved to where no step leads on.

        Such an add-on is not waited for: no server that sees the same commit will read otherwise.
        """
        moved = self.has_moved(addon) and addon.state in (NO_UPGRADE_PATH, NEWER_THAN_CODE)
        return self.is_done(addon) or (self.action == UPGRADE and moved)

    def has_moved(self, addon: Addon) -> bool:
        """Whether something of the add-on was committed since the change was planned."""
        before = (self.addon.installed, self.addon.installed_version)
        return (addon.installed, addon.installed_version) != before

    def is_done(self, addon: Addon) -> bool:
        """Whether the add-on reads as it should after this change."""
        if self.action == UPGRADE:
            return addon.state == UP_TO_DATE
        return addon.installed == (self.action == INSTALL)

    def as_result(self, after: Addon | None) -> dict[str, str]:
        """The change as a module returns it; ``after`` is what was read back, None for one that is only planned."""
        planned = self.addon.available_version if self.action == UPGRADE else ""
        return {
            "id": self.addon.id,
            "action": self.action,
            "from": self.addon.installed_version,
            "to": planned if after is None else after.installed_version,
        }


@dataclass
class AddonsOutcome:
    """What was done, filled in as it becomes known.

    ``left_behind`` has the reason for each add-on that did not get to its state and is not accepted so, by id;
    ``not_tried`` are those that need a change and were not come to.
    """

    addons: dict[str, Addon]
    names: t.Sequence[str]
    core_state: str = ""
    changes: list[dict[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    left_behind: dict[str, str] = field(default_factory=dict)
    not_tried: list[str] = field(default_factory=list)

    def record(self, change: Change) -> None:
        """Add a change to the result, if something of it was committed."""
        after = self.addons[change.addon.id]
        if change.has_moved(after):
            self.changes.append(change.as_result(after))

    @property
    def reasons(self) -> str:
        """Why add-ons are left behind, in sentences; empty where none is."""
        count = len(self.left_behind)
        several = f"{count} add-ons are left behind." if count > 1 else ""
        not_tried = f"Not tried: {', '.join(self.not_tried)}." if self.not_tried else ""
        return " ".join(filter(None, [several, *self.left_behind.values(), not_tried]))

    def as_result(self) -> dict[str, t.Any]:
        """The outcome in the form that the module returns, for the add-ons that were asked for."""
        return {
            "changed": bool(self.changes),
            "changes": self.changes,
            "addons": [self.addons[name].as_result() for name in self.names],
            "left_behind": [
                {**self.addons[name].as_result(), "reason": reason} for name, reason in self.left_behind.items()
            ],
            "not_tried": list(self.not_tried),
            **({"core_state": self.core_state} if self.core_state else {}),
        }


class AddonsFailed(UpgradeError):
    """An add-on did not get to its state; what was done of the others stays. Carries what was done."""

    def __init__(self, message: str, outcome: AddonsOutcome, cause: UpgradeError | None = None) -> None:
        super().__init__(message, **(cause.result if cause else {}))
        self.outcome = outcome


class ChangeFailed(UpgradeError):
    """One change failed. ``others_can_go_on`` says that nothing is under way and the server can be called."""

    def __init__(self, message: str, *, others_can_go_on: bool, cause: UpgradeError | None = None) -> None:
        super().__init__(message, **(cause.result if cause else {}))
        self.others_can_go_on = others_can_go_on


def why_stuck(addon: Addon) -> str:
    """Why no call would bring an installed add-on to the version of its code, as a sentence; empty where one may."""
    reasons = {
        NO_UPGRADE_PATH: "there is no upgrade path: its code registers no upgrade step from there. Install a release "
        "of it that does, or accept it by its id in 'accept_no_path' (plone_upgrade_addons_accept_no_path)",
        NEWER_THAN_CODE: "its code is older than the code that the site was used with. Install that release of it, "
        "or a newer one",
    }
    if addon.state not in reasons:
        return ""
    at, to = addon.installed_version, addon.available_version
    return f"{addon.id} is at {at} and cannot be brought to {to}: {reasons[addon.state]}."


def why_ahead(addon: Addon) -> str:
    """What is said of an add-on that nobody asked for by name, and whose code is older than its profile in the site."""
    return (
        f"{addon.id} is left alone: the site has it at {addon.installed_version}, and its code is older "
        f"({addon.available_version}). Install the release of it that the site was used with, or a newer one."
    )


def clear_finished_change(url: str, addons: t.Mapping[str, Addon]) -> None:
    """Remove the journal's entry of a change that a killed run posted, where the add-on reads as it should after it."""
    clear_if_finished(url, lambda entry: is_finished(entry, addons))


def is_finished(entry: Posted, addons: t.Mapping[str, Addon]) -> bool:
    """Whether what was posted is the change of an add-on that reads as it should after it, or that no step leads on."""
    return any(
        f"{entry.what} ".startswith(f"the {action} of {addon.id} ")
        and (Change(addon, action).is_done(addon) or (action == UPGRADE and _was_left(entry, addon)))
        for addon in addons.values()
        for action in (INSTALL, UPGRADE, UNINSTALL)
    )


def _was_left(entry: Posted, addon: Addon) -> bool:
    """Whether an add-on is stuck at another version than the one that an upgrade was posted from."""
    began_here = entry.what.startswith(f"the {UPGRADE} of {addon.id} from {addon.installed_version} ")
    return bool(why_stuck(addon)) and not began_here
