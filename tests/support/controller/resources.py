# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the API: their fields, what makes them unique, and what can be associated with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

NEEDED = object()
"""The default of a field that has none."""


@dataclass(frozen=True)
class Field:
    """``kind`` is a type, or the name of the resource that the field refers to by id."""

    kind: type | str
    default: Any = None
    choices: tuple[Any, ...] = ()

    @property
    def needed(self) -> bool:
        return self.default is NEEDED


@dataclass(frozen=True)
class Resource:
    """``type`` is what AWX calls one object; no two may have the same values in all fields of ``unique``."""

    type: str
    fields: Mapping[str, Field]
    unique: tuple[str, ...] = ("name", "organization")
    associations: Mapping[str, str] = field(default_factory=dict)
    read_only: frozenset[str] = frozenset({"type"})


TEXT = Field(str, "")
NAME = Field(str, NEEDED)
FLAG = Field(bool, False)
NUMBER = Field(int, 0)
ORGANIZATION = Field("organizations")
NOTIFICATIONS = {
    f"notification_templates_{event}": "notification_templates" for event in ("started", "success", "error")
}
APPROVALS = {"notification_templates_approvals": "notification_templates"}
LABELS = {"labels": "labels"}
GROUPS = {"instance_groups": "instance_groups"}
ASKS = ("inventory", "limit", "scm_branch", "variables", "labels", "tags", "skip_tags")
JOB_ASKS = (*ASKS, "diff_mode", "job_type", "verbosity", "credential", "execution_environment", "forks", "timeout")

