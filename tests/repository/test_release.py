# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release in a copy: its changelog, its checksum, its signature, and an installation from the tarball alone."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from support.checks import release

ADDRESS = "nobody@example.org"


@pytest.fixture
def tarball(tmp_path: pathlib.Path) -> pathlib.Path:
    """The tarball that SITEOPS_TARBALL names, in a folder of its own."""
    return pathlib.Path(shutil.copy(os.environ["SITEOPS_TARBALL"], tmp_path))


@pytest.fixture
def collection(root: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """What a changelog is made of, of a version that was never released, with one fragment."""
    copy = tmp_path / "copy"
    for name in ("changelogs", "meta", "plugins", "roles", "playbooks"):
        shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    galaxy = (root / "galaxy.yml").read_text(encoding="utf-8")
    (copy / "galaxy.yml").write_text(re.sub("^version: .*", "version: 99.0.0", galaxy, flags=re.MULTILINE), "utf-8")
    (copy / "CHANGELOG.md").write_text("", encoding="utf-8")
    for fragment in (copy / "changelogs/fragments").glob("*.yml"):
        fragment.unlink()
    return copy


def write_fragment(collection: pathlib.Path) -> None:
    fragments = collection / "changelogs/fragments"
    fragments.mkdir(exist_ok=True)
    (fragments / "change.yml").write_text("---\nbugfixes:\n  - A bug is gone.\n", encoding="utf-8")


def released(collection: pathlib.Path, version: str) -> None:
    """Release the collection in place."""
    place = collection.parent / "ansible_collections/siteops"
    place.mkdir(parents=True)
    there = pathlib.Path(shutil.move(collection, place / "upgrades"))
    subprocess.run(["git", "init", "--quiet"], cwd=there, check=True)
    subprocess.run(["antsibull-changelog", "release", "--version", version], cwd=there, check=True, capture_output=True)
    shutil.move(there, collection)


def test_fragments_that_would_make_an_entry_are_enough(collection: pathlib.Path) -> None:
    write_fragment(collection)
    assert release.check_changelog(collection).startswith("1 fragments make the entry for 99.0.0.")
    assert (collection / "changelogs/fragments/change.yml").exists()
    assert (collection / "CHANGELOG.md").read_text(encoding="utf-8") == ""


def test_a_version_of_which_nothing_is_said(collection: pathlib.Path) -> None:
    with pytest.raises(release.ReleaseError, match=r"Nothing is said of 99\.0\.0"):
        release.check_changelog(collection)


def test_a_changelog_that_was_released_is_whole(collection: pathlib.Path) -> None:
    write_fragment(collection)
    released(collection, "99.0.0")
    assert release.check_changelog(collection) == "CHANGELOG.md tells of 99.0.0"
    text = (collection / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "A bug is gone" in text
    (collection / "CHANGELOG.md").write_text(text.replace("gone", "here"), encoding="utf-8")
    with pytest.raises(release.ReleaseError, match="antsibull-changelog generate"):
        release.check_changelog(collection)
    write_fragment(collection)
    with pytest.raises(release.ReleaseError, match=r"not of change\.yml"):
        release.check_changelog(collection)


def test_the_tarball_is_installed_where_nothing_else_is(tarball: pathlib.Path) -> None:
    found = release.check_installation(tarball)
    assert re.search(r"Documentation shown: module \d+, inventory \d+, role \d+. Playbooks read: \d+", found)


def test_the_checksum_is_that_of_the_tarball(tarball: pathlib.Path) -> None:
    checksum = release.write_checksum(tarball)
    subprocess.run(["sha256sum", "--check", "--strict", checksum.name], cwd=tarball.parent, check=True)


@pytest.mark.skipif(not shutil.which("gpg"), reason="not run: there is no gpg")
def test_the_signature_is_what_ansible_galaxy_wants(
    tarball: pathlib.Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a key that is made for this test and goes with it."""
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    gpg = ("gpg", "--batch", "--quiet")
    try:
        key = ("--passphrase", "", "--quick-generate-key", ADDRESS, "ed25519", "sign")
        subprocess.run([*gpg, *key], check=True, capture_output=True)
        signature = release.sign(tarball, ADDRESS)
        keyring = home / "public.kbx"
        public = subprocess.run([*gpg, "--export", ADDRESS], check=True, capture_output=True).stdout
        own_keyring = ("--no-default-keyring", "--keyring", str(keyring))
        subprocess.run([*gpg, *own_keyring, "--import"], input=public, check=True, capture_output=True)
        galaxy = ("ansible-galaxy", "collection")
        place = ("--offline", "-p", str(tarball.parent / "installed"))
        monkeypatch.setenv("ANSIBLE_COLLECTIONS_PATH", place[-1])
        monkeypatch.setenv("ANSIBLE_COLLECTIONS_SCAN_SYS_PATH", "false")
        subprocess.run([*galaxy, "install", *place, str(tarball)], check=True, capture_output=True)
        verify = [*galaxy, "verify", *place, "--keyring", str(keyring), "--signature", signature.as_uri(), release.NAME]
        ended = subprocess.run(verify, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "Successfully verified" in ended.stdout
        first, _line, rest = signature.read_text(encoding="utf-8").partition("\n\n")
        signature.write_text(f"{first}\n\nAAAA{rest[4:]}", encoding="utf-8")
        ended = subprocess.run(verify, capture_output=True, text=True, check=False)
        assert ended.returncode != 0, ended.stdout
        assert "Signature verification failed" in ended.stdout + ended.stderr
    finally:
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=False)
