# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade request is to be made with, and what names it from then on.

Private to the collection: may change without notice.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Wanted:
    """What a request is to be made with: the contract, which is a secret, and fields that are kept and compared."""

    contract: str = field(repr=False)
    fields: dict[str, str]


@dataclass(frozen=True)
class Handle:
    """What a platform needs to speak of one request; kept in the request file.

    :param id: what people call the request by; empty where that is unknown.
    :param secret: what opens the request, such as a key or a token.
    :param host: the host that is in charge of it; empty where that is the one of ``api_url``.
    """

    id: str
    secret: str = field(repr=False)
    host: str = ""
