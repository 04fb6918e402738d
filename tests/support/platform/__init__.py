# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rehearsal platform: Odoo's upgrade platform of the database API v1, small and on this machine. See README.md."""

from __future__ import annotations

from pathlib import Path

from support.platform.call_log import CallRecord
from support.platform.dumps import SQL_END
from support.platform.faults import KINDS, FaultError
from support.platform.server import Platform
from support.platform.settings import SAMPLE_CONTRACT, Settings, SettingsError

SAMPLE_DUMP = Path(__file__).parent / "samples" / "openchs.70.cdump"
"""A small genuine custom archive of pg_dump; samples/make_samples.sh made it."""

SAMPLE_FOLDER = Path(__file__).parent / "samples" / "directory"
"""The same as pg_dump writes it in many files."""

__all__ = [
    "KINDS",
    "SAMPLE_CONTRACT",
    "SQL_END",
    "SAMPLE_DUMP",
    "SAMPLE_FOLDER",
    "CallRecord",
    "FaultError",
    "Platform",
    "Settings",
    "SettingsError",
]
