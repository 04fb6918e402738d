# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may log in to the test Plone. The passwords protect nothing: the server listens on 127.0.0.1 only."""

from __future__ import annotations

from typing import NamedTuple


class Account(NamedTuple):
    name: str
    password: str
    roles: tuple[str, ...]


ADMIN = Account("admin", "h3Vq-Yt7w-Zk2p-Rm9d-Lx", ("Manager",))
"""A user of the Zope root; all others are users of the site."""

MANAGER = Account("manager", "Qd8r-Wn5k-Bj3v-Xs6t-Gp", ("Manager",))
SITE_ADMINISTRATOR = Account("siteadmin", "Tz4m-Kc9x-Hf2w-Vb7n-Jr", ("Site Administrator",))
EDITOR = Account("editor", "Np6s-Gw3j-Dr8z-Ct5h-Qk", ("Editor",))
MEMBER = Account("member", "Lb7x-Mv4t-Sq9g-Fd2k-Wy", ("Member",))

SITE_ACCOUNTS = (MANAGER, SITE_ADMINISTRATOR, EDITOR, MEMBER)
