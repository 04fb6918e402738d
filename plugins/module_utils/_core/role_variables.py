# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the roles behind the options of modules, named in failures for those who run a role.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import typing as t

ODOO_UPGRADE = {
    **{
        name: f"odoo_upgrade_{name}"
        for name in (
            *("aim", "allowed_hosts", "api_url", "ca_path", "check_dump", "connections", "contract", "dest", "dump"),
            *("email", "filename", "force", "progress_interval", "renew", "request_file", "sftp_host_key"),
            *(
                "sftp_known_hosts",
                "sftp_passphrase",
                "sftp_private_key",
                "sftp_private_key_text",
                "ssh_options",
                "target",
            ),
            *("timezone", "transport"),
            *("validate_certs", "wait", "wait_interval", "wait_timeout"),
        )
    },
    **{name: f"odoo_upgrade_dest_{name}" for name in ("group", "mode", "owner")},
    "src": "odoo_upgrade_dump",
}
PLONE_UPGRADE = {
    **{
        name: f"plone_upgrade_{name}"
        for name in (
            *("ca_path", "client_cert", "client_key", "headers", "login", "password", "token", "url", "username"),
            *("validate_certs", "wait_interval", "wait_timeout"),
        )
    },
    "accept_no_path": "plone_upgrade_addons_accept_no_path",
    "keep_going": "plone_upgrade_addons_keep_going",
}
PLONE_BACKUP = {
    name: f"plone_backup_{name}"
    for name in (
        *("blobs", "blobs_by", "data_fs", "database", "dest", "environment", "full", "full_if_older_than"),
        *("if_older_than", "keep", "login_host", "login_password", "login_port", "login_unix_socket", "login_user"),
        *("name", "pg_bin", "python", "repozo", "scratch", "ssl_mode", "timeout"),
    )
}
ROLES = (
    ("plone_backup", "full_if_older_than", PLONE_BACKUP),
    ("odoo_upgrade", "request_file", ODOO_UPGRADE),
    ("plone_upgrade", "token", PLONE_UPGRADE),
)
"""Each role with an option that all its modules have, and no others."""

CONNECTION = (
    *("database", "login_host", "login_password", "login_port", "login_unix_socket", "login_user"),
    *("pg_bin", "ssl_mode"),
)
ROLE_ENVIRONMENT = "SITEOPS_UPGRADES_ROLE"
"""The environment variable in which a role names itself to the modules that several roles run."""

SHARED: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "odoo_backup": (
        (
            "database",
            {
                name: f"odoo_backup_{name}"
                for name in (*CONNECTION, "dest", "filestore", "format", "if_older_than", "jobs", "keep")
            },
        ),
    ),
    "odoo_cutover": (
        (
            "database",
            {
                **{
                    name: f"odoo_cutover_{name}"
                    for name in (
                        *(*CONNECTION, "allow_fewer_rows", "allow_missing_modules", "ca_path", "config", "filestore"),
                        *("jobs", "keep_as", "login_url", "modules", "odoo_bin", "on_skew", "owner", "terminate"),
                        *("upgraded", "validate_certs", "web_password", "web_user"),
                    )
                },
                **dict.fromkeys(("filestore_dest", "filestore_dir", "sources"), "odoo_cutover_filestore"),
                "expect_version": "odoo_upgrade_target",
            },
        ),
        ("if_older_than", {"dest": "odoo_cutover_dest"}),
        ("sources", {"database": "odoo_cutover_upgraded", "dest": "odoo_cutover_filestore"}),
        *((mark, {"database": "odoo_cutover_upgraded"}) for mark in ("src", "modules", "baseline")),
    ),
    "odoo_test_copy": (
        (
            "database",
            {
                **{
                    name: f"odoo_test_copy_{name}"
                    for name in (
                        *(*CONNECTION, "addons_path", "allow_fewer_rows", "allow_missing_modules", "base_url"),
                        *("baseline", "config", "expect_version", "filestore_dest", "jobs", "link", "missing_scripts"),
                        *("modules", "odoo_bin", "on_skew", "owner", "src"),
                    )
                },
                **dict.fromkeys(("dest", "filestore"), "odoo_test_copy_filestore_dest"),
                "sources": "odoo_test_copy_filestore_sources",
            },
        ),
    ),
    "odoo_upgrade": (
        (
            "database",
            {**{name: f"odoo_upgrade_{name}" for name in (*CONNECTION, "filestore")}, "dest": "odoo_upgrade_dump"},
        ),
    ),
}
"""Of each role that runs modules for databases: its variables, which hold for modules that have an option. Later ones
take precedence."""

NOT_WITH = {"dest": "wait"}
"""Options that mean something else in a module that the role does not run, by an option that such a module has."""

NAMED = re.compile(r"'([a-z_]+)(?:: true)?'")


def with_role_variables(message: str, options: t.Container[str], runs: str = "") -> str:
    """A message that names options, with the variables by which a role sets them.

    :param options: those of the module.
    :param runs: the role that runs it, as :data:`ROLE_ENVIRONMENT` names it.
    """
    role, variables = _role_of(options, runs)
    named = [
        variables[name]
        for name in dict.fromkeys(NAMED.findall(message))
        if name in variables and NOT_WITH.get(name) not in options
    ]
    missing = [name for name in dict.fromkeys(named) if name not in message]
    return f"{message} In the role {role}: {', '.join(missing)}." if missing else message


def _role_of(options: t.Container[str], runs: str) -> tuple[str, dict[str, str]]:
    for role, mark, variables in ROLES:
        if mark in options:
            return role, variables
    found: dict[str, str] = {}
    for mark, variables in SHARED.get(runs, ()) if "pg_bin" in options else ():
        found.update(variables if mark in options else {})
    return runs, found
