# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a report whose results are not what this collection's modules return."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.siteops.upgrades.plugins.action.run_report import end
from ansible_collections.siteops.upgrades.plugins.plugin_utils._run_report import RunStart

BEGAN = "2026-11-21T03:00:00.000Z"


def ended(folder: Path, product: str, results: dict[str, Any], failure: dict[str, Any]) -> tuple[Any, Any]:
    """What the task returns, and the report."""
    start = RunStart(product, "shop", "shop", "1.1.0", check_mode=False, started_at=BEGAN)
    path = folder / "shop.json"
    begun = {"path": str(path), "begun": dataclasses.asdict(start)}
    result = end({"begun": begun, "asked": {}, "failure": failure}, results)
    return result, json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("product", "name", "key", "value"),
    [
        ("odoo", "upload", "sent", {"sha256": "x", "size": "large"}),
        ("odoo", "wait", "states_seen", [None]),
        ("odoo", "origin", "counts", ["partners"]),
        ("plone", "undo", "versions_after", "6205"),
        ("plone", "check", "warnings", True),
    ],
)
def test_a_result_of_another_module_is_left_out(
    product: str, name: str, key: str, value: object, tmp_path: Path
) -> None:
    results = {name: {"started_at": BEGAN, "changed": True, key: value}, "none": None}
    result, report = ended(tmp_path, product, results, {})
    assert "The report says only how the run ended" in result["warnings"][0]
    assert (report["result"], report["message"]) == ("changed", "")
    _result, report = ended(tmp_path, product, results, {"msg": "It broke."})
    assert (report["result"], report["message"]) == ("failed", "It broke.")


def test_a_result_of_the_collection_needs_no_warning(tmp_path: Path) -> None:
    result, report = ended(tmp_path, "plone", {"check": {"started_at": BEGAN, "state": "up_to_date"}}, {})
    assert "warnings" not in result
    assert report["state_before"] == "up_to_date"
