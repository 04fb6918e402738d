# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code of modules, and what Odoo's log says of an update."""

from __future__ import annotations

import sys
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError, UpgradeError
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.addons import (
    addons_folders,
    code_of,
    in_callers_transaction,
    script_of,
    version_of,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.odoo_facts import series, wanted_series

if t.TYPE_CHECKING:
    from pathlib import Path


def module(folder: Path, name: str, manifest: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__manifest__.py").write_text(manifest, encoding="utf-8")
    return folder / name


def test_folders_come_from_options_configuration_and_program(tmp_path: Path) -> None:
    for name in ("given", "configured", "addons", "odoo/addons"):
        (tmp_path / name).mkdir(parents=True)
    config = tmp_path / "odoo.conf"
    config.write_text(
        f"[options]\naddons_path = {tmp_path}/configured, {tmp_path}/nosuch\npct = 100%\n", encoding="utf-8"
    )
    found = addons_folders([str(tmp_path / "given")], [str(tmp_path / "odoo-bin")], str(config))
    assert found == [str(tmp_path / name) for name in ("given", "configured", "addons", "odoo/addons")]
    with pytest.raises(OptionError, match="Option 'addons_path': there is no folder"):
        addons_folders([str(tmp_path / "nosuch")], [], "")
    with pytest.raises(OptionError, match="Option 'config': the file"):
        addons_folders([], [], str(tmp_path / "nosuch"))


BLOCK = "DO $$\nBEGIN\n  UPDATE x SET y = 1;\nEND\n$$;\n"


@pytest.mark.parametrize(
    ("sql", "left"),
    [
        pytest.param(BLOCK, BLOCK, id="a block of code"),
        pytest.param(f"BEGIN;\n{BLOCK}COMMIT;\n", f"\n{BLOCK}", id="what odoo-bin prints"),
        pytest.param("UPDATE x SET y = 'COMMIT;'", "UPDATE x SET y = 'COMMIT;'", id="a text"),
    ],
)
def test_a_script_runs_in_the_transaction_of_all(sql: str, left: str) -> None:
    assert in_callers_transaction(sql, "the script") == left


@pytest.mark.parametrize("end", ["COMMIT;", "commit work ;", "ROLLBACK;", "START TRANSACTION;", "BEGIN;"])
def test_a_script_that_would_end_the_transaction_is_refused(end: str) -> None:
    with pytest.raises(UpgradeError, match="would end the transaction"):
        in_callers_transaction(f"UPDATE x SET y = 1;\n  {end}\nUPDATE x SET y = 2;\n", "the script")


@pytest.mark.parametrize("start", [sys.executable, "/usr/bin/env python3 -s"], ids=["python", "env"])
def test_an_installed_odoo_is_found_by_its_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str) -> None:
    package = tmp_path / "site/odoo"
    (package / "addons").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('started')\n", encoding="utf-8")
    program = tmp_path / "bin/odoo"
    program.parent.mkdir()
    program.write_text(f"#!{start}\nimport odoo\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    assert addons_folders([], [str(program)], "") == [str(package / "addons")]
    program.write_text("#!/bin/sh\nexec docker compose exec odoo odoo\n", encoding="utf-8")
    assert addons_folders([], [str(program)], "") == []


@pytest.mark.parametrize(
    ("manifest", "version"),
    [
        ("{'version': '2.0'}", "17.0.2.0"),
        ("{'version': '17.0.2.0'}", "17.0.2.0"),
        ("{'version': '17.0'}", "17.0.17.0"),
        ("{'name': 'x'}", "17.0.1.0"),
        ("not python (", ""),
        ("print(1)", ""),
        ("[1]", ""),
    ],
)
def test_the_version_of_a_manifest(tmp_path: Path, manifest: str, version: str) -> None:
    code = module(tmp_path, "shop", manifest)
    assert version_of(str(code), "17.0") == version
    assert code_of([str(tmp_path)], "shop") == str(code)
    assert code_of([str(tmp_path)], "other") == ""


def test_a_script_with_a_command_of_psql_is_refused(tmp_path: Path) -> None:
    code = module(tmp_path, "shop", "{}")
    assert script_of(str(code)) == ""
    (code / "data").mkdir()
    (code / "data/neutralize.sql").write_text("UPDATE x SET y = 1;\n", encoding="utf-8")
    assert script_of(str(code)) == "UPDATE x SET y = 1;\n"
    (code / "data/neutralize.sql").write_text("SELECT 1;\n  \\! rm x\n", encoding="utf-8")
    with pytest.raises(UpgradeError, match="command of psql"):
        script_of(str(code))


def test_versions_in_every_spelling() -> None:
    assert [wanted_series(text, "x") for text in ("17", "v17", "V17", "17.0", "saas-18.2")] == ["17.0"] * 4 + [
        "saas~18.2"
    ]
    assert [series(text) for text in ("17.0.1.3", "saas~18.2.1.0", "")] == ["17.0", "saas~18.2", ""]
    with pytest.raises(OptionError, match="must be a version of Odoo"):
        wanted_series("seventeen", "expect_version")
