# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A login to an SFTP server over SSH: verifies the server, logs in with a key, and words each fault.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import typing as t

from .._core.text import one_line
from .sftp_protocol import SftpBrokenError, SftpDeniedError, SftpError
from .sftp_session import SftpSession
from .ssh_host_keys import HostKeys, place_of
from .ssh_jump import JumpHosts
from .ssh_keys import Identity, paramiko_module, public_line
from .ssh_offer import nothing_in_common, offered
from .ssh_socket import BundledChannel, BundledSocket

WINDOW = 64 * 1024 * 1024
"""Bytes that the server may send unasked for more; what is in flight stays far below (see IN_FLIGHT)."""

LARGEST_PACKET = 256 * 1024
KEEP_ALIVE_SECONDS = 30

SILENT = "it does not answer"
DIRECT = (
    "Proxies of the environment do not carry SFTP. Name a jump host in 'ssh_options' (ProxyJump), or set 'transport' "
    "to https where only the API can be reached."
)


class SftpUnreachableError(SftpBrokenError):
    """Nothing that speaks SSH answers at the address of the server."""


class SftpIncompatibleError(SftpError):
    """The server and paramiko have no algorithm of some kind in common."""


class Access(t.Protocol):
    """Where an SFTP server listens and for whom."""

    @property
    def hostname(self) -> str:
        """Name or address of the host."""

    @property
    def port(self) -> int:
        """Its port."""

    @property
    def user(self) -> str:
        """Who logs in."""

    @property
    def shared_file(self) -> str:
        """The one file that is served there, as the server says."""


