# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The add-ons of a Plone site, as the service @addons of plone.restapi lists and changes them.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from urllib.parse import quote

from .._core.errors import OptionError
from .client import PloneClient
from .state import NEWER_THAN_CODE, NO_UPGRADE_PATH, PENDING, UP_TO_DATE, version_key

ADDONS_SERVICE = "/@addons"
NOT_INSTALLED = "not_installed"

AHEAD_IN_PLONE = ("plone.volto",)
"""The core upgrade to 6.2 leaves it at 1101, and its own release 6.0.1 says 1100 (measured)."""

INSTALL = "install"
UPGRADE = "upgrade"
UNINSTALL = "uninstall"


@dataclass(frozen=True)
class Addon:
    """One add-on; versions are those of its profile, empty where the server names none.

    ``upgrade_available`` says that steps are registered, which is also true for steps that are always offered (a step
    from any version; measured); ``upgrade_required`` that the two versions differ.
    """

    id: str
    title: str
    version: str
    installed: bool
    can_be_uninstalled: bool
    installed_version: str
    available_version: str
    upgrade_available: bool
    upgrade_required: bool

    @property
    def state(self) -> str:
        """``not_installed``, or one of the four states that a site has."""
        if not self.installed:
            return NOT_INSTALLED
        if not self.upgrade_required:
            return UP_TO_DATE
        if self.upgrade_available:
            return PENDING
        newer = version_key(self.installed_version) > version_key(self.available_version)
        return NEWER_THAN_CODE if newer else NO_UPGRADE_PATH

    def is_behind(self, accept_no_path: t.Collection[str] = ()) -> bool:
        """Whether its profile in the database is older than its code, which an upgrade step may or may not mend.

        :param accept_no_path: ids of add-ons that may stay where no step leads on.
        """
        return self.state == PENDING or (self.state == NO_UPGRADE_PATH and self.id not in accept_no_path)

    @property
    def is_ahead(self) -> bool:
        """Whether its code is older than its profile in the database, and not by a slip of Plone itself."""
        return self.state == NEWER_THAN_CODE and self.id not in AHEAD_IN_PLONE

    def as_result(self) -> dict[str, t.Any]:
        """The add-on as a module returns it."""
        return {
            "id": self.id,
            "title": self.title,
            "version": self.version,
            "state": self.state,
            "installed": self.installed,
            "installed_version": self.installed_version,
            "available_version": self.available_version,
            "upgradeable": self.state == PENDING,
        }


def accepted_ids(given: t.Sequence[str] | None) -> tuple[str, ...]:
    """The ids of an option ``accept_no_path``.

    As an extra variable, ``["a.b", "c.d"]`` is a text, which Ansible cuts at its commas.

    :raises OptionError: it begins like JSON and is no list of texts.
    """
    names: list[t.Any] = list(given or ())
    if names and names[0].lstrip().startswith("["):
        try:
            names = json.loads(",".join(names))
        except ValueError:
            names = [None]
        if not all(isinstance(name, str) for name in names):
            raise OptionError("accept_no_path", "begins like JSON, but is not a list of ids.")
    return tuple(name.strip() for name in names if name.strip())


class Addons:
    """The add-ons of one site by id, in the order in which the server lists them."""

    def __init__(self, client: PloneClient) -> None:
        self._client = client

    def read(self, required: t.Sequence[str] = ()) -> dict[str, Addon]:
        """All add-ons that are not hidden.

        :raises OptionError: a required one is not among them.
        :raises CallError: see :meth:`PloneClient.read`.
        """
        addons = self._client.read(ADDONS_SERVICE, _addons)
        unknown = [name for name in required if name not in addons]
        if unknown:
            raise OptionError("name", f"the site knows no add-on {', '.join(unknown)}. It knows {', '.join(addons)}.")
        return addons

    def change(self, addon_id: str, action: str, *, timeout: float) -> None:
        """Install, upgrade or uninstall an add-on, once.

        The server answers 204 whether it did anything or not, even for an unknown id (measured).

        :raises CallError: see :meth:`PloneClient.send`.
        """
        self._client.send("POST", f"{ADDONS_SERVICE}/{quote(addon_id, safe='')}/{action}", {}, timeout=timeout)


def _addons(document: dict[str, t.Any]) -> dict[str, Addon]:
    return {addon.id: addon for addon in map(_addon, document["items"])}


def _addon(item: dict[str, t.Any]) -> Addon:
    info = item.get("upgrade_info") or {}
    return Addon(
        id=str(item["id"]),
        title=str(item.get("title") or ""),
        version=str(item.get("version") or ""),
        installed=bool(item["is_installed"]),
        can_be_uninstalled=bool(item.get("uninstall_profile_id")),
        installed_version=str(info.get("installedVersion") or ""),
        available_version=str(info.get("newVersion") or ""),
        upgrade_available=bool(info.get("available")),
        upgrade_required=bool(info.get("required")),
    )
