# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs of an instance get of the environment of the module, which may hold credentials for the site."""

from __future__ import annotations

import json
import sys
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._plone.copy_server import ServerPlan, start, stop
from ansible_collections.siteops.upgrades.plugins.module_utils._plone.instance_programs import Programs

if t.TYPE_CHECKING:
    from pathlib import Path

SECRETS = {"PLONE_PASSWORD": "secret", "PLONE_TOKEN": "a.b.c", "PLONE_HEADERS": '{"X-Gate": "key"}'}
KEPT = {"RELSTORAGE_ABORT_EARLY": "1"}
"""A variable of the instance. Not one of its language: the C library would keep words of that for the whole process."""

PROGRAM = f"""#!{sys.executable}
import http.server, json, os, sys
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "environment.json"), "w") as file:
    json.dump(dict(os.environ), file)
if sys.argv[1:] and sys.argv[1].isdigit():
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
print(json.dumps({{"last": "", "transactions": 1, "objects": 1, "blobs": 0, "sites": [{{}}], "unreadable": "", "end": 1,
                   "size": 1, "packed": 0, "missing_blobs": []}}))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that notes its environment beside itself."""
    for name, value in {**SECRETS, "PYTHONPATH": "/nowhere", **KEPT}.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "program"
    path.write_text(PROGRAM)
    path.chmod(0o700)
    return path


def of(program: Path) -> dict[str, str]:
    """The environment that it noted, as far as it matters here."""
    noted = json.loads((program.parent / "environment.json").read_text())
    return {name: value for name, value in noted.items() if name.startswith(("PLONE_", "RELSTORAGE", "PYTHONPATH"))}


def test_repozo_and_python_get_no_credentials(program: Path, tmp_path: Path) -> None:
    for programs, more in (
        (Programs(str(program), str(program)), {}),
        (Programs(str(program), str(program), {"PLONE_TOKEN": "wanted"}), {"PLONE_TOKEN": "wanted"}),
    ):
        programs.run_repozo(20)
        assert of(program) == {**KEPT, **more}
        (tmp_path / "environment.json").unlink()
        programs.read("Data.fs", "blobs", str(tmp_path), 20, "The database")
        assert of(program) == {**KEPT, **more}


def test_the_server_on_a_copy_gets_no_credentials(program: Path, tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "Data.fs").touch()
    command = (str(program), "{port}")
    start(ServerPlan(str(tmp_path), sys.executable, "", "", command, {"PLONE_SITE": "wanted"}, port=0, timeout=20))
    try:
        assert of(program) == {**KEPT, "PLONE_SITE": "wanted", "PYTHONPATH": str(tmp_path / "site")}
    finally:
        stop(str(tmp_path))
