# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The methods of the database API v1. No socket here: parameters in, a JSON document out, Refusal for failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncssh

from support.platform import failures
from support.platform.exchange import Exchange
from support.platform.failures import Failure, Refusal
from support.platform.requests_store import RequestStore, UpgradeRequest
from support.platform.settings import Settings
from support.platform.status_document import status_document

AIMS = ("test", "production")


class Api:
    """`methods` maps the names of the API to what they do with an exchange.

    `origin` and `sftp_address` are asked when they are needed, because the ports are known only then.
    """

    def __init__(
        self,
        store: RequestStore,
        settings: Settings,
        origin: Callable[[], str],
        sftp_address: Callable[[], tuple[str, int]],
    ) -> None:
        self._store = store
        self._settings = settings
        self._origin = origin
        self._sftp_address = sftp_address
        self.methods: dict[str, Callable[[Exchange], dict[str, Any]]] = {
            "create": self._create,
            "upload": self._upload,
            "request_sftp_access": self._request_sftp_access,
            "process": self._process,
            "status": self._status,
            "skip_test": self._skip_test,
        }

    def _create(self, exchange: Exchange) -> dict[str, Any]:
        parameters = exchange.parameters
        required = ("contract", "email", "target", "aim", "filename")
        found: list[Failure] = [failures.parameter_missing(name) for name in required if not parameters.get(name)]
        email, target, aim = (parameters.get(name, "") for name in ("email", "target", "aim"))
        contract, filename = (parameters.get(name, "") for name in ("contract", "filename"))
        if email and "@" not in email:
            found.append(failures.value_invalid("email", email))
        if aim and aim not in AIMS:
            found.append(failures.value_invalid("aim", aim, AIMS))
        if target and target not in self._settings.targets:
            found.append(failures.target_invalid(target, self._settings.targets))
        if contract and contract not in self._settings.contracts:
            found.append(failures.contract_not_found(contract))
        if filename and not _is_file_name(filename):
            found.append(failures.value_invalid("filename", filename))
        if found:
            raise Refusal(*found)
        request = self._store.create(
            email=email, target=target, aim=aim, filename=filename, timezone=parameters.get("timezone") or None
        )
        exchange.record.request_id = request.id
        return self._document(request)

    def _upload(self, exchange: Exchange) -> dict[str, Any]:
        request = self._authorised(exchange)
        request.require_state("draft")
        part = request.folder / "original.part"
        exchange.body.save(part)
        request.require_state("draft")
        part.replace(request.original)
        return {"failures": []}

    def _request_sftp_access(self, exchange: Exchange) -> dict[str, Any]:
        request = self._authorised(exchange, "ssh_keys")
        access = request.grant_sftp_access(_public_keys(exchange.parameters["ssh_keys"]))
        host, port = self._sftp_address()
        user = sftp_user(request)
        return {
            "failures": [],
            "request": {
                "hostname": host,
                "sftp_port": port,
                "sftp_user": user,
                "shared_file": access.name,
                "request_id": request.id,
                "sample_command": f"sftp -P {port} {user}@{host}",
            },
        }

    def _process(self, exchange: Exchange) -> dict[str, Any]:
        self._store.process(self._authorised(exchange))
        return {"failures": []}

    def _status(self, exchange: Exchange) -> dict[str, Any]:
        return self._document(self._authorised(exchange))

    def _skip_test(self, exchange: Exchange) -> dict[str, Any]:
        self._authorised(exchange).skip_test()
        return {"failures": []}

    def _authorised(self, exchange: Exchange, *also_required: str) -> UpgradeRequest:
        missing = [name for name in ("key", "request", *also_required) if not exchange.parameters.get(name)]
        if missing:
            raise Refusal(*map(failures.parameter_missing, missing))
        number = exchange.parameters["request"]
        exchange.record.request_id = int(number) if number.isdecimal() else None
        return self._store.authorised(number, exchange.parameters["key"])

    def _document(self, request: UpgradeRequest) -> dict[str, Any]:
        return {"failures": [], "request": status_document(request, self._origin())}


def sftp_user(request: UpgradeRequest) -> str:
    return f"user_{request.id}"


def _is_file_name(name: str) -> bool:
    return name not in (".", "..") and "/" not in name and name.isprintable()


def _public_keys(text: str) -> frozenset[bytes]:
    """The keys of an authorized_keys-like text, which holds public keys, blank lines and comments, nothing else."""
    keys = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            keys.add(asyncssh.import_public_key(line).public_data)
        except (asyncssh.KeyImportError, ValueError) as error:
            raise Refusal(failures.ssh_keys_invalid(f"Line {number} is not a public key")) from error
    if not keys:
        raise Refusal(failures.ssh_keys_invalid("There is no public key"))
    return frozenset(keys)
