# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets that this process knows, masked in every form in all output.

A secret is registered where it becomes a value of ours: an option with ``no_log`` when a module starts, a user's name
and password when credentials are made of them, the key of a request when it is read. Nothing else has to remember it.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .text import encodings_of

MASK = "***"

SHORTEST_VALUE = 4
"""Characters of a value in a dict of secrets that is masked wherever it turns up."""

REGISTERED: set[str] = set()
"""Every form of every secret. :func:`run` makes it the set of values that Ansible masks in a module's result."""

HIDDEN = "(hidden)"
"""Stands for a value that is a secret as a whole, so that its presence is still seen."""

STARS = "********"
"""Stand for a secret within a text of a server's document."""


def register_secrets(*secrets: str | None) -> None:
    """Have these values masked from now on, in every form in which they can turn up; empty ones are passed over."""
    for secret in secrets:
        if secret:
            REGISTERED.update(encodings_of(secret))


def register_options(argument_spec: t.Mapping[str, t.Any], values: t.Mapping[str, t.Any]) -> None:
    """Register every option that an argument spec marks with ``no_log``, those of nested options too."""
    for name, settings in argument_spec.items():
        value = values.get(name)
        if settings.get("no_log") and isinstance(value, dict):
            register_secrets(*(str(entry) for entry in value.values() if len(str(entry)) >= SHORTEST_VALUE))
        elif settings.get("no_log"):
            entries = value if isinstance(value, list) else [value]
            register_secrets(*(str(entry) for entry in entries if entry is not None))
        for entry in value if isinstance(value, list) else [value]:
            if "options" in settings and isinstance(entry, dict):
                register_options(settings["options"], entry)


def hide_secret_dicts(argument_spec: t.Mapping[str, t.Any], values: t.Any) -> set[str]:
    """Put a mask in place of the values of every dict option with ``no_log``, and return those too short to be masked.

    Ansible masks a secret wherever it turns up in a result. A header of one digit would make every version unreadable.
    """
    short: set[str] = set()
    for name, settings in argument_spec.items():
        value = values.get(name)
        if settings.get("no_log") and isinstance(value, dict):
            short.update(str(entry) for entry in value.values() if len(str(entry)) < SHORTEST_VALUE)
            values[name] = dict.fromkeys(value, MASK)
        elif settings.get("no_log") and settings.get("type") == "raw" and 0 < len(str(value or "")) < SHORTEST_VALUE:
            # The text of such a dict, which is empty.
            short.add(str(value))
            values[name] = MASK
        for entry in value if isinstance(value, list) else [value]:
            if "options" in settings and isinstance(entry, dict):
                short |= hide_secret_dicts(settings["options"], entry)
    return short


def mask_secrets(text: str) -> str:
    """A text with a mask in place of every registered secret: for what does not leave as a module's result."""
    for form in sorted(REGISTERED, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def masked(value: t.Any, *secrets: str) -> t.Any:
    """The same JSON value with stars in place of these secrets, registered or not: for a document where it enters."""
    if isinstance(value, str):
        for form in sorted(
            (form for secret in secrets if secret for form in encodings_of(secret)), key=len, reverse=True
        ):
            value = value.replace(form, STARS)
        return value
    if isinstance(value, dict):
        return {name: masked(item, *secrets) for name, item in value.items()}
    if isinstance(value, list):
        return [masked(item, *secrets) for item in value]
    return value
