# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-not-found"
"""The recipe of the snapshot. Run by ``zconsole run`` in the Plone environment, which binds the name ``app``.

The last argument is JSON: {"root": account, "users": [account, ...], "profile": version, "sites": [id, ...]}, where an
account is [name, password, [role, ...]]. The accounts of "users" are made in every site.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

import transaction
from AccessControl.SecurityManagement import newSecurityManager
from plone import api
from plone.dexterity.schema import SCHEMA_CACHE
from Products.CMFPlone.factory import addPloneSite
from zope.component.hooks import setSite

CORE_PROFILE = "Products.CMFPlone:plone"
ADDON_PROFILE = "siteops.testaddon:default"


def create_site(app: Any, site_id: str, accounts: Iterable[tuple[str, str, list[str]]], profile: str) -> None:
    """A site made by the new code whose core profile and add-on claim to be older: their upgrade steps are pending."""
    site = addPloneSite(
        app, site_id, title=f"Test site {site_id}", extension_ids=["plone.volto:default", ADDON_PROFILE]
    )
    setSite(site)
    for name, password, roles in accounts:
        api.user.create(email=f"{name}@example.org", username=name, password=password, roles=roles)
    site.portal_setup.setLastVersionForProfile(ADDON_PROFILE, "1000")
    site.portal_setup.setLastVersionForProfile(CORE_PROFILE, profile)


def main(app: Any, recipe: dict[str, Any]) -> None:
    name, password, roles = recipe["root"]
    app.acl_users.userFolderAddUser(name, password, roles, [])
    newSecurityManager(None, app.acl_users.getUser(name).__of__(app.acl_users))
    for site_id in recipe["sites"]:
        create_site(app, site_id, recipe["users"], recipe["profile"])
        transaction.commit()
        # Or the next site would be taken for an object of this one.
        setSite(None)
        SCHEMA_CACHE.clear()


main(globals()["app"], json.loads(sys.argv[-1]))
