# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that only some tests need beside the environment of Plone, each set in a folder for the Python path."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from support.plone.cache import build_once, cache_folder, digest, run
from support.plone.environment import clean_variables, environment_folder


def extra_packages(name: str, *requirements: str, proof: str) -> Path:
    """The folder with these packages, which is made once; ``proof`` is a file in it that shows that it is whole."""
    folder = cache_folder() / f"plone-{name}-{digest(environment_folder().name, *requirements)}"
    build_once(folder, partial(_install, requirements), proof=f"packages/{proof}")
    return folder / "packages"


def _install(requirements: tuple[str, ...], folder: Path) -> None:
    python = str(environment_folder() / "bin/python")
    install = ["install", "--quiet", "--no-deps", "--target", str(folder / "packages"), *requirements]
    run([python, "-m", "pip", *install], clean_variables())
