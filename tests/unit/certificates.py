# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates for a server on 127.0.0.1, good and bad, of an authority that lives for one test."""

from __future__ import annotations

import datetime
import itertools
import typing as t

import trustme

if t.TYPE_CHECKING:
    from pathlib import Path


class Authority:
    """An authority in a folder of its own; ``file`` is what a client must trust."""

    def __init__(self, folder: Path, name: str) -> None:
        self._authority = trustme.CA(organization_name=name)
        self.file = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(self.file)
        self._issued = (folder / f"{name}-server-{number}.pem" for number in itertools.count())

    def issue(self, *, host: str = "127.0.0.1", expired: bool = False) -> Path:
        """A file with a key and a certificate for an address or a host name; perhaps out of date."""
        now = datetime.datetime.now(datetime.timezone.utc)
        until = now + datetime.timedelta(days=-1 if expired else 1)
        certificate = self._authority.issue_cert(host, not_before=until - datetime.timedelta(days=3), not_after=until)
        path = next(self._issued)
        certificate.private_key_and_cert_chain_pem.write_to_path(path)
        return path
