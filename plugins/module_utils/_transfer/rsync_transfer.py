# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What rsync does while one transfer of a platform is open: list, carry over several connections, compare, repair.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import re
import threading
import typing as t
from dataclasses import dataclass

from .._core.errors import UpgradeError
from .resume import BrokenOffError
from .rsync import Rsync, Run, silence_for
from .rsync_groups import groups_of, patterns_for
from .ssh_command import SshFolder, ssh_command

if t.TYPE_CHECKING:
    from .._core.progress import Progress
    from .dump import TransferStats

USER = "odoo"
LISTED = re.compile(r"-\S{9}\s+(\d+) \S+ \S+ (.*)")
TREE = ("--recursive", "--links", "--times")
SHOWN = ("--info=progress2", "--no-human-readable", "--outbuf=N")
COMPARED = ("--dry-run", "--checksum", "--itemize-changes")
NOT_BEGUN = 12
"""rsync's exit status where the other end did not begin, because its command was refused or the line was cut."""


@dataclass(frozen=True)
class Server:
    """Where an open transfer listens, with the checked lines of its known_hosts."""

    host: str
    port: int
    known_hosts: str


@dataclass(frozen=True)
class Manner:
    """How files travel.

    :param folder: holds the key, and the known_hosts of the open transfer.
    """

    folder: SshFolder
    timeout: int
    connections: int
    retries: int
    ssh_options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """What travels.

    :param what: for messages: "The upload".
    :param uploads: from here to the server; the other way otherwise.
    :param sources: a folder with a slash at its end means its content.
    :param files: sizes of files by their path from the root of the transfer, to be spread over connections.
    :param options: of rsync, beside those of every transfer.
    """

    what: str
    uploads: bool
    sources: tuple[str, ...]
    target: str
    size: int = 0
    files: t.Mapping[str, int] | None = None
    options: tuple[str, ...] = ()


