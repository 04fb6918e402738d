# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment, as far as it can be tried without a container engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CLONE = Path(__file__).parents[2]
PROJECT = CLONE / "extensions/awx_project"
BUILDER = Path(sys.executable).with_name("ansible-builder")

pytestmark = pytest.mark.skipif(not BUILDER.exists(), reason="not run: ansible-builder is not installed")


def builder(*arguments: str, folder: Path) -> str:
    """Run ansible-builder to its end, and return what it said."""
    ended = subprocess.run([str(BUILDER), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_a_build_context_is_made(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project)
    context = ("--context", "context", "--output-filename", "Containerfile")
    builder("create", "--file", "execution-environment.yml", *context, folder=project)
    containerfile = (project / "context/Containerfile").read_text(encoding="utf-8")
    assert "ansible-galaxy collection install" in containerfile
    requirements = project / "context/_build/requirements.yml"
    assert yaml.safe_load(requirements.read_text(encoding="utf-8")) == {"collections": [{"name": "siteops.upgrades"}]}


def test_what_the_collection_needs_is_found_in_it(tmp_path: Path) -> None:
    collection = tmp_path / "ansible_collections/siteops/upgrades"
    collection.mkdir(parents=True)
    shutil.copytree(CLONE / "meta", collection / "meta")
    shutil.copy(CLONE / "galaxy.yml", collection)
    found = builder("introspect", str(tmp_path), folder=tmp_path)
    wanted = re.findall(r"^\s*-?\s*'?((?:requests|paramiko)[^\s']*)", found, re.MULTILINE)
    declared = (CLONE / "meta/ee-requirements.txt").read_text(encoding="utf-8").splitlines()
    assert sorted(set(wanted)) == sorted(line for line in declared if line and not line.startswith("#"))
