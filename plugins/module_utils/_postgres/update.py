# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules of a database updated by Odoo itself, and judged by the database and the log, not by the exit status.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError, UpgradeError
from .._core.process import ToolError, run
from .._core.progress import Progress
from .addons import addons_folders, code_of, version_of
from .database import Server
from .odoo_config import server_arguments
from .odoo_facts import UNFINISHED, modules_of, series_of
from .odoo_log import LONGEST_LINE, Complaints
from .session import only_run

ALL = "all"
NO_LOG = (
    "Odoo wrote no log that can be read here, as with 'syslog' in its configuration or in a container. Only its status "
    "and the states of the modules were judged."
)
MOST_LINES = 20


@dataclass(frozen=True)
class UpdatePlan:
    """What is asked for; see the options of the module."""

    database: str
    odoo_bin: tuple[str, ...]
    config: str
    modules: tuple[str, ...]
    timeout: int


class OdooRun(t.NamedTuple):
    """How Odoo ended: its status and last words, what its log complains about, the cause, and whether it has a log."""

    status: int
    words: str
    log: list[dict[str, str]]
    cause: str
    wrote_log: bool


def update(
    server: Server,
    plan: UpdatePlan,
    progress: Progress,
    check_mode: bool,
    warn: t.Callable[[t.Iterable[str]], None],
) -> dict[str, t.Any]:
    """Have Odoo update modules.

    :param warn: takes what cannot be judged.
    :raises UpgradeError: the update did not do all that was asked for, whatever its exit status says.
    """
    _require_program(plan)
    # Odoo makes a database where there is none, so a wrong name must be found here.
    server.require_readable(plan.database)
    before = modules_of(server, plan.database)
    installed = {name for name, module in before.items() if module["state"] in ("installed", "to upgrade")}
    unknown = [name for name in plan.modules if name != ALL and name not in installed]
    if unknown:
        raise OptionError(
            "modules", f"not installed in {plan.database}: {', '.join(unknown)}. Odoo would ignore them and end with 0."
        )
    if check_mode:
        expected = _forecast(plan, before)
        return {"changed": bool(expected), "updated": expected, "version": series_of(before), "log": []}
    with only_run(server, plan.database):
        progress.state("updating", plan.timeout)
        status, words, log, cause, wrote_log = _run_odoo(server, plan)
        after = modules_of(server, plan.database)
    complaints = [line for line in log if line["level"] != "WARNING"]
    left = sorted(name for name, module in after.items() if module["state"] in UNFINISHED)
    reasons = []
    if status:
        reasons.append(f"it ended with status {status}" + ("" if complaints else f": {words.rstrip('.')}"))
    if left:
        reasons.append(f"modules are left in an unfinished state: {', '.join(left)}{_without_code(plan, left)}")
    if complaints:
        reasons.append(f"its log has {len(complaints)} errors: {cause}")
    if reasons:
        raise UpgradeError(
            f"The update of {', '.join(plan.modules)} in {plan.database} failed: {'; '.join(reasons)}. "
            f"The log is in 'log'.{' Mend the code of the module, and run again.' if left or complaints else ''}",
            log=log[:MOST_LINES],
            unfinished_modules=left,
            status=status,
        )
    if not wrote_log:
        warn([NO_LOG])
    updated = _changes(before, after)
    return {"changed": bool(updated), "updated": updated, "version": series_of(after), "log": log[:MOST_LINES]}


def _changes(
    before: t.Mapping[str, t.Mapping[str, str]], after: t.Mapping[str, t.Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """Which modules have another version than before."""
    return {
        name: {"from": before.get(name, {}).get("version", ""), "to": module["version"]}
        for name, module in after.items()
        if before.get(name, {}).get("version", "") != module["version"]
    }


def _code_folders(plan: UpdatePlan) -> list[str]:
    """Where the code of modules lies, as far as it can be seen: a configuration may be in a container."""
    try:
        return addons_folders(None, plan.odoo_bin, plan.config)
    except OptionError:
        return addons_folders(None, plan.odoo_bin, "")


def _without_code(plan: UpdatePlan, names: t.Sequence[str]) -> str:
    """Which of these modules have no code, in words; Odoo's log only says that they are not installable."""
    folders = _code_folders(plan)
    lacking = [name for name in names if not code_of(folders, name)]
    if not lacking or not code_of(folders, "base"):
        return ""
    return f" (no code of {', '.join(lacking)} in {', '.join(folders)})"


def _forecast(plan: UpdatePlan, before: t.Mapping[str, t.Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Which versions an update would record, by the manifests of the code."""
    folders, series = _code_folders(plan), series_of(before)
    names = list(before) if ALL in plan.modules else list(plan.modules)
    found = {}
    for name in names:
        version = version_of(code_of(folders, name) or os.devnull, series)
        if version and version != before[name]["version"]:
            found[name] = {"from": before[name]["version"], "to": version}
    return found


def _run_odoo(server: Server, plan: UpdatePlan) -> OdooRun:
    """Run Odoo until it stops by itself.

    :raises ToolError: it cannot be run or did not end in time.
    """
    with tempfile.TemporaryDirectory(prefix="siteops-odoo-") as folder:
        log = os.path.join(folder, "odoo.log")
        command = [*plan.odoo_bin, *(("-c", plan.config) if plan.config else ()), "-d", plan.database]
        command += ["-u", ",".join(plan.modules), "--stop-after-init", "--no-http", "--max-cron-threads=0"]
        # A configuration may keep errors out of the log.
        command.append("--log-level=info")
        said = Complaints()
        command += ["--logfile", log, *server_arguments(server, plan.odoo_bin, plan.config)]
        ended = run(command, server.env, plan.timeout, watch=said.see)
        written = Complaints()
        with contextlib.suppress(OSError), open(log, "rb") as file:
            while block := file.read(LONGEST_LINE):
                written.see(block)
    # Odoo also writes to its standard error where it cannot write to the file.
    found = written.found() or said.found()
    if ended.status and not found and not written.seen:
        raise ToolError(f"{os.path.basename(plan.odoo_bin[0])} failed: {ended.words}.")
    return OdooRun(ended.status, ended.words, found, written.cause or said.cause, written.has_lines or said.has_lines)


def _require_program(plan: UpdatePlan) -> None:
    """Find before anything is asked that the program of Odoo is not there.

    :raises OptionError: names it.
    """
    if not shutil.which(plan.odoo_bin[0]):
        raise OptionError("odoo_bin", f"there is no program {plan.odoo_bin[0]} that can be run here.")


def require_command(odoo_bin: t.Sequence[str]) -> tuple[str, ...]:
    """The command of Odoo, as a program with its first arguments.

    :raises OptionError: it is empty.
    """
    command = tuple(part for part in odoo_bin if part)
    if not command:
        raise OptionError("odoo_bin", "is empty; give the path of odoo-bin.")
    return command
