# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WSGI filter that writes down every request twice: when it arrives, and when its status is known.

    <key> <METHOD> <path?query>
    <key> <status>

So a request that is still being worked on, or was cut off by the end of the server, is seen too. <key> is unique
within the file, also across restarts of the server. Requests of the test support carry a header of their own; they are
not written down, and their answers name this process, which tells it from a stranger on the same port.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

SUPPORT_HEADER = "HTTP_X_TEST_SUPPORT"
ANSWER_HEADER = "X-Test-Server"


class AccessLog:
    def __init__(self, application: WSGIApplication, path: str) -> None:
        self.application = application
        self.path = path
        self.numbers = itertools.count(1)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if SUPPORT_HEADER in environ:
            return self.application(environ, _naming_this_process(start_response))
        key = f"{os.getpid()}-{next(self.numbers)}"
        query = environ.get("QUERY_STRING")
        path = environ["PATH_INFO"] + (f"?{query}" if query else "")
        self._write(f"{key} {environ['REQUEST_METHOD']} {path}")

        def answer(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            self._write(f"{key} {status[:3]}")
            return start_response(status, headers, exc_info)

        return self.application(environ, answer)

    def _write(self, line: str) -> None:
        with open(self.path, "a", encoding="utf-8") as log:
            log.write(f"{line}\n")


def _naming_this_process(start_response: StartResponse) -> StartResponse:
    def answer(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        return start_response(status, [*headers, (ANSWER_HEADER, str(os.getpid()))], exc_info)

    return answer


def filter_factory(global_config: object, path: str) -> Callable[[WSGIApplication], WSGIApplication]:
    return lambda application: AccessLog(application, path)
