# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys log in, and which lines never leave this host."""

from __future__ import annotations

import base64
import subprocess
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ssh_keys import (
    identity,
    problem_of_public_key,
    public_line,
    read_public_keys,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ssh_private_key import (
    key_of,
    load_private_key,
)

pytest.importorskip("paramiko")

if t.TYPE_CHECKING:
    from pathlib import Path

KINDS = ("ed25519", "rsa", "ecdsa")


def make_key(folder: Path, kind: str = "ed25519", passphrase: str = "", *options: str) -> Path:
    path = folder / f"{kind}{len(list(folder.iterdir()))}"
    bits = ("-b", "2048") if kind == "rsa" else ()
    # One round, because each that keeps guesses of a passphrase slow is work for every test too.
    command = ["ssh-keygen", "-q", "-a", "1", "-t", kind, *bits, "-N", passphrase, "-f", str(path), *options]
    subprocess.run(command, check=True)
    return path


def listed(folder: Path, *lines: str) -> str:
    path = folder / "authorized_keys"
    path.write_text("\n".join(lines))
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", ((), ("-m", "PEM"), ("-m", "PKCS8")))
@pytest.mark.parametrize("passphrase", ("", "secret words"))
def test_private_keys(tmp_path: Path, kind: str, options: tuple[str, ...], passphrase: str) -> None:
    path = make_key(tmp_path, kind, passphrase, *options)
    key = load_private_key(str(path), passphrase or None)
    expected = " ".join(path.with_suffix(".pub").read_text().split()[:2])
    assert public_line(key) == expected
    assert problem_of_public_key(expected) == ""
    if passphrase:
        for wrong, words in ((None, "is missing"), ("wrong", "does not open")):
            with pytest.raises(OptionError, match=f"sftp_passphrase.*{words}"):
                load_private_key(str(path), wrong)
    else:
        with pytest.raises(OptionError, match=r"sftp_passphrase.*has no passphrase"):
            load_private_key(str(path), "needless")


def test_what_is_no_private_key(tmp_path: Path) -> None:
    key = make_key(tmp_path)
    damaged = tmp_path / "damaged"
    damaged.write_text(key.read_text().replace("b3BlbnNzaC1rZXk", "b3BlbnNzaC1rZXX"))
    text = tmp_path / "text"
    text.write_text("hello")
    cases = (
        (f"{key}.pub", "is a public key"),
        (damaged, "damaged"),
        (text, "not a private key"),
        ("/nonexistent", "read"),
    )
    for path, words in cases:
        with pytest.raises(OptionError, match=f"sftp_private_key.*{words}"):
            load_private_key(str(path), None)


def test_keys_that_cannot_be_used_say_why(tmp_path: Path) -> None:
    putty = tmp_path / "key.ppk"
    putty.write_text("PuTTY-User-Key-File-3: ssh-ed25519\n")
    with pytest.raises(OptionError, match=f"PuTTY. Convert it with: puttygen {putty} -O private-openssh"):
        load_private_key(str(putty), None)
    key = make_key(tmp_path)
    key.chmod(0o640)
    with pytest.raises(OptionError, match=rf"mode 0640.*chmod 0600 {key}"):
        load_private_key(str(key), None)


@pytest.mark.parametrize("line_end", ("\n", "\r\n", "\\n"), ids=("lf", "crlf", "two-characters"))
def test_a_key_as_text_is_the_one_in_the_file(tmp_path: Path, line_end: str) -> None:
    key = make_key(tmp_path)
    text = key.read_text().replace("\n", line_end)
    assert public_line(key_of(None, text, None)) == public_line(load_private_key(str(key), None))
    with pytest.raises(OptionError, match=r"sftp_private_key_text.*together") as both:
        key_of(str(key), text, None)
    with pytest.raises(OptionError, match=r"sftp_private_key_text.*not a private key") as other:
        key_of(None, "not a key", None)
    assert "not a key" not in str(other.value)
    assert text[60:80] not in str(both.value)


def test_the_list_is_derived_from_the_private_key(tmp_path: Path) -> None:
    key = make_key(tmp_path)
    found = identity(load_private_key(str(key), None), None, agent=True)
    assert found.public_keys == " ".join(key.with_suffix(".pub").read_text().split()[:2]) + "\n"


def test_the_list_must_hold_the_key_that_logs_in(tmp_path: Path) -> None:
    key, other = make_key(tmp_path), make_key(tmp_path)
    one = listed(tmp_path, other.with_suffix(".pub").read_text())
    with pytest.raises(OptionError, match="sftp_public_keys"):
        identity(load_private_key(str(key), None), one, agent=True)
    both = listed(tmp_path, *(path.with_suffix(".pub").read_text() for path in (other, key)))
    assert identity(load_private_key(str(key), None), both, agent=True).public_keys.count("\n") == 2


def test_a_list_alone_is_enough_without_a_login(tmp_path: Path) -> None:
    keys = listed(tmp_path, make_key(tmp_path).with_suffix(".pub").read_text())
    assert identity(None, keys, agent=False).keys == ()
    with pytest.raises(OptionError, match="sftp_private_key"):
        identity(None, None, agent=False)


def test_without_an_agent_a_message_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(OptionError, match="there is no SSH agent"):
        identity(None, None, agent=True)
    with pytest.raises(OptionError, match="sftp_passphrase"):
        key_of(None, None, "secret")


def test_comments_stay_here_and_doubles_count_once(tmp_path: Path) -> None:
    line = make_key(tmp_path).with_suffix(".pub").read_text().strip()
    keys = read_public_keys(listed(tmp_path, "# ours", "", f"  {line}", "\t", line))
    assert keys == [" ".join(line.split()[:2])]


def fake(kind: str, *fields: bytes) -> str:
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind.encode(), *fields))
    return f"{kind} {base64.b64encode(blob).decode()}"


@pytest.mark.parametrize(
    "line",
    (
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW",
        "---- BEGIN SSH2 PUBLIC KEY ----",
        'command="rm -rf /" ssh-ed25519 AAAA',
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI",
        fake("ssh-ed25519", b"too short"),
        fake("ssh-rsa", b"\1\0\1"),
        fake("ssh-dss", b"p", b"q"),
        fake("ssh-ed25519", bytes(32)).replace("ssh-ed25519", "ssh-rsa"),
        "ssh-ed25519 ÄÖÜ",
        "hello",
    ),
)
def test_any_other_line_is_refused_by_its_number(tmp_path: Path, line: str) -> None:
    good = make_key(tmp_path).with_suffix(".pub").read_text().strip()
    with pytest.raises(OptionError, match="line 3") as caught:
        read_public_keys(listed(tmp_path, "# ours", good, line, good))
    assert line not in str(caught.value)


def test_a_list_without_keys(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no public key"):
        read_public_keys(listed(tmp_path, "# nobody"))
