# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What this machine remembers of one upgrade request: a JSON file of mode 0600 that outlives every run.

``create`` cannot be repeated, listed or undone on the platform, so the file is written before it (the intention) and
again at once after its answer. Every write replaces the whole file in one step: a run that is killed leaves the old
content or the new one.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import hmac
import json
import os
import secrets
import stat
import time
import typing as t
from dataclasses import dataclass, field

from .._core.errors import OptionError, UpgradeError
from .._core.files import LOOK_AGAIN_AFTER, BusyError, is_locked, locked_file
from .._transfer.ranges import Segment

FORMAT = "siteops.upgrades odoo request"
SCHEMA = 1
LONGEST = 16 * 1024 * 1024
CONTRACT_ROUNDS = 100_000

T = t.TypeVar("T")


class RequestFileError(UpgradeError):
    """The file is there and is not one that can be used; it is never overwritten then."""


@dataclass(frozen=True)
class Intention:
    """What ``create`` was or is to be called with.

    ``fields`` are its parameters without the contract, of which ``contract`` keeps a salted hash; ``lost_answer`` says
    what came back in place of an answer, and is empty while that is unknown.
    """

    fields: dict[str, str]
    contract: str
    at: str
    lost_answer: str = ""


@dataclass(frozen=True)
class Sent:
    """A dump that the platform has received whole. ``shared_name`` is its name on the SFTP server."""

    size: int
    sha256: str
    mtime_ns: int
    inode: int
    device: int
    transport: str
    shared_name: str = ""
    at: str = ""


@dataclass(frozen=True)
class Sending:
    """An SFTP upload under way of a file that had this size, time and place when it began.

    It is written when the file on the server is known to be empty: what lies there later came from this file.
    ``segments`` are the byte ranges (start, end) that the server has confirmed; the first ``proven`` bytes of the file
    have this ``sha256``.
    """

    size: int
    mtime_ns: int
    inode: int
    device: int
    shared_name: str
    proven: int = 0
    sha256: str = ""
    segments: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Fetched:
    """A result that lies verified at ``dest``. ``kind`` is archive or sql, ``entity`` what the server called it.

    Written just before the file gets its name, with the inode and time that identify it without reading it.
    """

    dest: str
    size: int
    sha256: str
    kind: str
    entity: str = ""
    transport: str = ""
    at: str = ""
    mtime_ns: int = 0
    inode: int = 0
    device: int = 0


@dataclass(frozen=True)
class Fetching:
    """A download under way into ``part``; ``entity`` and ``size`` are those of the whole on the server.

    The first ``done`` bytes of the part are on disk and have this ``sha256``, and so have the ``segments`` behind them:
    so much of it can be trusted.
    """

    part: str
    kind: str
    entity: str
    size: int
    transport: str = ""
    done: int = 0
    sha256: str = ""
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True)
class StateSeen:
    """A state of the request and when it was first seen, in UTC."""

    state: str
    at: str


@dataclass(frozen=True)
class EarlierRequest:
    """A request that this file was about before another was started with it."""

    api_url: str
    id: str
    key: str


@dataclass
class Record:
    """Everything that is remembered. Without ``id`` and with an ``intention``, create was called and not answered."""

    api_url: str = ""
    intention: Intention | None = None
    id: str = ""
    key: str = ""
    sent: Sent | None = None
    sending: Sending | None = None
    fetched: Fetched | None = None
    fetching: Fetching | None = None
    host_key: str = ""
    states_seen: tuple[StateSeen, ...] = ()
    earlier: tuple[EarlierRequest, ...] = ()

    def see(self, state: str) -> bool:
        """Note a state that the request is in; whether that is news."""
        if self.states_seen and self.states_seen[-1].state == state:
            return False
        self.states_seen = (*self.states_seen, StateSeen(state, utc_now()))
        return True


