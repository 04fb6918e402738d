# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a request of today's service is made with, and what names one: checked before anything is sent.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from ..._core.errors import OptionError
from ..wanted import Handle, Wanted

if t.TYPE_CHECKING:
    from ..options import RequestOptions, RequestReference
    from ..transfer_options import DownloadOptions, TransferOptions

OTHER_PROTOCOL = "belongs to the database API v1, whose URL ends in /database/v1; leave it out."


def wanted(options: RequestOptions) -> Wanted:
    """The contract, and the other parameters of ``create``. White space around a value is dropped.

    :raises OptionError: a value is empty or malformed.
    """
    values = {}
    for option, given in (("contract", options.contract), ("target", options.target)):
        value = (given or "").strip()
        if not value:
            raise OptionError(option, "is empty.")
        if not value.isprintable() or any(character.isspace() for character in value):
            raise OptionError(option, "holds a space or a control character.")
        values[option] = value
    return Wanted(values["contract"], {"target": values["target"], "aim": options.aim})


def ignored(options: RequestOptions) -> list[str]:
    """Those options that are given and that today's service has no use for."""
    given = {"email": options.email, "filename": options.filename, "timezone": options.timezone}
    return [name for name, value in given.items() if value]


def given(reference: RequestReference) -> Handle | None:
    """The token among the options, with the id where that is given too; None where no token is.

    :raises OptionError: an option of the other protocol is given, or the token is nothing that the platform hands out.
    """
    if reference.key:
        raise OptionError("request_key", f"{OTHER_PROTOCOL} Today's service knows a request by 'request_token'.")
    if not reference.token:
        if reference.id:
            raise OptionError("request_id", "is required together with 'request_token'.")
        return None
    for option, value in (("request_token", reference.token), ("request_id", reference.id)):
        if not value.isprintable() or " " in value:
            raise OptionError(option, "holds a space, a line end or another character that none has.")
    return Handle(reference.id, reference.token)


def check_transfer(options: TransferOptions) -> None:
    """:raises OptionError: an option of transfers that only the other protocol has is given."""
    sftp = options.sftp
    given = {
        "sftp_private_key": sftp.keys.private_key,
        "sftp_private_key_text": sftp.keys.private_key_text,
        "sftp_passphrase": sftp.keys.passphrase,
        "sftp_public_keys": sftp.keys.public_keys,
        "sftp_known_hosts": sftp.known_hosts,
        "sftp_host_key": sftp.host_key,
    }
    for option, value in given.items():
        if value:
            raise OptionError(option, OTHER_PROTOCOL)
    if options.transport != "auto":
        raise OptionError("transport", f"must be auto, not {options.transport}: today's service has rsync alone.")


def check_download(options: DownloadOptions) -> None:
    """:raises OptionError: as :func:`check_transfer`, or SQL is asked for."""
    check_transfer(options.transfer)
    if options.content == "sql":
        raise OptionError("content", "must be archive; today's service delivers no SQL by itself.")
