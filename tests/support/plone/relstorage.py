# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private server of a real Plone whose database is a RelStorage on SQLite, with or without history."""

from __future__ import annotations

import os
import shutil

from support.plone.cache import run
from support.plone.environment import clean_variables, environment_folder
from support.plone.extra_packages import extra_packages
from support.plone.instance import Instance
from support.plone.server import PloneServer

PACKAGES = ("RelStorage==4.3.0", "perfmetrics==4.3.0")

RELSTORAGE = """\
<relstorage $name>
  keep-history $keeps_history
  blob-dir $folder/var/blobs
  shared-blob-dir true
  <sqlite3>
    data-dir $folder/var/sqlite
  </sqlite3>
</relstorage>
"""

ZOPE_CONF = f"""\
%import relstorage
instancehome $folder

<zodb_db main>
  mount-point /
{RELSTORAGE}
</zodb_db>
"""

CONVERT_CONF = f"""\
%import relstorage
<filestorage source>
  path $folder/var/Data.fs
  blob-dir $folder/var/blobstorage
</filestorage>
{RELSTORAGE}
"""


class RelStorageServer(PloneServer):
    """The site of the snapshot, converted by RelStorage's own zodbconvert."""

    def __init__(self, *, keeps_history: bool) -> None:
        super().__init__()
        self._keeps_history = str(keeps_history).lower()
        self._instance = Instance(self.folder, self._text(ZOPE_CONF, "main"))

    def reset(self) -> None:
        self.stop()
        self.clear_faults()
        shutil.rmtree(self._instance.data, ignore_errors=True)
        shutil.copytree(self._snapshot() / "var", self._instance.data)
        convert = self.folder / "convert.conf"
        convert.write_text(self._text(CONVERT_CONF, "destination").replace("$folder", str(self.folder)), "utf-8")
        python = str(environment_folder() / "bin/python")
        run([python, "-m", "relstorage.zodbconvert", str(convert)], clean_variables(PYTHONPATH=self._python_path()))
        self.start()
        self.clear_requests()

    def _text(self, template: str, name: str) -> str:
        return template.replace("$keeps_history", self._keeps_history).replace("$name", name)

    def _python_path(self) -> str:
        packages = extra_packages("relstorage", *PACKAGES, proof="relstorage/zodbconvert.py")
        return os.pathsep.join([super()._python_path(), str(packages)])
