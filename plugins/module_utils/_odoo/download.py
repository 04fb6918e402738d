# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the result of an upgrade request is fetched once, verified, and given its name.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import stat
import time
import typing as t

from .._core.errors import OptionError, UpgradeError
from .._core.options import without_secrets
from .._core.progress import Progress
from .._core.text import one_line
from .._transfer.dump import FileMark, Moved, hash_of
from .._transfer.https import HttpsFetch, Known
from .._transfer.https_entity import Source
from .._transfer.part_file import SUFFIX, PartFile, give_name, open_part
from .._transfer.ranges import Held, Prefix
from .._transfer.sftp_download import SftpDownload
from .._transfer.sftp_protocol import Entry, SftpError
from .._transfer.verify import DamagedError, Verdict, check
from .database_api.client import passes_by_itself
from .database_api.sftp import ALWAYS, AUTO, HTTPS, SFTP, SftpPreparation, is_passing, transport_for
from .request import OdooRequest, opened_request
from .request_file import Fetched, Fetching, utc_now
from .states import DRAFT, IN_WORK, SUCCESS, state_of

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

PREFIX = "upgraded_"


def download_once(module: AnsibleModule) -> dict[str, t.Any]:
    """The result of odoo_upgrade_download.

    :raises OptionError: one of the options is bad; nothing was sent.
    :raises UpgradeError: there is no result, or it did not arrive whole.
    """
    dest = destination(module.params)
    mode = permissions(module.params["mode"])
    with opened_request(module, writes=True) as request:
        return _Download(module, request, dest, mode).result()


