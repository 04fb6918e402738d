# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which the workers of a session take files of tests: the longest first, so that they end together.

pytest-xdist takes those with the most tests first. Here these are short: a file with a few whole plays takes minutes.
"""

from __future__ import annotations

import pytest

LONGEST = (
    *("test_secrets", "test_odoo_cutover", "test_kills_odoo", "test_plone_cells", "test_odoo_databases"),
    *("test_odoo_cutover_resumed", "test_odoo_cells", "test_kills_plone", "test_kills_odoo_rsync"),
    *("test_connections", "test_service_faults", "test_hostile", "test_two_at_once"),
    *("test_awx_setup", "test_run_reports", "test_guides", "test_odoo_database_roles", "test_maintenance_windows"),
    *("test_plone_release", "test_odoo_jobs", "test_plone_fleet", "test_odoo_database", "test_progress"),
    *("test_odoo_service_role", "test_plone_backup", "test_odoo_upgrade", "test_odoo_service"),
)
"""The files that take a minute or more, by the seconds that the end of a session names."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests by file; goes with ``--no-loadscope-reorder``."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))
