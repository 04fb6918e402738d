# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states, and what of a status document may be shown."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.masking import HIDDEN
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api.status import (
    public_document,
    state_of,
    status_of,
)
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.request import RequestFailed
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.status import Stage

KEY = "Aw7pItGVKFuZ_FOR3U8VFQ=="
BASE = f"https://upgrade.odoo.com/database/eu1/10534/{KEY}"

# The sample of the API document.
SAMPLE: dict[str, t.Any] = {
    "id": 10534,
    "key": KEY,
    "email": "erp@example.com",
    "target": "8.0",
    "aim": "test",
    "filename": "db_name.dump",
    "timezone": None,
    "state": "draft",
    "issue_stage": "new",
    "issue": 648398,
    "status_url": f"{BASE}/status",
    "notes_url": f"{BASE}/upgraded/notes",
    "original_sql_url": f"{BASE}/original/sql",
    "original_dump_url": f"{BASE}/original/archive",
    "upgraded_sql_url": f"{BASE}/upgraded/sql",
    "upgraded_dump_url": f"{BASE}/upgraded/archive",
    "modules_url": f"{BASE}/modules/archive",
    "filesize": "912.99 Kb",
    "database_uuid": None,
    "created_at": "2015-09-09 07:13:49",
    "estimated_time": None,
    "processed_at": None,
    "elapsed": "00:00",
    "filestore": False,
    "customer_message": None,
    "database_version": None,
    "postgresql": "9.4",
    "compressions": ["pgdmp_custom", "sql"],
}


def test_the_key_and_every_url_are_hidden_and_nothing_else() -> None:
    public = public_document(SAMPLE)
    assert {name for name, value in public.items() if value == HIDDEN} == {
        name for name in SAMPLE if name == "key" or name.endswith("_url")
    }
    assert {name: value for name, value in public.items() if value != HIDDEN}.items() <= SAMPLE.items()
    assert public.keys() == SAMPLE.keys()


def test_a_url_that_is_not_there_stays_absent() -> None:
    assert public_document({**SAMPLE, "notes_url": None})["notes_url"] is None


@pytest.mark.parametrize("written", [KEY, quote(KEY, safe="")])
def test_the_key_is_masked_wherever_it_turns_up(written: str) -> None:
    link = f"see https://upgrade.example.org/{written}/notes"
    public = public_document({**SAMPLE, "customer_message": link, "extra": {"deep": [link]}})
    assert written not in str(public)
    assert public["customer_message"] == "see https://upgrade.example.org/********/notes"


def test_a_key_that_the_document_does_not_tell_is_masked_too() -> None:
    assert public_document({"customer_message": f"x {KEY}"}, KEY) == {"customer_message": "x ********"}


@pytest.mark.parametrize("value", [None, "", "  ", 5, ["done"]])
def test_what_is_no_state_is_unknown(value: t.Any) -> None:
    assert state_of({"state": value}) == "unknown"
    assert state_of({}) == "unknown"


@pytest.mark.parametrize("state", ["done", "DONE", " Done\n"])
def test_a_state_is_one_however_it_is_written(state: str) -> None:
    assert state_of({"state": state}) == "done"


@pytest.mark.parametrize(
    ("state", "stage"),
    [
        ("draft", Stage.OPEN),
        ("pending", Stage.WORKING),
        ("processing", Stage.WORKING),
        ("testing", Stage.TESTING),
        ("done", Stage.READY),
        ("Delivered", Stage.READY),
        ("invalid", Stage.FAILED),
        ("failed", Stage.FAILED),
        ("cancelled", Stage.FAILED),
        ("error", Stage.FAILED),
        ("brewing", Stage.UNKNOWN),
        ("", Stage.UNKNOWN),
    ],
)
def test_the_stage_of_a_state(state: str, stage: Stage) -> None:
    assert status_of({"state": state}).stage is stage


def test_a_status_shows_its_key_nowhere_but_in_its_detail() -> None:
    status = status_of({**SAMPLE, "customer_message": f"see {BASE}"}, KEY)
    assert KEY not in repr(status)
    assert status.message == "see https://upgrade.odoo.com/database/eu1/10534/********"
    assert status.detail["key"] == KEY


def test_a_failed_request_speaks_with_the_platforms_words() -> None:
    status = status_of({**SAMPLE, "state": "INVALID", "customer_message": f"No\n filestore. Ask {BASE}"}, KEY)
    failed = RequestFailed(status, "10534")
    assert "Request 10534 ended in the state 'invalid'. The platform says: No filestore. Ask" in str(failed)
    assert KEY not in str(failed) + str(failed.result)
    assert "renew: true" in str(failed)
    assert failed.result["request_id"] == "10534"


def test_a_failed_request_without_a_reason_says_so() -> None:
    assert "gives no reason" in str(RequestFailed(status_of({**SAMPLE, "state": "failed"}, KEY), "10534"))
