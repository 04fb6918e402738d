# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sizes and durations in the words that people read, the same in messages, progress lines and reports.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import math

UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")
LONGEST = 2**63
"""Seconds; bounds what a host claims."""

SPANS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def size(count: float) -> str:
    """A number of bytes, such as ``512 bytes``, ``3.1 GiB`` or ``118 MiB``: two or three figures that count."""
    if count < 1024:
        return f"{count:.0f} bytes"
    power = min(int(math.log2(count)) // 10, len(UNITS))
    value = count / 1024**power
    return f"{value:.{0 if value >= 99.95 else 1}f} {UNITS[power - 1]}"


def duration(seconds: float, *, tenths: bool = False) -> str:
    """A duration in its two largest units, such as ``17 s``, ``1 min 17 s``, ``2 h 5 min``, ``2 h`` or ``3 d 4 h``.

    :param tenths: below ten seconds, show tenths of a second: ``1.2 s``.
    """
    if tenths and 0 < seconds < 0.05:
        return "under 0.1 s"
    if tenths and seconds < 9.95:
        return f"{seconds:.1f} s"
    left = round(min(max(seconds, 0), LONGEST))
    parts = []
    for length, name in SPANS:
        parts.append(f"{left // length} {name}" if left >= length else "")
        left %= length
    first = next((number for number, part in enumerate(parts) if part), len(parts) - 1)
    return " ".join(part for part in parts[first : first + 2] if part) or "0 s"
