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

NOT_WITH = {"dest": "wait"}
"""Options that mean something else in a module that the role does not run, by an option that such a module has."""

NAMED = re.compile(r"'([a-z_]+)(?:: true)?'")


def with_role_variables(message: str, options: t.Container[str]) -> str:
    """A message that names options, with the variables by which a role sets them.

    :param options: those of the module.
    """
    for role, mark, variables in ROLES:
        if mark in options:
            named = [
                variables[name]
                for name in dict.fromkeys(NAMED.findall(message))
                if name in variables and NOT_WITH.get(name) not in options
            ]
            missing = [name for name in dict.fromkeys(named) if name not in message]
            if missing:
                return f"{message} In the role {role}: {', '.join(missing)}."
    return message
