# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may ask a real Plone, what is said to those who may not, and that no secret is ever printed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from support import cutting_proxy
from support.ansible_cli import run_module
from support.cutting_proxy import CuttingProxy
from support.module_runner import ModuleRun
from support.plone import PloneServer
from support.plone.accounts import ADMIN, EDITOR, MANAGER, MEMBER, SITE_ADMINISTRATOR, Account
from support.plone.fixtures import Upgrade


def token_of(plone: PloneServer, account: Account) -> str:
    status, answer = plone.call("POST", f"{plone.url}/@login", {"login": account.name, "password": account.password})
    assert status == 200, answer
    return str(answer["token"])


def info(**options: Any) -> ModuleRun:
    return run_module("plone_upgrade_info", options)


@pytest.mark.parametrize("account", (ADMIN, MANAGER), ids=lambda account: account.name)
def test_managers_of_the_root_and_of_the_site_are_let_in(plone: PloneServer, account: Account) -> None:
    run = info(url=plone.url, username=account.name, password=account.password)
    assert (run.failed, run.result["state"]) == (False, "pending")


def test_a_token_is_enough(plone: PloneServer) -> None:
    run = info(url=plone.url, token=token_of(plone, MANAGER))
    assert (run.failed, run.result["state"]) == (False, "pending")


@pytest.mark.parametrize("account", (SITE_ADMINISTRATOR, EDITOR, MEMBER), ids=lambda account: account.name)
def test_a_missing_role_is_distinguished_from_a_wrong_password(plone: PloneServer, account: Account) -> None:
    by_password = info(url=plone.url, username=account.name, password=account.password)
    by_token = info(url=plone.url, token=token_of(plone, account))
    for run in (by_password, by_token):
        assert run.failed
        assert f"The user '{account.name}' is known, but lacks the Manager role here" in run.msg


def test_a_wrong_password(plone: PloneServer) -> None:
    run = info(url=plone.url, username="admin", password="not-the-password-at-all")
    assert run.failed
    assert "was refused (401 Unauthorized). The user name or the password is wrong" in run.msg


def test_tokens_that_are_no_good(plone: PloneServer) -> None:
    good = token_of(plone, MANAGER)
    claims = base64.urlsafe_b64encode(b'{"sub": "manager", "exp": 1700000000}').decode().rstrip("=")
    tampered = info(url=plone.url, token=good[:-6] + "AAAAAA")
    expired = info(url=plone.url, token=f"{good.partition('.')[0]}.{claims}.{good.rpartition('.')[2]}")
    assert "The token is not valid for this site" in tampered.msg
    assert "The token expired at 2023-11-14 22:13:20 UTC" in expired.msg


def test_places_that_are_not_a_site(plone: PloneServer, as_admin: dict[str, Any]) -> None:
    nowhere = info(**{**as_admin, "url": f"{plone.root_url}/NoSuch"})
    root = info(**{**as_admin, "url": plone.root_url})
    for run in (nowhere, root):
        assert run.failed
        assert "found nothing (404). There is a Zope server, but no Plone site at this path" in run.msg


def test_a_page_is_not_taken_for_an_answer(plone: PloneServer, as_admin: dict[str, Any]) -> None:
    with CuttingProxy(plone.url, GET=cutting_proxy.html(200)) as proxy:
        run = info(**{**as_admin, "url": proxy.url})
    assert run.failed
    assert "answered 200 with an HTML page instead of JSON" in run.msg


@pytest.mark.parametrize("ending", ("/", "/@upgrade", "/@upgrade/", "/++api++", "/++api++/@upgrade"))
def test_forms_of_the_url(plone: PloneServer, as_admin: dict[str, Any], ending: str) -> None:
    run = info(**{**as_admin, "url": plone.url + ending})
    assert (run.failed, run.result["state"]) == (False, "pending"), run.output


def test_options_come_from_the_environment(plone: PloneServer) -> None:
    variables = {"PLONE_URL": plone.url, "PLONE_USERNAME": ADMIN.name, "PLONE_PASSWORD": ADMIN.password}
    run = run_module("plone_upgrade_info", {}, env={**variables, "PLONE_VALIDATE_CERTS": "False"})
    assert (run.failed, run.result["state"]) == (False, "pending")


def test_no_secret_is_printed(plone: PloneServer, as_admin: dict[str, Any]) -> None:
    """With a step that fails, because a failure prints most; test_run_reports searches what a play prints of it."""
    plone.fault(step_error="ValueError")
    by_password = run_module("plone_upgrade", as_admin, "-vvvv", "--diff")
    by_token = run_module("plone_upgrade", {"url": plone.url, "token": token_of(plone, MANAGER)}, "-vvvv")
    wrong = run_module("plone_upgrade_info", {**as_admin, "password": MEMBER.password}, "-vvvv")
    assert by_password.failed
    assert by_token.failed
    secrets = [ADMIN.password, MEMBER.password, token_of(plone, MANAGER).rpartition(".")[2]]
    secrets += [base64.b64encode(f"admin:{ADMIN.password}".encode()).decode()]
    for secret in secrets:
        for run in (by_password, by_token, wrong):
            assert secret not in run.output


SECRET = "gate-secret-123"
SHORT = "k7"


