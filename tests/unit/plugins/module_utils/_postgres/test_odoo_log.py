# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the log of an Odoo that ran complains about."""

from __future__ import annotations

from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.odoo_log import Complaints


def test_a_log_is_read_for_what_it_complains_about() -> None:
    log = """2026-11-28 18:00:00,123 42 INFO shop odoo.modules.loading: ERROR in a text
2026-11-28 18:00:01,123 42 WARNING shop odoo.models: Two fields
2026-11-28 18:00:01,124 43 WARNING shop odoo.models: Two fields
2026-11-28 18:00:02,123 42 CRITICAL ? odoo.modules.module: Couldn't load module x
Traceback (most recent call last):
2026-11-28 18:00:02,123 42 ERROR shop odoo.registry: Failed to load registry
Traceback (most recent call last):
  File "odoo/sql_db.py", line 354, in execute
    res = self._obj.execute(query, params)
psycopg2.errors.UndefinedColumn: column "x" does not exist
LINE 1: SELECT x
               ^

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "odoo/modules/loading.py", line 1
    migrate()
    ^^^^^^^^^
odoo.tools.convert.ParseError: while parsing views.xml:3
Error while validating view near:

    <field name="x"/>
View: shop
"""
    complaints = Complaints()
    for place in range(0, len(log), 7):
        complaints.see(log[place : place + 7].encode())
    # Whatever follows an error, and however much: it is found.
    complaints.see(b"2026-11-28 18:00:03,123 42 INFO shop odoo: nothing\n" * 10_000)
    complaints.see(b"x" * 1_000_000)
    reason = "odoo.tools.convert.ParseError: while parsing views.xml:3"
    assert [(each["level"], each["text"]) for each in complaints.found()] == [
        ("CRITICAL", "odoo.modules.module: Couldn't load module x"),
        ("ERROR", f"odoo.registry: Failed to load registry: {reason}"),
        ("WARNING", "odoo.models: Two fields"),
    ]