class OpenTransfer:
    """Runs of rsync to and from one server.

    :param plain: leave out the options that the platform's own script does not use.
    :param single: use one connection.
    """

    def __init__(
        self, server: Server, manner: Manner, stats: TransferStats, *, plain: bool = False, single: bool = False
    ) -> None:
        self._server = server
        self._manner = manner
        self._stats = stats
        self._plain = plain
        self._shell = ssh_command(server.port, manner.timeout, manner.ssh_options)
        self.single = single
        self.furthest = 0

    def list_files(self, path: str) -> dict[str, int]:
        """The files below a path on the server, by their path from its parent; empty where they cannot be listed."""
        run = self._rsync([*TREE, "--no-human-readable", f"--rsh={self._shell}", self._there(path)]).run()
        found = [LISTED.fullmatch(line) for line in run.lines] if not run.status else []
        return {line[2]: int(line[1]) for line in found if line}

    def carry(self, job: Job, progress: Progress) -> None:
        """Bring everything over: by several connections where that is worth it and the platform takes them, or by one.

        It proves nothing: :func:`require_same` does, and brings over what is missing.

        :raises BrokenOffError: the connection broke off; what arrived stays.
        :raises UpgradeError: rsync or the platform refuses.
        """
        counts: dict[int, int] = {}

        def counter(stream: int) -> t.Callable[[int], None]:
            def moved(count: int) -> None:
                counts[stream] = count
                total = sum(list(counts.values()))
                self.furthest = max(self.furthest, min(total, job.size) if job.size else total)
                progress.moved(self.furthest, job.size or None)

            return moved

        several = not self.single and not self._plain
        groups = groups_of(job.files or {}, self._manner.connections) if several else []
        if groups and self._carry_side_by_side(job, groups, counter):
            return
        counts.clear()
        run = self._rsync(self._command(job), job.size, moved=counter(0)).run()
        self._note(run)
        run.require_success(job.what)
        self._stats.connections = max(self._stats.connections, 1)

    def differences(self, job: Job) -> list[str] | None:
        """The names of files that differ between both ends; None where the platform does not let them be compared.

        :raises BrokenOffError: the connection broke off.
        """
        run = self._rsync(self._command(job, *COMPARED, sends=False), 2 * job.size).run()
        if run.status == NOT_BEGUN and not self.sends_again(job):
            return None
        run.require_success(job.what)
        return run.changes

    def repair(self, job: Job) -> None:
        """Bring over what differs though its size and time are the same."""
        run = self._rsync(self._command(job, "--checksum"), 2 * job.size).run()
        self._note(run)
        run.require_success(job.what)

    def sends_again(self, job: Job) -> bool:
        """Whether the command of the transfer, run once more, finds a file that it has to bring over."""
        run = self._rsync(self._command(job), job.size).run()
        run.require_success(job.what)
        return run.sent_files

    def _note(self, run: Run) -> None:
        self._stats.moved += run.moved
        self._stats.resumed_from += run.matched

    def _carry_side_by_side(
        self, job: Job, groups: list[list[str]], counter: t.Callable[[int], t.Callable[[int], None]]
    ) -> bool:
        """Have each group travel over a connection of its own; whether all of them arrived.

        :raises BrokenOffError: the connections broke off.
        """
        runs: dict[int, Run] = {}
        begun = threading.Event()

        def first_moved(count: int) -> None:
            begun.set()
            counter(0)(count)

        def work(number: int, rsync: Rsync) -> None:
            try:
                runs[number] = rsync.run()
            except UpgradeError as error:
                runs[number] = Run(status=NOT_BEGUN, words=str(error))
            finally:
                begun.set()

        command = self._command(job, "--include-from=-", "--exclude=*", deletes=False)
        streams = [
            self._rsync(command, job.size, counter(number) if number else first_moved, patterns_for(names))
            for number, names in enumerate(groups)
        ]
        threads = [threading.Thread(target=work, args=each, daemon=True) for each in enumerate(streams)]
        try:
            threads[0].start()
            # It makes the folder on the other end; two that make it at once get in each other's way.
            begun.wait(self._manner.timeout)
            for thread in threads[1:]:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException:
            for rsync in streams:
                rsync.stop()
            raise
        for run in runs.values():
            self._note(run)
        going = [run for run in runs.values() if not run.status or run.moved]
        self._stats.connections = max(self._stats.connections, len(going))
        # One that was let in beside others that were not: the platform takes so many connections and no more.
        self.single = 0 < len(going) < len(runs)
        broken = [run for run in (going or runs.values()) if run.status or run.silent]
        if broken and not self.single:
            broken[0].require_success(job.what)
        return not broken and not self.single

    def _command(self, job: Job, *more: str, sends: bool = True, deletes: bool = True) -> list[str]:
        keeps = ("--partial", "--stats") if sends and not self._plain else ()
        own = [option for option in job.options if deletes or not option.startswith("--delete")]
        sources, target = job.sources, job.target
        if job.uploads:
            target = self._there(target)
        else:
            sources = tuple(self._there(source) for source in sources)
        return [*TREE, *keeps, *SHOWN, *own, *more, f"--rsh={self._shell}", *sources, target]

    def _there(self, path: str) -> str:
        return f"{USER}@{self._server.host}:{path}"

    def _rsync(
        self,
        arguments: list[str],
        size: int = 0,
        moved: t.Callable[[int], None] = lambda _count: None,
        patterns: str = "",
    ) -> Rsync:
        silence = silence_for(size, self._manner.timeout)
        return Rsync(arguments, self._manner.folder.path, moved=moved, patterns=patterns, silence=silence)


def require_same(transfer: OpenTransfer, job: Job, warn: t.Callable[[str], None]) -> None:
    """Prove that both ends have the same bytes, and repair once what differs.

    :raises BrokenOffError: the connection broke off, or the files still differ.
    """
    different = transfer.differences(job)
    if different is None:
        warn(
            f"{job.what} is whole by the names, sizes and times of the files. The platform does not let rsync compare "
            "their content."
        )
        return
    if not different:
        return
    transfer.repair(job)
    different = transfer.differences(job)
    if different:
        raise BrokenOffError(f"{job.what}: {len(different)} files differ on the two ends, such as {different[0]}.")
