# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the docs that is written from the matrix: ``python -m faults.page`` writes it anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from faults.matrix import (
    CALLS,
    CONTENT,
    FAULTS,
    NETWORK,
    ODOO,
    PLONE,
    POLL,
    PROVEN,
    PROXY,
    READ,
    REFUSED,
    RESULT,
    SERVER,
    SSH,
    TRANSFER,
    UNPROVEN,
    UNSENT,
    ByReading,
    Call,
    Failed,
    Fault,
    NotApplicable,
    Unharmed,
    Verdict,
    WaitedOut,
    cells,
    verdict,
)
from support.rst import table, title

PAGE = Path(__file__).parents[2] / "docs/docsite/rst/when_things_go_wrong.rst"
GROUPS = (NETWORK, PROXY, SERVER, CONTENT, TRANSFER)

HEAD = """\
..
  Copyright: Contributors to the siteops.upgrades collection
  GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

..
  Written by tests/faults/page.py from the table in tests/faults/matrix.py, which the tests play; do not edit.

.. _ansible_collections.siteops.upgrades.docsite.when_things_go_wrong:

What it does when things go wrong
=================================

This page is written from the table that the tests of the collection play, row by row, between the modules and a real
Plone, or the rehearsal platform for Odoo upgrades. What is said here was seen.

.. contents::
  :local:
  :depth: 2

How a task decides
------------------

- A call that only reads is **tried again**: three times in all, after half a second and after two seconds, and no
  earlier than the server asks with ``Retry-After``. While a module waits for a state, it is tried until the deadline.
- A call that changes something is **never sent twice**. Where its answer is lost, the task **reads the state** and goes
  well, with a warning, if the state proves that the server acted. Where nothing proves it, the task fails and says
  what to look at.
- A transfer of a dump is taken up where it broke, as often as ``retries`` says without progress.
- A certificate that is not trusted is never waited for, and credentials never go to another host.
- Whatever happens, a task that fails says so in a sentence, without a traceback and without a secret.

In the words that are quoted below ``…`` stands for any text, and ``|`` stands between words of which either is said.
"""

KINDS = {
    READ: "only reads",
    POLL: "only reads, until the deadline",
    PROVEN: "changes something, which can be read",
    UNPROVEN: "is sent once; nothing that can be read tells whether it was done",
    RESULT: "brings a dump",
    SSH: "moves a dump, or prepares it",
}

HEADINGS = ("What happens", "To which calls", "What the task does", "What it says", "What to do")
NOTHING_DONE = {UNSENT: " Nothing was sent.", REFUSED: " Nothing was done."}
OVER_SSH = (
    "For SFTP, which has none of HTTP's statuses and certificates, 401 stands for a key that is not accepted, 404 for\n"
    "a file that is shown under another name, and another host's certificate for another host key.\n"
)
TOGETHER = {
    (READ, POLL): "all that read",
    (PROVEN, UNPROVEN): "all that change something",
    (RESULT,): "both results",
    (SSH,): "all of SFTP",
}
"""Names for calls that are often alike."""


def page() -> str:
    """The whole page."""
    parts = [HEAD, _tally()]
    for product in (PLONE, ODOO):
        parts.append(_product(product))
    parts.append(_not_applicable())
    return "\n".join(parts)


def _tally() -> str:
    found = [expected for _call, _fault, expected in cells()]
    applicable = [expected for expected in found if not isinstance(expected, NotApplicable)]
    return (
        f"The table has {len(found)} cells, {len(CALLS)} calls by {len(FAULTS)} faults. {len(applicable)} of them can\n"
        "happen; the others are listed at the end, with the reason.\n"
    )


def _product(product: str) -> str:
    calls = [(name, call) for name, call in CALLS.items() if call.product == product]
    rows = [
        (f"``{call.name}``", f"``{call.module}``", KINDS[call.kind], _quoted(call.undone) if call.undone else "")
        for _name, call in calls
    ]
    parts = [
        title(product, "-"),
        table(("Call", "Module", "What it is", "What is added where its answer is lost"), rows, (20, 20, 20, 40)),
    ]
    if product == ODOO:
        parts.append(OVER_SSH)
    for group in GROUPS:
        found = list(_rows(product, group))
        if found:
            parts += [
                title(f"{product}: {group[0].lower()}{group[1:]}", "^"),
                table(HEADINGS, found, (15, 18, 17, 30, 20)),
            ]
    return "\n".join(parts)


def _rows(product: str, group: str) -> Iterator[tuple[str, ...]]:
    """One row for each fault and each thing that is done about it."""
    for fault_id, fault in FAULTS.items():
        if fault.group != group:
            continue
        alike: dict[tuple[str, str], list[str]] = {}
        for call_id, call in CALLS.items():
            expected = verdict(call_id, fault_id)
            if call.product == product and not isinstance(expected, NotApplicable):
                alike.setdefault(_in_words(expected, call, fault), []).append(call_id)
        for (does, says), call_ids in alike.items():
            yield fault.title, _named(call_ids, product), does, says, "" if does.startswith("Goes well") else fault.do


def _in_words(expected: Verdict, call: Call, fault: Fault) -> tuple[str, str]:
    """What a task does and says; what its call adds is told where the calls are listed."""
    match expected:
        case WaitedOut(says):
            return "Tries again. If it lasts, fails.", _quoted(says)
        case Failed(says) if call.undone and says.endswith(call.undone):
            return "Fails, because nothing tells whether it was done.", _quoted(_without(says, call.undone))
        case Failed(says):
            sure = NOTHING_DONE.get(fault.hurts_in(call.product), "") if call.kind in (PROVEN, UNPROVEN) else ""
            return f"Fails.{sure}", _quoted(says)
        case ByReading(says):
            does = "Reads the state. Goes well if that proves that it was done; else fails."
            return does, _quoted(_without(says, call.undone))
        case Unharmed(why):
            return f"Goes well. {why}", ""
    raise AssertionError(expected)


def _without(says: str, undone: str) -> str:
    return says.removesuffix(undone).rstrip().removesuffix("…").rstrip() or says


def _named(call_ids: Iterable[str], product: str) -> str:
    """The calls by name, or together where they are all of a kind."""
    left, names = list(call_ids), []
    for kinds, name in TOGETHER.items():
        alike = [call_id for call_id, call in CALLS.items() if call.product == product and call.kind in kinds]
        if len(alike) > 1 and set(alike) <= set(left):
            names.append(name)
            left = [call_id for call_id in left if call_id not in alike]
    return ", ".join([*names, *(f"``{CALLS[name].name}``" for name in left)])


def _not_applicable() -> str:
    """The cells that cannot be, by reason, with those calls together that are alike."""
    faults: dict[tuple[str, str], list[str]] = {}
    for call_id, fault_id, expected in cells():
        if isinstance(expected, NotApplicable):
            faults.setdefault((expected.why, call_id), []).append(FAULTS[fault_id].title)
    alike: dict[str, dict[str, list[str]]] = {}
    for (why, call_id), titles in faults.items():
        alike.setdefault(why, {}).setdefault("; ".join(titles), []).append(f"``{CALLS[call_id].name}``")
    parts = [title("What cannot happen", "-")]
    for why, groups in alike.items():
        parts += [f"{why}\n", *(f"- {', '.join(calls)}: {titles}." for titles, calls in groups.items()), ""]
    return "\n".join(parts)


def _quoted(words: str) -> str:
    return f"``{words.strip()}``"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
