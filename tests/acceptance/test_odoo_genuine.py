# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps of a real Odoo, and Odoo's own code, where the environment names them.

``ODOO_DUMPS`` is a folder with dumps of one form each (\\*.dump, \\*.zip). ``ODOO_CHECKOUT`` is a checkout of Odoo of
the version of the dumps. ``ODOO_PYTHON`` is the interpreter that has the packages it needs, if the tests' own has not.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.platform import Platform
from support.postgres.runs import Databases
from support.postgres.server import Postgres
from support.postgres.shop import platform_beside
from support.service_job import ServiceJob, content

DUMPS = [
    path
    for path in sorted(Path(os.environ.get("ODOO_DUMPS", "/nowhere")).glob("*"))
    if path.suffix in (".dump", ".zip")
]
CHECKOUT = Path(os.environ.get("ODOO_CHECKOUT", ""))
ODOO_BIN = [os.environ.get("ODOO_PYTHON") or sys.executable, str(CHECKOUT / "odoo-bin")]

needs_dumps = pytest.mark.skipif(not DUMPS, reason="ODOO_DUMPS names no folder with dumps of a real Odoo")
needs_odoo = pytest.mark.skipif(
    not (CHECKOUT / "odoo-bin").is_file(), reason="ODOO_CHECKOUT names no checkout of Odoo with its odoo-bin"
)


@pytest.fixture(scope="module")
def platform(running_postgres: Postgres) -> Iterator[Platform]:
    with platform_beside(running_postgres) as running:
        yield running


class Leg(Databases):
    """One database on its way, each step forecast, done and done again."""

    def step(self, name: str, **options: Any) -> dict[str, Any]:
        """The result of a run; check mode before it writes nothing, and the run after it changes nothing."""
        before = self.state()
        assert self.done(name, "--check", **options)["changed"]
        assert self.state() == before
        started = time.monotonic()
        result = self.done(name, **options)
        print(f"{name} {time.monotonic() - started:.2f} s: {result['msg']}")
        assert result["changed"]
        before = self.state()
        assert not self.done(name, **options)["changed"]
        assert self.state() == before
        return result

    def facts(self, name: str) -> dict[str, Any]:
        """What an upgrade must not lose, to compare two databases."""
        found = self.done("odoo_database_info", database=name)
        states = {module: facts["state"] for module, facts in found["modules"].items()}
        return {"modules": states, **{key: found[key] for key in ("counts", "invoices", "mails")}}


@needs_dumps
@pytest.mark.parametrize("src", DUMPS or [Path("none")], ids=lambda path: path.suffix[1:])
def test_a_dump_of_a_real_odoo_goes_the_whole_leg(
    postgres: Postgres, tmp_path: Path, platform: Platform, src: Path
) -> None:
    platform.reset()
    stores = tmp_path / "stores"
    stores.mkdir()
    leg = Leg(postgres, tmp_path)
    files = {"filestore_dest": str(stores / "shop")} if src.suffix == ".zip" else {}
    leg.step("odoo_database_restore", src=str(src), database="shop", connections=True, **files)
    before = leg.facts("shop")
    print(f"{len(before['modules'])} modules, {before['counts']}")

    job = ServiceJob(platform, tmp_path / "job")
    job.dump = tmp_path / f"sent{src.suffix}"
    packed = {"filestore": str(stores / "shop")} if files else {}
    leg.step("odoo_database_dump", database="shop", dest=str(job.dump), if_older_than=3600, **packed)
    started = time.monotonic()
    runs = job.all()
    assert not runs[-1].failed, runs[-1].output
    print(f"through the platform {time.monotonic() - started:.2f} s, the last step: {runs[-1].msg}")
    fetched = runs[-1].result["fetched"]

    options = {"database": "shop_new", "connections": True, "filestore_dest": str(stores / "shop_new")}
    leg.step(
        "odoo_database_restore", src=fetched["dump"], **({**options} if files else {**options, "filestore_dest": None})
    )
    assert leg.facts("shop_new") == before
    folders: dict[str, Any] = {}
    if files:
        sources = [str(stores / "shop")]
        leg.done(
            "odoo_filestore_merge", database="shop_new", sources=sources, dest=str(stores / "shop_new"), verify="hash"
        )
        merged, origin = content(stores / "shop_new"), content(stores / "shop")
        assert merged == origin
        assert {Path(name).name for name in origin} == {
            hashlib.sha1((stores / "shop" / name).read_bytes(), usedforsecurity=False).hexdigest() for name in origin
        }
        print(f"{len(origin)} files with the same SHA-256 in both filestores")
        folders = {"filestore_dir": str(stores)}
    checked = {"filestore": str(stores / "shop_new"), "verify": "hash"} if files else {}
    leg.done(
        "odoo_database_verify",
        database="shop_new",
        baseline=leg.done("odoo_database_info", database="shop"),
        neutralized=False,
        **checked,
    )
    swap = {"database": "shop", "upgraded": "shop_new", **folders}
    leg.step("odoo_database_swap", **swap)
    leg.step("odoo_database_swap", state="reverted", **swap)
    leg.step("odoo_database_neutralize", database="shop_new", missing_scripts="warn")
    assert leg.done("odoo_database_verify", database="shop_new", neutralized=True)["reasons"] == []
    job.assert_nothing_secret()


@needs_dumps
@needs_odoo
def test_odoo_itself_neutralises_and_updates(postgres: Postgres, tmp_path: Path) -> None:
    """A module of Odoo's own updated by odoo-bin, and a copy that odoo-bin's own command finds neutralised."""
    leg = Databases(postgres, tmp_path)
    leg.done("odoo_database_restore", src=str(DUMPS[0]), database="real", connections=True)
    options: dict[str, Any] = {"database": "real", "odoo_bin": ODOO_BIN}
    message = leg.refused("odoo_database_neutralize", **options)
    lacking = message.partition("neutralise them: ")[2].partition(". Name")[0].split(", ")
    options["config"] = str(configuration(tmp_path, lacking))
    assert leg.done("odoo_database_neutralize", **options)["scripts"]
    assert not leg.done("odoo_database_neutralize", **options)["changed"]
    leg.done("odoo_database_update", **options, modules=["web"], timeout=900)
    assert leg.done("odoo_database_verify", database="real", neutralized=True)["reasons"] == []
    # Odoo's own script turns its placeholder off again in every run, and adds another one.
    postgres.sql("UPDATE ir_cron SET active = true", "real")
    assert leg.done("odoo_database_neutralize", **options)["changed"]
    assert postgres.sql("SELECT smtp_host FROM ir_mail_server WHERE active", "real") == "invalid"
    typo = leg.refused("odoo_database_update", database="typo", odoo_bin=ODOO_BIN, modules=["web"])
    assert "there is no database typo" in typo


def configuration(folder: Path, modules: list[str]) -> Path:
    """A configuration of Odoo with empty code for the modules of the dump that the checkout does not have."""
    for module in modules:
        code = folder / "custom" / module
        code.mkdir(parents=True)
        (code / "__init__.py").touch()
        (code / "__manifest__.py").write_text("{'name': 'x', 'depends': ['base']}\n", encoding="utf-8")
    path = folder / "odoo.conf"
    addons = f"{CHECKOUT / 'addons'},{folder / 'custom'}"
    path.write_text(f"[options]\naddons_path = {addons}\ndata_dir = {folder / 'data'}\n", encoding="utf-8")
    return path
