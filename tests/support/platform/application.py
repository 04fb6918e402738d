# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an HTTP request goes: the API, a result, or the control interface; faults and the log on the way."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

from support.platform import failures
from support.platform.api import Api
from support.platform.exchange import Answer, BodyTooLarge, Dropped, Exchange
from support.platform.failures import Refusal
from support.platform.faults import FaultQueue
from support.platform.results import Results
from support.platform.settings import Settings
from support.upgrade_service.api import FRONT, Service
from support.upgrade_service.api import PREFIX as SERVICE_PREFIX

API_PREFIX = "/database/v1/"
RESULT_PREFIX = "/database/"
CONTROL_PREFIX = "/rehearsal"


class Application:
    """Answers exchanges. `control` answers what concerns the rehearsal itself, without faults and without a record.

    server:  what it is for today's service: the front, or a host in charge of requests.
    """

    def __init__(
        self,
        api: Api,
        results: Results,
        service: Service,
        faults: FaultQueue,
        settings: Settings,
        control: Callable[[Exchange], Answer],
        server: str = FRONT,
    ) -> None:
        self._service = service
        self._server = server
        self._api = api
        self._results = results
        self._faults = faults
        self.settings = settings
        self.control = control

    def call_name(self, path: str) -> str:
        """The name of the call behind a path: `create`, `upgraded/archive`, ..., or `unknown`."""
        if path.startswith(API_PREFIX):
            name = path.removeprefix(API_PREFIX).rstrip("/")
            return name if name in self._api.methods else "unknown"
        if path.startswith(SERVICE_PREFIX):
            return self._service.call_name(path)
        return self._results.call_name(path) if path.startswith(RESULT_PREFIX) else "unknown"

    def answer(self, exchange: Exchange) -> Answer:
        """Answer one call, playing the fault that is due. Raises Dropped when the connection shall end."""
        fault = self._faults.take(exchange.record.call)
        exchange.record.fault = fault.kind if fault else None
        if fault and fault.place == "before":
            instead = fault.apply(exchange)
            if instead:
                return instead
        answer = self._act(exchange)
        if fault and fault.place == "after":
            answer = fault.apply(answer) or answer
        return answer

    def _act(self, exchange: Exchange) -> Answer:
        try:
            if exchange.path.startswith(API_PREFIX):
                return self._call_method(exchange)
            if exchange.path.startswith(SERVICE_PREFIX):
                return self._service.act(exchange, self._server)
            answer = self._results.answer(exchange)
            exchange.record.acted = answer.status < 400
            return answer
        except Refusal as refusal:
            exchange.record.failures = [failure["reason"] for failure in refusal.failures]
            return Answer.of_json({"failures": refusal.failures}, self.settings.failure_status)
        except BodyTooLarge:
            return Answer.of_html("413 Content Too Large", 413)
        except Dropped:
            raise
        except Exception:
            traceback.print_exc(file=sys.stderr)
            return Answer.of_json({"failures": [failures.server_error()]}, 500)

    def _call_method(self, exchange: Exchange) -> Answer:
        call = exchange.record.call
        if call not in self._api.methods:
            return Answer.of_html("404 Not Found", 404)
        uploads = call == "upload"
        if exchange.method not in (("POST",) if uploads or call == "request_sftp_access" else ("GET", "POST")):
            return Answer.of_html("405 Method Not Allowed", 405)
        exchange.read_parameters(raw_body=uploads)
        document = self._api.methods[call](exchange)
        exchange.record.acted = True
        return Answer.of_json(document)
