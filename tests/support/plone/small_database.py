# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small database of a Plone instance, written by the real ZODB: a site of some version, objects and blobs."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from support.plone.environment import clean_variables, prepare_environment

SITE = r"""
import transaction
from persistent import Persistent
from persistent.mapping import PersistentMapping
from ZODB import DB
from ZODB.blob import Blob

class Folder(Persistent):
    pass

db = DB(storage)
root = db.open().root()
if "Application" not in root:
    app, site, tool = Folder(), Folder(), Folder()
    tool._profile_upgrade_versions = PersistentMapping()
    site.portal_setup = tool
    app._objects = ({"id": "Plone", "meta_type": "Plone Site"},)
    app.Plone = site
    root["Application"] = app
    root["files"] = PersistentMapping()
site = root["Application"].Plone
site.portal_setup._profile_upgrade_versions["Products.CMFPlone:plone"] = (order["version"],)
for name, content in order["files"].items():
    blob = root["files"].setdefault(name, Blob())
    with blob.open("w") as file:
        file.write(content.encode())
for number in range(order["objects"]):
    root["files"]["object %d" % number] = PersistentMapping({"text": "x" * 200})
transaction.commit()
if order["pack"]:
    db.pack()
db.close()
"""
"""What writes to a storage in the variable ``storage`` as ``order`` says."""

WRITER = rf"""
import json, sys
from ZODB.FileStorage import FileStorage

order = json.loads(sys.argv[1])
storage = FileStorage(order["data_fs"], blob_dir=order["blobs"])
{SITE}
"""


class SmallDatabase:
    """A Data.fs and its blobs in a folder; no server uses them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_fs = folder / "filestorage" / "Data.fs"
        self.blobs = folder / "blobstorage"
        self.python = prepare_environment() / "bin" / "python"
        self.data_fs.parent.mkdir(parents=True)

    @property
    def options(self) -> dict[str, Any]:
        """The options of the modules that say which database it is."""
        return {"data_fs": str(self.data_fs), "blobs": str(self.blobs), "python": str(self.python)}

    def write(self, version: str = "6018", *, objects: int = 3, pack: bool = False, **files: str) -> None:
        """One transaction: the site's version, objects, and files that become blobs."""
        order = {
            **{"data_fs": str(self.data_fs), "blobs": str(self.blobs), "version": version},
            **{"objects": objects, "pack": pack, "files": files},
        }
        subprocess.run([str(self.python), "-c", WRITER, json.dumps(order)], env=clean_variables(), check=True)

    def blob_files(self) -> list[Path]:
        """The files of the blobs."""
        return sorted(self.blobs.rglob("*.blob"))

    def content(self) -> dict[str, str]:
        """The digest of the Data.fs and of every blob."""
        paths = [self.data_fs, *self.blob_files()]
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
            if path.exists()
        }
