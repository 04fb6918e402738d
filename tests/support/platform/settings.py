# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rehearsal platform can be told, at its start or while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

SAMPLE_CONTRACT = "M123456-abcdef"
"""The contract of the API document's samples; the one contract that exists unless told otherwise."""


class SettingsError(ValueError):
    """A setting that does not exist, or a value it cannot take."""


@dataclass
class Settings:
    """The behaviour of the platform. Everything here may be changed while it runs.

    contracts:          the contract references that `create` finds.
    targets:            the Odoo versions that `create` accepts.
    stage_seconds:      seconds spent in each of pending, processing and testing; None waits for `advance`.
    end_state:          the state in which the work of a request ends. `done` and `delivered` have a result,
                        any other name (invalid, failed, cancelled, an unknown one) follows `processing` at once.
    customer_message:   shown in the status of requests that ended in `end_state`; `invalid` has one of its own.
    failure_status:     HTTP status that carries a document of failures.
    deliver_filestore:  deliver a zip archive with dump.sql and filestore/ whatever was uploaded.
    accept_any_dump:    take an upload of unknown format through all states instead of ending in `invalid`.
    bytes_per_second:   how fast dumps and results move over one connection, both ways; None is as fast as it goes.
                        For a line that holds little back on its way, set it before the connection is made.
    distance_seconds:   how far away it is: how long it takes to see a file or a list of them by SFTP, and until a
                        download by HTTPS begins.
    sftp_connections:   how many SFTP connections there may be at a time; None is any number.
    sftp_writers:       how many of them may have the file open for writing; None is any number.

    Of today's service alone; `stage_seconds` (of pending and progress), `end_state`, `customer_message` (the reason)
    and `bytes_per_second` are for both:

    ssh_server:             `sshd`, `asyncssh`, or `auto`: sshd where it is installed.
    ssh_connections:        how many connections a transfer takes at a time; None is any number.
    rsync_refuses:          options of rsync that are refused, such as "--partial", or one letter.
    round_trip_seconds:     how long a byte and its answer travel over ssh.
    pg_version_compatible:  what `process` answers.
    moves_at:               the state in which a request moves to the second host in charge.
    info:                   a text for the answer of `create`.
    wipe_fails:             requests that `wipe` cannot remove.
    """

    contracts: tuple[str, ...] = (SAMPLE_CONTRACT,)
    targets: tuple[str, ...] = ("16.0", "17.0", "18.0", "19.0")
    stage_seconds: float | None = 1.0
    end_state: str = "done"
    customer_message: str | None = None
    failure_status: int = 200
    deliver_filestore: bool = False
    accept_any_dump: bool = False
    bytes_per_second: int | None = None
    distance_seconds: float = 0.0
    sftp_connections: int | None = None
    sftp_writers: int | None = None
    ssh_server: str = "auto"
    ssh_connections: int | None = None
    rsync_refuses: tuple[str, ...] = ()
    round_trip_seconds: float = 0.0
    pg_version_compatible: bool = True
    moves_at: str | None = None
    info: str | None = None
    wipe_fails: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The settings as a JSON object."""
        return asdict(self)

    def update(self, changes: Mapping[str, Any]) -> None:
        """Change settings in place from JSON values, all of them or, after a SettingsError, none."""
        checked = {name: _checked(name, value) for name, value in changes.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def copy(self) -> Settings:
        """The same settings, free to change."""
        return replace(self)


def _checked(name: str, value: Any) -> Any:
    if name not in {field.name for field in fields(Settings)}:
        raise SettingsError(f"there is no setting {name!r}")
    if isinstance(getattr(Settings, name), tuple):
        kind = int if name == "wipe_fails" else str
        if not isinstance(value, (list, tuple)) or not all(isinstance(item, kind) for item in value):
            raise SettingsError(f"{name} must be a list of {'numbers' if kind is int else 'strings'}")
        return tuple(value)
    kinds: dict[str, tuple[type, ...]] = {
        "stage_seconds": (int, float, type(None)),
        "customer_message": (str, type(None)),
        "failure_status": (int,),
        "end_state": (str,),
        "deliver_filestore": (bool,),
        "accept_any_dump": (bool,),
        "bytes_per_second": (int, type(None)),
        "distance_seconds": (int, float),
        "sftp_connections": (int, type(None)),
        "sftp_writers": (int, type(None)),
        "ssh_server": (str,),
        "ssh_connections": (int, type(None)),
        "round_trip_seconds": (int, float),
        "pg_version_compatible": (bool,),
        "moves_at": (str, type(None)),
        "info": (str, type(None)),
    }
    stands_still = name == "bytes_per_second" and isinstance(value, int) and value < 1
    if not isinstance(value, kinds[name]) or (isinstance(value, bool) and bool not in kinds[name]) or stands_still:
        raise SettingsError(f"{name} cannot be {value!r}")
    return value
