# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a JSON Web Token says of itself: whose it is, and when it ends.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import base64
import json
import time
import typing as t

GET_ANOTHER = "get a new one from @login or @login-renew"


def claims_of(token: str) -> dict[str, t.Any]:
    """What a JSON Web Token says of itself (RFC 7519), unverified: for words and for when to renew it."""
    part = token.partition(".")[2].partition(".")[0]
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def end_of(token: str) -> float | None:
    """When a token ends, in seconds since the epoch; None where it does not say so."""
    end = claims_of(token).get("exp")
    if not isinstance(end, (int, float)) or isinstance(end, bool) or not end < 1e11:
        return None
    return float(max(end, 0))


def has_ended(token: str) -> bool:
    """Whether a token is no longer good, by the clock of this machine."""
    left = seconds_left(token)
    return left is not None and left <= 0


def seconds_left(token: str) -> float | None:
    """Until a token ends, by the clock of this machine; None where it does not say when."""
    end = end_of(token)
    return None if end is None else end - time.time()


def end_in_words(token: str) -> str:
    """When a token ends, as a reader writes it; empty where it does not say so."""
    end = end_of(token)
    return "" if end is None else time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(end))
