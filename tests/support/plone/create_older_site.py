# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-not-found"
"""The recipe of the genuine older site. Run by ``zconsole run`` of the old environment, which binds the name ``app``.

The last argument is JSON: the account of the root user, [name, password, [role, ...]].
"""

from __future__ import annotations

import json
import sys
from typing import Any

import transaction
from AccessControl.SecurityManagement import newSecurityManager
from Products.CMFPlone.factory import addPloneSite


def main(app: Any, account: tuple[str, str, list[str]]) -> None:
    name, password, roles = account
    app.acl_users.userFolderAddUser(name, password, roles, [])
    newSecurityManager(None, app.acl_users.getUser(name).__of__(app.acl_users))
    addPloneSite(app, "Plone", title="Made by an older Plone", extension_ids=["plone.volto:default"])
    transaction.commit()


main(globals()["app"], json.loads(sys.argv[-1]))
