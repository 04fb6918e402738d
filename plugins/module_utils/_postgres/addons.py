# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The code of Odoo's modules on this host: where it lies, which version it has, and the scripts that neutralise.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import ast
import os
import re
import typing as t

from .._core.errors import OptionError, UpgradeError
from .._core.process import ToolError, run
from .odoo_config import addons_path_of

MANIFESTS = ("__manifest__.py", "__openerp__.py")
SCRIPT = os.path.join("data", "neutralize.sql")
MOST_BYTES = 4 * 1024 * 1024

PYTHON = re.compile(r"#! ?((?:/\S*/env )?\S*python[0-9.]*)(?: -\S+)*", re.ASCII)
FIND_PACKAGE = (
    "import importlib.util as u, sys; del sys.path[0]; s = u.find_spec('odoo');"
    " print(*(s and s.submodule_search_locations or ()), sep='\\n')"
)
"""Without the current folder, which is the first one of the path here, but not of a script."""
PACKAGE_SECONDS = 60

WHOLE = re.compile(r"\A\s*BEGIN\s*;(.*)\bCOMMIT\s*;\s*\Z", re.S | re.I)
ENDS_TRANSACTION = re.compile(
    r"^[ \t]*(COMMIT|ROLLBACK|ABORT|BEGIN|START)([ \t]+(WORK|TRANSACTION|PREPARED)\b[^;\n]*)?[ \t]*;", re.M | re.I
)
"""BEGIN of a block of code has no semicolon, and END of one is followed by one, as that of a transaction may be."""


def addons_folders(addons_path: t.Sequence[str] | None, odoo_bin: t.Sequence[str], config: str) -> list[str]:
    """The folders in which modules lie: those that are given, of the configuration, and of Odoo's own code.

    That is beside odoo-bin in a checkout, and in the Python package of an Odoo that was installed.

    :raises OptionError: a folder that is given is not there, or the configuration cannot be read.
    """
    for folder in addons_path or ():
        if not os.path.isdir(folder):
            raise OptionError("addons_path", f"there is no folder {folder}.")
    folders = [*(addons_path or ()), *addons_path_of(config)]
    if odoo_bin:
        home = os.path.dirname(os.path.realpath(odoo_bin[-1]))
        folders += [os.path.join(home, "addons"), os.path.join(home, "odoo", "addons")]
        folders += [os.path.join(package, "addons") for package in _packages(odoo_bin[-1])]
    # Odoo's module base lies below the package, not beside the others.
    folders += [os.path.join(os.path.dirname(folder), "odoo", "addons") for folder in folders]
    return [folder for folder in dict.fromkeys(map(os.path.abspath, folders)) if os.path.isdir(folder)]


def _packages(program: str) -> list[str]:
    """Where the Python that runs a script such as /usr/bin/odoo has the package; Odoo itself is not started for it."""
    try:
        with open(program, "rb") as file:
            first = file.readline(256).decode("ascii", "replace").split()
        found = PYTHON.fullmatch(" ".join(first))
        ended = run([*found[1].split(), "-c", FIND_PACKAGE], os.environ, PACKAGE_SECONDS) if found else None
    except (OSError, ToolError):
        return []
    return ended.output.decode("utf-8", "replace").splitlines() if ended and not ended.status else []


def code_of(folders: t.Sequence[str], module: str) -> str:
    """The folder with a module's code; empty if there is none."""
    for folder in folders:
        path = os.path.join(folder, module)
        if any(os.path.isfile(os.path.join(path, name)) for name in MANIFESTS):
            return path
    return ""


def script_of(code: str) -> str:
    """The script with which a module neutralises itself; empty if it has none.

    :raises UpgradeError: it cannot be used.
    """
    path = os.path.join(code, SCRIPT)
    try:
        with open(path, encoding="utf-8") as file:
            sql = file.read(MOST_BYTES)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        raise UpgradeError(f"The script {path} cannot be read.") from error
    return in_callers_transaction(sql, path)


def in_callers_transaction(sql: str, origin: str) -> str:
    """The SQL of a script, without the transaction around all of it that Odoo prints, for one that is open already.

    :raises UpgradeError: it has a command of psql in it, or it would end that transaction.
    """
    sql = WHOLE.sub(r"\1", sql)
    if re.search(r"^\s*\\", sql, re.M):
        raise UpgradeError(f"The script {origin} has a command of psql in it, which no script of Odoo has.")
    found = ENDS_TRANSACTION.search(sql)
    if found:
        raise UpgradeError(
            f"The script {origin} has {' '.join(found[0].split())!r} in it, which would end the transaction in which "
            "everything is neutralised or nothing. Remove it; Odoo runs each script in a transaction of its own making."
        )
    return sql


def version_of(code: str, series: str) -> str:
    """The version that a module's code would be recorded with, such as 17.0.1.3; empty if it names none."""
    for name in MANIFESTS:
        try:
            with open(os.path.join(code, name), encoding="utf-8") as file:
                manifest = ast.literal_eval(file.read(MOST_BYTES))
            version = str(manifest.get("version") or "1.0")
        except FileNotFoundError:
            continue
        except (OSError, ValueError, SyntaxError, AttributeError, RecursionError, MemoryError):
            return ""
        # As Odoo does it: a version of nothing but the series gets the series before it as well.
        return version if version.startswith(f"{series}.") else f"{series}.{version}"
    return ""
