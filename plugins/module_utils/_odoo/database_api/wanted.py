# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a request of the database API v1 is made with, and what names one: checked before anything is sent.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ..._core.errors import OptionError
from ..._transfer.ssh_jump import jump_hosts
from ..transfer_options import AUTO, HTTPS
from ..wanted import Handle, Wanted

if t.TYPE_CHECKING:
    from ..options import RequestOptions, RequestReference
    from ..transfer_options import TransferOptions

OTHER_PROTOCOL = "belongs to today's upgrade service, and 'api_url' is one of the database API v1; leave it out."
LONGEST_NAME = 255
"""Bytes that file systems give a name."""


def wanted(options: RequestOptions) -> Wanted:
    """The contract, and the other parameters of ``create``.

    White space around a value is dropped, as it comes from files; nothing else is changed.

    :raises OptionError: a value is empty or malformed.
    """
    given = asdict(options)
    values = {}
    for option in ("contract", "email", "target", "filename", "timezone"):
        value = (given[option] or "").strip()
        if option == "timezone" and given[option] is None:
            continue
        if not value:
            raise OptionError(option, "is empty.")
        if not value.isprintable():
            raise OptionError(option, "holds a control character, such as a line end.")
        if option in ("contract", "email", "target") and any(character.isspace() for character in value):
            raise OptionError(option, "holds a space.")
        values[option] = value
    local, at, domain = values["email"].partition("@")
    if not local or not at or not domain or "@" in domain:
        raise OptionError("email", f"'{values['email']}' is not an e-mail address.")
    filename = values["filename"]
    if "/" in filename or "\\" in filename or filename in (".", ".."):
        raise OptionError("filename", f"'{filename}' is a path; give a name without a folder.")
    if len(filename.encode()) > LONGEST_NAME:
        raise OptionError("filename", f"is longer than {LONGEST_NAME} bytes.")
    contract = values.pop("contract")
    return Wanted(contract, {**values, "aim": options.aim})


def given(reference: RequestReference) -> Handle | None:
    """The id and key among the options, or None.

    :raises OptionError: only one of them is there, or one is nothing that the platform could have handed out.
    """
    if reference.token:
        raise OptionError("request_token", f"{OTHER_PROTOCOL} A request of v1 has a 'request_key'.")
    if not reference.id and not reference.key:
        return None
    values = (("request_id", reference.id, "request_key"), ("request_key", reference.key, "request_id"))
    for option, value, other in values:
        if not value:
            raise OptionError(option, f"is required together with '{other}'.")
        if not value.isprintable() or " " in value:
            raise OptionError(option, "holds a space, a line end or another character that none has.")
    return Handle(reference.id, reference.key)


def check_transfer(options: TransferOptions) -> None:
    """:raises OptionError: an option is given that this transfer cannot use."""
    jump_hosts(options.ssh_options)
    keys = options.sftp.keys
    has_keys = keys.private_key or keys.private_key_text or keys.public_keys
    if options.ssh_options and (options.transport == HTTPS or (options.transport == AUTO and not has_keys)):
        raise OptionError("ssh_options", "is for SFTP here, and this transfer goes by HTTPS.")
