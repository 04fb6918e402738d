# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A known_hosts file means what it means to OpenSSH."""

from __future__ import annotations

import base64
import hashlib
import hmac
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError, UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.known_hosts_file import KnownHosts
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ssh_host_keys import HostKeyError

if t.TYPE_CHECKING:
    from pathlib import Path

PLACE = "[up.example.org]:2200"


def key(number: int) -> str:
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes([number]) * 32
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def hashed(place: str) -> str:
    salt = b"s" * 20
    digest = hmac.new(salt, place.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


GOOD = f"{PLACE} {key(1)}"
ODD = {
    "authority": f"@cert-authority *.example.org {key(3)}",
    "revoked": f"@revoked * {key(3)}",
    "security-key": f"{PLACE} sk-ssh-ed25519@openssh.com AAAA",
    "dsa": f"{PLACE} ssh-dss AAAAB3NzaC1kc3MAAACBA",
    "ssh-1": f"{PLACE} 1024 35 12345678901234567890",
    "base64": f"{PLACE} ssh-ed25519 no!base64",
    "text": "<html><body>Not found</body></html>",
    "comment": "# ours",
}
RIGHT = {
    "place": GOOD,
    "comment": f"{GOOD} key of the platform",
    "carriage-return": f"{GOOD}\r",
    "host": f"up.example.org {key(1)}",
    "list": f"other.example.org,{PLACE} {key(1)}",
    "wildcard": f"[*.example.org]:* {key(1)}",
    "any": f"* {key(1)}",
    "one-character": f"[u?.example.org]:2200 {key(1)}",
    "capitals": f"[UP.example.org]:2200 {key(1)}",
    "hashed": f"{hashed(PLACE)} {key(1)}",
    "negation-of-another": f"[*.example.org]:*,![down.example.org]:* {key(1)}",
    "two-of-one-type": f"{PLACE} {key(2)}\n{GOOD}",
    "the-other-is-revoked": f"@revoked {PLACE} {key(2)}\n{GOOD}",
}
WRONG = {
    "changed": (f"{PLACE} {key(2)}", r"not the one in .*\(line 1\)"),
    "two-changed": (f"{PLACE} {key(2)}\n\n{PLACE} {key(3)}", r"not the one in .*\(line 1, 3\)"),
    "revoked": (f"{GOOD}\n@revoked * {key(1)}", "line 2 of .* revokes"),
    "authority": (f"@cert-authority *,[*]:* {key(1)}", "certificates of hosts"),
    "negated": (f"[*.example.org]:*,!{PLACE} {key(1)}", "is not in"),
    "another-port": (f"[up.example.org]:22000 {key(1)}", "is not in"),
    "another-host": (f"down.example.org {key(1)}", "is not in"),
    "unusable": (f"\n{PLACE} ssh-dss AAAA", "only with keys that cannot be used .*line 2: it must begin with"),
    "empty": ("", f"add the line: \\{PLACE[0]}up"),
}


def written(folder: Path, text: str) -> KnownHosts:
    path = folder / "known_hosts"
    path.write_text(text + "\n", encoding="utf-8")
    return KnownHosts(str(path))


@pytest.mark.parametrize("line", RIGHT.values(), ids=list(RIGHT))
def test_a_server_that_is_listed(tmp_path: Path, line: str) -> None:
    keys = written(tmp_path, line)
    keys.check(PLACE, key(1))
    assert keys.types(PLACE) == ["ssh-ed25519"]


@pytest.mark.parametrize("line", ODD.values(), ids=list(ODD))
def test_a_line_of_another_kind_is_passed_over(tmp_path: Path, line: str) -> None:
    for text in (f"{line}\n{GOOD}", f"{GOOD}\n{line}"):
        keys = written(tmp_path, text)
        keys.check(PLACE, key(1))
        with pytest.raises(HostKeyError):
            keys.check(PLACE, key(2))


@pytest.mark.parametrize(("text", "words"), WRONG.values(), ids=list(WRONG))
def test_a_server_that_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(HostKeyError, match=words):
        written(tmp_path, text).check(PLACE, key(1))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="sftp_known_hosts"):
        KnownHosts(str(tmp_path / "missing"))


def test_without_ssh_keygen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UpgradeError, match=r"ssh-keygen is not installed.*openssh-client"):
        written(tmp_path, GOOD)
