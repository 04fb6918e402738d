# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the variables of hosts to the entries of the option ``fleet``."""

from __future__ import annotations

import typing as t

import pytest
from ansible.errors import AnsibleError

from ansible_collections.siteops.upgrades.plugins.action.plone_site_info import NO_SITE, entry

URL = "https://plone.example.org/Plone"


def made(**variables: t.Any) -> dict[str, t.Any]:
    return entry("one", {"one": variables})


def test_only_what_is_set_is_in_the_entry() -> None:
    assert made(plone_upgrade_url=URL) == {"name": "one", "url": URL, "error": NO_SITE}
    assert made(plone_upgrade_url=URL, plone_upgrade_username="", plone_upgrade_ca_path=None, more="x") == {
        "name": "one",
        "url": URL,
        "error": NO_SITE,
    }
    full = {"username": "u", "password": "p", "token": "t", "ca_path": "/ca.pem", "validate_certs": False}
    given = {f"plone_upgrade_{name}": value for name, value in full.items()}
    assert made(plone_upgrade_url=URL, **given) == {"name": "one", "url": URL, "error": NO_SITE, **full}


def test_a_host_without_a_url_takes_the_one_beside_the_list() -> None:
    assert made() == {"name": "one", "url": None, "error": NO_SITE}


def test_a_host_in_the_place_of_an_instance_is_not_asked() -> None:
    its = {"plone_site_id": "", "plone_upgrade_url": "https://plone.example.org", "plone_site_error": "refused"}
    assert made(**its) == {"name": "one", "url": "", "error": "refused"}
    assert made(plone_site_id="", plone_site_error="")["error"] == NO_SITE
    assert made(plone_site_id="Plone", plone_upgrade_url=URL)["url"] == URL


class Broken(dict[str, t.Any]):
    def get(self, name: str, default: t.Any = None) -> t.Any:
        raise AnsibleError("the vault\nis locked")


@pytest.mark.parametrize("hosts", [{"one": Broken()}, {}])
def test_variables_that_cannot_be_read_are_an_error_of_the_site(hosts: dict[str, t.Any]) -> None:
    broken = entry("one", hosts)
    assert (broken["name"], broken["url"]) == ("one", "")
    assert broken["error"].startswith("The variables of the host cannot be read: ")
    assert "\n" not in broken["error"]
