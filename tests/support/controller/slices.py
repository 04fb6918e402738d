# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sliced job: as many jobs as slices, each for its part of the inventory, as AWX cuts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def slice_of(inventory: Mapping[str, Any], number: int, count: int) -> dict[str, Any]:
    """The slice ``number``, from 1, of ``count``: every count-th host by name, in all groups.

    As Inventory.get_script_data() of awx/main/models/inventory.py does.
    """
    whole = inventory["all"]
    chosen = set(sorted(whole["hosts"])[number - 1 :: count])

    def cut(group: Mapping[str, Any]) -> dict[str, Any]:
        hosts = {name: variables for name, variables in group.get("hosts", {}).items() if name in chosen}
        children = {name: cut(child) for name, child in group.get("children", {}).items()}
        return {**group, "hosts": hosts, "children": children}

    return {"all": cut(whole)}
