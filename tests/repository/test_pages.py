# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages that are written from what the tests play are as the tests say."""

from __future__ import annotations

from faults.page import PAGE, page


def test_the_page_about_failures_is_that_of_the_fault_matrix() -> None:
    """Write it anew with ``PYTHONPATH=tests python -m faults.page``."""
    assert PAGE.read_text(encoding="utf-8") == page()
