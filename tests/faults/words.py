# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of the matrix, in which ``…`` is any text and ``|`` stands between words of which either is said."""

from __future__ import annotations

import re


def pattern(words: str) -> re.Pattern[str]:
    """The pattern that finds the words in a message."""
    either = (".*".join(re.escape(part.strip()) for part in one.split("…")) for one in words.split("|"))
    return re.compile("|".join(either), re.DOTALL)
