# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a Plone whose clients are gone."""

from __future__ import annotations

import time

from support.plone import PloneServer

IDLE_WITHIN = 120


def wait_for_idle(plone: PloneServer) -> None:
    """Return when the server works on nothing any more; it goes on when its clients are gone."""
    give_up = time.monotonic() + IDLE_WITHIN
    while not all(request.status for request in plone.requests()):
        assert time.monotonic() < give_up, plone.requests()
        time.sleep(0.1)
