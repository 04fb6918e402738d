# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets hunted in everything that modules, roles and ansible-runner write, and in what others see of processes."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ansible_runner
import pytest

from ansible_collections.siteops.upgrades.tests.unit.local_server import LocalServer, document, redirect
from faults.figures import Figure
from faults.runners import InProcess
from faults.secret_search import SecretSearch, Watcher
from support import cutting_proxy
from support.ansible_cli import QUIET, PlaybookRun, run_module, run_playbook
from support.cutting_proxy import CuttingProxy, Spoil
from support.odoo_job import Job
from support.platform import SAMPLE_DUMP, Platform
from support.plone import PloneServer
from support.plone.accounts import ADMIN, MANAGER

CONTRACT = "M987654-q+w/e=rty"
PASSPHRASE = "correct horse/battery+staple="
NOT_LOOPBACK = "http://192.0.2.1:9"
"""An address for documentation (RFC 5737): nobody has it."""

RUNNER_INPUT = ("command",)
"""What ansible-runner writes down of its own start: the environment that it was to set."""

REFUSED = "create refused with the contract in its words"
PAGES = "pages of a proxy"

ODOO_MODULES = ("request", "upload", "sftp_access", "process", "skip_test", "request_info", "download")
PLONE_MODULES: dict[str, dict[str, Any]] = {
    "plone_upgrade_info": {},
    "plone_site_info": {},
    "plone_addon_info": {},
    "plone_transaction_info": {},
    "plone_addon": {"name": ["siteops.testaddon"], "state": "latest", "wait_timeout": 15, "wait_interval": 1},
    "plone_upgrade": {"wait_timeout": 15, "wait_interval": 1, "full_report": True},
    "plone_upgrade_undo": {"include_later": True},
}
PLONE_WRITES: dict[str, dict[str, Any]] = {
    "plone_addon": {"state": "absent"},
    "plone_upgrade": {},
    "plone_upgrade_undo": {},
}
"""The modules that write, and how to have something to do once all have run."""

ODOO_FAULTS: dict[str, tuple[tuple[str, str, dict[str, Any]], ...]] = {
    "create lost": (("reset_after", "create", {}),),
    REFUSED: (("failure", "create", {"reason": "CONTRACT:NOT_FOUND", "message": f"Can not find contract {CONTRACT}"}),),
    "server errors": (("failure", "status", {"times": 50}), ("failure", "upload", {"times": 50})),
    "proxy pages": (("http_error", "upload", {"status": 502, "times": 50}), ("login_page", "process", {"times": 50})),
    "redirects": (("redirect", "upload", {"times": 50}), ("redirect", "status", {"times": 50, "skip": 1})),
    "downloads that break": (("cut_download", "upgraded/*", {"after": 100, "times": 50}),),
    "truncated answers": (("truncated_body", "*", {"times": 50, "skip": 1}),),
}
PLONE_FAULTS: dict[str, dict[str, Spoil]] = {
    PAGES: {"POST": cutting_proxy.html(502), "PATCH": cutting_proxy.html(504)},
    "resets": {"POST": cutting_proxy.reset},
    "login pages": {"GET": cutting_proxy.html(200)},
    "truncated answers": {"GET": cutting_proxy.truncate},
}


@pytest.fixture(scope="module")
def running_platform() -> Iterator[Platform]:
    """One platform for all tests of the module, with a contract that nothing else contains."""
    with Platform(stage_seconds=0, contracts=[CONTRACT]) as platform:
        yield platform


