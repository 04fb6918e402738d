# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What runs in the Python of a Plone instance: reads a whole database and says what is in it, as JSON.

Private to the collection: may change without notice.
"""

from __future__ import annotations

HEAD = r"""
# Runs from Python 2.7 on, in whatever the instance uses. Only ZODB is needed: classes that are missing stay unread.
from __future__ import print_function
import json, logging, os, sys, zlib

MOST_NAMED = 1000

def plain(data):
    # As zc.zlibstorage writes it.
    return zlib.decompress(data[2:]) if data[:2] == b".z" else data

def databases_named(data):
    # All references of an object are read; those into a mounted database name it.
    from io import BytesIO
    from ZODB.serialize import PersistentUnpickler
    references = []
    unpickler = PersistentUnpickler(None, references.append, BytesIO(data))
    unpickler.noload()
    unpickler.noload()
    for one in references:
        if isinstance(one, list) and len(one) == 2 and one[0] in ("m", "n"):
            yield str(one[1][0])
        elif isinstance(one, list) and len(one) == 2 and one[0] == "w" and len(one[1]) == 2:
            yield str(one[1][1])

def opened(storage, is_packed):
    from ZODB.DB import DB
    if is_packed:
        from zc.zlibstorage import ZlibStorage
        storage = ZlibStorage(storage, compress=False)
    return DB(storage, cache_size=1000).open().root()

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
"""

SCRIPT = (
    HEAD
    + r"""
def main(data_fs, blob_dir):
    logging.basicConfig(level=logging.CRITICAL)
    from ZODB.blob import FilesystemHelper, is_blob_record
    from ZODB.FileStorage import FileStorage
    from ZODB.utils import tid_repr
    storage = FileStorage(data_fs, read_only=True)
    found = {"size": os.path.getsize(data_fs), "end": 4, "transactions": 0, "last": "", "unreadable": "", "sites": []}
    found["packed"] = 0
    blobs, packed, others = {}, False, set()
    iterator = storage.iterator()
    try:
        for transaction in iterator:
            for record in transaction:
                if record.data is None:
                    blobs.pop(record.oid, None)
                    continue
                packed = packed or record.data[:2] == b".z"
                data = plain(record.data)
                others.update(databases_named(data))
                if is_blob_record(data):
                    blobs[record.oid] = record.tid
            found["transactions"] += 1
            found["packed"] += transaction.status in ("p", b"p")
            found["last"] = tid_repr(transaction.tid)
            found["end"] = iterator._pos
    except Exception as error:
        found["unreadable"] = "%s: %s" % (type(error).__name__, error)
    found["others"] = sorted(others)
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
            found["sites"] = list(sites_of(opened(storage, packed)["Application"], ""))
        except Exception as error:
            found["unreadable"] = "the root of the site: %s: %s" % (type(error).__name__, error)
    print(json.dumps(found))

main(sys.argv[1], sys.argv[2])
"""
)
"""Its arguments are the path of a Data.fs, and the folder of its blobs or an empty text."""

RELSTORAGE_SCRIPT = (
    HEAD
    + r"""
def main(keeps_history, blob_dir):
    logging.basicConfig(level=logging.CRITICAL)
    from relstorage.adapters.postgresql import PostgreSQLAdapter
    from relstorage.options import Options
    from relstorage.storage import RelStorage
    from ZODB.blob import FilesystemHelper, is_blob_record
    from ZODB.serialize import referencesf
    from ZODB.utils import p64, tid_repr, u64
    options = Options(keep_history=keeps_history, create_schema=False, read_only=True)
    adapter = PostgreSQLAdapter(dsn=dsn(), options=options)
    storage = RelStorage(adapter, create=False, options=options)
    found = {"objects": 0, "blobs": 0, "last": "", "unreadable": "", "sites": [], "missing_blobs": []}
    blobs, packed, more = [], False, None
    try:
        while True:
            oid, tid, data, more = storage.record_iternext(more)
            found["objects"] += 1
            packed = packed or data[:2] == b".z"
            data = plain(data)
            referencesf(data)
            if is_blob_record(data):
                blobs.append((oid, tid))
            if more is None:
                break
        found["last"] = tid_repr(storage.lastTransaction())
        found["sites"] = list(sites_of(opened(storage, packed)["Application"], ""))
    except Exception as error:
        found["unreadable"] = "object %s: %s: %s" % (found["objects"], type(error).__name__, error)
    found["blobs"] = len(blobs)
    inside = adapter.connmanager.open_and_call(blobs_inside) if blobs else set()
    helper = FilesystemHelper(blob_dir) if blob_dir else None
    for oid, tid in blobs:
        if (u64(oid), u64(tid)) in inside or helper and os.path.isfile(helper.getBlobFilename(oid, tid)):
            continue
        if len(found["missing_blobs"]) < MOST_NAMED:
            path = os.path.relpath(helper.getBlobFilename(oid, tid), blob_dir) if helper else tid_repr(oid)
            found["missing_blobs"].append(path)
    print(json.dumps(found))

def blobs_inside(connection, cursor):
    cursor.execute("SELECT DISTINCT zoid, tid FROM blob_chunk")
    return set((int(zoid), int(tid)) for zoid, tid in cursor.fetchall())

def dsn():
    # libpq reads the rest from its own variables. pg8000 does not.
    names = {"PGDATABASE": "dbname"}
    try:
        import psycopg2
    except ImportError:
        names.update(PGHOST="host", PGPORT="port", PGUSER="user", PGPASSWORD="password")
    given = [(key, os.environ[name]) for name, key in sorted(names.items()) if os.environ.get(name)]
    return " ".join("%s='%s'" % (key, value.replace("\\", "\\\\").replace("'", "\\'")) for key, value in given)

main(sys.argv[1] == "1", sys.argv[2])
"""
)
"""Its arguments are 1 where the history is kept, and the folder of the blobs or an empty text. libpq's variables name
the database."""
