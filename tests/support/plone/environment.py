# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual environment with the pinned Plone, made once from the package index."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from support.plone.cache import build_once, cache_folder, digest, run

HERE = Path(__file__).parent
PINS = HERE / "requirements.txt"
INSTALLER = "uv==0.13.9"


def environment_folder() -> Path:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return cache_folder() / f"plone-environment-{digest(PINS, INSTALLER, python)}"


def prepare_environment() -> Path:
    """The folder of the environment, built with the running interpreter when it is missing."""
    folder = environment_folder()
    build_once(folder, _install, proof="bin/python")
    return folder


def clean_variables(**additions: str) -> dict[str, str]:
    """This process's environment variables without those that would change what another Python imports."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | additions


def _install(folder: Path) -> None:
    variables = clean_variables()
    python = str(folder / "bin" / "python")
    tools = folder / "tools"
    run([sys.executable, "-m", "venv", str(folder)], variables)
    run([python, "-m", "pip", "install", "--quiet", "--target", str(tools), INSTALLER], variables)
    run([str(tools / "bin" / "uv"), "pip", "install", "--python", python, "--no-deps", "-r", str(PINS)], variables)
    shutil.rmtree(tools)
