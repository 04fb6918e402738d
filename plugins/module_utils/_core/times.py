# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Points in time as results and reports write them: UTC, such as 2026-11-21T23:15:02.123Z.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import datetime as dt


def utc_now() -> dt.datetime:
    """The present, with its time zone."""
    return dt.datetime.now(dt.timezone.utc)


def written(moment: dt.datetime) -> str:
    """A moment to the millisecond."""
    in_utc = moment.astimezone(dt.timezone.utc)
    return in_utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(text: str) -> dt.datetime:
    """The moment that a text names, with or without a fraction of a second.

    :raises ValueError: it is nothing that :func:`written` or a request file writes.
    """
    form = "%Y-%m-%dT%H:%M:%S.%f%z" if "." in text else "%Y-%m-%dT%H:%M:%S%z"
    return dt.datetime.strptime(text.replace("Z", "+0000"), form)
