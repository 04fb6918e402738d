# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for AWX: its API, as far as setting up and launching templates goes, and how it hands things to a run.

The controller is stricter than AWX where that finds mistakes: a field or a filter that AWX does not have is refused
instead of ignored. Names, defaults and rules are those of AWX 24.6.
"""

from __future__ import annotations

from support.controller.awx_modules import awx_collection
from support.controller.credentials import Injection, inject
from support.controller.described import Described
from support.controller.inventory_update import InventoryUpdate, update_inventory
from support.controller.rules import check_credential_type, check_rrule, check_survey
from support.controller.server import ORGANIZATION_TOKEN, READING_TOKEN, TOKEN, Controller, Write
from support.controller.store import Refusal
from support.controller.workflow import Course, course
from support.controller.workflow_run import WorkflowRun, run_workflow

__all__ = [
    "ORGANIZATION_TOKEN",
    "READING_TOKEN",
    "TOKEN",
    "Controller",
    "Course",
    "Described",
    "Injection",
    "InventoryUpdate",
    "Refusal",
    "WorkflowRun",
    "Write",
    "awx_collection",
    "check_credential_type",
    "check_rrule",
    "check_survey",
    "course",
    "inject",
    "run_workflow",
    "update_inventory",
]
