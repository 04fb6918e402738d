# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures around one real Plone, for the conftest of every folder whose tests need it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.ansible_cli import run_module
from support.module_runner import ModuleRun
from support.plone import PloneServer
from support.plone.accounts import ADMIN

Upgrade = Callable[..., ModuleRun]


@pytest.fixture
def own_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed run leaves behind stays within its test."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="session")
def plone_server() -> Iterator[PloneServer]:
    """One server for the whole session; tests take it as ``plone``."""
    with PloneServer() as server:
        yield server


@pytest.fixture
def plone(plone_server: PloneServer, own_state_folder: None) -> PloneServer:
    """The server as it was when it started, whatever the test before did to it: data, faults and access log."""
    plone_server.restore()
    return plone_server


@pytest.fixture
def as_admin(plone: PloneServer) -> dict[str, Any]:
    """The options that every Plone module takes, for the administrator of the site."""
    return {"url": plone.url, "username": ADMIN.name, "password": ADMIN.password}


@pytest.fixture
def upgrade(as_admin: dict[str, Any]) -> Upgrade:
    """Run plone_upgrade as the administrator; flags are Ansible's, options the module's."""

    def run(*flags: str, **options: Any) -> ModuleRun:
        return run_module("plone_upgrade", {**as_admin, "wait_timeout": 60, "wait_interval": 1, **options}, *flags)

    return run
