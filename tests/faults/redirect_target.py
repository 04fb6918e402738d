# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a call can lead to in place of its server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.siteops.upgrades.tests.unit.certificates import Authority
from faults.listeners import Listener, closed_port
from faults.surroundings import UNRESOLVABLE

FOREIGN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


@dataclass
class RedirectTargets:
    """Where a call can lead to in place of its server: origins by the name of a fault; ``foreign`` is another host."""

    origins: dict[str, str]
    foreign: Listener
    listeners: tuple[Listener, ...]
    authority: Path

    def received(self) -> bytes:
        """Everything that arrived at any of them, which is nothing where nobody was trusted."""
        return b"".join(block for listener in self.listeners for block in listener.received)


@contextlib.contextmanager
def redirect_targets(folder: Path) -> Iterator[RedirectTargets]:
    """Start them; certificates are made in the folder."""
    known, unknown = Authority(folder, "known"), Authority(folder, "unknown")
    certificates = {
        "expired": known.issue(expired=True),
        "wrong_host": known.issue(host="elsewhere.example"),
        "untrusted": unknown.issue(),
    }
    with contextlib.ExitStack() as stack:
        bad = {name: stack.enter_context(Listener(path, FOREIGN)) for name, path in certificates.items()}
        foreign = stack.enter_context(Listener(reply=FOREIGN))
        no_tls = stack.enter_context(Listener(reply=b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"))
        origins = {name: f"https://127.0.0.1:{listener.port}" for name, listener in bad.items()}
        origins["refused"] = f"http://127.0.0.1:{stack.enter_context(closed_port())}"
        origins["dns"] = f"http://{UNRESOLVABLE}"
        origins["tls"] = f"https://127.0.0.1:{no_tls.port}"
        yield RedirectTargets(origins, foreign, (*bad.values(), foreign), known.file)