@dataclass
class RequestFile:
    """The record of one file. Make it with :func:`hold`, :meth:`read`, or without a file by :meth:`in_memory`."""

    path: str
    record: Record = field(default_factory=Record)
    exists: bool = False
    held: bool = False

    @classmethod
    def read(cls, path: str, seconds: float = 0) -> RequestFile:
        """The file as it is, for looking only; an empty record where there is none.

        :param seconds: how long to wait for another run that is making the request right now.
        :raises BusyError: that run still is.
        :raises OptionError: the path cannot be used.
        :raises RequestFileError: the content cannot be.
        """
        check_path(path)
        record = _load_settled(path, seconds)
        return cls(path, record or Record(), exists=record is not None)

    @classmethod
    def in_memory(cls, record: Record) -> RequestFile:
        """A record that is kept by nobody: :meth:`save` does nothing."""
        return cls("", record, exists=False, held=True)

    def remove(self) -> None:
        """Remove the file: what it was to be about did not come to be."""
        if self.path and self.held:
            _remove(self.path)
            _sync_folder(os.path.dirname(os.path.abspath(self.path)))
            self.exists = False

    def save(self, reserve: int = 0) -> None:
        """Replace the file by the record; on disk when this returns.

        :param reserve: bytes that the record may grow by, for :meth:`save_into_reserve`.
        :raises RequestFileError: it cannot be written, for example because the disk is full.
        """
        if not self.held:
            raise RuntimeError("a request file is only written while it is held")
        if self.path:
            _replace(self.path, _as_text(self.record) + " " * reserve)
            self.exists = True

    def save_into_reserve(self) -> None:
        """As :meth:`save`, for what must not be lost: where there is no room for another file, this one is overwritten.

        A power cut meanwhile can damage it, which the next run notices and refuses.

        :raises RequestFileError: it cannot be written, nor is there a reserve that is large enough.
        """
        try:
            self.save()
        except RequestFileError:
            if not (self.path and _overwrite(self.path, _as_text(self.record).encode())):
                raise


@contextlib.contextmanager
def hold(path: str, seconds: float) -> t.Iterator[RequestFile]:
    """The file, held against other runs on this machine until the body ends; nothing but the file itself stays behind.

    :param seconds: how long to wait for another run that holds it.
    :raises BusyError: that run still holds it.
    :raises OptionError: the path cannot be used.
    :raises RequestFileError: the content cannot be.
    """
    check_path(path)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked_file(lock_path(path), seconds, _busy(path, seconds)))
        except OSError as error:
            raise OptionError("request_file", f"{lock_path(path)} cannot be made: {error.strerror}.") from error
        stack.callback(_remove, lock_path(path))
        record = _load(path)
        yield RequestFile(path, record or Record(), exists=record is not None, held=True)


def lock_path(path: str) -> str:
    """The file beside a request file that is there while a run holds it."""
    return f"{path}.lock"


def check_path(path: str) -> None:
    """Refuse a path that no request file can have.

    :raises OptionError: it is empty, holds control characters, or its folder is not there.
    """
    if not path or not path.isprintable():
        raise OptionError("request_file", "is empty or holds control characters; give the path of a file.")
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise OptionError("request_file", f"the folder {folder} does not exist; make it first, of mode 0700.")


def utc_now() -> str:
    """The present time as the file writes it, such as 2026-11-21T03:00:00Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


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


def _replace(path: str, text: str) -> None:
    temporary = f"{path}.new"
    try:
        _remove(temporary)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), 0o600)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, path)
        except OSError:
            _remove(temporary)
            raise
        _sync_folder(os.path.dirname(os.path.abspath(path)))
    except OSError as error:
        raise RequestFileError(f"The request file {path} cannot be written: {error.strerror}.") from error


def _overwrite(path: str, content: bytes) -> bool:
    """Write into the room that a file has; whether all of it is on disk. The rest of the file becomes white space."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            room = os.fstat(descriptor).st_size
            if len(content) > room:
                return False
            written = file.write(content.ljust(room))
            os.fsync(descriptor)
            return written == room
    except OSError:
        return False


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _busy(path: str, seconds: float) -> str:
    return (
        f"Another run is using the request file {path}, and did not end in the {seconds:g} seconds that this one "
        "waited. Run this again once it has ended."
    )


def _load_settled(path: str, seconds: float) -> Record | None:
    """The record, of which no run that lives is yet to write down the request that it makes."""
    give_up = time.monotonic() + seconds
    record = _load(path)
    while record and record.intention and not record.id:
        if not _in_use(path):
            # The run may have written and ended between the two looks.
            before, record = record, _load(path)
            if record == before:
                break
        elif time.monotonic() < give_up:
            time.sleep(LOOK_AGAIN_AFTER)
            record = _load(path)
        else:
            raise BusyError(_busy(path, seconds))
    return record


