# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for contributors lists every private file with what the file says of itself."""

from __future__ import annotations

import ast
import pathlib
import re


def test_every_private_file_is_listed_with_what_it_says_of_itself(root: pathlib.Path) -> None:
    page_text = (root / "docs/docsite/rst/contributing.rst").read_text(encoding="utf-8")
    listed = set(re.findall(r"^  (\w+\.py) +(.+)$", page_text, re.MULTILINE))
    files = [path for folder in ("module_utils", "plugin_utils") for path in root.glob(f"plugins/{folder}/**/*.py")]
    assert listed == {(path.name, first_line(path)) for path in files if path.name != "__init__.py"}


def first_line(path: pathlib.Path) -> str:
    """The first line of a file's docstring, without its full stop."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n")[0].rstrip(".")
