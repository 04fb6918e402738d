# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that change a database in place do before and after their work: options, a sentence.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .._core.errors import OptionError
from .._core.options import base_url, require_positive, sends_in_clear, verification
from .._core.task import Task
from .connection import database_name
from .database import Server
from .filestore import folder_of
from .neutralize import Neutralize, NeutralizePlan
from .odoo_facts import wanted_series, wanted_tables
from .swap import Swap
from .swap_names import REVERTED, SwapPlan
from .update import UpdatePlan, require_command, update
from .verify import VerifyPlan, baseline_of, verify

Params = t.Mapping[str, t.Any]

BEFORE = "_before"


def neutralize_once(params: Params, task: Task) -> dict[str, t.Any]:
    """The work of the module odoo_database_neutralize.

    :raises UpgradeError: names the option, or what the server said.
    """
    plan = NeutralizePlan(
        database=database_name(params["database"]),
        odoo_bin=tuple(part for part in params["odoo_bin"] or () if part),
        config=params["config"] or "",
        addons_path=tuple(part for part in params["addons_path"] or () if part),
        renew_identity=params["renew_identity"],
        cancel_mail=params["queued_mail"] == "cancel",
        base_url=base_url(params, "base_url") if params["base_url"] else "",
        allow_missing=params["missing_scripts"] == "warn",
    )
    neutralize = Neutralize(Server.of(params), plan)
    result = neutralize.run(task.check_mode)
    task.warn_all(neutralize.warnings)
    done = "would be" if task.check_mode else "was"
    return {
        "msg": f"The database {plan.database} {done} neutralised."
        if result["changed"]
        else f"The database {plan.database} is neutralised already.",
        "database": plan.database,
        **result,
    }


def update_once(params: Params, task: Task) -> dict[str, t.Any]:
    """The work of the module odoo_database_update.

    :raises UpgradeError: names the option, or what the update did not do.
    """
    require_positive(params, "timeout")
    modules = tuple(name for name in params["modules"] if name)
    if not modules:
        raise OptionError("modules", "is empty; give names of modules, or all.")
    if any("," in name for name in modules):
        raise OptionError("modules", "has a name with a comma in it; give a list of names.")
    plan = UpdatePlan(
        database=database_name(params["database"]),
        odoo_bin=require_command(params["odoo_bin"]),
        config=params["config"] or "",
        modules=modules,
        timeout=params["timeout"],
    )
    result = update(Server.of(params), plan, task.progress, task.check_mode, task.warn_all)
    done = "would have" if task.check_mode else "have"
    return {
        "msg": f"{len(result['updated'])} modules of {plan.database} {done} another version.",
        "database": plan.database,
        **result,
    }


def verify_once(params: Params, task: Task) -> dict[str, t.Any]:
    """The work of the module odoo_database_verify.

    :raises UpgradeError: names the option, or everything that is wrong.
    """
    fewer_rows = wanted_tables(params["allow_fewer_rows"], "allow_fewer_rows") or ()
    if params["filestore"]:
        folder_of(params["filestore"], "filestore")
    if params["web_password"] and not params["login_url"]:
        raise OptionError("web_password", "needs 'login_url'.")
    plan = VerifyPlan(
        database=database_name(params["database"]),
        baseline=baseline_of(params["baseline"]),
        expect_version=wanted_series(params["expect_version"], "expect_version") if params["expect_version"] else "",
        allow_missing_modules=tuple(name for name in params["allow_missing_modules"] or () if name),
        allow_fewer_rows=tuple(fewer_rows),
        neutralized=params["neutralized"],
        filestore=params["filestore"] or "",
        verify=params["verify"],
    )
    result = verify(Server.of(params), plan, _login_of(params, task, plan.database))
    return {"msg": f"The database {plan.database} is as it should be.", "database": plan.database, **result}


def _login_of(params: Params, task: Task, database: str) -> t.Callable[[], str] | None:
    if not params["login_url"]:
        return None
    # Only here: a module that makes no call over HTTP starts in two thirds of the time without requests.
    from .._core.http_client import HttpClient  # noqa: PLC0415
    from .login import PAGE, login_problem  # noqa: PLC0415

    url = base_url(params, "login_url")
    url = url[: -len(PAGE)] if url.endswith(PAGE) else url
    password = params["web_password"] or ""
    if password and sends_in_clear(url):
        task.warn(f"The password is sent unencrypted: {url} does not begin with https.")
    require_positive(params, "timeout")
    client = HttpClient(url, verify=verification(params), timeout=params["timeout"], url_option="login_url")
    return lambda: login_problem(client, database, params["web_user"], password)


def swap_once(params: Params, task: Task) -> dict[str, t.Any]:
    """The work of the module odoo_database_swap.

    :raises UpgradeError: names the option, or who is connected.
    """
    database = database_name(params["database"])
    keep_as = database_name(params["keep_as"] or f"{database}{BEFORE}", "keep_as")
    plan = SwapPlan(
        database=database,
        upgraded=database_name(params["upgraded"], "upgraded"),
        keep_as=keep_as,
        filestore_dir=params["filestore_dir"] or "",
        state=params["state"],
        terminate=params["terminate"],
    )
    if len({plan.database, plan.upgraded, plan.keep_as}) < 3:
        raise OptionError("keep_as", "'database', 'upgraded' and 'keep_as' must be three different names.")
    swap = Swap(Server.of(params), plan)
    result = swap.run(task.check_mode)
    task.warn_all(swap.warnings)
    done = "would be" if task.check_mode else "was"
    if not result["changed"]:
        which = "the one of before" if plan.state == REVERTED else "the upgraded one"
        msg = f"The database {database} is {which} already."
    else:
        msg = f"The database {plan.coming} {done} put in the place of {database}, which {done} kept as {plan.away}."
    return {"msg": msg, "database": database, **result}