@pytest.mark.parametrize("given", ("text", "dict"))
@pytest.mark.parametrize(
    "refused", ({"login": "bad"}, {"timeout": "abc"}, {"timeout": 0}, {}), ids=("choice", "type", "number", "url")
)
def test_headers_are_not_printed_whoever_refuses_an_option(given: str, refused: dict[str, Any]) -> None:
    """Ansible refuses some before any code of ours runs, and prints all options then."""
    headers = {"X-Gate": SECRET, "X-Short": SHORT}
    value: Any = headers if given == "dict" else json.dumps(headers)
    options = {"username": "admin", "password": "a password", **refused}
    printed = "INJECT_INVOCATION"
    fleet = [{"name": "a", "headers": value, "login": "worse"}]
    runs = [run_module("plone_upgrade_info", {"url": "nonsense", **options, "headers": value}, printed)]
    runs += [run_module("plone_site_info", {**options, "fleet": fleet}, printed)]
    if given == "text":
        runs += [run_module("plone_upgrade_info", {"url": "x", **options}, printed, env={"PLONE_HEADERS": value})]
    for run in runs:
        assert run.failed
        assert run.result["invocation"]["module_args"], "it is printed"
        assert SECRET not in run.output
        assert SHORT not in run.output
        assert "X-Gate" not in run.output or given == "dict", "nor the text as a whole"


def test_check_mode_only_reads(plone: PloneServer, upgrade: Upgrade) -> None:
    run = upgrade("--check", "--diff")
    assert (run.result["changed"], run.failed, run.result["posted"]) == (True, False, False)
    assert run.msg == "Would upgrade from 6018 to 6205: 38 steps are pending."
    assert run.result["diff"]["before"]["instance"] == "6018"
    rehearsal = upgrade("--check", dry_run=True)
    assert (rehearsal.result["changed"], rehearsal.failed) == (False, False)
    assert {request.method for request in plone.requests()} == {"GET"}


NO_URL = (
    "Option 'url': is not set, and PLONE_URL is not in the environment of the process that runs the module either. "
    "Variables count where the module runs, and 'become' drops them: leave 'become' out, or give the URL as an option."
)
EMPTY_URL = "Option 'url': is empty; give a URL such as https://example.org/path."
NO_USER = "Option 'username': give username and password, or a token; there are no credentials at all."
TWO_WAYS = "Option 'token': give a token, or username and password, not both (look at PLONE_TOKEN as well)."
BAD_OPTIONS: dict[str, list[tuple[dict[str, Any], str]]] = {
    "plone_upgrade_info": [
        ({"url": ""}, NO_URL),
        ({"url": "plone.example.org"}, "Option 'url': is not a URL that begins with http:// or https:// and a host."),
        ({"url": "https://plone.example.org/?x=1"}, "Option 'url': must end with a path: no '?' or '#' part."),
        ({"username": "", "password": ""}, NO_USER),
        ({"password": ""}, "Option 'password': is required together with 'username'."),
        ({"token": "a-long-token-of-somebody"}, TWO_WAYS),
        ({"timeout": -1}, "Option 'timeout': must be greater than 0, not -1."),
        ({"ca_path": "/nowhere/ca.pem"}, "Option 'ca_path': there is no file or folder /nowhere/ca.pem."),
    ],
    "plone_site_info": [
        ({"url": ""}, EMPTY_URL),
        ({"url": "", "sites": ["Plone", "https://plone.example.org"]}, EMPTY_URL),
        (
            {"sites": ["Plone", "../Plone"]},
            "Option 'sites': '../Plone' is neither a path such as Plone, nor '/', nor a URL.",
        ),
        ({"sites": ["https://plone.example.org/?x=1"]}, "Option 'sites': must end with a path: no '?' or '#' part."),
        ({"password": ""}, "Option 'password': is required together with 'username'."),
        ({"timeout": 0}, "Option 'timeout': must be greater than 0, not 0."),
    ],
    "plone_upgrade": [
        ({"url": ""}, NO_URL),
        ({"wait_timeout": 0}, "Option 'wait_timeout': must be greater than 0, not 0."),
        ({"wait_interval": -3}, "Option 'wait_interval': must be greater than 0, not -3."),
        ({"username": ""}, "Option 'username': is required together with 'password'."),
    ],
}


@pytest.mark.parametrize("module", BAD_OPTIONS)
def test_a_bad_option_is_named_before_the_first_request(
    plone: PloneServer, as_admin: dict[str, Any], module: str
) -> None:
    for options, words in BAD_OPTIONS[module]:
        run = run_module(module, {**as_admin, **options})
        assert run.failed
        assert run.msg.partition(" In the role ")[0] == words
    assert plone.requests() == []


def test_a_port_on_which_nobody_listens(as_admin: dict[str, Any]) -> None:
    run = info(**{**as_admin, "url": "http://127.0.0.1:1/Plone"})
    assert run.failed
    assert run.msg.startswith("GET /Plone/@upgrade could not be sent")


def test_the_steps_of_a_site_are_in_order(plone: PloneServer, as_admin: dict[str, Any]) -> None:
    read = info(**as_admin).result
    first = [int(step["group"].partition("-")[0]) for step in read["steps"]]
    assert (first, read["steps_known"]) == (sorted(first), True)
    plone.fault(ungrouped_step=True)
    unlisted = info(**as_admin).result
    assert (unlisted["state"], unlisted["versions"]) == ("pending", read["versions"])
    assert (unlisted["steps_known"], unlisted["steps"]) == (False, [])
