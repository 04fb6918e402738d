# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that behaves as odoo-bin does where it matters: what -u leaves in the database, its log, its status.

As with odoo-bin 16.0, the server of its command line wins over that of its configuration, and this over libpq's.
"""

from __future__ import annotations

import sys
from pathlib import Path

PROGRAM = """#!{python}
import argparse, configparser, os, subprocess, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("-c"), parser.add_argument("-d"), parser.add_argument("-u"), parser.add_argument("--logfile")
parser.add_argument("--db_host"), parser.add_argument("--db_port")
options, rest = parser.parse_known_args()
config = configparser.RawConfigParser()
config.read([options.c] if options.c else [])
for name in ("host", "port"):
    value = getattr(options, "db_" + name) or config.get("options", "db_" + name, fallback="")
    os.environ.update({{"PG" + name.upper(): value}} if value else {{}})
behaviour = open({behaviour!r}).read().split()
sql = {{
    "updates": "UPDATE ir_module_module SET latest_version = '16.0.2.0' WHERE name = 'zz_shop'",
    "activates": "UPDATE ir_cron SET active = true",
    "leaves": "UPDATE ir_module_module SET state = 'to upgrade' WHERE name = 'zz_shop'",
}}
with open(os.devnull if "is_silent" in behaviour else options.logfile, "w") as log:
    log.write("2026-11-28 18:00:00,001 42 INFO ? odoo: Odoo version 16.0\\n")
    for word in behaviour:
        if word in sql:
            command = [{psql!r}, "-XAtq", "-d", options.d]
            subprocess.run(command, input=sql[word], text=True, check=True)
        if word == "complains":
            log.write("2026-11-28 18:00:00,123 42 INFO shop odoo.modules.loading: 4 modules loaded\\n")
            log.write("2026-11-28 18:00:01,123 42 ERROR shop odoo.modules.loading: Some modules are not loaded\\n")
        if word == "chatters":
            log.write("2026-11-28 18:00:01,123 42 INFO shop odoo.modules.registry: module loaded\\n" * 10_000)
        if word == "warns":
            log.write("2026-11-28 18:00:01,123 42 WARNING shop odoo.models: Two fields have the same label\\n")
        if word == "hangs":
            time.sleep(600)
sys.exit(255 if "breaks" in behaviour else 0)
"""


def make_odoo_bin(folder: Path, psql: Path) -> Path:
    """The program; it reads what it should do from ``behaviour`` beside it, see :func:`behave`."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "odoo-bin"
    text = PROGRAM.format(python=sys.executable, behaviour=str(folder / "behaviour"), psql=str(psql))
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    behave(program)
    return program


def behave(program: Path, *words: str) -> None:
    """What the next runs do: updates, activates, leaves, complains, chatters, warns, hangs, breaks, is_silent."""
    program.with_name("behaviour").write_text(" ".join(words), encoding="utf-8")
