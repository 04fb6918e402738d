# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A site that Plone 6.0.10 really made, upgraded by the newest code: opt-in, because it installs a second Plone."""

from __future__ import annotations

import os

import pytest

from support.ansible_cli import run_playbook
from support.plone import PloneServer
from support.plone.accounts import ADMIN
from support.plone.older import PROFILE, prepare_older_data

OPT_IN = "SITEOPS_GENUINE"


@pytest.mark.skipif(not os.environ.get(OPT_IN), reason=f"set {OPT_IN}=1 to have Plone 6.0.10 installed for it")
def test_a_site_made_by_an_older_plone_goes_through_the_same_command() -> None:
    with PloneServer(profile=PROFILE, data=prepare_older_data()) as server:
        before = server.call("GET", f"{server.url}/@upgrade")[1]
        env = {"PLONE_URL": server.url, "PLONE_USERNAME": ADMIN.name, "PLONE_PASSWORD": ADMIN.password}
        arguments = ("-i", "site,", "-e", "plone_upgrade_addons=all")
        first = run_playbook("siteops.upgrades.plone_upgrade", *arguments, env=env)
        assert first.status == 0, first.output
        after = server.call("GET", f"{server.url}/@upgrade")[1]
        server.clear_requests()
        second = run_playbook("siteops.upgrades.plone_upgrade", *arguments, env=env)
    steps = sum(map(len, before["upgrade_steps"].values()))
    print(f"{before['versions']} with {steps} steps in {len(before['upgrade_steps'])} groups, then {after['versions']}")
    assert before["versions"]["instance"] == PROFILE
    assert after["versions"]["instance"] == after["versions"]["fs"]
    assert first.recap["site"]["changed"] >= 1
    assert second.recap["site"]["changed"] == 0
    assert {request.method for request in server.requests()} <= {"GET"}
