# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection awx.awx, which this collection does not depend on, for the tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from support.plone.cache import build_once, cache_folder, digest, run

BUNDLE = "ansible==13.8.0"
"""The last release of the bundle with awx.awx in it, version 24.6.1."""

INSIDE = "ansible_collections/awx/awx/"


def awx_collection() -> Path:
    """A folder for ANSIBLE_COLLECTIONS_PATH with awx.awx alone in it, fetched once from the package index.

    Raises RuntimeError when it cannot be fetched.
    """
    folder = cache_folder() / f"awx-collection-{digest(BUNDLE)}"
    build_once(folder, _fetch, proof=f"{INSIDE}MANIFEST.json")
    return folder


def _fetch(folder: Path) -> None:
    tools, downloads = folder / "tools", folder / "downloads"
    subprocess.run([sys.executable, "-m", "venv", str(tools)], check=True)
    run([str(tools / "bin" / "python"), "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(downloads), BUNDLE])
    [bundle] = downloads.glob("*.whl")
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(INSIDE)])
    for path in (tools, downloads):
        shutil.rmtree(path)
