# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is remembered of one upgrade request, as typed records.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from .._core.clock import utc_now, utc_text
from .._transfer.dump import FileMark
from .._transfer.ranges import Held
from .wanted import Handle, Wanted

CONTRACT_ROUNDS = 100_000


@dataclass(frozen=True)
class Intention:
    """What a request was or is to be made with.

    ``fields`` are those of :class:`Wanted`; ``contract`` is a salted hash. ``lost_answer`` says what came back in place
    of an answer, and is empty while that is unknown.
    """

    fields: dict[str, str]
    contract: str
    at: str
    lost_answer: str = ""


@dataclass(frozen=True)
class HostJob:
    """The dump that the request is for: its path on this host, and the SHA-256 of its content."""

    dump: str
    sha256: str


@dataclass(frozen=True)
class Sent:
    """A dump that the platform has received whole. ``name`` is what it is called there, where that matters."""

    mark: FileMark
    sha256: str
    transport: str
    name: str = ""
    at: str = ""


@dataclass(frozen=True)
class Sending:
    """An upload under way, of a file that had this mark when it began, to the file ``name`` of the platform.

    It is written when that file is known to be empty: what is in it later came from this dump. ``held`` is what the
    platform has confirmed.
    """

    mark: FileMark
    name: str
    held: Held


@dataclass(frozen=True)
class Fetched:
    """A result that is verified at ``dest``. ``content`` is archive or sql, ``entity`` what the server called it.

    Written just before the file gets its name, with the mark that identifies it without reading it.
    """

    dest: str
    mark: FileMark
    sha256: str
    content: str
    entity: str = ""
    transport: str = ""
    at: str = ""


@dataclass(frozen=True)
class Fetching:
    """A download under way into ``part``; ``entity`` and ``size`` are those of the whole on the server.

    ``held`` is what is on disk in the part and has these hashes: so much of it can be trusted.
    """

    part: str
    content: str
    entity: str
    size: int
    transport: str
    held: Held


@dataclass(frozen=True)
class StateSeen:
    """A state of the request and when it was first seen, in UTC."""

    state: str
    at: str


@dataclass(frozen=True)
class EarlierRequest:
    """A request that this file was about before another one was made with it."""

    protocol: str
    api_url: str
    handle: Handle


@dataclass
class Record:
    """All that is remembered. Without ``handle`` and with an ``intention``, no answer to the creation was recorded."""

    protocol: str = ""
    api_url: str = ""
    intention: Intention | None = None
    handle: Handle | None = None
    job: HostJob | None = None
    sent: Sent | None = None
    sending: Sending | None = None
    fetched: Fetched | None = None
    fetching: Fetching | None = None
    host_key: str = ""
    states_seen: tuple[StateSeen, ...] = ()
    earlier: tuple[EarlierRequest, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    """What the platform said once only, by the name of the field in its answer."""

    @property
    def request_id(self) -> str:
        """What people call the request by; empty where there is none."""
        return self.handle.id if self.handle else ""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret in the record."""
        own = (self.handle.secret,) if self.handle else ()
        return (*own, *(earlier.handle.secret for earlier in self.earlier))

    def see(self, state: str) -> bool:
        """Note a state that the request is in; whether that is news."""
        if self.states_seen and self.states_seen[-1].state == state:
            return False
        self.states_seen = (*self.states_seen, StateSeen(state, timestamp()))
        return True


def timestamp() -> str:
    """The present time as the file writes it, such as 2026-11-21T03:00:00Z."""
    return utc_text(utc_now(), "seconds")


def intention_of(wanted: Wanted) -> Intention:
    """What is kept of a wanted request."""
    return Intention(wanted.fields, contract_mark(wanted.contract), timestamp())


def contract_mark(contract: str) -> str:
    """A salted hash that recognises a contract."""
    salt = secrets.token_hex(16)
    return f"{salt}:{_contract_hash(salt, contract)}"


def is_contract(mark: str, contract: str) -> bool:
    """Whether a mark was made of this contract."""
    salt, _colon, expected = mark.partition(":")
    return hmac.compare_digest(_contract_hash(salt, contract), expected)


def _contract_hash(salt: str, contract: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", contract.encode(), salt.encode(), CONTRACT_ROUNDS).hex()
