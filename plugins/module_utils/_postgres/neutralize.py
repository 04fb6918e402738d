# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A copy of a production database made harmless, in one transaction, and proven by reading what is left.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import contextlib
import os
import re
import typing as t
from dataclasses import dataclass

from .._core.errors import OptionError, UpgradeError
from .._core.process import run
from .addons import addons_folders, code_of, in_callers_transaction, script_of
from .dangers import PLACEHOLDER, dangers
from .database import Database, Server, identifier
from .neutralize_sql import (
    DEFAULT_URL,
    FLAG,
    MARK,
    counted,
    mark_of,
    new_identity,
    present,
    set_parameter,
    statements,
)
from .odoo_facts import modules_of, series_of
from .refusal import DatabaseError
from .session import Inside, Session, only_run

FIRST_WITH_SCRIPTS = 16
"""The first version of Odoo whose modules have scripts."""

ODOO_SECONDS = 600
UNTOUCHED = (
    "API keys and passwords of users",
    "tokens of OAuth and calendars, as far as no script of a module removes them",
    "storage of files outside of this host",
    "integrations of modules that have no script",
)


@dataclass(frozen=True)
class NeutralizePlan:
    """What is asked for; see the options of the module."""

    database: str
    odoo_bin: tuple[str, ...]
    config: str
    addons_path: tuple[str, ...]
    renew_identity: bool
    cancel_mail: bool
    base_url: str
    allow_missing: bool


