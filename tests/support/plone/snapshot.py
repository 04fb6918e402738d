# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of fresh sites, and the add-on they were made with; made once and copied for every server."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import partial
from pathlib import Path

from support.plone import accounts
from support.plone.cache import build_once, cache_folder, digest, run
from support.plone.environment import HERE, clean_variables, environment_folder, prepare_environment
from support.plone.instance import Instance

ADDON = HERE / "addon"
RECIPE = HERE / "create_site.py"
INGREDIENTS = (ADDON, RECIPE, HERE / "accounts.py", HERE / "instance.py", Path(__file__))

PROFILE = "6018"
"""The version of the core profile that the snapshot claims to have."""


def site_ids(sites: int) -> list[str]:
    """The ids of that many sites of one instance: the first is always ``Plone``, then ``Plone2``, ``Plone3``, …"""
    return ["Plone", *(f"Plone{number}" for number in range(2, sites + 1))]


def snapshot_folder(sites: int = 1) -> Path:
    """Holds ``var`` (Data.fs and blobs) and ``addon``, which goes on the Python path of a server."""
    return cache_folder() / f"plone-snapshot-{digest(environment_folder().name, str(sites), *INGREDIENTS)}"


def prepare_snapshot(sites: int = 1) -> Path:
    """The folder of the snapshot, built together with the environment when it is missing; a second or two a site."""
    prepare_environment()
    folder = snapshot_folder(sites)
    build_once(folder, partial(_build, sites=sites), proof="var/Data.fs")
    return folder


def addon_path(snapshot: Path) -> Path:
    return snapshot / "addon"


def _build(folder: Path, sites: int) -> None:
    _install_addon(addon_path(folder))
    with tempfile.TemporaryDirectory(prefix="plone-snapshot-") as scratch:
        instance = Instance(Path(scratch))
        instance.write(port=0)
        recipe = {
            "root": accounts.ADMIN,
            "users": accounts.SITE_ACCOUNTS,
            "profile": PROFILE,
            "sites": site_ids(sites),
        }
        run(
            [
                str(environment_folder() / "bin" / "zconsole"),
                "run",
                str(instance.zope_conf),
                str(RECIPE),
                json.dumps(recipe),
            ],
            clean_variables(PYTHONPATH=str(addon_path(folder))),
        )
        shutil.copytree(instance.data, folder / "var", ignore=shutil.ignore_patterns("*.lock"))


def _install_addon(target: Path) -> None:
    """Install a copy, because a build leaves its files in the source tree."""
    python = str(environment_folder() / "bin" / "python")
    with tempfile.TemporaryDirectory(prefix="plone-addon-") as scratch:
        source = shutil.copytree(ADDON, Path(scratch) / "addon", ignore=shutil.ignore_patterns("__pycache__"))
        install = ["install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
        run([python, "-m", "pip", *install, "--target", str(target), str(source)], clean_variables())
