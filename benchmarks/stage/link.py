# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network namespace behind a link of a given round trip time and rate.

`tc netem` makes the delay where the kernel has it. Where it has not, two tun devices do, with a process between them
that holds each packet back: TCP on both sides sees the same round trip, and nothing of it is in user space.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import os
import select
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE, THERE = "198.18.0.1", "198.18.0.2"
"""Addresses that RFC 2544 sets aside for benchmarks."""

PACKET = 9000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
NETEM_PACKETS = 100_000


class LinkUnavailable(Exception):
    """This machine does not let us make a namespace or a delay; says why."""


@dataclass(frozen=True)
class Link:
    """``prefix`` starts a command on the far side, whose address is ``host``; ``made_with`` says how it is delayed."""

    prefix: tuple[str, ...]
    host: str
    made_with: str


LOOPBACK = Link((), "127.0.0.1", "loopback")


@contextlib.contextmanager
def delayed(seconds: float, bits_per_second: float) -> Iterator[Link]:
    """A far side, until the body ends.

    :param seconds: the round trip time.
    :raises LinkUnavailable: not root, no iproute2, or a kernel with neither netem nor tun.
    """
    name = f"siteops{os.getpid()}"
    near, far = f"near{os.getpid() % 10**8}", f"far{os.getpid() % 10**8}"
    with contextlib.ExitStack() as stack:
        _ip("netns", "add", name)
        stack.callback(_ip, "netns", "del", name)
        _ip("-n", name, "link", "set", "lo", "up")
        try:
            made_with = _netem(stack, name, near, far, seconds, bits_per_second)
        except LinkUnavailable:
            made_with = _tun(stack, name, near, far, seconds, bits_per_second)
        _ip("address", "add", f"{HERE}/30", "dev", near)
        _ip("link", "set", near, "mtu", str(PACKET), "up")
        _ip("-n", name, "address", "add", f"{THERE}/30", "dev", far)
        _ip("-n", name, "link", "set", far, "mtu", str(PACKET), "up")
        yield Link(("ip", "netns", "exec", name), THERE, made_with)


def _netem(stack: contextlib.ExitStack, name: str, near: str, far: str, seconds: float, rate: float) -> str:
    _ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
    half = f"{seconds * 500:g}ms"
    delay = ("root", "netem", "delay", half, "rate", f"{rate:.0f}bit", "limit", str(NETEM_PACKETS))
    try:
        _run("tc", "qdisc", "add", "dev", near, *delay)
        _run("tc", "-n", name, "qdisc", "add", "dev", far, *delay)
    except LinkUnavailable:
        _ip("link", "del", near)
        raise
    stack.callback(_ip, "link", "del", near)
    return "tc netem"


def _tun(stack: contextlib.ExitStack, name: str, near: str, far: str, seconds: float, rate: float) -> str:
    ends = [_tun_device(stack, device) for device in (near, far)]
    _ip("link", "set", far, "netns", name)
    process = os.fork()
    if not process:
        with contextlib.suppress(BaseException):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _carry(ends[0], ends[1], seconds / 2, rate)
        os._exit(1)
    stack.callback(os.waitpid, process, 0)
    stack.callback(os.kill, process, signal.SIGKILL)
    return "tun devices and a process that delays (this kernel has no netem)"


def _tun_device(stack: contextlib.ExitStack, name: str) -> int:
    try:
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        stack.callback(os.close, descriptor)
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    except OSError as error:
        raise LinkUnavailable(f"neither tc netem nor a tun device can be made: {error.strerror}") from error
    return descriptor


def _carry(one: int, other: int, delay: float, rate: float) -> None:
    """Carry packets both ways, each after the time that the bits before it take, and the delay. Never returns."""
    parent = os.getppid()
    waiting: dict[int, collections.deque[tuple[float, bytes]]] = {one: collections.deque(), other: collections.deque()}
    free_at = {one: 0.0, other: 0.0}
    target = {one: other, other: one}
    while os.getppid() == parent:
        dues = [queue[0][0] for queue in waiting.values() if queue]
        pause = max(0.0, min(dues) - time.monotonic()) if dues else 1.0
        readable, _writable, _failed = select.select((one, other), (), (), pause)
        for source in readable:
            with contextlib.suppress(BlockingIOError):
                for _count in range(64):
                    packet = os.read(source, PACKET + 100)
                    now = time.monotonic()
                    free_at[source] = max(now, free_at[source]) + len(packet) * 8 / rate
                    waiting[source].append((free_at[source] + delay, packet))
        now = time.monotonic()
        for source, queue in waiting.items():
            while queue and queue[0][0] <= now:
                with contextlib.suppress(OSError):
                    os.write(target[source], queue.popleft()[1])


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    if os.geteuid():
        raise LinkUnavailable("network namespaces are made by root only")
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise LinkUnavailable(f"{command[0]} is not installed (Debian: iproute2)") from error
    except subprocess.CalledProcessError as error:
        raise LinkUnavailable(f"{' '.join(command)}: {error.stderr.strip()}") from error


def buffers(link: Link) -> str:
    """The largest TCP windows on the near side, which bound one connection at a given round trip time."""
    names = ("tcp_rmem", "tcp_wmem", "tcp_congestion_control")
    values = (" ".join(Path(f"/proc/sys/net/ipv4/{name}").read_text(encoding="ascii").split()) for name in names)
    return f"{link.made_with}; " + ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))
