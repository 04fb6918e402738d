# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of known_hosts that a server names: those for the one host and port, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.known_hosts_lines import (
    LONGEST,
    lines_for,
)

pytest.importorskip("paramiko")

HOST, PORT = "up1.odoo.com", 40022
PLACE = "[up1.odoo.com]:40022"
BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0 " + b"k" * 32
KEY = f"ssh-ed25519 {base64.b64encode(BLOB).decode()}"


def hashed(place: str) -> str:
    salt = b"s" * 20
    digest = hmac.new(salt, place.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize(
    ("text", "kept"),
    (
        (f"{PLACE} {KEY}", f"{PLACE} {KEY}\n"),
        (f"# a comment\n\n{PLACE} {KEY} and words\r\n", f"{PLACE} {KEY}\n"),
        (f"{PLACE.upper()} {KEY}", f"{PLACE.upper()} {KEY}\n"),
        (f"{PLACE},{PLACE} {KEY}", f"{PLACE},{PLACE} {KEY}\n"),
        (f"{hashed(PLACE)} {KEY}", f"{hashed(PLACE)} {KEY}\n"),
        (f"{PLACE} {KEY}\n{hashed(PLACE)} {KEY}\n", f"{PLACE} {KEY}\n{hashed(PLACE)} {KEY}\n"),
    ),
    ids=("plain", "comment", "upper case", "twice", "hashed", "two lines"),
)
def test_lines_for_this_host_are_kept(text: str, kept: str) -> None:
    assert lines_for(HOST, PORT, text) == kept


def test_the_usual_port_is_not_named() -> None:
    assert lines_for(HOST, 22, f"{HOST} {KEY}") == f"{HOST} {KEY}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    (
        (None, "is empty"),
        ("  \n", "is empty"),
        ([f"{PLACE} {KEY}"], "is not a text"),
        ("# nothing\n", "holds no key"),
        (f"@cert-authority {PLACE} {KEY}", "line 1 that begins with a marker"),
        (f"@revoked {PLACE} {KEY}", "line 1 that begins with a marker"),
        (f"* {KEY}", "line 1 that is not for"),
        (f"{PLACE},* {KEY}", "line 1 that is not for"),
        (f"!{PLACE} {KEY}", "line 1 that is not for"),
        (f"{HOST} {KEY}", "line 1 that is not for"),
        (f"[up1.odoo.com]:40023 {KEY}", "line 1 that is not for"),
        (f"{hashed('[github.com]:22')} {KEY}", "line 1 that is not for"),
        (f"|1|x|y {KEY}", "line 1 that is not for"),
        (f"|1|{KEY}", "line 1 that is not a host, a key type and a key"),
        (PLACE, "line 1 that is not a host, a key type and a key"),
        (f"{PLACE} {KEY}\ngithub.com {KEY}", "line 2 that is not for"),
        (f"{PLACE} ssh-ed25519 AAAA", "no usable key"),
        (f"{PLACE} ssh-ed25519 !!!!", "no usable key"),
        (f"{PLACE} {KEY}\n" + "#" * LONGEST, f"longer than {LONGEST}"),
    ),
    ids=range(19),
)
def test_everything_else_is_refused(text: t.Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        lines_for(HOST, PORT, text)
