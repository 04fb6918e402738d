# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of a key or a certificate that was given where a path belongs: masked everywhere, and refused.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import typing as t

from .errors import OptionError
from .masking import register_secrets

KEY_OR_CERTIFICATE = re.compile(
    r"""-----BEGIN[ ]
    | PuTTY-User-Key-File
    | \A\s*(?:b3BlbnNzaC1rZXktdjE|LS0tLS1CRUdJT|MI[IG][A-Za-z0-9+/]{100})
    | \A\s*(?:ssh-|ecdsa-|sk-)[a-z0-9@.-]+[ ]+AAAA""",
    re.VERBOSE,
)
"""PEM and OpenSSH's form, also without its first line or in base64 once more; PuTTY's form; a public key."""


def holds_text(value: t.Any) -> bool:
    """Whether the value of an option is such a text, or a list with one in it."""
    return any(map(KEY_OR_CERTIFICATE.search, _texts_in(value)))


def mask_texts(params: t.Mapping[str, t.Any]) -> None:
    """Have every option masked in all output that holds such a text, a path or not."""
    for value in filter(KEY_OR_CERTIFICATE.search, _texts_in(params)):
        register_secrets(value, value.strip())


def refuse_texts(argument_spec: t.Mapping[str, t.Mapping[str, t.Any]], params: t.Mapping[str, t.Any]) -> None:
    """Refuse options of the type path that hold such a text.

    :raises OptionError: names the option, and shows nothing of the text.
    """
    for name, settings in argument_spec.items():
        if "path" in (settings.get("type"), settings.get("elements")) and holds_text(params.get(name)):
            option = f"{name}_text"
            other = f", or give the text as '{option}'" if option in argument_spec else ""
            raise OptionError(
                name, f"holds a key or a certificate itself, not the path of a file. Put it into a file{other}."
            )


def _texts_in(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, t.Mapping):
        for part in value.values():
            yield from _texts_in(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _texts_in(part)
