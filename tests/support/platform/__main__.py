# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command line: `serve` in the foreground, `start` and `stop` in the background."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from support.platform import detached
from support.platform.server import Platform
from support.platform.settings import Settings
from support.upgrade_service.ssh_servers import find_sshd

_DEFAULTS = Settings()


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.command == "stop":
            return detached.stop(options.state)
        if options.command == "start":
            return detached.start(options.state, (arguments or sys.argv[1:])[1:])
        return _serve(options)
    except (detached.DetachedError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _serve(options: argparse.Namespace) -> int:
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    platform = Platform(
        port=options.port,
        sftp_port=options.sftp_port,
        folder=options.folder,
        tls=not options.plain_http,
        on_call=lambda record: print(record, flush=True),
        **_settings(options),
    )
    with platform:
        print(_summary(platform), flush=True)
        if options.state:
            detached.write_state(options.state, platform.describe())
        try:
            over.wait()
        finally:
            if options.state:
                options.state.unlink(missing_ok=True)
    return 0


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "contracts": tuple(options.contract or _DEFAULTS.contracts),
        "targets": tuple(options.target or _DEFAULTS.targets),
        "stage_seconds": None if options.manual else options.stage_seconds,
        "end_state": options.end_state,
        "customer_message": options.customer_message,
        "failure_status": options.failure_status,
        "deliver_filestore": options.deliver_filestore,
        "accept_any_dump": options.accept_any_dump,
        "bytes_per_second": options.bytes_per_second,
    }


def _summary(platform: Platform) -> str:
    settings = platform.settings
    pace = "by hand (POST …/requests/<id>/advance)" if settings.stage_seconds is None else f"{settings.stage_seconds} s"
    ssh = "behind a real sshd" if settings.ssh_server != "asyncssh" and find_sshd() else "behind asyncssh"
    return "\n".join(
        [
            "The rehearsal platform is ready. It is no Odoo: nothing is upgraded and nothing leaves this machine.",
            "",
            f"  export ODOO_UPGRADE_API_URL={platform.service_url}",
            f"  export ODOO_UPGRADE_CA_PATH={platform.ca_path}",
            "",
            "For the older database API v1, this URL instead:",
            f"  export ODOO_UPGRADE_API_URL={platform.api_url}",
            "",
            f"  contracts      {', '.join(settings.contracts)}",
            f"  targets        {', '.join(settings.targets)}",
            f"  each stage     {pace}, then {settings.end_state}",
            f"  rsync over ssh {ssh}",
            f"  SFTP           {platform.sftp_host}, port {platform.sftp_port}",
            f"  known_hosts    {platform.known_hosts_line}",
            f"  control        {platform.control_url}   (curl --cacert {platform.ca_path} …)",
            f"  files          {platform.folder}",
            "",
            "Every call is listed below. End with Ctrl-C.",
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m support.platform", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run in the foreground and list the calls")
    start = commands.add_parser("start", help="run in the background; returns when the platform is ready")
    stop = commands.add_parser("stop", help="end the platform of a state file")
    for command in (serve, start):
        _add_options(command)
    serve.add_argument("--state", type=Path, metavar="FILE", help="write addresses and pid to this JSON file")
    for command in (start, stop):
        command.add_argument("--state", type=Path, metavar="FILE", required=True, help="JSON file of addresses and pid")
    return parser


def _add_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--port", type=int, default=0, help="HTTPS port (default: a free one)")
    add("--sftp-port", type=int, default=0, help="SFTP port (default: a free one)")
    add("--folder", type=Path, help="keep certificates and host key here (default: a temporary folder)")
    add("--plain-http", action="store_true", help="HTTP instead of HTTPS")
    add("--contract", action="append", help=f"a contract that exists, repeatable (default: {_DEFAULTS.contracts[0]})")
    add("--target", action="append", help=f"a target, repeatable (default: {' '.join(_DEFAULTS.targets)})")
    add("--stage-seconds", type=float, default=_DEFAULTS.stage_seconds, help="time in each stage (default: 1)")
    add("--manual", action="store_true", help="stay in each stage until told to advance")
    add("--end-state", default=_DEFAULTS.end_state, help="state in which the work ends (default: done)")
    add("--customer-message", help="message of requests that have ended")
    add("--failure-status", type=int, default=_DEFAULTS.failure_status, help="HTTP status of failures (default: 200)")
    add("--deliver-filestore", action="store_true", help="always deliver a zip archive with a filestore")
    add("--accept-any-dump", action="store_true", help="take uploads of unknown format")
    add("--bytes-per-second", type=int, metavar="COUNT", help="a slow line, for each connection (default: no limit)")


if __name__ == "__main__":
    sys.exit(main())
