# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a dump is sent to an upgrade request once, and how it is known that it was.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

from .._core.errors import AnswerLostError, CallError, UpgradeError
from .._core.progress import Progress
from .._transfer.dump import DumpFile, FileMark, HashedBody, Moved, hash_of, open_dump
from .._transfer.ranges import Held, Prefix, Segment
from .._transfer.sftp_upload import SftpUpload
from .database_api.sftp import ALWAYS, SFTP, SftpPreparation, is_passing, transport_for
from .request import OdooRequest, opened_request
from .request_file import Sending, Sent, utc_now
from .states import DRAFT, state_of

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def upload_once(module: AnsibleModule) -> dict[str, t.Any]:
    """The result of odoo_upgrade_upload.

    :raises OptionError: one of the options is bad; nothing was sent.
    :raises UpgradeError: the request takes no dump any more, or the dump did not arrive whole.
    """
    with open_dump(module.params["src"], "src") as dump, opened_request(module, writes=True) as request:
        return _Upload(module, dump, request).result()


class _Upload:
    def __init__(self, module: AnsibleModule, dump: DumpFile, request: OdooRequest) -> None:
        self._module = module
        self._dump = dump
        self._request = request
        self._record = request.record
        self._name = ""
        self._transport = transport_for(module.params, dump.size)
        self._progress = Progress(module)

    def result(self) -> dict[str, t.Any]:
        sent = self._already_sent()
        sftp = SftpPreparation(self._module, self._request) if not sent and self._transport == SFTP else None
        document = self._request.status() if self._request.exists else {}
        if sent:
            return self._answer(document, sent, f"The platform already has this dump, since {sent.at}.")
        if document and state_of(document) != DRAFT:
            raise self._too_late(state_of(document))
        if self._module.check_mode:
            sent = self._note(Moved(self._dump.size))
            return self._answer(document, sent, f"The dump would be sent by {self._transport.upper()}.", Moved())
        started = time.monotonic()
        moved = self._send_by_sftp(sftp, self._request.filename(document)) if sftp else self._send_by_https()
        duration = time.monotonic() - started
        sent = self._record.sent = self._note(moved)
        self._record.sending = None
        self._request.file.save()
        with contextlib.suppress(CallError):
            document = self._request.status()
        return self._answer(document, sent, f"Sent {moved.size} bytes by {self._transport.upper()}.", moved, duration)

    def _already_sent(self) -> Sent | None:
        """What was noted of this very dump when it was sent; the file is read where its mark alone does not tell."""
        sent = self._record.sent
        if not sent or sent.size != self._dump.size:
            return None
        if FileMark.of(sent) == self._dump.mark and self._module.params["checksum"] != ALWAYS:
            return sent
        self._progress.state("reading")
        with open(self._dump.path, "rb", buffering=0) as file:
            digest = hash_of(file)
        if digest.hexdigest() != sent.sha256:
            return None
        self._dump.require_unchanged()
        mark = self._dump.mark
        self._record.sent = Sent(
            sent.size, sent.sha256, mark.mtime_ns, mark.inode, mark.device, sent.transport, sent.shared_name, sent.at
        )
        if not self._module.check_mode:
            self._request.file.save()
        return self._record.sent

    def _too_late(self, state: str) -> UpgradeError:
        sent = self._record.sent
        noted = (
            f"it was sent another dump at {sent.at}: {sent.size} bytes with the SHA-256 {sent.sha256}"
            if sent
            else "nothing is noted here of a dump that it was sent"
        )
        return UpgradeError(
            f"Request {self._record.id} is in the state {state} and takes no dump any more; {noted}. To upgrade "
            f"{self._dump.path}, make another request: with another 'request_file', or by 'renew: true'.",
            state=state,
        )

    def _send_by_https(self) -> Moved:
        if self._record.sent or self._record.sending:
            self._record.sent = self._record.sending = None
            self._request.file.save()
        body = HashedBody(self._dump, self._progress)
        try:
            self._request.client.upload(body, self._dump.size)
        except AnswerLostError as error:
            raise UpgradeError(
                f"{error} Whether the platform has the dump is not known ({body.offset} of {self._dump.size} bytes "
                "were read for it), so nothing was noted: the next run sends it again while the request is in draft.",
                **error.result,
            ) from error
        if body.offset != self._dump.size:
            raise UpgradeError(
                f"The platform answered that all is well after {body.offset} of the dump's {self._dump.size} bytes. "
                "Nothing was noted; the next run sends it again."
            )
        return Moved(self._dump.size, body.sha256, moved=body.offset)

    def _send_by_sftp(self, sftp: SftpPreparation, filename: str) -> Moved:
        server = sftp.server(filename)
        self._name = server.access.shared_file
        params = self._module.params
        upload = SftpUpload(
            self._dump,
            server,
            self._name,
            self._keep,
            retries=params["retries"],
            connections=params["connections"],
            progress=self._progress,
        )
        try:
            return upload.run(self._earlier())
        except UpgradeError as error:
            if not is_passing(error):
                raise
            there = self._earlier() if self._request.file.path else None
            raise UpgradeError(f"{error} {_how_to_go_on(there)}", **error.result) from error

    def _earlier(self) -> Held | None:
        """What an earlier run proved to be on the server of this very dump, unchanged since."""
        sending = self._record.sending
        if not sending or FileMark.of(sending) != self._dump.mark or sending.shared_name != self._name:
            return None
        beyond = ((max(start, sending.proven), end) for start, end in sending.segments if end > sending.proven)
        return Held(Prefix(sending.proven, sending.sha256), tuple(Segment(start, end) for start, end in beyond))

    def _keep(self, held: Held | None) -> None:
        mark = self._dump.mark
        self._record.sent = None
        self._record.sending = None
        if held:
            proven = held.prefix.size
            segments = ((0, proven), *((part.start, part.end) for part in held.beyond))
            self._record.sending = Sending(
                mark.size, mark.mtime_ns, mark.inode, mark.device, self._name, proven, held.prefix.sha256, segments
            )
        self._request.file.save()

    def _note(self, moved: Moved) -> Sent:
        mark = self._dump.mark
        return Sent(
            mark.size, moved.sha256, mark.mtime_ns, mark.inode, mark.device, self._transport, self._name, utc_now()
        )

    def _answer(
        self,
        document: t.Mapping[str, t.Any],
        sent: Sent,
        msg: str,
        moved: Moved | None = None,
        duration: float = 0.0,
    ) -> dict[str, t.Any]:
        details = {
            "src": os.path.abspath(self._dump.path),
            "size": sent.size,
            "sha256": sent.sha256,
            "transport": sent.transport,
            "at": sent.at,
            "duration": round(duration, 3),
            "bytes_sent": moved.moved if moved else 0,
            "resumed_from": moved.resumed_from if moved else 0,
            "breaks": moved.breaks if moved else 0,
            "connections": moved.connections if moved else 0,
        }
        return {"msg": msg, **self._request.result(document, changed=moved is not None, sent=details)}


def _how_to_go_on(there: Held | None) -> str:
    count = there.prefix.size + sum(part.end - part.start for part in there.beyond) if there else 0
    return f"Run this again to go on: {count} bytes are there." if count else "Run this again to send it anew."
