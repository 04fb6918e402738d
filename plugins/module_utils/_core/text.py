# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text that comes from servers, cleaned for a terminal, a log and a result.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import base64
import re
import typing as t
from urllib.parse import quote, quote_plus

CONTROL_CHARACTERS = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

LONGEST_NUMBER = 18
ESCAPE = re.compile("%[0-9A-F]{2}")


def strip_control_chars(value: t.Any) -> t.Any:
    """The same JSON value without escape sequences and control characters that could act on a terminal.

    Half a surrogate pair, which JSON can carry and UTF-8 cannot, goes as well.

    Line ends and tabs stay. Applied once, where a module hands its result to Ansible.
    """
    if isinstance(value, str):
        return CONTROL_CHARACTERS.sub("", value)
    if isinstance(value, dict):
        return {strip_control_chars(key): strip_control_chars(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [strip_control_chars(item) for item in value]
    return value


def whole_number(text: str) -> int | None:
    """The number that a header states in ASCII digits; None for anything else, and for more digits than any length has.

    ``str.isdigit`` is also true for a raised two, which Latin-1 headers can carry and ``int`` refuses.
    """
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER else None


def one_line(text: t.Any, longest: int = 300) -> str:
    """Text of a server on one line, cut at ``longest`` characters: for a message that a person reads."""
    line = " ".join(str(text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def encodings_of(secret: str) -> set[str]:
    """Every form in which a secret can turn up in output: raw, percent-encoded in both cases, and base64."""
    encoded = base64.b64encode(secret.encode("utf-8", "surrogatepass")).decode()
    escaped = {quote(secret, safe="", errors="surrogatepass"), quote(secret, errors="surrogatepass")}
    escaped.add(quote_plus(secret, errors="surrogatepass"))
    lower = {ESCAPE.sub(lambda found: found.group().lower(), form) for form in escaped}
    return {secret, *escaped, *lower, encoded, encoded.rstrip("=")}
