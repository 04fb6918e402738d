# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the check runner that nox does not bring along do what the sessions believe."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

from support.checks import durations, interpreters, tally, workspace
from support.longest_first import LONGEST

JUNIT = """<testsuites><testsuite>
  <testcase name="good"/>
  <testcase name="bad"><failure/></testcase>
  <testcase name="broken"><error/></testcase>
  <testcase name="left out"><skipped/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def clone(tmp_path: pathlib.Path) -> pathlib.Path:
    """A repository with one ignored and two other files, one of them in a folder."""
    clone = tmp_path / "clone"
    (clone / "plugins").mkdir(parents=True)
    (clone / ".gitignore").write_text("/junk\n", encoding="utf-8")
    (clone / "junk").write_text("junk", encoding="utf-8")
    (clone / "plugins/module.py").write_text("1", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet", str(clone)], check=True)
    return clone


def test_a_copy_has_what_git_would_take(clone: pathlib.Path, tmp_path: pathlib.Path) -> None:
    copy = workspace.copy(clone, tmp_path / "copies")
    assert copy == tmp_path / "copies/ansible_collections/siteops/upgrades"
    assert (copy / "plugins/module.py").read_text(encoding="utf-8") == "1"
    assert (copy / ".gitignore").exists()
    assert not (copy / "junk").exists()


def test_a_copy_follows_its_clone_and_keeps_results(clone: pathlib.Path, tmp_path: pathlib.Path) -> None:
    copy = workspace.copy(clone, tmp_path / "copies")
    (copy / "tests/output/junit").mkdir(parents=True)
    (copy / "tests/output/junit/result.xml").write_text(JUNIT, encoding="utf-8")
    (copy / "dropping").write_text("", encoding="utf-8")
    (clone / "plugins/module.py").unlink()
    (clone / "README.md").write_text("new", encoding="utf-8")
    workspace.copy(clone, tmp_path / "copies")
    assert sorted(path.name for path in copy.iterdir()) == [".git", ".gitignore", "README.md", "tests"]
    assert (copy / "tests/output/junit/result.xml").exists()


def test_a_python_that_does_not_run_is_not_taken(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shims, real = tmp_path / "shims", tmp_path / "real"
    for directory in (shims, real):
        directory.mkdir()
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    shim = shims / f"python{running}"
    shim.write_text("#!/bin/sh\necho 'python: command not found' >&2\nexit 127\n", encoding="utf-8")
    shim.chmod(0o755)
    binary = pathlib.Path(sys.base_prefix, "bin", f"python{running}")
    (real / f"python{running}").symlink_to(binary)
    monkeypatch.setenv("PATH", os.pathsep.join([str(shims), str(real)]))
    found = interpreters.gather(tmp_path / "gathered")
    assert found[running].resolve() == binary.resolve()
    assert interpreters.gathered(tmp_path / "gathered") == found


def test_junit_reports_are_counted(tmp_path: pathlib.Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(JUNIT, encoding="utf-8")
    assert tally.of_cases([report]) == tally.Tally(passed=1, failed=2, skipped=1)
    assert tally.of_targets([report, report], ended_well=True) == tally.Tally(passed=2)
    assert tally.of_targets([report, report], ended_well=False) == tally.Tally(passed=1, failed=1)


@pytest.mark.parametrize(
    ("result", "closing_line", "status"),
    [("success", "3 passed, 0 failed", 0), ("failed", "3 passed, 1 failed", 1), ("skipped", "0 passed, 0 failed", 0)],
)
def test_the_closing_line(
    result: str, closing_line: str, status: int, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"sessions": [{"name": "units", "result": result}]}), encoding="utf-8")
    tally.save(tmp_path, "units", tally.Tally(passed=3))
    assert tally.main(tmp_path, [report]) == status
    assert capsys.readouterr().out.splitlines()[-1] == closing_line


def test_a_run_that_never_started_is_no_success(tmp_path: pathlib.Path) -> None:
    assert tally.main(tmp_path, [tmp_path / "missing.json"]) == 1


def test_the_slowest_tests_come_first(tmp_path: pathlib.Path) -> None:
    cases = "".join(f'<testcase classname="tests.x" name="test_{n}" time="{n}"/>' for n in range(30))
    (tmp_path / "a.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>", encoding="utf-8")
    lines = durations.slowest(tmp_path.glob("*.xml"))
    assert (lines[0], len(lines)) == ("  29.00 s  tests.x::test_29", 25)


def test_the_files_that_are_taken_first_are_there(root: pathlib.Path) -> None:
    there = {path.stem for folder in ("acceptance", "faults") for path in (root / "tests" / folder).glob("test_*.py")}
    assert set(LONGEST) - there == set()
    assert len(set(LONGEST)) == len(LONGEST)
