# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball holds what users need, all of it, and nothing else."""

from __future__ import annotations

import os
import pathlib
import tarfile

import pytest

FOLDERS = {"changelogs", "docs", "extensions", "meta", "playbooks", "plugins", "roles"}
FILES = {"CHANGELOG.md", "CONTRIBUTING.md", "COPYING", "README.md"}
MADE_BY_THE_BUILD = {"FILES.json", "MANIFEST.json"}
LEFT_OUT = {pathlib.PurePath("docs/site"), pathlib.PurePath("extensions/molecule")}


@pytest.fixture(scope="module")
def tarball() -> set[str]:
    """The names of the files in the tarball that SITEOPS_TARBALL names."""
    with tarfile.open(os.environ["SITEOPS_TARBALL"]) as archive:
        return {member.name for member in archive.getmembers() if member.isfile()}


def test_the_tarball_is_the_shipped_part_of_the_repository(tarball: set[str], files: list[pathlib.PurePath]) -> None:
    expected = {
        name.as_posix()
        for name in files
        if name.as_posix() in FILES or (name.parts[0] in FOLDERS and not LEFT_OUT & set(name.parents))
    }
    assert tarball - MADE_BY_THE_BUILD == expected
    assert tarball >= MADE_BY_THE_BUILD


def test_what_an_execution_environment_reads_is_in_the_tarball(tarball: set[str]) -> None:
    names = ("execution-environment.yml", "ee-requirements.txt", "ee-bindep.txt", "runtime.yml")
    assert {f"meta/{name}" for name in names} <= tarball


def test_every_folder_of_the_repository_is_decided_upon(files: list[pathlib.PurePath]) -> None:
    not_shipped = {".ci", ".github", "benchmarks", "tests"}
    assert {name.parts[0] for name in files if len(name.parts) > 1} <= FOLDERS | not_shipped
