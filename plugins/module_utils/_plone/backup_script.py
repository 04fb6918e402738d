# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs in the Python of a Plone instance: reads a whole Data.fs and says what is in it, as JSON.

Private to the collection: may change without notice.
"""

from __future__ import annotations

SCRIPT = r"""
# Runs from Python 2.7 on, in whatever the instance uses. Only ZODB is needed: classes that are missing stay unread.
from __future__ import print_function
import json, logging, os, sys

MOST_NAMED = 1000

def main(data_fs, blob_dir):
    logging.basicConfig(level=logging.CRITICAL)
    from ZODB.blob import FilesystemHelper, is_blob_record
    from ZODB.DB import DB
    from ZODB.FileStorage import FileStorage
    from ZODB.serialize import referencesf
    from ZODB.utils import tid_repr
    storage = FileStorage(data_fs, read_only=True)
    found = {"size": os.path.getsize(data_fs), "end": 4, "transactions": 0, "last": "", "unreadable": "", "sites": []}
    blobs = {}
    iterator = storage.iterator()
    try:
        for transaction in iterator:
            for record in transaction:
                if record.data is None:
                    blobs.pop(record.oid, None)
                    continue
                referencesf(record.data)
                if is_blob_record(record.data):
                    blobs[record.oid] = record.tid
            found["transactions"] += 1
            found["last"] = tid_repr(transaction.tid)
            found["end"] = iterator._pos
    except Exception as error:
        found["unreadable"] = "%s: %s" % (type(error).__name__, error)
    found["objects"] = len(storage)
    found["blobs"] = len(blobs)
    found["missing_blobs"] = []
    if blobs and blob_dir:
        helper = FilesystemHelper(blob_dir)
        for oid, tid in sorted(blobs.items()):
            path = helper.getBlobFilename(oid, tid)
            if not os.path.isfile(path) and len(found["missing_blobs"]) < MOST_NAMED:
                found["missing_blobs"].append(os.path.relpath(path, blob_dir))
    if not found["unreadable"]:
        try:
            root = DB(storage, cache_size=1000).open().root()
            found["sites"] = list(sites_of(root["Application"], ""))
        except Exception as error:
            found["unreadable"] = "the root of the site: %s: %s" % (type(error).__name__, error)
    print(json.dumps(found))

def state_of(persistent):
    persistent._p_activate()
    state = getattr(persistent, "__Broken_state__", None)
    return state if isinstance(state, dict) else vars(persistent)

def sites_of(folder, path):
    state = state_of(folder)
    for entry in state.get("_objects", ()):
        child = state.get(entry["id"])
        if child is None:
            continue
        here = path + "/" + entry["id"]
        if entry["meta_type"] == "Plone Site":
            yield {"path": here, "version": version_of(child)}
        elif entry["meta_type"].startswith("Folder"):
            for site in sites_of(child, here):
                yield site

def version_of(site):
    state = state_of(site)
    tool = state.get("portal_setup")
    if tool is None:
        tool = state["_tree"]["portal_setup"]
    version = state_of(tool).get("_profile_upgrade_versions", {}).get("Products.CMFPlone:plone", "")
    return ".".join(version) if isinstance(version, tuple) else str(version)

main(sys.argv[1], sys.argv[2])
"""
"""Its arguments are the path of a Data.fs, and the folder of its blobs or an empty text."""