class SftpServer:
    """A temporary SFTP server: its address has to be asked for, and asked for again when it is gone.

    :param ask: asks for the access; what it raises comes through.
    :param timeout: seconds that the server may be silent.
    :param jump: the hosts through which it is reached; None where it is reached directly.
    """

    def __init__(
        self,
        ask: t.Callable[[], Access],
        identity: Identity,
        host_keys: HostKeys,
        timeout: float,
        jump: JumpHosts | None = None,
    ) -> None:
        self._jump = jump
        self._ask = ask
        self._identity = identity
        self._host_keys = host_keys
        self._timeout = timeout
        self._access: Access | None = None
        self._was_in = False
        # An SSH agent answers one question at a time.
        self._authenticating = threading.Lock()

    @property
    def access(self) -> Access:
        """The access; asked for at the first use."""
        if self._access is None:
            self._access = self._ask()
        return self._access

    @contextlib.contextmanager
    def session(self, sessions: int = 1) -> t.Iterator[SftpSession]:
        """One connection, until the body ends, for the main thread.

        An access that was good and is refused now has expired: it is asked for once more.

        :param sessions: how many may be open at a time, this one and others (see :meth:`another`).

        :raises SftpBrokenError: the server cannot be reached, or the connection was lost.
        :raises SftpDeniedError: no key is accepted.
        :raises HostKeyError: the server is not the one that is meant.
        """
        with contextlib.ExitStack() as stack:
            try:
                transport = self._login(stack, self.access)
            except SftpDeniedError:
                if not self._was_in:
                    raise
                self._access, self._was_in = self._ask(), False
                transport = self._login(stack, self._access)
            self._was_in = True
            yield self._open(transport, sessions)

    @contextlib.contextmanager
    def another(self, sessions: int) -> t.Iterator[SftpSession]:
        """One more connection beside that of :meth:`session`, in any thread; raises what that raises."""
        with contextlib.ExitStack() as stack:
            yield self._open(self._login(stack, self.access), sessions)

    def _login(self, stack: contextlib.ExitStack, access: Access) -> t.Any:
        paramiko = paramiko_module()
        where = f"{access.user}@{place_of(access.hostname, access.port)}"
        through = ""
        if self._jump:
            carried = self._jump.connect(stack, access.hostname, access.port, int(self._timeout))
            connection, through = carried.socket, f" through {', '.join(self._jump.hosts)}"
        else:
            connection, carried = self._connect(stack, access, where), None
        bundled = BundledSocket(connection, self._timeout)
        try:
            transport = paramiko.Transport(bundled)
            stack.callback(transport.close)
            self._agree(transport, access)
            transport.start_client(timeout=self._timeout)
            shown = public_line(transport.get_remote_server_key())
        except (paramiko.SSHException, OSError, EOFError) as error:
            cannot = f"Cannot connect to {where} over SSH"
            if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
                raise SftpIncompatibleError(f"{cannot}: {self._incompatible(transport, access, error)}") from error
            if "banner" in str(error) or _reason(error) == SILENT:
                words = (carried and carried.words) or _reason(error)
                raise SftpUnreachableError(
                    f"{cannot}: no SSH server answers there{through} ({words}). {DIRECT}"
                ) from error
            raise SftpBrokenError(f"{cannot}: {_reason(error)}.") from error
        self._host_keys.check(place_of(access.hostname, access.port), shown)
        transport.set_keepalive(KEEP_ALIVE_SECONDS)
        with self._authenticating:
            self._authenticate(paramiko, transport, access.user, where)
        return transport

    def _connect(self, stack: contextlib.ExitStack, access: Access, where: str) -> socket.socket:
        try:
            connection = socket.create_connection((access.hostname, access.port), timeout=self._timeout)
        except (OSError, UnicodeError) as error:
            # A name with a label that no host has, such as one of 64 letters, is a UnicodeError.
            reason = one_line(getattr(error, "strerror", "it is not a valid host name") or "no answer in time")
            raise SftpUnreachableError(f"The SFTP server {where} cannot be reached: {reason}. {DIRECT}") from error
        stack.callback(connection.close)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def _agree(self, transport: t.Any, access: Access) -> None:
        """What to propose first: the fastest cipher, and the types of host key that are known of the server."""
        transport.banner_timeout = transport.auth_timeout = transport.handshake_timeout = self._timeout
        options = transport.get_security_options()
        options.ciphers = tuple(sorted(options.ciphers, key=lambda name: "-gcm@" not in name))
        known = self._host_keys.types(place_of(access.hostname, access.port))
        if known:
            options.key_types = tuple(sorted(options.key_types, key=lambda name: _key_type(name) not in known))

    def _incompatible(self, transport: t.Any, access: Access, error: Exception) -> str:
        """What the two sides do not have in common, and the way out."""
        options = transport.get_security_options()
        ours = {
            "key exchange": options.kex,
            "host key": options.key_types,
            "cipher": options.ciphers,
            "MAC": options.digests,
        }
        found = nothing_in_common(offered(access.hostname, access.port, self._timeout), ours)
        return f"{found or f'{_reason(error)}.'} Install a newer paramiko, or set 'transport' to https."

    def _authenticate(self, paramiko: t.Any, transport: t.Any, user: str, where: str) -> None:
        wanted: list[str] = []
        for key in self._identity.keys:
            try:
                more = transport.auth_publickey(user, key)
                if transport.is_authenticated():
                    return
                wanted = list(more)
            except paramiko.BadAuthenticationType as error:
                raise SftpDeniedError(f"The SFTP server {where} does not accept public keys.") from error
            except (paramiko.SSHException, OSError, EOFError) as error:
                refused = isinstance(error, paramiko.AuthenticationException)
                if not refused or not transport.is_active():
                    raise SftpBrokenError(f"The login to {where} broke off: {_reason(error)}.") from error
        if wanted:
            raise SftpDeniedError(
                f"The SFTP server {where} accepted a key and wants more than that: {', '.join(wanted)}. Only keys can "
                "be given here. Have the server let the key in alone, or set 'transport' to https."
            )
        raise SftpDeniedError(
            f"The SFTP server {where} accepts none of the keys, although the platform has their public parts. "
            "Run again; the access to it is temporary."
        )

    def _open(self, transport: t.Any, sessions: int) -> SftpSession:
        paramiko = paramiko_module()
        try:
            channel = transport.open_session(window_size=WINDOW, max_packet_size=LARGEST_PACKET, timeout=self._timeout)
            channel.settimeout(self._timeout)
            channel.invoke_subsystem("sftp")
        except (paramiko.SSHException, OSError, EOFError) as error:
            if transport.is_active():
                raise SftpError(f"The SSH server offers no SFTP: {_reason(error)}.") from error
            raise SftpBrokenError(f"The SSH connection was lost: {_reason(error)}.") from error
        return SftpSession(BundledChannel(channel, transport.sock), sessions)


def _key_type(algorithm: str) -> str:
    """The type of the key behind a signature algorithm (RFC 8332)."""
    return "ssh-rsa" if algorithm in ("rsa-sha2-256", "rsa-sha2-512") else algorithm


def _reason(error: BaseException) -> str:
    words = one_line(getattr(error, "strerror", None) or error, 120).rstrip(".") or type(error).__name__
    # How paramiko puts it that a server accepted the connection, and then said nothing until the time was over.
    return SILENT if words == "No existing session" else words
