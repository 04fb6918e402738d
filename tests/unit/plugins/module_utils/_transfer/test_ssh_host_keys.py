# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which servers are taken for the one that is meant."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ssh_host_keys import (
    FirstSeen,
    GivenKey,
    HostKeyError,
    fingerprint,
    place_of,
)

pytest.importorskip("paramiko")

PLACE = "[upgrade.example.org]:2200"


def line(number: int) -> str:
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes([number]) * 32
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


@pytest.mark.parametrize("text", (line(1), f"{line(1)} a comment", f"{PLACE} {line(1)}", f"a,b {line(1)} comment"))
def test_a_given_key(text: str) -> None:
    keys = GivenKey(text)
    assert keys.types(PLACE) == ["ssh-ed25519"]
    keys.check(PLACE, line(1))
    with pytest.raises(HostKeyError, match="sftp_host_key"):
        keys.check(PLACE, line(2))


@pytest.mark.parametrize("text", ("", "SHA256:abc", "ssh-ed25519", "ssh-ed25519 AAAA"))
def test_a_given_key_that_is_none(text: str) -> None:
    with pytest.raises(OptionError, match="sftp_host_key"):
        GivenKey(text)


def test_the_first_key_is_kept() -> None:
    kept: list[str] = []
    keys = FirstSeen("", kept.append)
    assert keys.types(PLACE) == []
    keys.check(PLACE, line(1))
    keys.check(PLACE, line(1))
    assert kept == [f"{PLACE} {line(1)}"]
    with pytest.raises(HostKeyError, match="the first time"):
        keys.check(PLACE, line(2))
    later = FirstSeen(kept[0], kept.append)
    assert later.types(PLACE) == ["ssh-ed25519"]
    later.check("[elsewhere]:2200", line(1))
    assert len(kept) == 1
    with pytest.raises(HostKeyError):
        later.check(PLACE, line(2))


def test_words() -> None:
    assert place_of("example.org", 22) == "example.org"
    assert place_of("example.org", 2200) == "[example.org]:2200"
    assert fingerprint(line(1)).startswith("ssh-ed25519 SHA256:")
