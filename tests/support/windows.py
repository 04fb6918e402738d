# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maintenance windows of every day by hours from now, and what a closed one says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

REFUSED = "Nothing is started before. Run this again then, or let it wait that long."
REFUSED_LATER = "Check mode works at any time; a run outside of it would be refused."


def hours(begin: float, end: float) -> dict[str, str]:
    """A window of every day, by hours from now."""
    now = datetime.now(UTC)
    return {
        "from": f"{now + timedelta(hours=begin):%H:%M}",
        "to": f"{now + timedelta(hours=end):%H:%M}",
        "timezone": "UTC",
    }


OPEN, SHORT, CLOSED = hours(-2, 7.75), hours(-2, 1.75), hours(8, 10)
"""Read once, and what the tests expect of them is so for an hour and a half after that."""
