# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shape of a run report: the dataclasses, the JSON that they become, and the schema for other programs agree."""

from __future__ import annotations

import json
import os
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._report.parts import Request, SeenState, Transfer
from ansible_collections.siteops.upgrades.plugins.module_utils._report.run import (
    PRODUCTS,
    RESULTS,
    SCHEMA,
    UNFINISHED,
    NotARunReport,
    Run,
)
from ansible_collections.siteops.upgrades.tests.unit.run_reports import begun_run, whole_run

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), *[".."] * 5))
with open(os.path.join(ROOT, "roles/upgrade_report/files/run_report.schema.json"), encoding="utf-8") as file:
    DESCRIBED = json.load(file)


def test_a_run_is_read_back_as_it_was_written() -> None:
    for run in (whole_run(), begun_run()):
        document = json.loads(json.dumps(run.to_json()))
        assert Run.from_json(document) == run


def test_the_schema_describes_each_field_and_no_other() -> None:
    written, parts = whole_run().to_json(), DESCRIBED["properties"]
    request = parts["request"]["oneOf"][1]
    pairs: list[tuple[dict[str, t.Any], dict[str, t.Any]]] = [
        (written, DESCRIBED),
        (written["versions"], parts["versions"]),
        (written["phases"][0], parts["phases"]["items"]),
        (written["steps"][0], parts["steps"]["items"]),
        (written["addons"][0], parts["addons"]["items"]),
        (written["request"], request),
        (written["request"]["states"][0], request["properties"]["states"]["items"]),
        (written["request"]["sent"], DESCRIBED["$defs"]["transfer"]),
        (written["request"]["fetched"], DESCRIBED["$defs"]["transfer"]),
        (written["database"], parts["database"]["oneOf"][1]),
        (written["rehearsal"], parts["rehearsal"]["oneOf"][1]),
    ]
    for document, schema in pairs:
        assert sorted(document) == sorted(schema["properties"])
        # Reports of older versions lack these.
        assert set(document) - set(schema["required"]) <= {
            "protocol",
            "is_pg_version_compatible",
            "database",
            "rehearsal",
        }


def test_the_schema_knows_the_same_products_and_results() -> None:
    assert DESCRIBED["properties"]["schema"]["const"] == SCHEMA
    assert tuple(DESCRIBED["properties"]["product"]["enum"]) == PRODUCTS
    assert sorted(DESCRIBED["properties"]["result"]["enum"]) == sorted(RESULTS)


def test_a_run_that_has_not_ended_says_so() -> None:
    begun = begun_run().to_json()
    assert (begun["result"], begun["finished_at"], begun["duration"]) == (UNFINISHED, None, None)
    assert (begun["request"], begun["phases"]) == (None, [])


def test_a_time_that_is_unknown_is_empty() -> None:
    transfer = Transfer("a", 1, "", "", 0.0, None)
    request = Request("", "", "", (SeenState("draft", None),), transfer, None).to_json()
    assert (request["states"][0]["at"], request["sent"]["at"], request["fetched"]) == ("", "", None)


@pytest.mark.parametrize("document", (None, [], "text", {}, {"schema": 1}, {**begun_run().to_json(), "schema": 2}))
def test_another_document_is_not_a_run_report(document: t.Any) -> None:
    with pytest.raises(NotARunReport):
        Run.from_json(document)
