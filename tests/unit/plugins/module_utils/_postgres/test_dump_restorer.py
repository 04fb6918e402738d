# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server does otherwise while a dump is restored."""

from __future__ import annotations

import os

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._core.clock import Deadline
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.connection import Connection
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.database import Server
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.dump_restorer import DumpRestorer
from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.tools import Programs
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump_forms import CUSTOM, SQL, TAR, Form


@pytest.mark.parametrize(
    ("host", "form", "jobs", "cores", "alone"),
    [
        ("", CUSTOM, 2, 2, True),
        ("127.0.0.1", CUSTOM, 8, 2, True),
        ("", CUSTOM, 1, 2, False),
        ("", CUSTOM, 2, 8, False),
        ("", TAR, 4, 4, False),
        ("", SQL, 4, 4, False),
        ("db.example.com", CUSTOM, 2, 2, False),
    ],
)
def test_jobs_that_fill_the_cores_build_each_index_alone(
    host: str, form: str, jobs: int, cores: int, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(Programs, "version", lambda self, name: (18, 1))
    server = Server(Connection(host=host), Programs())
    monkeypatch.setattr(server, "_version", 180001)
    restorer = DumpRestorer(server, "/x.dump", Form(form), "", False, Deadline(60))
    settings = restorer.settings_meanwhile(jobs)
    assert settings.pop("synchronous_commit") == "off"
    assert settings == ({"max_parallel_maintenance_workers": "0"} if alone else {})