class Neutralize:
    """One neutralisation. A database that refused connections does so until the end."""

    def __init__(self, server: Server, plan: NeutralizePlan) -> None:
        self.server = server
        self.plan = plan
        self.warnings: list[str] = []
        self._modules: dict[str, dict[str, str]] = {}
        self._missing: list[str] = []

    def run(self, check_mode: bool) -> dict[str, t.Any]:
        """Neutralise, or find that it is done.

        :raises UpgradeError: nothing in the database has changed then.
        """
        database = self.server.require(self.plan.database)
        folders = addons_folders(self.plan.addons_path, self.plan.odoo_bin, self.plan.config)
        if check_mode:
            if not database.accepts_connections:
                # It cannot be read without opening it, and opening it is a change.
                return {"changed": True, **self._result({}, {})}
            return self._in(self.server, folders, True)
        with only_run(self.server, self.plan.database), self._opened_for_this_run(database) as inside:
            return self._in(inside, folders, False, not database.accepts_connections)

    @contextlib.contextmanager
    def _opened_for_this_run(self, database: Database) -> t.Iterator[Server]:
        """A connection to the database. If it was closed, it is closed again as soon as there is one.

        It is a template meanwhile, because no running Odoo lists those. It is open at the end only after a success.
        """
        if database.accepts_connections:
            with Session(self.server, database.name) as session:
                yield Inside(self.server, session, database.name)
            return
        name = identifier(database.name)
        self.server.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true IS_TEMPLATE true;\n")
        try:
            with Session(self.server, database.name) as session:
                self.server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false;\n")
                yield Inside(self.server, session, database.name)
        except BaseException:
            with contextlib.suppress(DatabaseError):
                self.server.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false IS_TEMPLATE false;\n")
            raise
        self.server.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true IS_TEMPLATE false;\n")

    def _in(self, inside: Server, folders: list[str], check_mode: bool, opens: bool = False) -> dict[str, t.Any]:
        name = self.plan.database
        self._modules = {
            each: module
            for each, module in modules_of(inside, name).items()
            if module["state"] in ("installed", "to upgrade", "to remove")
        }
        scripts = self._scripts(folders)
        wanted = present(inside, name, dangers(self.plan.cancel_mail))
        before = counted(inside, name, wanted)
        if self._is_done(inside, scripts, before):
            return {"changed": opens, **self._result(scripts, {})}
        if not check_mode:
            self._change(inside, self._scripts_of_odoo(name) if self._asks_odoo else scripts, wanted, scripts)
        return {"changed": True, **self._result(scripts, before)}

    @property
    def _has_scripts(self) -> bool:
        """Whether this version of Odoo has scripts at all."""
        found = re.match(r"(?:saas~)?(\d+)", series_of(self._modules))
        return int(found[1]) >= FIRST_WITH_SCRIPTS if found else False

    @property
    def _asks_odoo(self) -> bool:
        """Whether Odoo's own command has to be asked, because its own code does not lie in folders that are known."""
        return bool(self.plan.odoo_bin) and self._has_scripts and "base" in self._missing

    def _scripts(self, folders: list[str]) -> dict[str, str]:
        """The script of each installed module.

        :raises UpgradeError: a module has no code here, so whether it has a script is unknown.
        """
        if not self._has_scripts:
            self.warnings.append(
                f"Odoo {series_of(self._modules)} has no scripts to neutralise: only what this module does by itself "
                "was done. Look yourself at the integrations of other modules."
            )
            return {}
        scripts = {}
        for module in sorted(self._modules):
            code = code_of(folders, module)
            if not code:
                self._missing.append(module)
                continue
            sql = script_of(code)
            if sql.strip():
                scripts[module] = sql
        if self._missing and not self.plan.allow_missing:
            raise OptionError(
                "addons_path",
                f"{len(self._missing)} installed modules have no code in {', '.join(folders) or 'any folder'}, so it "
                f"is unknown how to neutralise them: {', '.join(self._missing[:20])}. Name the folders of their code, "
                "or set 'missing_scripts' to warn.",
            )
        if self._missing:
            what = (
                "Neutralised by Odoo's own command, as far as it finds their code, which is not known here"
                if self._asks_odoo
                else "Not neutralised for lack of their code"
            )
            self.warnings.append(f"{what}: {', '.join(self._missing)}.")
        return scripts

    def _scripts_of_odoo(self, name: str) -> dict[str, str]:
        """What Odoo's own command would run, where its code does not lie in folders that are known.

        :raises UpgradeError: the command failed.
        """
        command = [*self.plan.odoo_bin, "neutralize", *(("-c", self.plan.config) if self.plan.config else ())]
        allowed = self.server.find(name)
        if allowed and not allowed.accepts_connections:
            self.server.execute(f"ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS true;\n")
        try:
            ended = run([*command, "-d", name, "--stdout"], self.server.env, ODOO_SECONDS)
        finally:
            if allowed and not allowed.accepts_connections:
                self.server.execute(f"ALTER DATABASE {identifier(name)} ALLOW_CONNECTIONS false;\n")
        sql = ended.output.decode("utf-8", "replace")
        if ended.status or "UPDATE" not in sql.upper():
            raise UpgradeError(f"{os.path.basename(command[0])} neutralize --stdout failed: {ended.words}.")
        return {"odoo-bin": in_callers_transaction(sql, os.path.basename(command[0]))}

    def _is_done(self, inside: Server, scripts: t.Mapping[str, str], before: t.Mapping[str, int]) -> bool:
        """Whether there is nothing to do: by the rows themselves, because the flag alone proves nothing."""
        parameters = self._parameters(inside)
        return (
            parameters.get(FLAG, "").lower() == "true"
            and not any(before.values())
            and self._mark(scripts, parameters) == parameters.get(MARK)
            and (not self.plan.base_url or parameters.get("web.base.url") == self.plan.base_url)
        )

    def _mark(self, scripts: t.Mapping[str, str], parameters: t.Mapping[str, str]) -> str:
        return mark_of(scripts, parameters.get("database.uuid", "") if self.plan.renew_identity else "")

    def _parameters(self, inside: Server) -> dict[str, str]:
        rows = inside.rows(
            "SELECT key, coalesce(value, '') AS value FROM public.ir_config_parameter"
            f" WHERE key IN ('{FLAG}', '{MARK}', 'database.uuid', 'web.base.url')",
            self.plan.database,
        )
        return {row["key"]: row["value"] for row in rows}

    def _change(self, inside: Server, scripts: t.Mapping[str, str], wanted: t.Any, known: t.Mapping[str, str]) -> None:
        """Run everything in one transaction, look at what is left, and only then commit.

        :param known: the scripts that the next run finds, and compares.
        :raises UpgradeError: nothing has changed.
        """
        name = self.plan.database
        identity, renewal = new_identity() if self.plan.renew_identity else ("", "")
        sql = ["BEGIN;\n", *(f"{script}\n;\n" for _module, script in sorted(scripts.items()))]
        # Odoo's script inserts its placeholder again in every run, and turns the one of the run before off. The first
        # one stays, because mails and templates may refer to it.
        sql.append(
            "DELETE FROM public.ir_mail_server a USING public.ir_mail_server b"
            f" WHERE a.{PLACEHOLDER} AND b.{PLACEHOLDER} AND a.id > b.id;\n"
            f"UPDATE public.ir_mail_server SET active = true WHERE {PLACEHOLDER};\n"
            if any(each.table == "ir_mail_server" for each in wanted)
            else ""
        )
        sql += [statements(wanted), renewal]
        # Odoo changes this parameter when an administrator logs in, so only a value that is given is compared later.
        sql.append(set_parameter("web.base.url", self.plan.base_url or DEFAULT_URL))
        parameters = {"database.uuid": identity}
        sql += [set_parameter(FLAG, "true"), set_parameter(MARK, self._mark(known, parameters))]
        try:
            inside.execute("".join(sql), name)
            left = {what: count for what, count in counted(inside, name, wanted).items() if count}
            if left:
                raise UpgradeError(
                    f"After all statements the database {name} still has {left}, so a trigger or a script undoes them. "
                    "Nothing was changed."
                )
            inside.execute("COMMIT;\n", name)
        except DatabaseError as error:
            raise DatabaseError(  # pylint: disable=bad-exception-cause
                f"{str(error).rstrip('.')}. The database {name} is not neutralised; nothing in it was changed. "
                "If a script of a module failed, its code is of another version than the database.",
                **error.result,
            ) from error

    def _result(self, scripts: t.Mapping[str, str], before: t.Mapping[str, int]) -> dict[str, t.Any]:
        return {
            "version": series_of(self._modules),
            "neutralized": {name: count for name, count in before.items() if count},
            "scripts": ["odoo-bin"] if self._asks_odoo else sorted(scripts),
            "modules_without_code": self._missing,
            "not_touched": list(UNTOUCHED) + ([] if self.plan.cancel_mail else ["queued mails"]),
        }