RESOURCES = {
    "organizations": Resource(
        "organization",
        {
            "name": NAME,
            "description": TEXT,
            "max_hosts": NUMBER,
            "default_environment": Field("execution_environments"),
        },
        unique=("name",),
        associations={"galaxy_credentials": "credentials", **NOTIFICATIONS, **APPROVALS},
    ),
    "credential_types": Resource(
        "credential_type",
        {
            "name": NAME,
            "description": TEXT,
            "kind": Field(str, NEEDED, ("cloud", "net")),
            "inputs": Field(dict, {}),
            "injectors": Field(dict, {}),
            "managed": FLAG,
        },
        unique=("name", "kind"),
    ),
    "credentials": Resource(
        "credential",
        {
            "name": NAME,
            "description": TEXT,
            "organization": ORGANIZATION,
            "credential_type": Field("credential_types", NEEDED),
            "inputs": Field(dict, {}),
        },
        unique=("name", "organization", "credential_type"),
    ),
    "execution_environments": Resource(
        "execution_environment",
        {
            "name": NAME,
            "description": TEXT,
            "organization": ORGANIZATION,
            "image": NAME,
            "credential": Field("credentials"),
            "pull": Field(str, "", ("", "always", "missing", "never")),
        },
        unique=("name",),
    ),
    "projects": Resource(
        "project",
        {
            "name": NAME,
            "description": TEXT,
            "organization": ORGANIZATION,
            "default_environment": Field("execution_environments"),
            "scm_type": Field(str, "", ("", "git", "svn", "insights", "archive")),
            "scm_url": TEXT,
            "scm_branch": TEXT,
            "credential": Field("credentials"),
            "scm_update_on_launch": FLAG,
            "scm_update_cache_timeout": NUMBER,
            "timeout": NUMBER,
        },
        associations=NOTIFICATIONS,
    ),
    "inventories": Resource(
        "inventory",
        {"name": NAME, "description": TEXT, "organization": Field("organizations", NEEDED), "kind": TEXT,
         "host_filter": Field(str), "variables": TEXT},
    ),  # fmt: skip
    "inventory_sources": Resource(
        "inventory_source",
        {
            "name": NAME,
            "description": TEXT,
            "inventory": Field("inventories", NEEDED),
            "source": Field(str, NEEDED, ("scm",)),
            "source_path": TEXT,
            "source_project": Field("projects"),
            "source_vars": TEXT,
            "credential": Field("credentials"),
            "execution_environment": Field("execution_environments"),
            "overwrite": FLAG,
            "overwrite_vars": FLAG,
            "update_on_launch": FLAG,
            "update_cache_timeout": NUMBER,
        },
        unique=("name", "inventory"),
        associations=NOTIFICATIONS,
    ),
    "notification_templates": Resource(
        "notification_template",
        {
            "name": NAME,
            "description": TEXT,
            "organization": Field("organizations", NEEDED),
            "notification_type": Field(str, NEEDED, ("webhook",)),
            "notification_configuration": Field(dict, {}),
            "messages": Field(dict),
        },
    ),
    "job_templates": Resource(
        "job_template",
        {
            "name": NAME,
            "description": TEXT,
            "organization": ORGANIZATION,
            "project": Field("projects", NEEDED),
            "playbook": NAME,
            "inventory": Field("inventories"),
            "execution_environment": Field("execution_environments"),
            "job_type": Field(str, "run", ("run", "check")),
            "extra_vars": TEXT,
            "limit": TEXT,
            "timeout": NUMBER,
            "forks": NUMBER,
            "job_slice_count": Field(int, 1),
            "diff_mode": FLAG,
            "survey_enabled": FLAG,
            "allow_simultaneous": FLAG,
            **{f"ask_{what}_on_launch": FLAG for what in JOB_ASKS},
        },
        associations={"credentials": "credentials", **LABELS, **GROUPS, **NOTIFICATIONS},
    ),
    "workflow_job_templates": Resource(
        "workflow_job_template",
        {
            "name": NAME,
            "description": TEXT,
            "organization": ORGANIZATION,
            "inventory": Field("inventories"),
            "extra_vars": TEXT,
            "limit": TEXT,
            "survey_enabled": FLAG,
            "allow_simultaneous": FLAG,
            **{f"ask_{what}_on_launch": FLAG for what in ASKS},
        },
        associations={**LABELS, **NOTIFICATIONS, **APPROVALS},
    ),
    "workflow_job_template_nodes": Resource(
        "workflow_job_template_node",
        {
            "identifier": NAME,
            "workflow_job_template": Field("workflow_job_templates", NEEDED),
            "unified_job_template": Field("unified_job_templates"),
            "extra_data": Field(dict, {}),
            "all_parents_must_converge": FLAG,
        },
        unique=("identifier", "workflow_job_template"),
        associations=dict.fromkeys(("success_nodes", "failure_nodes", "always_nodes"), "workflow_job_template_nodes"),
    ),
    "workflow_approval_templates": Resource(
        "workflow_approval_template", {"name": NAME, "description": TEXT, "timeout": NUMBER}, unique=()
    ),
    "labels": Resource("label", {"name": NAME, "organization": Field("organizations", NEEDED)}),
    "instance_groups": Resource("instance_group", {"name": NAME}, unique=("name",)),
    "teams": Resource("team", {"name": NAME, "description": TEXT, "organization": Field("organizations", NEEDED)}),
    "schedules": Resource(
        "schedule",
        {
            "name": NAME,
            "description": TEXT,
            "unified_job_template": Field("unified_job_templates", NEEDED),
            "rrule": NAME,
            "extra_data": Field(dict, {}),
            "enabled": Field(bool, True),
        },
        unique=("name", "unified_job_template"),
    ),
}  # fmt: skip

TEMPLATES = ("projects", "inventory_sources", "job_templates", "workflow_job_templates", "workflow_approval_templates")
"""What AWX lists together as unified_job_templates; they share one row of ids."""

SURVEYED = ("job_templates", "workflow_job_templates")

ROLES = {
    "job_templates": ("admin_role", "execute_role", "read_role"),
    "workflow_job_templates": ("admin_role", "execute_role", "approval_role", "read_role"),
}
"""The roles that an object of a kind gives, and that teams can have."""