def destination(params: t.Mapping[str, t.Any]) -> str:
    """The absolute path of ``dest``.

    :raises OptionError: it is a folder, or its own folder is missing or cannot be written to.
    """
    dest = os.path.abspath(params["dest"])
    folder = os.path.dirname(dest)
    if os.path.isdir(dest) or params["dest"].endswith(os.sep):
        raise OptionError("dest", f"{dest} is a folder; give the path of the file.")
    if os.path.lexists(dest) and not os.path.isfile(dest):
        raise OptionError("dest", f"{dest} is not a regular file; give another path.")
    if not os.path.isdir(folder):
        raise OptionError("dest", f"the folder {folder} does not exist; make it first.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OptionError("dest", f"the folder {folder} cannot be written to.")
    return dest


def permissions(value: t.Any) -> int:
    """The permission bits, of octal digits or of the number that YAML makes of such digits without quotes.

    :raises OptionError: it is anything else.
    """
    try:
        mode = value if isinstance(value, int) and not isinstance(value, bool) else int(value, 8)
    except (ValueError, TypeError):
        mode = -1
    if not 0 <= mode <= 0o777:
        raise OptionError("mode", 'must be octal digits in quotes, such as "0600".')
    return mode


def result_names(filename: str) -> list[str]:
    """The names that the upgraded dump may have on the SFTP server, the documented one first.

    It is ``upgraded_<filename>``, or ``upgraded_<stem>.zip`` where attachments became a filestore. How much of a name
    like ``db.tar.gz`` is the stem is not documented, so each of its dots may be the end.
    """
    stems = [filename, *(filename[:place] for place, letter in enumerate(filename) if letter == "." and place)]
    return list(dict.fromkeys([PREFIX + filename, *(f"{PREFIX}{stem}.zip" for stem in stems)]))


def choose_result(filename: str, entries: t.Sequence[Entry]) -> Entry:
    """The upgraded dump among the files on the SFTP server, by its name.

    :raises SftpError: none of the files is that; names those that are there.
    """
    documented, *packed = result_names(filename)
    exact = [entry for entry in entries if _bare(entry) == documented]
    found = exact or [entry for entry in entries if _bare(entry) in packed]
    if len(found) == 1:
        return found[0]
    names = one_line(", ".join(sorted(entry.name for entry in entries)), 400) or "no files at all"
    raise SftpError(
        f"The SFTP server has {names}, and {'more than one' if found else 'none'} of them is the upgraded {filename}. "
        "Set 'transport' to https."
    )


def _bare(entry: Entry) -> str:
    """The name without the slash of the server's first folder, which some put before it."""
    return entry.name.removeprefix("/")


class _Download:
    def __init__(self, module: AnsibleModule, request: OdooRequest, dest: str, mode: int) -> None:
        self._module = module
        self._request = request
        self._record = request.record
        self._dest = dest
        self._mode = mode
        self._kind: str = module.params["content"]
        self._transport = self._choose_transport()
        self._progress = Progress(module)

    def _choose_transport(self) -> str:
        """How to fetch it: ``auto`` goes by the size of what was sent, the best guess before the result is seen."""
        params = self._module.params
        transport = transport_for(params, self._record.sent.size if self._record.sent else 0)
        if self._kind == "sql" and transport == SFTP:
            if params["transport"] != AUTO:
                raise OptionError("transport", "must be https for SQL; the SFTP server only has the archive.")
            return HTTPS
        return transport

    def result(self) -> dict[str, t.Any]:
        fetched = self._already_fetched()
        sftp = SftpPreparation(self._module, self._request) if not fetched and self._transport == SFTP else None
        document = self._request.status() if self._request.exists else {}
        if document:
            self._require_result(document)
        if fetched:
            return self._answer(
                document, fetched, f"{self._dest} already holds the result of this request, since {fetched.at}."
            )
        if os.path.lexists(self._dest) and not self._module.params["force"]:
            raise UpgradeError(
                f"There is another file at {self._dest}, which is not known to be the result of this request. Move it "
                "away, give another 'dest', or set 'force' to true to replace it."
            )
        if self._module.check_mode:
            msg = f"The result would be fetched by {self._transport.upper()}."
            return self._answer(document, self._note(Moved(), FileMark(0, 0, 0, 0)), msg, Moved())
        left_unnamed = self._left_unnamed()
        if left_unnamed:
            give_name(self._dest + SUFFIX, self._dest)
            return self._answer(document, left_unnamed, "Gave the file that an earlier run fetched its name.", Moved())
        return self._fetch(document, sftp)

    def _require_result(self, document: t.Mapping[str, t.Any]) -> None:
        self._request.require_not_failed(document)
        state = state_of(document)
        foreseen = self._module.check_mode and state in IN_WORK | {DRAFT}
        if state not in SUCCESS and not foreseen:
            raise UpgradeError(
                f"Request {self._record.id} is in the state {one_line(state, 60)}; there is no result yet. Wait for it "
                "with odoo_upgrade_request_info and 'wait: true'.",
                state=state,
            )

    def _already_fetched(self) -> Fetched | None:
        """What was noted of the file at the destination, if it is still that; read where its mark does not tell."""
        fetched = self._noted()
        mark = _mark(self._dest)
        if not fetched or mark is None or mark.size != fetched.size:
            return None
        if mark == FileMark.of(fetched) and self._module.params["checksum"] != ALWAYS:
            return fetched
        self._progress.state("reading")
        try:
            with open(self._dest, "rb", buffering=0) as file:
                same = hash_of(file).hexdigest() == fetched.sha256
        except OSError as error:
            raise OptionError("dest", f"{self._dest} cannot be read: {error.strerror}.") from error
        return fetched if same else None

    def _left_unnamed(self) -> Fetched | None:
        """What a run had fetched and verified that was killed just before the file got its name."""
        fetched = self._noted()
        return fetched if fetched and _mark(self._dest + SUFFIX) == FileMark.of(fetched) else None

    def _noted(self) -> Fetched | None:
        fetched = self._record.fetched
        return fetched if fetched and (fetched.dest, fetched.kind) == (self._dest, self._kind) else None

    def _fetch(self, document: t.Mapping[str, t.Any], sftp: SftpPreparation | None) -> dict[str, t.Any]:
        started = time.monotonic()
        with open_part(self._dest) as part:
            try:
                moved = self._fetch_by_sftp(part, document, sftp) if sftp else self._fetch_by_https(part, document)
            except UpgradeError as error:
                kept = self._record.fetching if self._request.file.path else None
                if not kept:
                    part.discard()
                if not is_passing(error):
                    raise
                raise UpgradeError(f"{error} {_how_to_go_on(kept)}", **error.result) from error
            verdict = self._verify(part, moved)
            part.sync(self._mode)
            fetched = self._record.fetched = self._note(moved, part.mark)
            self._record.fetching = None
            self._request.file.save()
            part.promote()
        duration = time.monotonic() - started
        if verdict.warning:
            self._module.warn(verdict.warning)
        msg = f"Fetched {moved.size} bytes by {self._transport.upper()} to {self._dest}."
        return self._answer(document, fetched, msg, moved, duration, verdict.format)

    def _fetch_by_https(self, part: PartFile, document: t.Mapping[str, t.Any]) -> Moved:
        client = self._request.client

        def opened(offset: int, end: int | None, entity: str) -> t.Any:
            return client.open_result(self._kind, offset=offset, end=end, entity=entity, document=document)

        def require(response: t.Any, start: bytes) -> None:
            client.require_result(self._kind, response, start)

        source = Source(f"GET upgraded/{self._kind}", self._kind, opened, passes_by_itself, require)
        noted = self._noted_part(part)
        earlier = Known(noted.entity, noted.size, _held(noted)) if noted else None
        return HttpsFetch(source, part, self._keeper(part), **self._manner).run(earlier)

    @property
    def _manner(self) -> dict[str, t.Any]:
        params = self._module.params
        return {"retries": params["retries"], "connections": params["connections"], "progress": self._progress}

    def _fetch_by_sftp(self, part: PartFile, document: t.Mapping[str, t.Any], sftp: SftpPreparation) -> Moved:
        noted = self._noted_part(part)
        filename = self._request.filename(document)

        def choose(entries: list[Entry]) -> Entry:
            return choose_result(filename, entries)

        def earlier(entity: str, size: int) -> Held | None:
            same = noted and (noted.entity, noted.size) == (entity, size)
            return _held(noted) if noted and same else None

        server, likely = sftp.server(filename), result_names(filename)
        download = SftpDownload(part, server, choose, self._keeper(part), likely=likely, **self._manner)
        return download.run(earlier)

    def _noted_part(self, part: PartFile) -> Fetching | None:
        noted = self._record.fetching
        same = noted and (noted.part, noted.kind, noted.transport) == (part.path, self._kind, self._transport)
        return noted if same else None

    def _keeper(self, part: PartFile) -> t.Callable[[str, int, Held], None]:
        """What puts a state of the part into the request file."""

        def keep(entity: str, size: int, held: Held) -> None:
            prefix = held.prefix
            self._record.fetching = Fetching(
                part.path, self._kind, entity, size, self._transport, prefix.size, prefix.sha256, held.beyond
            )
            self._request.file.save()

        return keep

    def _verify(self, part: PartFile, moved: Moved) -> Verdict:
        """:raises DamagedError: it is no whole dump; it was removed."""
        module = self._module
        self._progress.state("verifying")

        def run(command: t.Sequence[str]) -> tuple[int, str, str]:
            return module.run_command(list(command), environ_update={"LC_ALL": "C", **without_secrets(module)})

        try:
            pg_restore = module.get_bin_path("pg_restore")
            return check(
                part.path,
                self._kind,
                run,
                pg_restore,
                length_known=moved.length_known,
                end_known=moved.end_known,
            )
        except DamagedError as error:
            part.discard()
            self._record.fetching = None
            self._request.file.save()
            raise DamagedError(f"{error} It was removed; run again to fetch it anew.") from error

    def _note(self, moved: Moved, mark: FileMark) -> Fetched:
        return Fetched(
            self._dest,
            moved.size,
            moved.sha256,
            self._kind,
            moved.entity,
            self._transport,
            utc_now(),
            mark.mtime_ns,
            mark.inode,
            mark.device,
        )

    def _answer(
        self,
        document: t.Mapping[str, t.Any],
        fetched: Fetched,
        msg: str,
        moved: Moved | None = None,
        duration: float = 0.0,
        dump_format: str = "",
    ) -> dict[str, t.Any]:
        details = {
            "dest": self._dest,
            "content": self._kind,
            "format": dump_format,
            "size": fetched.size,
            "sha256": fetched.sha256,
            "transport": fetched.transport,
            "at": fetched.at,
            "duration": round(duration, 3),
            "bytes_received": moved.moved if moved else 0,
            "resumed_from": moved.resumed_from if moved else 0,
            "breaks": moved.breaks if moved else 0,
            "connections": moved.connections if moved else 0,
        }
        return {"msg": msg, **self._request.result(document, changed=moved is not None, fetched=details)}


def _how_to_go_on(kept: Fetching | None) -> str:
    here = kept.done + sum(part.end - part.start for part in kept.segments) if kept else 0
    return f"Run this again to go on: {here} bytes are here." if here else "Run this again to fetch it anew."


def _held(noted: Fetching) -> Held:
    return Held(Prefix(noted.done, noted.sha256), noted.segments)


def _mark(path: str) -> FileMark | None:
    """What identifies a regular file; None where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return FileMark.of_status(status) if stat.S_ISREG(status.st_mode) else None
