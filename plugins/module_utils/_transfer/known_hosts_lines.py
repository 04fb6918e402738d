# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines of a known_hosts file that a server named, checked against the one host and port that they may be for.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from .ssh_host_keys import place_of
from .ssh_keys import problem_of_public_key

LONGEST = 64 * 1024
HASHED = "|1|"


def lines_for(host: str, port: int, text: object) -> str:
    """Those lines that name this host and port, which all lines but comments must do.

    :raises ValueError: says what is wrong with them.
    """
    if text is not None and not isinstance(text, str):
        raise ValueError("is not a text")
    if not text or not text.strip():
        raise ValueError("is empty")
    if len(text) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} characters")
    place = place_of(host, port)
    kept = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        problem = _problem(words, place)
        if problem:
            raise ValueError(f"has a line {number} that {problem}")
        kept.append(" ".join(words[:3]))
    if not kept:
        raise ValueError("holds no key")
    return "".join(f"{line}\n" for line in kept)


def _problem(words: list[str], place: str) -> str:
    """What is wrong with one line; empty if nothing is."""
    if words[0].startswith("@"):
        return "begins with a marker, such as @cert-authority"
    if len(words) < 3:
        return "is not a host, a key type and a key"
    if not all(_names(name, place) for name in words[0].split(",")):
        return f"is not for {place}"
    problem = problem_of_public_key(" ".join(words[1:3]))
    return f"has no usable key: {problem}" if problem else ""


def _names(name: str, place: str) -> bool:
    """Whether a name, hashed or not, is that of the host; patterns are not."""
    if not name.startswith(HASHED):
        return name.lower() == place.lower()
    try:
        salt, digest = (base64.b64decode(part, validate=True) for part in name[len(HASHED) :].split("|"))
    except (ValueError, binascii.Error):
        return False
    return hmac.compare_digest(hmac.new(salt, place.encode(), hashlib.sha1).digest(), digest)
