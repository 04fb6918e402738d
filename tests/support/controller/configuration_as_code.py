# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of infra.aap_configuration: what its argument specs and its tasks read of each.

Read at its commit f2302146d4 of 2024-10-23. Names and types are in roles/*/meta/argument_specs.yml and defaults. The
specs say "a list of dictionaries" and no more, so the keys of an item come from roles/*/tasks/main.yml.
"""

from __future__ import annotations

NOTIFIED = {f"notification_templates_{event}" for event in ("started", "success", "error")}
SURVEYED = {"survey_enabled", "survey_spec", "labels", "extra_vars", "limit", "allow_simultaneous", *NOTIFIED}
NAMED = {"name", "organization", "description"}

KEYS = {
    "aap_organizations": {"name", "description", "galaxy_credentials", "instance_groups", "max_hosts"},
    "aap_teams": NAMED,
    "controller_labels": {"name", "organization"},
    "controller_credential_types": {"name", "description", "kind", "inputs", "injectors"},
    "controller_credentials": {*NAMED, "credential_type", "inputs", "update_secrets"},
    "controller_notifications": {*NAMED, "notification_type", "notification_configuration", "messages"},
    "controller_execution_environments": {*NAMED, "image", "pull", "credential"},
    "controller_projects": {
        *NAMED, *NOTIFIED, "default_environment", "scm_type", "scm_url", "scm_branch", "scm_update_on_launch",
        "scm_update_cache_timeout", "update_project", "credential", "timeout",
    },
    "controller_inventories": {*NAMED, "kind", "variables", "host_filter", "instance_groups"},
    "controller_inventory_sources": {
        *NAMED, *NOTIFIED, "inventory", "source", "source_project", "source_path", "execution_environment", "overwrite",
        "overwrite_vars", "update_on_launch", "update_cache_timeout", "credential",
    },
    "controller_templates": {
        *NAMED, *SURVEYED, "project", "playbook", "inventory", "execution_environment", "credentials",
        "instance_groups", "timeout", "job_slice_count", "job_type", "forks", "ask_job_type_on_launch",
        "ask_diff_mode_on_launch", "ask_limit_on_launch", "ask_credential_on_launch", "ask_verbosity_on_launch",
    },
    "controller_workflows": {
        *NAMED, *SURVEYED, "notification_templates_approvals", "simplified_workflow_nodes", "destroy_current_nodes",
    },
    "controller_schedules": {*NAMED, "unified_job_template", "rrule", "extra_data", "enabled"},
    "controller_roles": {"team", "role", "job_templates", "workflows", "lookup_organization"},
}  # fmt: skip

NODE_KEYS = {"identifier", "unified_job_template", "approval_node", "success_nodes", "failure_nodes", "extra_data"}
