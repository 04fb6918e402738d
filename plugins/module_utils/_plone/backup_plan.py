# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a backup of a Plone database is asked for.

Private to the collection: may change without notice.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BackupPlan:
    """See the options of the module plone_backup; ages and the timeout are in seconds."""

    dest: str
    name: str
    data_fs: str
    database: str
    full: bool
    full_if_older_than: int | None
    link_blobs: bool
    scratch: str
    keep: int | None
    if_older_than: int | None
    timeout: int
