# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules by which AWX goes through the nodes of a workflow, and says in the end how it went."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

LINKS = ("success_nodes", "failure_nodes", "always_nodes")


class Course(NamedTuple):
    """``ran`` are the identifiers of the nodes that ran, in order; ``failed`` is what AWX says of the workflow."""

    ran: list[str]
    failed: bool


def course(nodes: Collection[Mapping[str, Any]], failing: Collection[str]) -> Course:
    """What happens when the nodes ``failing`` end badly, a denied approval among them.

    A node that failed fails the workflow only where nothing leads on from it, as in has_workflow_failed() of
    awx/main/scheduler/dag_workflow.py.
    """
    by_number = {node["id"]: node for node in nodes}
    led_to = {number for node in nodes for link in LINKS for number in node[link]}
    due = [number for number in by_number if number not in led_to]
    ran: list[str] = []
    failed = False
    while due:
        node = by_number[due.pop(0)]
        ran.append(node["identifier"])
        bad = node["identifier"] in failing
        following = [*node["failure_nodes" if bad else "success_nodes"], *node["always_nodes"]]
        failed = failed or (bad and not following)
        due += following
    return Course(ran, failed)
