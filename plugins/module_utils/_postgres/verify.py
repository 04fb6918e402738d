# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a database is what an upgrade promised: every reason against it, all at once.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError, UpgradeError
from .dangers import QUEUED, dangers
from .database import Server
from .filestore import NONE, compare, needed_by
from .info import odoo_content
from .neutralize_sql import counted, present
from .odoo_facts import series

STILL_ACTS = {
    "crons": "active_crons",
    "mail_servers": "active_mail_servers",
    "mail_fallback": "mail_fallback (without an active placeholder Odoo sends by the mail server of its configuration)",
    "fetchmail_servers": "active_fetchmail_servers",
    "payment_providers": "payment_providers",
    "webhooks": "webhooks",
    "queued_jobs": "queued_jobs",
    **{each.name: each.name for each in QUEUED},
}
"""What must not be left in a neutralised database, by the names of neutralize_sql, and how messages name it."""


@dataclass(frozen=True)
class VerifyPlan:
    """What is asked for; see the options of the module."""

    database: str
    baseline: t.Mapping[str, t.Any]
    expect_version: str
    allow_missing_modules: tuple[str, ...]
    allow_fewer_rows: tuple[str, ...]
    neutralized: bool | None
    filestore: str
    verify: str


def verify(server: Server, plan: VerifyPlan, log_in: t.Callable[[], str] | None) -> dict[str, t.Any]:
    """Compare a database with what it was before, and with what it should be.

    :param log_in: logs in over HTTP, and returns what is wrong with that; None where nobody asked for it.
    :raises UpgradeError: it is not as it should be; with every reason.
    """
    server.require_readable(plan.database)
    before = plan.baseline
    counts = sorted(before.get("counts") or {}) or None
    found = odoo_content(server, plan.database, counts)
    reasons = [
        *_of_version(plan, found),
        *_of_modules(plan, found),
        *_of_counts(plan, found),
        *_of_neutralisation(server, plan, found),
    ]
    result: dict[str, t.Any] = {
        "changed": False,
        "version": found["version"],
        "counts": found["counts"],
        "invoices": found["invoices"],
        "modules_lost": _lost_modules(plan, found),
        "neutralized": found["neutralized"],
        "open_work": found["open_work"],
    }
    if plan.filestore and plan.verify != NONE:
        compared = compare(needed_by(server, plan.database), [plan.filestore], plan.verify)
        result["filestore"] = compared.as_result()
        if not compared.is_whole:
            reasons.append(f"the filestore {plan.filestore} is not whole: {compared.words()}")
    if log_in:
        refusal = log_in()
        if refusal:
            reasons.append(refusal)
    if reasons:
        raise UpgradeError(
            f"The database {plan.database} is not as it should be: {'; '.join(reasons)}.", reasons=reasons, **result
        )
    return {**result, "reasons": []}


def _of_version(plan: VerifyPlan, found: t.Mapping[str, t.Any]) -> list[str]:
    if plan.expect_version and found["version"] != plan.expect_version:
        return [f"it is Odoo {found['version'] or 'of an unknown version'}, not {plan.expect_version}"]
    return []


def _of_modules(plan: VerifyPlan, found: t.Mapping[str, t.Any]) -> list[str]:
    reasons = []
    if found["unfinished_modules"]:
        reasons.append(f"modules are left in an unfinished state: {', '.join(found['unfinished_modules'])}")
    lost = [name for name in _lost_modules(plan, found) if name not in plan.allow_missing_modules]
    if lost:
        reasons.append(
            f"modules that were installed before are not any more: {', '.join(lost)} "
            "(name them in 'allow_missing_modules' if that is meant)"
        )
    old = sorted(
        name
        for name, module in found["modules"].items()
        if module["state"] == "installed" and series(module["version"]) != found["version"] and module["version"]
    )
    if old and plan.expect_version:
        reasons.append(f"modules still have the version of before, their code was not updated: {', '.join(old)}")
    return reasons


def _lost_modules(plan: VerifyPlan, found: t.Mapping[str, t.Any]) -> list[str]:
    before = {name for name, module in (plan.baseline.get("modules") or {}).items() if module["state"] == "installed"}
    return sorted(before - set(found["modules"]))


def _of_counts(plan: VerifyPlan, found: t.Mapping[str, t.Any]) -> list[str]:
    reasons = []
    for table, rows in sorted((plan.baseline.get("counts") or {}).items()):
        now = found["counts"].get(table)
        if table in plan.allow_fewer_rows:
            continue
        if now is None:
            reasons.append(f"the table {table} had {rows} rows and is not there any more")
        elif now < rows:
            reasons.append(f"{table} has {now} rows, and had {rows} before")
    for state, rows in sorted((plan.baseline.get("invoices") or {}).items()):
        now = found["invoices"].get(state, 0)
        if now < rows and "account_move" not in plan.allow_fewer_rows:
            reasons.append(f"accounting entries {state}: {now}, and {rows} before")
    return reasons


def _of_neutralisation(server: Server, plan: VerifyPlan, found: t.Mapping[str, t.Any]) -> list[str]:
    if plan.neutralized is None:
        return []
    if not plan.neutralized:
        return ["it is marked as neutralised, so it is no production database"] if found["neutralized"] else []
    reasons = [] if found["neutralized"] else ["it is not marked as neutralised"]
    wanted = present(server, plan.database, [each for each in dangers(True) if each.name in STILL_ACTS])
    left = counted(server, plan.database, wanted)
    busy = [f"{left[name]} {words}" for name, words in STILL_ACTS.items() if left.get(name)]
    return [*reasons, *([f"it would still act: {', '.join(busy)}"] if busy else [])]


def baseline_of(value: t.Any) -> dict[str, t.Any]:
    """The result of odoo_database_info in an option.

    :raises OptionError: it is another one.
    """
    baseline = value or {}
    if not isinstance(baseline.get("modules", {}), dict) or not isinstance(baseline.get("counts", {}), dict):
        raise OptionError("baseline", "is not a result of odoo_database_info; give the whole registered result.")
    if baseline and not baseline.get("is_odoo"):
        raise OptionError("baseline", "is not the result of odoo_database_info on a database of Odoo.")
    for module in baseline.get("modules", {}).values():
        if not isinstance(module, dict) or "state" not in module:
            raise OptionError("baseline", "is not a result of odoo_database_info; give the whole registered result.")
    for rows in (*baseline.get("counts", {}).values(), *(baseline.get("invoices") or {}).values()):
        if not isinstance(rows, int):
            raise OptionError("baseline", "is not a result of odoo_database_info: a count in it is no number.")
    return dict(baseline)
