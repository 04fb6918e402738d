# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several connections at the same transfer, each in a thread of its own.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import typing as t

TICK_SECONDS = 0.2
"""How often the thread that waits for the others looks after their common work."""

Member = t.Callable[[], None]


def work_together(
    members: t.Sequence[Member],
    *,
    is_done: t.Callable[[], bool],
    tick: t.Callable[[], None],
    stop: t.Callable[[], None],
) -> list[Exception]:
    """Run all of them until everything is done, or none is left.

    The first one is always waited for. The others may still be on their way to a server that lets them wait, and are
    left alone once everything is done; their threads end with the process, if not before.

    :param tick: called in this thread a few times a second meanwhile.
    :param stop: has all of them end soon; always called at the end.
    :return: what they raised, in the order of their ends.
    """
    ended: queue.SimpleQueue[tuple[int, Exception | None]] = queue.SimpleQueue()

    def run(number: int, member: Member) -> None:
        try:
            member()
        except Exception as error:  # the waiting thread judges it
            ended.put((number, error))
        else:
            ended.put((number, None))

    for number, member in enumerate(members):
        threading.Thread(target=run, args=(number, member), daemon=True).start()
    alive = set(range(len(members)))
    errors: list[Exception] = []
    try:
        while alive and (0 in alive or not is_done()):
            with contextlib.suppress(queue.Empty):
                number, error = ended.get(timeout=TICK_SECONDS)
                alive.discard(number)
                errors += [error] if error else []
            tick()
    finally:
        stop()
    return errors
