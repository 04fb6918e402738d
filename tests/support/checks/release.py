# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release must hold beside what other tools judge: its changelog, an installation, a checksum, a signature.

``python -m support.checks.release COLLECTION TARBALL [KEY]`` does it all, and says what it found. COLLECTION is the
work tree, which stays as it is; KEY is an id of gpg. Needs antsibull-changelog and ansible-core on PATH.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from typing import Any

import yaml

from support.checks.workspace import COLLECTION

NAME = ".".join(COLLECTION.parts[-2:])
NOT_FOR_A_CHANGELOG = shutil.ignore_patterns(".*", "tests", "docs", "benchmarks", "__pycache__")
DOCUMENTED_BY = {"module": "plugins/modules/*.py", "inventory": "plugins/inventory/*.py", "role": "roles/*/tasks"}


class ReleaseError(Exception):
    """This is not ready; the text says what to do."""


def check_changelog(collection: pathlib.Path) -> str:
    """What the changelog says of the version of galaxy.yml.

    :raises ReleaseError: it does not tell of the version, and no fragments would; or it leaves fragments out.
    """
    version = _read(collection / "galaxy.yml")["version"]
    released = version in _read(collection / "changelogs/changelog.yaml")["releases"]
    fragments = sorted(path.name for path in (collection / "changelogs/fragments").glob("*.y*ml"))
    if released and fragments:
        raise ReleaseError(
            f"The changelog tells of {version}, but not of {', '.join(fragments)}. Add them: make changelog"
        )
    if not released and not fragments:
        raise ReleaseError(f"Nothing is said of {version}: write a fragment, see changelogs/config.yaml.")
    with _scratch(collection) as scratch:
        if not released:
            _run(scratch, "antsibull-changelog", "release", "--version", version)
            if version not in _read(scratch / "changelogs/changelog.yaml")["releases"]:
                raise ReleaseError(f"antsibull-changelog made no entry for {version}.")
            made = f"{len(fragments)} fragments make the entry for {version}."
            return f"{made} Still to be run: make changelog"
        _run(scratch, "antsibull-changelog", "generate")
        if _text(scratch / "CHANGELOG.md") != _text(collection / "CHANGELOG.md"):
            raise ReleaseError("CHANGELOG.md is not what changelogs/changelog.yaml says: antsibull-changelog generate")
    return f"CHANGELOG.md tells of {version}"


def check_installation(tarball: pathlib.Path) -> str:
    """Install the tarball where nothing else is, have all its documentation shown and its playbooks read.

    :raises ReleaseError: something of it is broken, or has no documentation.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        _run(root, "ansible-galaxy", "collection", "install", "--offline", "-p", folder, str(tarball.resolve()))
        _run(root, "ansible-galaxy", "collection", "verify", "--offline", "-p", folder, NAME)
        installed = root / COLLECTION
        shown = {kind: _documented(root, installed, kind, pattern) for kind, pattern in DOCUMENTED_BY.items()}
        playbooks = [f"{NAME}.{path.stem}" for path in sorted((installed / "playbooks").glob("*.yml"))]
        _run(root, "ansible-playbook", "--syntax-check", "-i", "localhost,", *playbooks)
    counted = ", ".join(f"{kind} {count}" for kind, count in shown.items())
    return f"Installed from the tarball alone. Documentation shown: {counted}. Playbooks read: {len(playbooks)}"


def _documented(root: pathlib.Path, installed: pathlib.Path, kind: str, pattern: str) -> int:
    """How many of a kind there are; each has documentation that ansible-doc shows."""
    paths = [path.parent if kind == "role" else path for path in installed.glob(pattern)]
    expected = {f"{NAME}.{path.stem}" for path in paths if path.stem != "__init__"}
    listed = set(json.loads(_run(root, "ansible-doc", "--type", kind, "--list", "--json", NAME)))
    if listed != expected:
        raise ReleaseError(f"ansible-doc does not list these as {kind}: {', '.join(sorted(expected ^ listed))}")
    _run(root, "ansible-doc", "--type", kind, *sorted(expected))
    return len(expected)


def write_checksum(tarball: pathlib.Path) -> pathlib.Path:
    """The SHA-256 of the tarball beside it, as ``sha256sum --check`` reads it."""
    path = tarball.with_name(f"{tarball.name}.sha256")
    path.write_text(f"{hashlib.sha256(tarball.read_bytes()).hexdigest()}  {tarball.name}\n", encoding="utf-8")
    return path


def sign(tarball: pathlib.Path, key: str) -> pathlib.Path:
    """Sign MANIFEST.json, which has the checksum of all else; the signature is put beside the tarball.

    ``ansible-galaxy collection verify --offline --keyring KEYRING --signature file://PATH NAME`` checks an installation
    by it. (To check while a tarball is installed, ansible-core 2.21 ends in an exception.)
    """
    path = tarball.with_name(f"{tarball.name.removesuffix('.tar.gz')}-MANIFEST.json.asc")
    path.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(tarball) as archive:
            archive.extract("MANIFEST.json", folder, filter="data")
        _run(
            pathlib.Path(folder),
            *("gpg", "--batch", "--local-user", key, "--detach-sign", "--armor"),
            *("--output", str(path.resolve()), "MANIFEST.json"),
        )
    return path


def _read(path: pathlib.Path) -> dict[str, Any]:
    return yaml.safe_load(_text(path)) or {}


def _text(path: pathlib.Path) -> str:
    return path.read_text(encoding="utf-8")


@contextlib.contextmanager
def _scratch(collection: pathlib.Path) -> Iterator[pathlib.Path]:
    """A copy in which a release can be made."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder, COLLECTION)
        shutil.copytree(collection, scratch, ignore=NOT_FOR_A_CHANGELOG)
        # antsibull-changelog takes the files that git knows or does not ignore.
        _run(scratch, "git", "init", "--quiet")
        yield scratch


def _run(folder: pathlib.Path, *command: str) -> str:
    """Run a command in ``folder``, where the only collections are those below it; returns what it wrote."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
        "ANSIBLE_NOCOLOR": "true",
    }
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise ReleaseError(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def main(collection: pathlib.Path, tarball: pathlib.Path, key: str = "") -> int:
    """Check everything and write what belongs to the tarball; returns the status of the process."""
    try:
        print(check_changelog(collection))
        print(check_installation(tarball))
        made = [tarball, write_checksum(tarball)]
        if key:
            made.append(sign(tarball, key))
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    print("Signed." if key else "Not signed: no key was named.", "This is the release:")
    for path in made:
        print(f"  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), *sys.argv[3:]))
