# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run does without: libraries that its way of moving dumps does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from support.odoo_job import Job
from support.platform import Platform


def test_an_upgrade_over_https_never_loads_an_ssh_library(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    for library in ("paramiko", "cryptography"):
        (broken / library).mkdir(parents=True)
        (broken / library / "__init__.py").write_text('raise RuntimeError("this was loaded")\n', encoding="utf-8")
    interpreter = tmp_path / "python"
    interpreter.write_text(f'#!/bin/sh\nPYTHONPATH={broken} exec {sys.executable} "$@"\n', encoding="utf-8")
    interpreter.chmod(0o755)
    without = ("-e", json.dumps({"ansible_python_interpreter": str(interpreter)}))
    with Platform(stage_seconds=0) as platform:
        job = Job(platform, tmp_path / "job")
        assert job.counters(job.run(*without))["changed"] == 4
        job.assert_whole()
    probe = subprocess.run([interpreter, "-c", "import paramiko"], capture_output=True, text=True, check=False)
    assert "this was loaded" in probe.stderr
