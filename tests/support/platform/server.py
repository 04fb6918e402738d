# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole platform: both protocols, their transfers and control in one object."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.platform.api import Api
from support.platform.application import Application
from support.platform.call_log import CallLog, CallRecord
from support.platform.certificates import LOOPBACK, ensure_certificates
from support.platform.control import Control
from support.platform.faults import Fault, FaultQueue
from support.platform.http_server import HttpServer
from support.platform.requests_store import RequestStore, UpgradeRequest
from support.platform.results import Results
from support.platform.settings import Settings
from support.platform.sftp_server import SftpServer
from support.upgrade_service.api import FRONT, HOST, Service
from support.upgrade_service.service_requests import ServiceRequest, ServiceStore

_HTTPS_PORT = 443


class Platform:
    """A rehearsal platform on 127.0.0.1; use it as a context manager or with `start` and `stop`.

    port, sftp_port:  0 takes free ones.
    host_port:        the port of the first host in charge of today's service; 443 is left out of its name.
    folder:           where everything lies; certificates and host key in it are kept and used again. Without one a
                      private temporary folder is made, and removed by `stop`.
    tls:              False serves plain HTTP.
    on_call:          called with each finished record of the log, from the thread that served the call.
    settings:         see `Settings`; also given by name, as in `Platform(stage_seconds=0)`.
    """

    def __init__(
        self,
        port: int = 0,
        sftp_port: int = 0,
        host_port: int = 0,
        folder: Path | None = None,
        tls: bool = True,
        on_call: Callable[[CallRecord], None] | None = None,
        **settings: Any,
    ) -> None:
        self.settings = Settings()
        self.settings.update(settings)
        self._settings_at_start = self.settings.copy()
        self._ports = port, sftp_port, host_port
        self._tls = tls
        self._wanted_folder = folder
        self.faults = FaultQueue()
        self.log = CallLog(on_call)

    def start(self) -> Platform:
        """Serve; returns when both servers accept connections."""
        port, sftp_port, host_port = self._ports
        if self._wanted_folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="rehearsal-platform-"))
        else:
            self.folder = self._wanted_folder.resolve()
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ca_path, self.chain = ensure_certificates(self.folder)
        self.store = RequestStore(self.folder / "requests", self.settings)
        self._sftp = SftpServer(sftp_port, self.folder, self.store, self.faults, self.log)
        api = Api(self.store, self.settings, lambda: self.origin, lambda: (LOOPBACK, self.sftp_port))
        self.service_store = ServiceStore(self.folder / "service", self.settings, self.faults, self.log)
        service = Service(self.service_store, lambda: [_name_of(host) for host in self._hosts])
        results, control = Results(self.store), Control(self).answer

        def serve(port: int, server: str) -> HttpServer:
            application = Application(api, results, service, self.faults, self.settings, control, server)
            return HttpServer(port, self.chain if self._tls else None, application, self.log)

        self._http = serve(port, FRONT)
        self._hosts = [serve(host_port, HOST), serve(0, HOST)]
        self._sftp.start()
        for server in (self._http, *self._hosts):
            server.start()
        return self

    def stop(self) -> None:
        """End all connections; a temporary folder is removed."""
        for server in (self._http, *self._hosts):
            server.stop()
        self._sftp.stop()
        self.store.close()
        self.service_store.close()
        if self._wanted_folder is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Platform:
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def ports(self) -> list[int]:
        """The ports of both protocols' front, and of the hosts in charge of today's service."""
        return [server.server_port for server in (self._http, *self._hosts)]

    @property
    def origin(self) -> str:
        return self._http.origin

    @property
    def api_url(self) -> str:
        """What a client takes for `https://upgrade.odoo.com/database/v1`."""
        return f"{self.origin}/database/v1"

    @property
    def service_url(self) -> str:
        """What a client of today's service takes for `https://upgrade.odoo.com`."""
        return self.origin

    @property
    def control_url(self) -> str:
        return f"{self.origin}/rehearsal"

    @property
    def sftp_host(self) -> str:
        return LOOPBACK

    @property
    def sftp_port(self) -> int:
        return self._sftp.port

    @property
    def host_key(self) -> str:
        """The SFTP server's public key: type and key."""
        return self._sftp.host_key

    @property
    def known_hosts_line(self) -> str:
        """The same, as a line of a known_hosts file."""
        return f"[{LOOPBACK}]:{self.sftp_port} {self.host_key}"

    def calls(self, call: str | None = None, request_id: int | None = None) -> list[CallRecord]:
        """The log, all of it or that of one call (`create`, `upgraded/archive`, `sftp`, ...) or request."""
        return self.log.records(call, request_id)

    def fault(self, kind: str, call: str | None = None, times: int = 1, skip: int = 0, **options: Any) -> None:
        """Queue a fault of `faults.KINDS`. Raises FaultError for one that is not there."""
        self.faults.add(Fault.make(kind, call, times, skip, **options))

    def request(self, number: int) -> UpgradeRequest:
        """A request as it stands now. Raises KeyError."""
        request = self.store.get(number)
        if request is None:
            raise KeyError(number)
        return request

    def service_request(self, number: int | None = None) -> ServiceRequest:
        """A request of today's service as it stands now; the only one without a number. Raises KeyError."""
        found = [request for request in self.service_store.all() if number in (None, request.id)]
        if len(found) != 1:
            raise KeyError(number)
        return found[0]

    def force_state(self, number: int, state: str, customer_message: str | None = None) -> UpgradeRequest:
        request = self.request(number)
        request.force_state(state, customer_message)
        return request

    def advance(self, number: int) -> UpgradeRequest:
        """Let a request leave its present in-work state."""
        request = self.request(number)
        request.advance()
        return request

    def end_sftp_access(self, number: int) -> UpgradeRequest:
        """Take the temporary SFTP server of a request down; it has to be asked for again."""
        request = self.request(number)
        request.sftp_access = None
        return request

    def reset(self) -> None:
        """Forget requests, faults and calls; settings are those of the start again."""
        self.settings.update(self._settings_at_start.as_json())
        self.faults.clear()
        self.store.clear()
        self.service_store.clear()
        self.log.clear()

    def describe(self) -> dict[str, Any]:
        """Everything a client or a script needs to find its way, ready for JSON."""
        return {
            "api_url": self.api_url,
            "service_url": self.service_url,
            "control_url": self.control_url,
            "ca_path": str(self.ca_path),
            "sftp_host": self.sftp_host,
            "sftp_port": self.sftp_port,
            "sftp_host_key": self.host_key,
            "known_hosts_line": self.known_hosts_line,
            "contract": next(iter(self.settings.contracts), None),
            "folder": str(self.folder),
            "pid": os.getpid(),
            "settings": self.settings.as_json(),
        }


def _name_of(server: HttpServer) -> str:
    """A host as today's service names it: no scheme, and a port only because a rehearsal needs one."""
    return LOOPBACK if server.server_port == _HTTPS_PORT else f"{LOOPBACK}:{server.server_port}"