def _in_use(path: str) -> bool:
    try:
        return is_locked(lock_path(path))
    except OSError as error:
        raise OptionError("request_file", f"{lock_path(path)} cannot be read: {error.strerror}.") from error


def _load(path: str) -> Record | None:
    """The record in a file, or None where there is no file.

    :raises RequestFileError: it is not a request file, was cut short, or others than its owner can read it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = (
            "is a symbolic link; give the file itself" if os.path.islink(path) else f"cannot be read: {error.strerror}"
        )
        raise RequestFileError(f"The request file {path} {reason}.") from error
    with os.fdopen(descriptor, "rb") as file:
        _check_keeping(path, os.fstat(descriptor))
        content = file.read(LONGEST + 1)
    try:
        return _from_text(content)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RequestFileError(
            f"{path} is not a request file of this version, or was damaged, and is left alone. Put a good copy in its "
            "place, give another path as 'request_file', or move it away to start anew: the request that it was about, "
            "if any, can then still be taken up with 'request_id' and 'request_key'."
        ) from error


def _check_keeping(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RequestFileError(f"{path} is not a regular file; give another path as 'request_file'.")
    if status.st_uid != os.geteuid():
        raise RequestFileError(
            f"The request file {path} belongs to user number {status.st_uid}, not to the one who runs this "
            f"({os.geteuid()}). Run as that user, or change the owner."
        )
    if status.st_mode & 0o077:
        raise RequestFileError(
            f"The request file {path} holds the key of the request, and others can get at it (mode "
            f"{stat.S_IMODE(status.st_mode):04o}). If only trusted users had access, run: chmod 600 {path}"
        )


def _as_text(record: Record) -> str:
    return json.dumps({"format": FORMAT, "schema": SCHEMA, **dataclasses.asdict(record)}, indent=2) + "\n"


def _from_text(content: bytes) -> Record:
    if len(content) > LONGEST:
        raise ValueError("longer than any request file")
    document = _exactly(dict)(json.loads(content))
    if document.pop("format") != FORMAT or document.pop("schema") != SCHEMA:
        raise ValueError("another format")
    record = _typed(Record, document)
    if bool(record.id) != bool(record.key) or not (record.id or record.intention):
        raise ValueError("neither a request nor an intention")
    return record


def _typed(kind: type[T], values: t.Any) -> T:
    """A dataclass from a JSON object, each field checked by its annotation; unknown and missing fields are refused."""
    if not isinstance(values, dict):
        raise TypeError(f"{kind.__name__} is an object")
    annotations = {entry.name: str(entry.type) for entry in dataclasses.fields(t.cast(t.Any, kind))}
    return kind(**{name: _READERS[annotations[name]](value) for name, value in values.items()})


def _exactly(kind: type[T]) -> t.Callable[[t.Any], T]:
    def read(value: t.Any) -> T:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"not a value of type {kind.__name__}")
        return value

    return read


def _optional(kind: type[T]) -> t.Callable[[t.Any], T | None]:
    return lambda value: None if value is None else _typed(kind, value)


def _many(kind: type[T]) -> t.Callable[[t.Any], tuple[T, ...]]:
    return lambda values: tuple(_typed(kind, value) for value in _exactly(list)(values))


def _texts(values: t.Any) -> dict[str, str]:
    return {name: _exactly(str)(value) for name, value in _exactly(dict)(values).items()}


def _segments(values: t.Any) -> tuple[tuple[int, int], ...]:
    pairs = [_exactly(list)(value) for value in _exactly(list)(values)]
    return tuple((_exactly(int)(start), _exactly(int)(end)) for start, end in pairs)


_READERS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "str": _exactly(str),
    "int": _exactly(int),
    "dict[str, str]": _texts,
    "tuple[tuple[int, int], ...]": _segments,
    "Intention | None": _optional(Intention),
    "Sent | None": _optional(Sent),
    "Sending | None": _optional(Sending),
    "Fetched | None": _optional(Fetched),
    "Fetching | None": _optional(Fetching),
    "tuple[Segment, ...]": _many(Segment),
    "tuple[StateSeen, ...]": _many(StateSeen),
    "tuple[EarlierRequest, ...]": _many(EarlierRequest),
}
