# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test Plone from a shell, a playbook or a Makefile: ``PYTHONPATH=tests python -m support.plone --help``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from support.plone.environment import environment_folder
from support.plone.faults import FAULTS
from support.plone.server import PloneServer
from support.plone.snapshot import PROFILE, prepare_snapshot


def prepare(arguments: argparse.Namespace) -> None:
    started = time.monotonic()
    print(f"Installing Plone into {environment_folder()} and creating a site, unless that is done already.", flush=True)
    print(f"The snapshot is {prepare_snapshot()}, ready after {time.monotonic() - started:.1f} s.")


def start(arguments: argparse.Namespace) -> None:
    if arguments.state.exists() and _server(arguments.state).running:
        raise RuntimeError(f"{arguments.state} describes a running server; stop it first")
    server = PloneServer(arguments.profile, arguments.port, arguments.sites)
    try:
        server.reset()
        _save(server, arguments.state)
    except BaseException:
        server.close()
        raise
    print(f"Plone answers at {' '.join(server.urls)}")


def serve(arguments: argparse.Namespace) -> None:
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with PloneServer(arguments.profile, arguments.port, arguments.sites) as server:
        print(_summary(server), flush=True)
        over.wait()


def _summary(server: PloneServer) -> str:
    account = server.state()
    others = [f"  another site   {url}" for url in server.urls[1:]]
    return "\n".join(
        [
            f"A real Plone is ready. Its database claims version {server.profile}, so an upgrade is pending.",
            "",
            f"  export PLONE_URL={server.url}",
            f"  export PLONE_USERNAME={account['username']}",
            f"  export PLONE_PASSWORD={account['password']}",
            "",
            *others,
            "It listens on this machine only. End with Ctrl-C; its data goes with it.",
        ]
    )


def stop(arguments: argparse.Namespace) -> None:
    if not arguments.state.exists():
        print(f"There is no {arguments.state}: nothing to stop.")
        return
    _server(arguments.state).close()
    arguments.state.unlink()


def reset(arguments: argparse.Namespace) -> None:
    server = _server(arguments.state)
    server.reset()
    _save(server, arguments.state)


def fault(arguments: argparse.Namespace) -> None:
    _server(arguments.state).fault(**json.loads(arguments.faults))


def _server(state: Path) -> PloneServer:
    return PloneServer.from_state(json.loads(state.read_text(encoding="utf-8")))


def _save(server: PloneServer, state: Path) -> None:
    draft = state.with_name(f"{state.name}.draft")
    draft.write_text(json.dumps(server.state(), indent=2) + "\n", encoding="utf-8")
    os.replace(draft, state)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m support.plone", description="A real Plone for tests.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("prepare", help="install Plone and create a site, once; takes half a minute")
    command.set_defaults(run=prepare)

    stateful = argparse.ArgumentParser(add_help=False)
    stateful.add_argument("--state", type=Path, required=True, help="JSON file that describes the running server")

    for name, parents, run, text in (
        ("serve", [], serve, "run a server in the foreground, to practise on"),
        ("start", [stateful], start, "start a server that stays; writes --state"),
    ):
        command = commands.add_parser(name, parents=parents, help=text)
        command.add_argument(
            "--profile", default=PROFILE, help="version of the core profile every site claims (default: %(default)s)"
        )
        command.add_argument("--port", type=int, help="port on 127.0.0.1 (default: a free one)")
        command.add_argument("--sites", type=int, default=1, help="how many sites there are (default: %(default)s)")
        command.set_defaults(run=run)

    command = commands.add_parser("stop", parents=[stateful], help="stop the server, remove its data and --state")
    command.set_defaults(run=stop)

    command = commands.add_parser(
        "reset", parents=[stateful], help="restart on fresh data, without faults, with an empty access log"
    )
    command.set_defaults(run=reset)

    command = commands.add_parser(
        "fault",
        parents=[stateful],
        help="make the server misbehave from the next request on",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"{name} ({kind.__name__}): {meaning}" for name, (kind, meaning) in FAULTS.items()),
    )
    command.add_argument("faults", help='JSON object of faults, for example {"step_error": "ValueError"}; {} for none')
    command.set_defaults(run=fault)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    try:
        parsed.run(parsed)
    except (OSError, RuntimeError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
