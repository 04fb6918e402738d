# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The failures that the platform answers, in the shape of the API document.

TARGET:INVALID and CONTRACT:NOT_FOUND are the document's samples, SERVER:ERROR is known from a client. The other
reasons are invented in the same grammar, because the document names no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Failure = dict[str, Any]


class Refusal(Exception):
    """The platform refuses a call, for all of these failures at once."""

    def __init__(self, *failures: Failure) -> None:
        super().__init__(", ".join(failure["reason"] for failure in failures))
        self.failures = list(failures)


def target_invalid(value: str, expected: Sequence[str]) -> Failure:
    return {
        "expected": list(expected),
        "message": f'Invalid value "{value}"',
        "reason": "TARGET:INVALID",
        "value": value,
    }


def contract_not_found(code: str) -> Failure:
    return {"code": code, "message": f"Can not find contract {code}", "reason": "CONTRACT:NOT_FOUND"}


def server_error(message: str = "Internal server error") -> Failure:
    return {"message": message, "reason": "SERVER:ERROR"}


def value_invalid(name: str, value: str, expected: Sequence[str] | None = None) -> Failure:
    failure: Failure = {"message": f'Invalid value "{value}"', "reason": f"{name.upper()}:INVALID", "value": value}
    return {"expected": list(expected), **failure} if expected else failure


def parameter_missing(name: str) -> Failure:
    return {"message": f"Missing parameter {name}", "reason": "PARAMETER:MISSING", "value": name}


def request_not_found(value: str) -> Failure:
    return {"message": f"Can not find request {value}", "reason": "REQUEST:NOT_FOUND", "value": value}


def key_invalid() -> Failure:
    return {"message": "The key does not belong to this request", "reason": "KEY:INVALID"}


def state_invalid(state: str, expected: Sequence[str]) -> Failure:
    return {
        "expected": list(expected),
        "message": f"The request is in the state {state}",
        "reason": "REQUEST:INVALID_STATE",
        "value": state,
    }


def file_missing() -> Failure:
    return {"message": "No database dump has been uploaded", "reason": "FILE:MISSING"}


def ssh_keys_invalid(message: str) -> Failure:
    return {"message": message, "reason": "SSH_KEYS:INVALID"}
