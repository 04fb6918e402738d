# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control interface: JSON at /rehearsal/..., for whoever drives a rehearsal from outside this process.

    GET    /rehearsal                               addresses, pid, settings
    GET    /rehearsal/settings                      POST a JSON object to change some
    GET    /rehearsal/faults                        the queue and the table of kinds; POST one or a list; DELETE all
    GET    /rehearsal/calls?call=&request=          the log; DELETE clears it
    GET    /rehearsal/requests                      all requests, without keys
    POST   /rehearsal/requests/<id>/state           {"state": "...", "customer_message": "..."}
    POST   /rehearsal/requests/<id>/advance         leave the present in-work state
    POST   /rehearsal/requests/<id>/end_sftp_access as if the temporary SFTP server had been taken down
    POST   /rehearsal/reset                         forget requests, faults and calls; settings as at the start

An error is answered as {"error": "..."} with status 400 or 404. Anybody on this machine can use the interface.
"""

from __future__ import annotations

import json
import urllib.parse
from typing import TYPE_CHECKING, Any

from support.platform.dumps import DumpError
from support.platform.exchange import Answer, BodyTooLarge, Exchange
from support.platform.faults import KINDS, Fault, FaultError
from support.platform.requests_store import UpgradeRequest
from support.platform.settings import SettingsError
from support.upgrade_service.service_requests import ServiceRequest

if TYPE_CHECKING:
    from support.platform.server import Platform


class _NotFound(Exception):
    pass


class Control:
    """Answers the exchanges below /rehearsal with what the platform's own methods do."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def answer(self, exchange: Exchange) -> Answer:
        steps = [step for step in exchange.path.split("/") if step][1:]
        try:
            content = exchange.body.read()
            document = json.loads(content) if content else {}
            return Answer.of_json(self._do(exchange, steps, document))
        except _NotFound:
            return Answer.of_json({"error": f"there is no {exchange.method} {exchange.path}"}, 404)
        except BodyTooLarge:
            return Answer.of_json({"error": "the document is too large"}, 413)
        except (FaultError, SettingsError, DumpError, TypeError, ValueError) as error:
            return Answer.of_json({"error": str(error)}, 400)

    def _do(self, exchange: Exchange, steps: list[str], document: Any) -> Any:
        platform = self._platform
        match exchange.method, *steps:
            case ["GET"]:
                return platform.describe()
            case ["GET", "settings"]:
                return platform.settings.as_json()
            case ["POST", "settings"]:
                platform.settings.update(document)
                return platform.settings.as_json()
            case ["GET", "faults"]:
                return {"queue": [vars(fault) for fault in platform.faults.pending()], "kinds": _kinds()}
            case ["POST", "faults"]:
                for fault in [Fault.make(**each) for each in (document if isinstance(document, list) else [document])]:
                    platform.faults.add(fault)
                return {"queue": [vars(fault) for fault in platform.faults.pending()]}
            case ["DELETE", "faults"]:
                platform.faults.clear()
                return {"queue": []}
            case ["GET", "calls"]:
                query = dict(urllib.parse.parse_qsl(exchange.raw_query))
                number = int(query["request"]) if "request" in query else None
                return {"calls": [record.as_json() for record in platform.calls(query.get("call"), number)]}
            case ["DELETE", "calls"]:
                platform.log.clear()
                return {"calls": []}
            case ["GET", "requests"]:
                service = [_service_summary(request) for request in platform.service_store.all()]
                return {"requests": [*(_summary(request) for request in platform.store.all()), *service]}
            case ["POST", "requests", number, action]:
                return self._change_any(int(number), action, document)
            case ["POST", "reset"]:
                platform.reset()
                return {}
        raise _NotFound

    def _change_any(self, number: int, action: str, document: dict[str, Any]) -> dict[str, Any]:
        if self._platform.service_store.get(number):
            return _service_summary(self._change_service(number, action, document))
        return _summary(self._change(number, action, document))

    def _change_service(self, number: int, action: str, document: dict[str, Any]) -> ServiceRequest:
        request = self._platform.service_request(number)
        if action == "state":
            request.force_state(document["state"], document.get("customer_message"))
        elif action == "advance":
            request.advance()
        else:
            raise _NotFound
        return request

    def _change(self, number: int, action: str, document: dict[str, Any]) -> UpgradeRequest:
        if self._platform.store.get(number) is None:
            raise _NotFound
        if action == "state":
            return self._platform.force_state(number, document["state"], document.get("customer_message"))
        if action == "advance":
            return self._platform.advance(number)
        if action == "end_sftp_access":
            return self._platform.end_sftp_access(number)
        raise _NotFound


def _summary(request: UpgradeRequest) -> dict[str, Any]:
    return {
        "id": request.id,
        "filename": request.filename,
        "target": request.target,
        "aim": request.aim,
        "state": request.state,
        "history": list(request.history),
        "customer_message": request.customer_message,
        "upload_size": request.upload_size,
        "sftp_access": request.sftp_access is not None,
    }


def _service_summary(request: ServiceRequest) -> dict[str, Any]:
    return {
        "id": request.id,
        "target": request.target,
        "aim": request.aim,
        "state": request.state,
        "history": list(request.history),
        "reason": request.reason,
        "archived": request.archived,
        "transfer": request.transfer.what if request.transfer else None,
    }


def _kinds() -> dict[str, Any]:
    return {
        name: {
            "place": kind.place,
            "meaning": kind.meaning,
            "options": {option: "required" if default is ... else default for option, default in kind.options.items()},
        }
        for name, kind in KINDS.items()
    }
