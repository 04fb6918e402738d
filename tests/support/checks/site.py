# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lay out the source of the documentation site, for antsibull-docs and Sphinx.

The pages are those of docs/site, the pictures those of docs/docsite/pictures. antsibull-docs adds the folder
``collection``: the reference, and the guides of docs/docsite/rst below ``collection/docsite``.
docs/docsite/extra-docs.yml says how the guides are ordered.
"""

from __future__ import annotations

import pathlib
import shutil
import sys

import yaml

GUIDES = "collection/docsite"


def prepare(collection: pathlib.Path, source: pathlib.Path) -> pathlib.Path:
    """Make the folder ``source`` anew; returns the folder that antsibull-docs is to fill."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(collection / "docs/site", source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(collection / "docs/docsite/pictures", source / "pictures")
    sections = yaml.safe_load((collection / "docs/docsite/extra-docs.yml").read_text(encoding="utf-8"))["sections"]
    (source / "guides.txt").write_text("\n".join(_toctree(**section) for section in sections), encoding="utf-8")
    reference = source / "collection"
    # antsibull-docs refuses a folder that others may write to.
    reference.mkdir(mode=0o755)
    return reference


def _toctree(title: str, toctree: list[str]) -> str:
    entries = "".join(f"  {GUIDES}/{page}\n" for page in toctree)
    return f".. toctree::\n  :caption: {title}\n  :maxdepth: 1\n\n{entries}"


if __name__ == "__main__":
    print(prepare(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
