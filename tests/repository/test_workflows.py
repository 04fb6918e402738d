# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosted checks run the make targets that a contributor runs."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest
import yaml

WORKFLOWS = pathlib.Path(__file__).resolve().parents[2] / ".github/workflows"


def targets(workflow: pathlib.Path) -> set[str]:
    """The make targets that a workflow runs, those of its matrix among them."""
    found = set()
    for job in yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values():
        for step in job["steps"]:
            for target in re.findall(r'\bmake "?(\S+?)"?$', step.get("run", "")):
                found |= set(job["strategy"]["matrix"]["target"]) if target == "$TARGET" else {target}
    return found


@pytest.mark.parametrize("name", ["test", "release"])
def test_every_target_of_a_workflow_exists(name: str, root: pathlib.Path) -> None:
    called = targets(WORKFLOWS / f"{name}.yml")
    assert called
    for target in called:
        command = ["make", "--dry-run", "--always-make", target]
        assert subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0, target


def test_the_checks_of_ci_are_hosted_too(root: pathlib.Path) -> None:
    called = set(re.findall(r"^make (test\S*)", (root / ".ci/run").read_text(encoding="utf-8"), re.MULTILINE))
    assert called == {"test", "test-more", "test-faults", "test-ends"}
    assert called < targets(WORKFLOWS / "test.yml")