@pytest.fixture
def search(figure: Figure) -> Iterator[SecretSearch]:
    """What the test gathers; searched at its end."""
    search = SecretSearch()
    yield search
    search.search()
    figure("outputs searched for secrets", search.searched)
    figure("secrets found in them", len(search.hits))
    assert search.hits == []
    assert search.searched


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home and a place for temporary files that anybody could enter, under a umask that keeps nobody out.

    Its path is short, because Ansible makes a socket below TMPDIR, whose path may not be longer than 107 bytes.
    """
    former = os.umask(0)
    with tempfile.TemporaryDirectory(prefix="home-") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        os.chmod(folder, 0o777)
        monkeypatch.setenv("HOME", str(folder))
        monkeypatch.setenv("TMPDIR", str(folder / "tmp"))
        monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN", "ansible.builtin.jsonfile")
        monkeypatch.setenv("ANSIBLE_CACHE_PLUGIN_CONNECTION", str(folder / "facts"))
        yield folder
    os.umask(former)


def playbook(folder: Path, tasks: list[dict[str, Any]]) -> Path:
    """A play of these tasks, each of which may fail, with facts of a host gathered and cached: its environment too."""
    shown = {"name": "Publish", "ansible.builtin.set_stats": {"data": {"results": "{{ results | default({}) }}"}}}
    path = folder / "modules.yml"
    play: dict[str, Any] = {"name": "Run", "hosts": "all", "gather_facts": True, "gather_subset": ["!all"]}
    play["tasks"] = [*tasks, shown]
    path.write_text(json.dumps([play]), encoding="utf-8")
    return path


def one_after_another(folder: Path, *names: str) -> str:
    """A playbook of these playbooks of the collection: run together they start Ansible, and pack each module, once."""
    path = folder / "playbooks.yml"
    path.write_text(json.dumps([{"import_playbook": f"siteops.upgrades.{name}"} for name in names]), encoding="utf-8")
    return str(path)


def task(module: str, options: Mapping[str, Any], when: str = "") -> list[dict[str, Any]]:
    """One module, and its result where everybody sees it; ``when`` tells two runs of one module apart."""
    title = " ".join(filter(None, [module, when]))
    fact = {"results": "{{ results | default({}) | combine({'" + title + "': result}) }}", "cacheable": True}
    return [
        {
            "name": f"Run {title}",
            f"siteops.upgrades.{module}": dict(options),
            "register": "result",
            "ignore_errors": True,
        },
        {"name": f"Show {title}", "ansible.builtin.debug": {"var": "result"}},
        {"name": f"Keep {title}", "ansible.builtin.set_fact": fact},
    ]


def inventory(folder: Path, hosts: Mapping[str, Mapping[str, Any]]) -> Path:
    """An inventory of these hosts with their variables; all are this machine."""
    path = folder / "inventory.json"
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    named = {host: {**local, **variables} for host, variables in hosts.items()}
    path.write_text(json.dumps({"all": {"hosts": named}}), encoding="utf-8")
    path.chmod(0o600)
    return path


def gather(search: SecretSearch, watcher: Watcher, name: str) -> None:
    """What others saw of a run while it went on."""
    for arguments in watcher.arguments:
        search.add(f"{name}: process", arguments)
    for path, content in watcher.exposed.items():
        search.add(f"{name}: {path}, which others can read", content)


def run_watched(search: SecretSearch, home: Path, name: str, play: str, hosts: Path) -> PlaybookRun:
    """Run a play at -vvvv with --diff, and gather all that it shows."""
    watcher = Watcher(home)
    with watcher.watching():
        ended = run_playbook(play, "-i", str(hosts), "-vvvv", "--diff", env={"XDG_STATE_HOME": str(home / "state")})
    search.add(f"{name}: output", ended.output)
    gather(search, watcher, name)
    search.add_files(f"{name}: fact cache", home / "facts")
    assert ended.recap, ended.output
    # A report of Plone may hold a traceback of its own.
    assert "MODULE FAILURE" not in ended.output, ended.output
    return ended


def run_by_runner(
    search: SecretSearch, home: Path, name: str, play: str, hosts: Path, env: Mapping[str, str] | None = None
) -> str:
    """Run a play as AWX does, at -vvvv with --diff, and gather what it shows and the artifacts; returns its output.

    The artifacts are the output, the events of the job, facts and statistics.
    """
    watcher = Watcher(home)
    # Beside the home of the run: AWX keeps others out of this folder.
    with tempfile.TemporaryDirectory(prefix="runner-") as folder:
        with watcher.watching():
            played = ansible_runner.run(
                private_data_dir=folder,
                playbook=play,
                inventory=str(hosts),
                envvars={**QUIET, "XDG_STATE_HOME": str(home / "state"), **(env or {})},
                cmdline="--diff",
                verbosity=4,
                quiet=True,
            )
        gather(search, watcher, name)
        output = str(played.stdout.read())
        assert played.status in ("successful", "failed"), played.status
        assert played.stats, "it ended before it began"
        assert "MODULE FAILURE" not in output, output
        artifacts = Path(folder) / "artifacts"
        assert search.add_files(f"{name} by ansible-runner:", artifacts, RUNNER_INPUT) > 10
    return output


def with_key(job: Job) -> dict[str, Any]:
    """The options of an SFTP login with a key that has a passphrase."""
    key = job.folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", PASSPHRASE, "-C", "", "-f", str(key)], check=True)
    return {"sftp_private_key": str(key), "sftp_host_key": job.platform.host_key}


def odoo_calls(
    job: Job, sftp: Mapping[str, Any], contract: str, passphrase: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every module of the group with its options, in the order of the role."""
    shared = {
        "api_url": job.platform.api_url,
        "ca_path": str(job.platform.ca_path),
        "request_file": str(job.request_file),
        "timeout": 10,
    }
    creation = {"contract": contract, "email": "john.doe@example.com", "target": "18.0", "filename": "shop.sql"}
    transfer = {**shared, **sftp, "sftp_passphrase": passphrase, "retries": 0}
    own: dict[str, dict[str, Any]] = {
        "request": {**shared, **creation},
        "upload": {**transfer, "src": str(job.dump), "transport": "sftp"},
        "sftp_access": {**shared, "sftp_private_key": sftp["sftp_private_key"], "sftp_passphrase": passphrase},
        "download": {**transfer, "dest": str(job.dest), "transport": "https"},
        "request_info": {**shared, "wait": True, "wait_timeout": 4, "wait_interval": 1},
    }
    for name in ODOO_MODULES:
        yield f"odoo_upgrade_{name}", own.get(name, shared)
        if name == "sftp_access":
            yield "odoo_upgrade_upload", {**transfer, "src": str(job.dump), "transport": "https"}


