# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a dump may be sent: of a form that the platform takes, and whole as far as its form can prove.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import os
import re
import shlex
import typing as t

from .._core.errors import OptionError
from .dump_check import CheckedDump, check_in_time
from .dump_forms import DIRECTORY, SQL_BZ2, SQL_XZ, SQL_ZST, TAR, TAR_GZ, DamagedError
from .recognise import recognise

COMMANDS = {
    DIRECTORY: "pg_dump --format=custom --file={name}.dump DATABASE",
    TAR: "pg_restore --file=- {path} | gzip > {name}.sql.gz",
    TAR_GZ: "mkdir {name} && tar -xzf {path} -C {name} && (cd {name} && zip -r ../{name}.zip .)",
    SQL_XZ: "xz --decompress --stdout {path} | gzip > {name}.sql.gz",
    SQL_ZST: "zstd --decompress --stdout {path} | gzip > {name}.sql.gz",
    SQL_BZ2: "bzip2 --decompress --stdout {path} | gzip > {name}.sql.gz",
}
"""What makes a dump that every platform takes of one that not every platform takes."""

ENDING = re.compile(r"(\.(sql|tar|dump))?\.[^.]+$")
ANYWAY = "Nothing was sent. To send it all the same, set 'check_dump' (odoo_upgrade_check_dump in the role) to false."


def check_upload(path: str, takes: t.Collection[str], pg_restore: str | None, env: t.Mapping[str, str]) -> CheckedDump:
    """Read a dump to its end before it is sent.

    :param takes: the forms that the platform takes.
    :param env: the environment of programs.
    :raises OptionError: it is damaged, not whole, or of another form.
    :raises UpgradeError: it cannot be read.
    """
    try:
        form = recognise(path, env=env)
        if form.name not in takes:
            raise OptionError("src", f"{not_taken(path, form.name)} {ANYWAY}")
        return check_in_time(path, pg_restore, form, env)
    except DamagedError as error:
        raise OptionError("src", f"{error} {ANYWAY}") from error  # pylint: disable=bad-exception-cause


def not_taken(path: str, form: str) -> str:
    """That a form is not known to be taken, and the command that makes one that is."""
    path = path.rstrip("/")
    name = ENDING.sub("", os.path.basename(path)) or "dump"
    command = COMMANDS[form].format(path=shlex.quote(path), name=shlex.quote(name))
    return f"{path} is a dump of the form {form}, which the platform is not known to take. Make one it takes: {command}"
