# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the README and of the documentation's first page, made anew and compared with those kept.

``make pictures`` puts the new ones in their place.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from support import browser as browsers
from support.ansible_cli import run_module, run_playbook
from support.browser import Browser, served
from support.plone import PloneServer
from support.plone.accounts import ADMIN
from support.run_reports import fleet, write

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs/docsite/pictures"
MADE = ROOT / "tests/output/pictures"
HEIGHT = 920
COARSE = (64, 50)
"""Pictures are compared at this size, where fonts and seconds do not count, and a section that moved does."""
MOST_DIFFERENT = 12
"""The mean difference of a grey value, 0 to 255, from which on two pictures show another thing."""

TERMINAL = """<!doctype html><meta charset="utf-8"><title>Terminal</title>
<style>body {{ margin: 0; padding: 20px 24px; background: {background}; color: {foreground}; }}
pre {{ margin: 0; font: 14px/1.4 "DejaVu Sans Mono", monospace; white-space: pre-wrap; }}</style>
<pre>{code}</pre>"""

pytestmark = pytest.mark.skipif(bool(browsers.MISSING), reason=browsers.MISSING)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


def compare(name: str) -> None:
    """Fail where the repository's picture shows something else than the one just made, or where there is none."""
    if os.environ.get("SITEOPS_PICTURES"):
        shutil.copy(MADE / name, Path(os.environ["SITEOPS_PICTURES"]) / name)
        return
    made, kept = (Image.open(folder / name).convert("L").resize(COARSE) for folder in (MADE, KEPT))
    different = ImageStat.Stat(ImageChops.difference(made, kept)).mean[0]
    assert different < MOST_DIFFERENT, f"{name} shows something else; look at it, and run: make pictures"


@pytest.fixture(scope="module")
def report_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report page of a night with failures, of servers that send nothing hostile."""
    folder = tmp_path_factory.mktemp("reports")
    write(folder, (run for run in fleet() if not run["host"].startswith("hostile")))
    options = {"src": str(folder), "html": str(folder / "index.html"), "title": "Upgrades of the weekend"}
    made = run_module("upgrade_report_page", options)
    assert not made.failed, made.output
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_page(scheme: str, browser: Browser, report_page: Path) -> None:
    name = f"report-{scheme}.png"
    with served(report_page) as site:
        browser.open(f"{site.url}/index.html", scheme=scheme, width=1280)
        browser.screenshot(MADE / name, tallest=HEIGHT)
    compare(name)


def test_a_run(browser: Browser, plone: PloneServer, tmp_path: Path) -> None:
    """The whole job on a real Plone, as a terminal shows it."""
    inventory = {
        "all": {
            "hosts": {"intranet": {"plone_upgrade_url": plone.url}},
            "vars": {"plone_upgrade_username": ADMIN.name, "plone_upgrade_password": ADMIN.password},
        }
    }
    (tmp_path / "sites.json").write_text(json.dumps(inventory), encoding="utf-8")
    colours = {"ANSIBLE_NOCOLOR": "", "NO_COLOR": "", "ANSIBLE_FORCE_COLOR": "true", "COLUMNS": "100"}
    settings = {**colours, "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false"}
    command = ("-i", str(tmp_path / "sites.json"))
    run = run_playbook("siteops.upgrades.plone_upgrade", *command, env=settings)
    assert run.status == 0, run.output
    console = Console(record=True, width=100, file=io.StringIO())
    console.print("$ ansible-playbook -i sites.yml siteops.upgrades.plone_upgrade", style="bold")
    console.print(Text.from_ansi(run.output.replace(f"{ROOT.parents[1]}/", "")))
    page = console.export_html(theme=MONOKAI, inline_styles=True, code_format=TERMINAL)
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    with served(tmp_path) as site:
        browser.open(f"{site.url}/index.html", width=900)
        browser.screenshot(MADE / "run.png", tallest=2000)
    compare("run.png")