def plone_calls(url: str, password: str, token: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every module of the group with its options, and logins by token."""
    server = {"url": url, "timeout": 20}
    for name, own in PLONE_MODULES.items():
        yield name, {**server, "username": ADMIN.name, "password": password, **own}
    for name in ("plone_upgrade_info", "plone_transaction_info", "plone_addon_info"):
        yield name, {**server, "token": token}
    yield "plone_upgrade_info", {**server, "username": ADMIN.name, "password": token}


def run_in_process(
    search: SecretSearch, runner: InProcess, calls: Iterable[tuple[str, Mapping[str, Any]]], env: Mapping[str, str]
) -> None:
    """Run modules without a play around them, as Ansible runs them with -vvvv, and gather what they return."""
    for module, options in calls:
        run = runner.run(module, options, "-vvvv", "--diff", "INJECT_INVOCATION", variables=env)
        assert "Traceback (most recent call last)" not in run.output, run.output
        search.add(module, run.output)


def hide_keys(search: SecretSearch, job: Job) -> None:
    search.secret("contract", CONTRACT)
    for request in job.platform.store.all():
        search.secret(f"key of {request.id}", request.key)


def hide_login(search: SecretSearch, job: Job) -> None:
    """The key of an SFTP login, and its passphrase."""
    search.secret("passphrase", PASSPHRASE)
    search.secret("private key", "".join((job.folder / "key").read_text().splitlines()[1:3]))
    search.secret("line of the private key", (job.folder / "key").read_text().splitlines()[2])


def play_faults(platform: Platform, fault: str) -> None:
    for kind, call, options in ODOO_FAULTS[fault]:
        platform.fault(kind, call, **options)


@pytest.mark.parametrize("fault", ODOO_FAULTS)
def test_every_odoo_module(
    running_platform: Platform, runner: InProcess, search: SecretSearch, tmp_path: Path, fault: str
) -> None:
    running_platform.reset()
    job = Job(running_platform, tmp_path / "work")
    sftp = with_key(job)
    play_faults(running_platform, fault)
    run_in_process(search, runner, odoo_calls(job, sftp, CONTRACT, PASSPHRASE), {})
    hide_keys(search, job)
    hide_login(search, job)


def test_every_odoo_module_in_a_play(
    running_platform: Platform, search: SecretSearch, home: Path, tmp_path: Path
) -> None:
    """The first request is refused, which leaves nothing behind, and all goes well with the second."""
    running_platform.reset()
    job = Job(running_platform, tmp_path / "work")
    calls = list(odoo_calls(job, with_key(job), "{{ contract }}", "{{ passphrase }}"))
    play_faults(running_platform, REFUSED)
    tasks = [*task(*calls[0], "refused"), *(step for call in calls for step in task(*call))]
    hosts = inventory(tmp_path, {"shop": {"contract": CONTRACT, "passphrase": PASSPHRASE}})
    ended = run_watched(search, home, "modules", str(playbook(tmp_path, tasks)), hosts)
    assert "Can not find contract" in ended.output
    assert ended.recap["shop"]["ignored"] == 1, ended.output
    job.assert_whole()
    hide_keys(search, job)
    hide_login(search, job)


def test_the_odoo_role(running_platform: Platform, search: SecretSearch, home: Path, tmp_path: Path) -> None:
    """Of three hosts one loses the answer of create, one gets a page of a proxy for its dump, and one is done."""
    running_platform.reset()
    running_platform.fault("reset_after", "create")
    running_platform.fault("http_error", "upload", status=502)
    jobs = [Job(running_platform, tmp_path / "work", host) for host in ("first", "second", "third")]
    hosts = inventory(tmp_path, {job.host: with_report(job) for job in jobs})
    ended = run_watched(search, home, "role", "siteops.upgrades.odoo_upgrade", hosts)
    assert sorted(host["failed"] for host in ended.recap.values()) == [0, 1, 1], ended.output
    assert "answered 502 with an HTML page" in ended.words
    assert search.add_files("role: report", jobs[0].folder / "reports") == len(jobs)
    hide_keys(search, jobs[0])


def test_the_preflight_and_the_odoo_role_by_runner(
    running_platform: Platform, search: SecretSearch, home: Path, tmp_path: Path
) -> None:
    running_platform.reset()
    job = Job(running_platform, tmp_path / "work")
    hosts = inventory(tmp_path, {job.host: with_report(job)})
    output = run_by_runner(search, home, "role", one_after_another(tmp_path, "odoo_preflight", "odoo_upgrade"), hosts)
    assert "submit: request none" in output
    job.assert_whole()
    assert search.add_files("reports of the preflight and of the upgrade:", job.folder / "reports") == 2
    hide_keys(search, job)


def with_report(job: Job) -> dict[str, Any]:
    """The variables of a job with the contract that is hunted, which writes a report."""
    reports = job.folder / "reports"
    reports.mkdir(exist_ok=True)
    more = {"odoo_upgrade_contract": CONTRACT, "odoo_upgrade_wait_timeout": 30, "odoo_upgrade_report_dir": str(reports)}
    return {**job.variables, **more}


def test_a_program_that_is_started_gets_no_secret(
    running_platform: Platform, search: SecretSearch, home: Path, tmp_path: Path
) -> None:
    """pg_restore is the only one; its stand-in writes down what it was given."""
    platform = running_platform
    platform.reset()
    platform.settings.update({"accept_any_dump": True})
    seen = tmp_path / "seen"
    programs = tmp_path / "bin"
    programs.mkdir()
    stand_in = programs / "pg_restore"
    stand_in.write_text(f'#!/bin/sh\n{{ env; echo "$@"; }} > {seen}\n', encoding="utf-8")
    stand_in.chmod(0o755)
    job = Job(platform, tmp_path / "work")
    job.dump.write_bytes(SAMPLE_DUMP.read_bytes())
    job.variables.update(odoo_upgrade_contract=CONTRACT)
    job.submit()
    made = platform.store.all()[0]
    made.upgraded.write_bytes(SAMPLE_DUMP.read_bytes())
    platform.force_state(made.id, "done")
    made.upgraded.write_bytes(SAMPLE_DUMP.read_bytes())
    options = {"api_url": platform.api_url, "ca_path": str(platform.ca_path), "dest": str(tmp_path / "fetched")}
    env = {
        "ODOO_UPGRADE_REQUEST_KEY": made.key,
        "ODOO_UPGRADE_SFTP_PASSPHRASE": PASSPHRASE,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
    }
    run = run_module("odoo_upgrade_download", {**options, "request_id": str(made.id)}, "-vvvv", env=env)
    assert not run.failed, run.output
    search.add("pg_restore", seen.read_text(encoding="utf-8"))
    search.add("output", run.output)
    hide_keys(search, job)
    search.secret("passphrase", PASSPHRASE)


def token_of(plone: PloneServer) -> str:
    status, answer = plone.call("POST", f"{plone.url}/@login", {"login": MANAGER.name, "password": MANAGER.password})
    assert status == 200, answer
    return str(answer["token"])


def hide_accounts(search: SecretSearch, token: str) -> None:
    search.secret("password", ADMIN.password)
    search.secret("user and password", f"{ADMIN.name}:{ADMIN.password}")
    search.secret("token", token)
    search.secret("signature of the token", token.rpartition(".")[2])


@pytest.mark.parametrize("fault", PLONE_FAULTS)
def test_every_plone_module(
    plone_server: PloneServer, runner: InProcess, search: SecretSearch, tmp_path: Path, fault: str
) -> None:
    plone_server.restore()
    token = token_of(plone_server)
    with CuttingProxy(plone_server.url) as proxy:
        proxy.spoil = PLONE_FAULTS[fault]
        env = {"XDG_STATE_HOME": str(tmp_path / "state")}
        run_in_process(search, runner, plone_calls(proxy.url, ADMIN.password, token), env)
    hide_accounts(search, token)


def test_every_plone_module_in_a_play(
    plone_server: PloneServer, search: SecretSearch, home: Path, tmp_path: Path
) -> None:
    """All of them, and then those that write with pages of a proxy in place of the answers."""
    plone_server.restore()
    token = token_of(plone_server)
    with CuttingProxy(plone_server.url) as proxy:
        proxy.spoil = PLONE_FAULTS[PAGES]
        undisturbed = list(plone_calls(plone_server.url, "{{ password }}", "{{ token }}"))
        tasks = [step for call in undisturbed for step in task(*call)]
        for module, options in plone_calls(proxy.url, "{{ password }}", "{{ token }}"):
            if module in PLONE_WRITES:
                tasks += task(module, {**options, **PLONE_WRITES[module]}, PAGES)
        hosts = inventory(tmp_path, {"site": {"password": ADMIN.password, "token": token}})
        ended = run_watched(search, home, "modules", str(playbook(tmp_path, tasks)), hosts)
    assert {method for method, _path in proxy.arrived} == {"GET", "POST", "PATCH"}, ended.output
    hide_accounts(search, token)


@pytest.mark.parametrize(
    "fault", ({}, {"step_error": "ValueError", "message": ADMIN.password}), ids=("success", "echo")
)
def test_the_plone_role(
    plone_server: PloneServer, search: SecretSearch, home: Path, tmp_path: Path, fault: dict[str, Any]
) -> None:
    """In the echo the server itself puts the password into its report, as a step that logs its settings would."""
    token = token_of(plone_server)
    reports = tmp_path / "reports"
    reports.mkdir()
    variables = {"plone_upgrade_url": plone_server.url, "plone_upgrade_wait_timeout": 60, "plone_upgrade_addons": "all"}
    variables["plone_upgrade_report_dir"] = str(reports)
    variables.update(plone_upgrade_username=ADMIN.name, plone_upgrade_password=ADMIN.password)
    plone_server.restore()
    plone_server.fault(**fault)
    hosts = inventory(tmp_path, {"site": variables})
    run_by_runner(search, home, "role", "siteops.upgrades.plone_upgrade", hosts)
    assert search.add_files("role: report", reports) == 1
    hide_accounts(search, token)


def test_the_playbooks_that_only_read_plone(
    plone_server: PloneServer, search: SecretSearch, home: Path, tmp_path: Path
) -> None:
    """With the sites found by the inventory plugin, and the password from the environment as AWX gives it."""
    plone_server.restore()
    source = {"plugin": "siteops.upgrades.plone_sites", "url": plone_server.root_url}
    hosts = tmp_path / "all.plone_sites.yml"
    hosts.write_text(json.dumps(source), encoding="utf-8")
    env = {"PLONE_USERNAME": ADMIN.name, "PLONE_PASSWORD": ADMIN.password}
    play = one_after_another(tmp_path, "plone_status", "plone_preflight")
    output = run_by_runner(search, home, "status and preflight", play, hosts, env)
    assert plone_server.url.rpartition("/")[2] in output
    hide_accounts(search, token_of(plone_server))


@pytest.mark.parametrize(
    "module", ("plone_upgrade_info", "plone_addon_info", "plone_transaction_info", "plone_site_info")
)
def test_a_redirected_read_of_plone_takes_nothing_along(module: str, search: SecretSearch) -> None:
    with LocalServer(document({})) as other, LocalServer(redirect(f"{other.url}/@upgrade?next=1")) as site:
        options = {"url": f"{site.url}/Plone", "username": "admin", "password": ADMIN.password}
        run = run_module(module, options, "-vvvv")
        assert run.failed, run.output
        assert site.seen
        assert other.seen == []
        assert f"was redirected to {other.url}" in run.output
    search.add("output", run.output)
    search.secret("password", ADMIN.password)


@pytest.mark.parametrize("call", ("create", "upload", "process", "status", "upgraded/archive"))
def test_a_redirected_call_of_odoo_takes_nothing_along(
    running_platform: Platform, search: SecretSearch, tmp_path: Path, call: str
) -> None:
    platform = running_platform
    platform.reset()
    job = Job(platform, tmp_path / "work")
    job.variables["odoo_upgrade_contract"] = CONTRACT
    with LocalServer(document({"failures": []})) as other:
        platform.fault("redirect", call, times=50, location=f"{other.url}/elsewhere")
        runs = job.attempt("-vvvv")
        assert runs[-1].failed
        assert f"was redirected to {other.url}" in runs[-1].msg
        for seen in other.seen:
            search.add("another host", f"{seen.path}\n{seen.headers}\n{seen.body!r}")
    for run in runs:
        search.add("output", run.output)
    hide_keys(search, job)


PLAIN: dict[str, dict[str, Any]] = {
    **{name: {"url": f"{NOT_LOOPBACK}/{name}", "username": "u", "password": ADMIN.password} for name in PLONE_MODULES},
    **{
        f"odoo_upgrade_{name}": {
            "api_url": f"{NOT_LOOPBACK}/{name}/database/v1",
            "request_id": "1",
            "request_key": "k" * 20,
        }
        for name in ODOO_MODULES
    },
}
NEEDED: dict[str, dict[str, Any]] = {
    "plone_addon": {"name": ["x"]},
    "odoo_upgrade_request": {"contract": CONTRACT, "email": "a@example.com", "target": "18.0", "filename": "x"},
    "odoo_upgrade_upload": {"src": __file__},
    "odoo_upgrade_download": {},
}


def test_an_unencrypted_way_to_another_host_is_warned_of_by_every_module(home: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    for name, options in PLAIN.items():
        needed = dict(NEEDED.get(name, {}))
        if name == "odoo_upgrade_request":
            needed["request_file"] = str(tmp_path / "shop.json")
        if name == "odoo_upgrade_download":
            needed["dest"] = str(tmp_path / "dest")
        if name == "odoo_upgrade_sftp_access":
            needed["sftp_private_key"] = str(key)
        run = run_module(name, {**options, **needed, "timeout": 1})
        assert f"unencrypted to {options.get('url') or options['api_url']}; use https." in run.warnings, run.output


def test_the_search_finds_what_is_there() -> None:
    """A harness that finds nothing proves nothing before it was seen to find something."""
    for disguise in (
        lambda text: text,
        lambda text: base64.b64encode(f"admin:{text}".encode()).decode(),
        lambda text: json.dumps({"a": text}),
        lambda text: text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
    ):
        search = SecretSearch()
        search.add("somewhere", f"before {disguise(CONTRACT)} after")
        search.secret("contract", CONTRACT)
        search.search()
        assert search.hits, disguise(CONTRACT)
