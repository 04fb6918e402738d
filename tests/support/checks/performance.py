# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of the docs about speed, written from the newest result of each benchmark.

``PYTHONPATH=tests python -m support.checks.performance`` writes it anew; ``make bench`` does so when it is done.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from support.rst import plain, table, title

CLONE = Path(__file__).parents[3]
PAGE = CLONE / "docs/docsite/rst/performance.rst"
RESULTS = CLONE / "benchmarks/results"

BENCHMARKS = {
    "role_overhead": (
        "A whole upgrade beside curl",
        "The role ``odoo_upgrade``, started with ``ansible-playbook``, beside ``benchmarks/upgrade_by_curl.sh``, which "
        "makes the calls of the API document's own samples. The rehearsal platform has the result at once, so what is "
        "seen is what Ansible and this collection add. Beside an upgrade that takes hours it is little.",
    ),
    "transfer_memory": (
        "What a dump costs on its way",
        "Memory of the module's own process, bytes that are moved twice where connections break, and a second run on a "
        "dump that is as it was. The server is the rehearsal platform.",
    ),
    "transfer_speed": (
        "Transfers beside curl and OpenSSH",
        "Both sides move the same file through the same nginx and the same OpenSSH server, with the cipher that each "
        "asks for by itself. Ours is what the module reports as the duration of the transfer, with hashing and "
        "verifying; theirs is the whole command.",
    ),
    "plone_fleet": (
        "Many Plone sites beside playbooks by hand",
        "The playbooks ``plone_status`` and ``plone_upgrade`` beside two that somebody would write with "
        "``ansible.builtin.uri``, over sites of one real Plone instance. Every site has 38 steps to do, and is "
        "rehearsed before it is upgraded.",
    ),
}
"""Title and explanation of each, by the name of its script, in the order in which they are run."""

HEAD = """\
..
  Copyright: Contributors to the siteops.upgrades collection
  GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

..
  Written by tests/support/checks/performance.py from benchmarks/results; do not edit.

.. _ansible_collections.siteops.upgrades.docsite.performance:

How fast it is
==============

**What you get:** figures of transfers, of a whole role and of a fleet of sites, each beside the tool that you would use
otherwise. They are the newest that ``make bench`` found, whatever they say.

.. contents::
  :local:
  :depth: 1

How to read the tables
----------------------

- A **ratio** is their time divided by ours: above 1, ours is faster. It is the ratio of the medians; in parentheses are
  the least and the greatest of single rounds, and how many there were. Both sides run in turns, after one round that
  does not count.
- **Ours** and **theirs** are medians of the time on the clock. CPU is the processor time of the client with all that it
  started, without the server's. Calls are those that the server saw.
- The **verdict** compares with a bar that was set before. What is not met says so, and what could not be measured says
  why. Without a bar there is nothing to meet: the row is for information.
- Times are those of one machine, and of what else it did. Ratios travel better, but measure your own.
"""

TAIL = """
What stands in the way over the loopback
----------------------------------------

Client and server share the cores there, so that processor time decides, which a real line hides. Of the transfers over
the loopback, two kinds fell behind on machines of two cores (November 2026):

- **Upload by HTTPS**: SHA-256 is computed while the dump is read; curl computes nothing. Without it, the ratio was
  0.94. The hash is kept, because a second run knows by it that there is nothing to send.
- **SFTP, both ways**: paramiko handles every packet of 32 KiB in Python, under the lock of its interpreter. Larger
  buffers and requests, reading ahead and hashing in a thread of its own changed little; sending several packets at once
  helped, and is done. OpenSSH is a program in C.

Measure it yourself
-------------------

.. code-block:: shell

  make bench
  make bench RUN="plone_fleet --sites 1,10 --upgrade-runs 2"

The first runs everything and takes an hour or more; the second runs one benchmark with options of its own, which are
listed by ``--help``. Transfers need nginx, OpenSSH and curl, and root for the rows over a distance. What your machine
cannot do is left out, and the table says so. Each run is kept in ``benchmarks/results/`` with its date and commit, and
this page is written anew.
"""

NO_BAR, NOTHING = "no bar", "\\-"


def page(results: Path = RESULTS) -> str:
    """The whole page, from the results in a folder."""
    newest = {name: found for name in BENCHMARKS if (found := _newest(results, name))}
    rows = [row for found in newest.values() for row in found["rows"]]
    parts = [HEAD, _tally(rows)]
    for name, (heading, explanation) in BENCHMARKS.items():
        parts += [title(heading, "-"), textwrap.fill(explanation, 118) + "\n"]
        parts += _measured(newest[name]) if name in newest else ["Not measured yet.\n"]
    return "\n".join([*parts, TAIL])


def _newest(results: Path, name: str) -> dict[str, Any]:
    """The last run of a benchmark; nothing where there is none."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in results.glob("*.json")]
    return max((run for run in found if run["benchmark"] == name), key=lambda run: run["at"], default={})


def _tally(rows: list[dict[str, Any]]) -> str:
    met = [row["met"] for row in rows if "met" in row]
    skipped = sum("skipped" in row for row in rows)
    return f"Bars met: {sum(met)} of {len(met)}. Rows that could not be measured: {skipped}.\n"


def _measured(run: dict[str, Any]) -> Iterator[str]:
    """One run: when and where, what it noted, and a table of each kind for each of its sections."""
    day, _separator, clock = run["at"].partition("T")
    machine, *notes = run["notes"]
    when = f"{day} at {clock[:2]}:{clock[2:4]} UTC"
    yield f"Measured on {when}, at commit {_commit(run['commit'])}, on: {plain(machine)}.\n"
    for section, found in groupby(run["rows"], key=lambda row: row["section"]):
        rows = list(found)
        compared = [_compared(row) for row in rows if "ratio" in row]
        others = [_other(row) for row in rows if "ratio" not in row]
        what = plain(section) or "What"
        if compared:
            head = (what, "Beside", "Ratio", "Ours", "Theirs", "Verdict")
            yield table(head, compared, (28, 18, 14, 15, 15, 10))
        if others:
            yield table((what, "Found", "Verdict"), others, (50, 25, 25))
    yield "\n".join(f"- {plain(note)}" for note in notes) + ("\n" if notes else "")


def _commit(name: str) -> str:
    return f"``{name.rstrip('+')}``" + (" with changes" if name.endswith("+") else "")


def _compared(row: dict[str, Any]) -> tuple[str, ...]:
    least, most = row["spread"]
    ratio = f"{row['ratio']:.2f} ({least:.2f} to {most:.2f} in {len(row['ours']['seconds'])})"
    verdict = f"bar {row['to_reach']:.1f}: {_judged(row)}" if "met" in row else NO_BAR
    return plain(row["name"]), plain(row["beside"]), ratio, _side(row["ours"]), _side(row["theirs"]), verdict


def _side(found: dict[str, Any]) -> str:
    calls = " or ".join(map(str, found.get("calls", ())))
    return f"{found['median']:.2f} s, CPU {found['cpu']:.2f} s" + (f", {calls} calls" if calls else "")


def _other(row: dict[str, Any]) -> tuple[str, ...]:
    if "skipped" in row:
        return plain(row["name"]), NOTHING, f"skipped: {plain(row['skipped'])}"
    verdict = f"{plain(row['to_reach'])}: {_judged(row)}" if "met" in row else NO_BAR
    return plain(row["name"]), plain(row["found"]), verdict


def _judged(row: dict[str, Any]) -> str:
    return "met" if row["met"] else "**not met**"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
