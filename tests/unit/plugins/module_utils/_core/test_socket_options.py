# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection must be possible on every system, with every limit it sets."""

from __future__ import annotations

import socket
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core import socket_options as socket_options_module
from ansible_collections.siteops.upgrades.plugins.module_utils._core.socket_options import KEEP_ALIVE, socket_options

if t.TYPE_CHECKING:
    from pathlib import Path


def test_every_option_can_be_set_here() -> None:
    with socket.socket() as one:
        for option in socket_options():
            one.setsockopt(*option)
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize("windows", (None, "", "4096 16384", "4096 16384 many", f"4096 16384 {2**40}"))
def test_where_the_system_grants_no_more_it_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: str | None
) -> None:
    path = tmp_path / "tcp_wmem"
    if windows is not None:
        path.write_text(windows)
    monkeypatch.setattr(socket_options_module, "TCP_WINDOWS", path)
    assert socket_options() == KEEP_ALIVE


def test_where_it_grants_more_the_line_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tcp_wmem"
    path.write_text("4096 16384 4096")
    monkeypatch.setattr(socket_options_module, "TCP_WINDOWS", path)
    options = socket_options()
    assert options[: len(KEEP_ALIVE)] == KEEP_ALIVE
    with socket.socket() as one:
        before = one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        for option in options:
            one.setsockopt(*option)
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) > before
