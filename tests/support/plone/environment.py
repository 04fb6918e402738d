# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual environment with the pinned Plone, made once from the package index."""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from pathlib import Path

from support.plone.cache import build_once, cache_folder, digest, run

HERE = Path(__file__).parent
PINS = HERE / "requirements.txt"
INSTALLER = "uv==0.13.9"
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


def environment_folder(pins: Path = PINS, python: str = RUNNING) -> Path:
    return cache_folder() / f"plone-environment-{digest(pins, INSTALLER, python)}"


def prepare_environment(pins: Path = PINS, python: str = RUNNING) -> Path:
    """The folder of the environment, built when it is missing.

    ``python`` is the minor version of the interpreter to build it with: the running one, or a ``pythonX.Y`` on PATH.
    """
    folder = environment_folder(pins, python)
    build_once(folder, partial(_install, pins=pins, python=python), proof="bin/python")
    return folder


def clean_variables(**additions: str) -> dict[str, str]:
    """This process's environment variables without those that would change what another Python imports."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | additions


def _install(folder: Path, pins: Path, python: str) -> None:
    variables = clean_variables()
    base = sys.executable if python == RUNNING else f"python{python}"
    installed = str(folder / "bin" / "python")
    tools = folder / "tools"
    run([base, "-m", "venv", str(folder)], variables)
    run([installed, "-m", "pip", "install", "--quiet", "--target", str(tools), INSTALLER], variables)
    run([str(tools / "bin" / "uv"), "pip", "install", "--python", installed, "--no-deps", "-r", str(pins)], variables)
    shutil.rmtree(tools)
