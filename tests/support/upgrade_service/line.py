# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The line between a client and an ssh server: the port that is published, and everything a network can do to it.

It counts bytes of ssh traffic, as a firewall would see them, whichever server stands behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from support.platform.call_log import CallLog, CallRecord
from support.platform.certificates import LOOPBACK
from support.platform.faults import SSH_CALL, FaultQueue, SshPlan
from support.platform.pace import Pace
from support.platform.settings import Settings

_BLOCK = 64 * 1024
_ON_THE_WAY = 512
_Result = TypeVar("_Result")


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ssh", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _Result], seconds: float = 30) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def stop(self) -> None:
        with contextlib.suppress(Exception):
            self.run(_cancel_all(), 5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        if not self._loop.is_running():
            self._loop.close()


async def _cancel_all() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@dataclass
class _Connection:
    record: CallRecord
    plan: SshPlan
    pace: Pace
    writers: list[asyncio.StreamWriter]
    moved: int = 0

    def abort(self) -> None:
        for writer in self.writers:
            with contextlib.suppress(Exception):
                writer.transport.abort()


class Line:
    """One published port, for one open transfer.

    what:     upload or download, for the log.
    command:  gives the command that the ssh server saw from one of its clients' ports.
    """

    def __init__(
        self,
        request_id: int,
        what: str,
        behind: int,
        command: Callable[[int], str],
        faults: FaultQueue,
        log: CallLog,
        settings: Settings,
    ) -> None:
        self._request_id = request_id
        self._what = what
        self._behind = behind
        self._command = command
        self._faults = faults
        self._log = log
        self._settings = settings
        self._open: list[_Connection] = []
        self.most = 0

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the port, and every connection that is open."""
        self._server.close()
        for connection in list(self._open):
            connection.record.events.append("closed")
            connection.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        record = self._log.begin(SSH_CALL, "SSH")
        record.request_id = self._request_id
        record.events.append(self._what)
        plan = SshPlan()
        fault = self._faults.take(SSH_CALL)
        if fault:
            record.fault = fault.kind
            fault.apply(plan)
        limit = self._settings.ssh_connections
        connection = _Connection(record, plan, Pace(self._settings), [writer])
        self._open.append(connection)
        self.most = max(self.most, len(self._open))
        own_port = 0
        try:
            if plan.refuse_connection or (limit is not None and len(self._open) > limit):
                record.events.append("refused")
                return
            there, out = await asyncio.open_connection(LOOPBACK, self._behind)
            own_port = out.get_extra_info("sockname")[1]
            connection.writers.append(out)
            await self._carry(connection, reader, writer, there, out)
        except OSError:
            pass
        finally:
            connection.abort()
            self._open.remove(connection)
            command = self._command(own_port)
            if command:
                record.opens.append(command)
                record.acted = True
            self._log.finish(record)

    async def _carry(
        self,
        connection: _Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there: asyncio.StreamReader,
        out: asyncio.StreamWriter,
    ) -> None:
        ways = [
            asyncio.ensure_future(self._one_way(connection, reader, out, "received")),
            asyncio.ensure_future(self._one_way(connection, there, writer, "sent")),
        ]
        closing = connection.plan.close_after
        done, pending = await asyncio.wait(ways, timeout=closing, return_when=asyncio.FIRST_EXCEPTION)
        if pending and not any(task.exception() for task in done):
            await self.stop()
        for task in pending:
            task.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    async def _one_way(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, counter: str
    ) -> None:
        """Carry bytes one way, each of them half a round trip late."""
        late = self._settings.round_trip_seconds / 2
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_ON_THE_WAY)
        loop = asyncio.get_running_loop()

        async def deliver() -> None:
            while True:
                due, block = await waiting.get()
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
                if not block:
                    if writer.can_write_eof():
                        writer.write_eof()
                    return
                writer.write(block)
                await writer.drain()

        delivery = asyncio.ensure_future(deliver()) if late else None
        try:
            while True:
                block = await reader.read(connection.pace.block(_BLOCK))
                allowed = self._allowance(connection, len(block))
                connection.moved += allowed
                setattr(connection.record, counter, getattr(connection.record, counter) + allowed)
                if allowed < len(block) or (connection.plan.cut_after == connection.moved and block):
                    await self._end(connection)
                delay = connection.pace.delay(allowed)
                if delay:
                    await asyncio.sleep(delay)
                if delivery:
                    await waiting.put((loop.time() + late, block))
                elif block:
                    writer.write(block)
                    await writer.drain()
                elif writer.can_write_eof():
                    writer.write_eof()
                if not block:
                    break
            if delivery:
                await delivery
        finally:
            if delivery and not delivery.done():
                delivery.cancel()

    def _allowance(self, connection: _Connection, count: int) -> int:
        limits = [limit for limit in (connection.plan.cut_after, connection.plan.hang_after) if limit is not None]
        return min([count, *(max(0, limit - connection.moved) for limit in limits)])

    async def _end(self, connection: _Connection) -> None:
        if connection.plan.hang_after is not None:
            await asyncio.sleep(3600)
        connection.record.events.append("cut")
        raise ConnectionResetError("cut")
