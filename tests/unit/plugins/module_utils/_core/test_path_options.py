# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A key or a certificate in the place of a path is refused by name, and none of it is shown."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import OptionError
from ansible_collections.siteops.upgrades.plugins.module_utils._core.masking import REGISTERED
from ansible_collections.siteops.upgrades.plugins.module_utils._core.path_options import mask_texts, refuse_texts
from ansible_collections.siteops.upgrades.plugins.module_utils._core.role_variables import with_role_variables

BODY = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW"
PEM = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{BODY}\n-----END OPENSSH PRIVATE KEY-----\n"
TEXTS = {
    "key": PEM,
    "one-line": PEM.replace("\n", "\\n"),
    "indented": f"  {PEM}",
    "certificate": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "body": BODY,
    "base64": base64.b64encode(PEM.encode()).decode(),
    "putty": f"PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\n{BODY}",
    "public": f"ssh-ed25519 {'A' * 60} me@example.org",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_a_text_is_refused_and_masked(text: str) -> None:
    params = {"ca_path": text, "number": 1, "other": None}
    mask_texts(params)
    assert text in REGISTERED
    with pytest.raises(OptionError, match="Option 'ca_path': holds a key or a certificate itself") as refused:
        refuse_texts({"ca_path": {"type": "path"}, "number": {"type": "int"}}, params)
    assert BODY not in str(refused.value)
    with pytest.raises(OptionError, match="or give the text as 'ca_path_text'"):
        refuse_texts({"ca_path": {"type": "path"}, "ca_path_text": {}}, params)


def test_a_text_in_a_list_is_refused_and_masked() -> None:
    params = {"sources": ["/var/lib/odoo", PEM], "allowed": {"x": [f"{PEM} "]}}
    mask_texts(params)
    assert {PEM, f"{PEM} "} <= REGISTERED
    with pytest.raises(OptionError, match="Option 'sources': holds a key or a certificate itself"):
        refuse_texts({"sources": {"type": "list", "elements": "path"}, "allowed": {"type": "dict"}}, params)


@pytest.mark.parametrize("path", ("/etc/ssl/ca.pem", "a b\nc", "MII/x", "ssh-keys/id_ed25519", "-----BEGIN", None))
def test_a_path_is_taken(path: str | None) -> None:
    refuse_texts({"ca_path": {"type": "path"}}, {"ca_path": path})


def test_a_message_names_the_variables_of_the_role() -> None:
    odoo = ("request_file", "src")
    assert with_role_variables("Option 'src': no, or 'renew: true', or 'src'.", odoo) == (
        "Option 'src': no, or 'renew: true', or 'src'. In the role odoo_upgrade: odoo_upgrade_dump, odoo_upgrade_renew."
    )
    assert with_role_variables("Set odoo_upgrade_renew, 'renew'.", odoo) == "Set odoo_upgrade_renew, 'renew'."
    assert "odoo_upgrade_dest" in with_role_variables("Option 'dest': no.", ("request_file", "dest"))
    assert "odoo_upgrade_dest" not in with_role_variables("Option 'dest': no.", ("request_file", "dest", "wait"))
    assert with_role_variables("The state is 'done'.", odoo) == "The state is 'done'."
    assert with_role_variables("Option 'url': no.", ("token", "url")).endswith(
        "In the role plone_upgrade: plone_upgrade_url."
    )
    assert with_role_variables("Option 'url': no.", ("url",)) == "Option 'url': no."


@pytest.mark.parametrize(
    ("role", "options", "message", "variables"),
    (
        ("odoo_backup", ("pg_bin", "database", "dest"), "Option 'dest': no.", "odoo_backup_dest"),
        ("odoo_test_copy", ("pg_bin", "database", "sources"), "Option 'dest': no.", "odoo_test_copy_filestore_dest"),
        ("odoo_cutover", ("pg_bin", "database", "upgraded"), "Option 'database': no.", "odoo_cutover_database"),
        ("odoo_cutover", ("pg_bin", "database", "src"), "Option 'database': no.", "odoo_cutover_upgraded"),
        ("odoo_cutover", ("pg_bin", "database", "sources"), "Option 'dest': no.", "odoo_cutover_filestore"),
        ("odoo_upgrade", ("pg_bin", "database", "dest"), "Options 'dest', 'login_user'.", "odoo_upgrade_dump"),
    ),
    ids=("dump", "merge", "swap", "restore", "merge-of-a-cut-over", "dump-for-an-upgrade"),
)
def test_a_message_names_the_variables_of_the_role_that_runs_the_module(
    role: str, options: tuple[str, ...], message: str, variables: str
) -> None:
    assert f" In the role {role}: {variables}" in with_role_variables(message, options, role)
    assert with_role_variables(message, options) == message
    assert with_role_variables("Option 'url': no.", ("url",), role) == "Option 'url': no."
