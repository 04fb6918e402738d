# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets masked in a JSON value, in every form in which they can be written.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .._core.text import encodings_of

HIDDEN = "(hidden)"
"""Stands for a value that is a secret as a whole, so that its presence is still seen."""

MASK = "********"


def masked(value: t.Any, *secrets: str) -> t.Any:
    """The same JSON value with stars in place of these secrets."""
    if isinstance(value, str):
        for form in sorted(
            (form for secret in secrets if secret for form in encodings_of(secret)), key=len, reverse=True
        ):
            value = value.replace(form, MASK)
        return value
    if isinstance(value, dict):
        return {name: masked(item, *secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [masked(item, *secrets) for item in value]
    return value
