# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Plone for tests and demonstrations: built once from the package index, started from a snapshot in seconds."""

from __future__ import annotations

from support.plone.accounts import ADMIN, EDITOR, MANAGER, MEMBER, SITE_ADMINISTRATOR, Account
from support.plone.faults import FAULTS
from support.plone.server import PloneServer, Request
from support.plone.snapshot import PROFILE, prepare_snapshot

__all__ = [
    "ADMIN",
    "EDITOR",
    "FAULTS",
    "MANAGER",
    "MEMBER",
    "PROFILE",
    "SITE_ADMINISTRATOR",
    "Account",
    "PloneServer",
    "Request",
    "prepare_snapshot",
]
