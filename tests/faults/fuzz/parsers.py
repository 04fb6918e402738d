# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coverage-guided fuzzing of the parsers, for whoever has minutes to spare and atheris installed:

    PYTHONPATH=tests:<root of ansible_collections> python -m faults.fuzz.parsers -max_total_time=60

The arguments are those of libFuzzer. An input whose parser raises anything but an error of the collection is written
to crash-... in the present folder.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import atheris

with atheris.instrument_imports(include=["ansible_collections.siteops.upgrades"]):
    from ansible_collections.siteops.upgrades.plugins.module_utils._core.errors import UpgradeError
    from ansible_collections.siteops.upgrades.plugins.module_utils._core.http_answer import Answer
    from ansible_collections.siteops.upgrades.plugins.module_utils._core.text import strip_control_chars
    from ansible_collections.siteops.upgrades.plugins.module_utils._odoo import request_json
    from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api import client
    from ansible_collections.siteops.upgrades.plugins.module_utils._odoo.database_api.status import public_document
    from ansible_collections.siteops.upgrades.plugins.module_utils._plone.addons import Addons
    from ansible_collections.siteops.upgrades.plugins.module_utils._plone.client import PloneClient
    from ansible_collections.siteops.upgrades.plugins.module_utils._plone.credentials import Credentials
    from ansible_collections.siteops.upgrades.plugins.module_utils._plone.migration_log import judge, readable
    from ansible_collections.siteops.upgrades.plugins.module_utils._plone.transactions import Transactions
    from ansible_collections.siteops.upgrades.plugins.module_utils._transfer import verify
    from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.ssh_keys import problem_of_public_key

SCRATCH = tempfile.NamedTemporaryFile()  # noqa: SIM115 - for as long as the process runs


class _OneBody:
    base_url = "https://upgrade.example.org"

    def __init__(self, body: bytes) -> None:
        self.body = body

    def get(self, path: str, **_options: Any) -> Answer:
        return Answer(f"GET {path}", 200, {}, self.body)

    def send(self, method: str, path: str, **_options: Any) -> Answer:
        return Answer(f"{method} {path}", 200, {}, self.body)


def _odoo(data: bytes) -> Any:
    return client.OdooClient(_OneBody(data), "1", "key")  # type: ignore[arg-type]


def _plone(data: bytes) -> Any:
    return PloneClient(_OneBody(data), Credentials("a", "b"))  # type: ignore[arg-type]


def _dump(data: bytes) -> None:
    with open(SCRATCH.name, "wb") as file:
        file.write(data)
    verify.check(SCRATCH.name, "archive", None, {})


def _report(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    judge(text)
    strip_control_chars(readable(text))


PARSERS: tuple[Callable[[bytes], Any], ...] = (
    lambda data: strip_control_chars(public_document(_odoo(data).status(), "key")),
    lambda data: _odoo(data).create({}),
    lambda data: _odoo(data).request_sftp_access("keys"),
    lambda data: _plone(data).site_state(),
    lambda data: _plone(data).post_upgrade(dry_run=True, timeout=1),
    lambda data: Transactions(_plone(data)).read(),
    lambda data: Addons(_plone(data)).read(),
    lambda data: problem_of_public_key(data.decode("latin-1")),
    _report,
    _dump,
)


def _request_file(data: bytes) -> None:
    with contextlib.suppress(ValueError, TypeError, KeyError, RecursionError):
        request_json.from_json(data)


def one_input(data: bytes) -> None:
    """The first byte chooses the parser, the rest is its input."""
    parsers = (*PARSERS, _request_file)
    with contextlib.suppress(UpgradeError):
        parsers[data[0] % len(parsers) if data else 0](data[1:])


SEEDS = (
    b'\0{"failures": [{"reason": "a", "message": "b"}], "request": {"id": 1, "key": "k", "state": "draft"}}',
    b'\2{"request": {"hostname": "h", "sftp_port": 22, "sftp_user": "u", "shared_file": "f"}}',
    b'\3{"versions": {"instance": "1", "fs": "2"}, "upgrade_steps": {"1-2": [{"id": "a", "title": "b"}]}}',
    b'\4{"versions": {"instance": "1", "fs": "2"}, "report": "Your Plone instance is now up-to-date."}',
    b'\5[{"id": "a", "time": "b", "username": "c", "description": "d", "size": 1}]',
    b'\6{"items": [{"id": "a", "is_installed": true, "upgrade_info": {"available": true}}]}',
    b"\7ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA",
    b"\x08Upgrade aborted. Error:\nTraceback (most recent call last):\n  File\nValueError: x",
    b"\x09PK\x03\x04PK\x01\x02PK\x05\x06",
    b'\x0a{"format": "siteops.upgrades odoo request", "schema": 1, "id": "1", "key": "k"}',
)


if __name__ == "__main__":
    os.umask(0o077)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS):
            with open(os.path.join(corpus, str(number)), "wb") as start:
                start.write(seed)
        atheris.Setup([*sys.argv, corpus], one_input)
        atheris.Fuzz()
