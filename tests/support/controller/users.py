# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks: what a user of the controller may see and write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

ONLY_SYSTEM_ADMINISTRATORS = ("credential_types", "organizations", "instance_groups")


class User(NamedTuple):
    """``organization`` is the one that the user administers. The token of ``only_reads`` has the scope "read"."""

    name: str
    superuser: bool = False
    organization: str = ""
    only_reads: bool = False

    def sees(self, endpoint: str, document: Mapping[str, Any]) -> bool:
        """Whether an object is in the lists that the user gets."""
        if self.superuser:
            return True
        if endpoint == "organizations":
            return bool(document["name"] == self.organization)
        # The "Ansible Galaxy" that AWX brings along is such a credential.
        return endpoint != "credentials" or document["organization"] is not None

    def may_write(self, method: str, endpoint: str) -> bool:
        """Whether the user may make, change or remove objects of this kind."""
        if self.only_reads:
            return False
        changes_own = endpoint == "organizations" and method == "PATCH"
        return self.superuser or changes_own or endpoint not in ONLY_SYSTEM_ADMINISTRATORS
