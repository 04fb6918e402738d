# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module loads before its work: each of them starts a Python of its own, several times in a play."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ansible_collections.siteops.upgrades.plugins.module_utils._core import progress

PLUGINS = Path(progress.__file__).parents[2]
ROOT = PLUGINS.parents[3]
COLLECTION = "ansible_collections.siteops.upgrades.plugins.modules"

IMPORT_ALL = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
print(*sorted({"requests", "paramiko", "cryptography", "nacl", "bcrypt"} & set(sys.modules)))
"""


def test_no_module_loads_an_ssh_library_before_it_knows_that_it_needs_one() -> None:
    names = sorted(f"{COLLECTION}.{path.stem}" for path in (PLUGINS / "modules").glob("*.py"))
    assert f"{COLLECTION}.odoo_upgrade_upload" in names
    command = [sys.executable, "-c", IMPORT_ALL, str(ROOT), *names]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.stdout.split(), ended.returncode) == (["requests"], 0), ended.stderr
