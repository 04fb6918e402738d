# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page about failures says what the fault matrix says, row by row."""

from __future__ import annotations

import re
from pathlib import Path

from faults.matrix import (
    CALLS,
    EXCEPTIONS,
    FAULTS,
    HARMLESS,
    ODOO,
    PLONE,
    POLL,
    PROVEN,
    READ,
    RESULT,
    SSH,
    TRANSFER,
    UNPROVEN,
    ByReading,
    Failed,
    NotApplicable,
    Unharmed,
    WaitedOut,
    cells,
    verdict,
)
from support.rst import tables

PAGE = "docs/docsite/rst/when_things_go_wrong.rst"
DOES = {WaitedOut: "tries again", Failed: "fails", ByReading: "reads the state", Unharmed: "goes well"}


def does(fault_id: str, *kinds: str) -> str:
    """What a task does about a fault, by the kind of its call; where the products differ, for each."""
    by_product: dict[str, str] = {}
    for product in (PLONE, ODOO):
        calls = [name for name, call in CALLS.items() if call.product == product and call.kind in kinds]
        found = {DOES[type(verdict(call, fault_id))] for call in calls if (call, fault_id) not in EXCEPTIONS}
        # The page says for the whole table which calls fail where the others read the state.
        by_product[product] = "reads the state" if "reads the state" in found else " ".join(sorted(found))
    plone, odoo = by_product[PLONE], by_product[ODOO]
    return plone if plone == odoo else f"Plone: {plone}; Odoo: {odoo}"


def test_every_fault_has_its_row(root: Path) -> None:
    _service, _plone, _databases, *faults, _transfers, _lost = tables((root / PAGE).read_text(encoding="utf-8"))
    rows = {row[0]: row for table in faults for row in table}
    expected = {fault_id: fault for fault_id, fault in FAULTS.items() if fault.group != TRANSFER}
    assert set(rows) == {fault.title for fault in expected.values()}
    for fault_id, fault in expected.items():
        _title, reading, changing, says, do = rows[fault.title]
        assert (reading, changing) == (does(fault_id, READ, POLL), does(fault_id, PROVEN, UNPROVEN)), fault.title
        assert do, fault.title
        quoted = re.findall(r"``(.+?)``", says)
        words = (fault.plone, fault.odoo)
        assert fault.hurts == HARMLESS or all(any(quote in each for quote in quoted) for each in words), fault.title
        assert all(any(quote in each for each in words) for quote in quoted), fault.title


def test_every_row_of_todays_service_is_played(root: Path) -> None:
    service = tables((root / PAGE).read_text(encoding="utf-8"))[0]
    played = (root / "tests/faults/test_service_faults.py").read_text(encoding="utf-8")
    titles = [row[0] for row in service]
    assert len(set(titles)) == len(titles)
    assert set(re.findall(r'_as_the_page_says\(\s*\w+, "(.+?)"\s*\)', played)) == set(titles)


def test_what_changes_of_plone_say_is_in_the_code(root: Path) -> None:
    """The unit tests of the modules play these rows; here only the words are compared."""
    code = "".join(
        path.read_text(encoding="utf-8") for path in sorted((root / "plugins/module_utils/_plone").glob("*.py"))
    )
    code = re.sub(r'"\s*\n\s*f?"', "", code)
    for _title, _does, says in tables((root / PAGE).read_text(encoding="utf-8"))[1]:
        for words in (part.strip() for quoted in re.findall(r"``(.+?)``", says) for part in quoted.split("…")):
            assert words in code or words.startswith("plone_upgrade_"), words


def test_what_is_said_of_databases_of_plone_is_in_the_code(root: Path) -> None:
    """tests/acceptance and tests/faults play these rows; here only the words are compared."""
    files = [*(root / "plugins/module_utils/_plone").glob("*.py"), *(root / "roles").rglob("*.yml")]
    code = " ".join(path.read_text(encoding="utf-8") for path in [*files, root / "playbooks/plone_release.yml"])
    code = re.sub(r"\s+", " ", re.sub(r'"\s*\n\s*f?"', "", code))
    for _title, _does, says in tables((root / PAGE).read_text(encoding="utf-8"))[2]:
        for words in (part.strip() for quoted in re.findall(r"``(.+?)``", says) for part in quoted.split("…")):
            assert words in code or words.startswith(("plone_", "repozo")), words


def test_every_transfer_that_goes_otherwise_has_its_row(root: Path) -> None:
    *_faults, transfers, _lost = tables((root / PAGE).read_text(encoding="utf-8"))
    rows = {(title, name, task, says) for title, names, task, says in transfers for name in names.split(", ")}
    expected = set()
    for call_id, fault_id, found in cells():
        call, fault = CALLS[call_id], FAULTS[fault_id]
        as_read = call.kind == RESULT and (call_id, fault_id) not in EXCEPTIONS and fault.group != TRANSFER
        if call.kind in (RESULT, SSH) and not as_read and not isinstance(found, NotApplicable):
            says = found.why.replace("'timeout'", "``timeout``") if isinstance(found, Unharmed) else f"``{found.says}``"
            expected.add((fault.title, call.name, DOES[type(found)], says))
    assert rows == expected


def test_what_a_lost_answer_adds_and_the_figures(root: Path) -> None:
    page = (root / PAGE).read_text(encoding="utf-8")
    assert set(tables(page)[-1]) == {(call.name, f"``{call.undone}``") for call in CALLS.values() if call.undone}
    unproven = [call.name for call in CALLS.values() if call.kind == UNPROVEN]
    assert len(unproven) == 4
    assert all(f"``{name}``" in page for name in unproven)
    found = [each for _call, _fault, each in cells()]
    happens = sum(not isinstance(each, NotApplicable) for each in found)
    figures = f"{len(CALLS)} calls by {len(FAULTS)} faults are {len(found)} cells, of which {happens} can happen."
    assert figures in page
