# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unit tests share."""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core import http_client, masking
from ansible_collections.siteops.upgrades.plugins.module_utils._odoo import request

if t.TYPE_CHECKING:
    from pathlib import Path

MEANINGFUL = ("_proxy", "_ca_bundle", "ssl_cert_file", "ssl_cert_dir", "plone_", "odoo_", "netrc", "xdg_")


@pytest.fixture(autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, and none of the variables that the code or requests read; returns the home."""
    for name in list(os.environ):
        if any(part in name.lower() for part in MEANINGFUL):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def reads_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads are repeated as often as ever, without the pauses in between."""
    for module in (http_client, request):
        monkeypatch.setattr(module, "READ_AGAIN_AFTER", (0.0,) * len(http_client.READ_AGAIN_AFTER))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes may be random or carry a time, and every process that runs tests has to name a case alike."""
    return "bytes" if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def own_secrets() -> None:
    """A secret that one test registers is not masked in the texts of another."""
    masking.REGISTERED.clear()
