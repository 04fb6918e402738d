# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The narrow view of a request file that a transfer may use: what is under way, and the host key of the server.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .records import Fetched, Fetching, Sending, Sent
    from .request_file import RequestFile


class Notes:
    """What transfers note in a request file, each on disk when the method returns.

    Without a file everything is remembered until the run ends.
    """

    def __init__(self, file: RequestFile) -> None:
        self._file = file

    @property
    def path(self) -> str:
        """The path of the request file; empty where there is none."""
        return self._file.path

    @property
    def outlive_the_run(self) -> bool:
        """Whether a later run can read what is noted."""
        return bool(self._file.path)

    @property
    def request_id(self) -> str:
        """What people call the request by."""
        return self._file.record.request_id

    @property
    def sent(self) -> Sent | None:
        """The dump that the platform has received whole."""
        return self._file.record.sent

    @property
    def sending(self) -> Sending | None:
        """The upload under way."""
        return self._file.record.sending

    def note_sending(self, sending: Sending | None) -> None:
        """Note the upload under way. What was sent before counts no longer."""
        record = self._file.record
        if record.sent or record.sending != sending:
            record.sent, record.sending = None, sending
            self._file.save()

    @property
    def fetching(self) -> Fetching | None:
        """The download under way."""
        return self._file.record.fetching

    @property
    def fetched(self) -> Fetched | None:
        """The result that was verified on this host."""
        return self._file.record.fetched

    def note_fetching(self, fetching: Fetching | None) -> None:
        """Note the download under way."""
        self._file.record.fetching = fetching
        self._file.save()

    def note_fact(self, name: str, value: str) -> None:
        """Note what the platform says once only."""
        if self._file.record.facts.get(name) != value:
            self._file.record.facts = {**self._file.record.facts, name: value}
            self._file.save()

    @property
    def host_key(self) -> str:
        """The host key that was seen first, as ``place type base64``; empty where none was."""
        return self._file.record.host_key

    def note_host_key(self, line: str) -> None:
        """Note the host key that was seen first."""
        self._file.record.host_key = line
        self._file.save()

    @property
    def filename(self) -> str:
        """The name that the request was made with for its dump; empty where it was made without, or elsewhere."""
        intention = self._file.record.intention
        return intention.fields.get("filename", "") if intention else ""
