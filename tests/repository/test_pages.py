# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages that are written from what the tests play are as the tests say."""

from __future__ import annotations

import pathlib
import re

from faults.page import PAGE, page


def test_the_page_about_failures_is_that_of_the_fault_matrix() -> None:
    """Write it anew with ``PYTHONPATH=tests python -m faults.page``."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_part_is_in_the_drawing_of_the_architecture(root: pathlib.Path) -> None:
    page_text = (root / "docs/docsite/rst/contributing.rst").read_text(encoding="utf-8")
    drawing = "".join(re.findall(r"^\.\. code-block:: text\n\n((?:(?: .*)?\n)+)", page_text, re.MULTILINE))
    drawn = set(re.findall(r"(?<!\w)_\w+", drawing))
    parts = {path.stem for folder in ("module_utils", "plugin_utils") for path in root.glob(f"plugins/{folder}/_*.py")}
    assert drawn == parts - {"__init__"}
