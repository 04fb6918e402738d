# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of a Zope instance for a copy of its database: other paths, a loopback port, no mail.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import configparser
import contextlib
import io
import os
import re
import typing as t

from .._core.errors import OptionError

SECTION = re.compile(r"\s*<(/?)\s*([^\s>/]+)[^>]*?(/?)>\s*$")
CACHE_SIZE = "30000"
LEFT_OUT = {"eventlog", "logger", "clock-server", "http-server", "ftp-server", "webdav-source-server", "icp-server"}
"""Sections of a zope.conf that listen, run something by the clock, or write logs into the folder of the instance."""

KEYS_LEFT_OUT = {"clienthome", "pid-filename", "lock-filename", "zserver-threads", "port-base", "ip-address"}

NO_MAIL = '''\
"""Keeps a rehearsal from sending mail: whatever the site is configured for, no SMTP connection is made."""
import smtplib


def _refused(*_arguments, **_options):
    raise smtplib.SMTPConnectError(421, "This is a rehearsal on a copy; it sends no mail.")


smtplib.SMTP.connect = _refused
smtplib.SMTP_SSL.connect = _refused
'''
"""A sitecustomize.py for the Python of the instance."""

STORAGE = """\
  <blobstorage>
    blob-dir {blobs}
    <filestorage>
      path {data_fs}
    </filestorage>
  </blobstorage>
"""

DATABASE = """\
<zodb_db main>
  mount-point /
  cache-size {cache_size}
{storage}</zodb_db>
"""
MOST_INCLUDED = 20
"""Files that may be included in one another."""

MINIMAL_INI = """\
[server:main]
use = egg:waitress#main

[app:zope]
use = egg:Zope#main
zope_conf = zope.conf

[pipeline:main]
pipeline = egg:Zope#httpexceptions zope
"""


def zope_conf_of_copy(text: str, folder: str, data_fs: str, blobs: str, home: str) -> str:
    """The zope.conf of an instance with the storage of a copy in place of its own.

    :param folder: where the original lies; what it includes is relative to that.
    :param home: the folder for what the server writes.
    :raises OptionError: the instance has a second database, which the copy does not have.
    """
    kept: list[str] = []
    main: list[str] = []
    for kind, lines in _blocks(_with_included(text, folder)):
        if kind == "zodb_db" and _is_main(lines):
            main = lines
        elif kind == "zodb_db":
            kept += _other_database(lines)
        elif kind and kind not in LEFT_OUT:
            kept += lines
        elif not kind:
            kept += _setting(lines[0], folder)
    if not main:
        raise OptionError("zope_conf", "has no database with the mount point '/'.")
    sizes = re.findall(r"^\s*cache-size\s+(\S+)", "\n".join(main), re.MULTILINE)
    storage = STORAGE.format(blobs=blobs, data_fs=data_fs)
    if any(re.match(r"\s*<zlibstorage\b", line) for line in main):
        # What is compressed in the backup can be read only through it.
        storage = f"  <zlibstorage>\n{storage}  </zlibstorage>\n"
    database = DATABASE.format(cache_size=sizes[0] if sizes else CACHE_SIZE, storage=storage)
    return "\n".join([*kept, "", f"clienthome {home}", "", database])


def _with_included(text: str, folder: str, depth: int = 0) -> str:
    """A zope.conf with those files in their place that it includes and that describe a database."""
    found: list[str] = []
    defined: dict[str, str] = {}
    for line in text.splitlines():
        words = line.split(None, 1)
        key = words[0].lower() if words else ""
        if key == "%define" and len(words) == 2:
            name, _blank, value = words[1].partition(" ")
            defined[name.lower()] = _substituted(value.strip(), defined)
        path = _substituted(words[1].strip(), defined) if key == "%include" and len(words) == 2 else ""
        path = os.path.join(folder, path) if path and "://" not in path else ""
        found.append(_included(path, depth) or f"%include {path}" if path else line)
    return "\n".join(found)


def _included(path: str, depth: int) -> str:
    """The text of an included file if it describes a database, empty otherwise."""
    with contextlib.suppress(OSError, ValueError):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        included = _with_included(text, os.path.dirname(path), depth + 1) if depth < MOST_INCLUDED else ""
        return included if "<zodb_db" in included.lower() else ""
    return ""


def _substituted(value: str, defined: t.Mapping[str, str]) -> str:
    """A value with what was defined before, such as ``$INSTANCE/etc`` or ``${INSTANCE}/etc``."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: defined.get((found[1] or found[2]).lower(), found[0]), value)


def _blocks(text: str) -> t.Iterator[tuple[str, list[str]]]:
    """The sections of a zope.conf, each with its kind and all its lines, and the single lines between them."""
    open_kinds: list[str] = []
    lines: list[str] = []
    for line in text.splitlines():
        found = SECTION.match(line)
        lines.append(line)
        if found and found[1]:
            kind = open_kinds.pop() if open_kinds else found[2].lower()
        elif found and not found[3]:
            open_kinds.append(found[2].lower())
            continue
        else:
            kind = found[2].lower() if found else ""
        if not open_kinds:
            yield kind, lines
            lines = []
    if lines:
        raise OptionError("zope_conf", f"has a section that is not closed: {lines[0].strip()}")


def _is_main(lines: t.Sequence[str]) -> bool:
    points = re.findall(r"^\s*mount-point\s+(\S+)", "\n".join(lines), re.MULTILINE)
    return points == ["/"] or (not points and bool(re.match(r"\s*<zodb_db\s+main\s*>", lines[0])))


def _other_database(lines: list[str]) -> list[str]:
    """A temporary database stays; any other one has data that the backup does not have."""
    if any("<temporarystorage" in line or "<demostorage" in line or "<mappingstorage" in line for line in lines):
        return lines
    raise OptionError(
        "zope_conf", f"has a second database, {lines[0].strip()}; an instance with several cannot be rehearsed."
    )


def _setting(line: str, folder: str) -> list[str]:
    words = line.split(None, 1)
    key = words[0].lower() if words else ""
    if key in KEYS_LEFT_OUT:
        return []
    if key == "%include" and len(words) == 2 and "://" not in words[1] and not os.path.isabs(words[1]):
        return [f"%include {os.path.join(folder, words[1].strip())}"]
    return [line]


def wsgi_ini_of_copy(text: str, folder: str, zope_conf: str, port: int) -> str:
    """The wsgi.ini of an instance with one loopback port, another zope.conf, and logs on standard error.

    :param folder: where the original lies, which it calls ``%(here)s``.
    :raises OptionError: it is not the configuration of a server.
    """
    parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    try:
        parser.read_string(text.replace("%(here)s", folder))
    except configparser.Error as error:
        raise OptionError("wsgi_ini", f"cannot be read: {' '.join(str(error).split())}.") from error
    servers = [name for name in parser.sections() if name.startswith("server:")]
    zopes = [name for name in parser.sections() if name.startswith("app:") and parser.has_option(name, "zope_conf")]
    if not servers or not zopes:
        raise OptionError("wsgi_ini", "has no section 'server:main', or no 'app:zope' with a 'zope_conf'.")
    for name in servers:
        for key in ("listen", "fast-listen", "unix_socket", "host", "port", "trusted_proxy"):
            parser.remove_option(name, key)
        parser.set(name, "host", "127.0.0.1")
        parser.set(name, "port", str(port))
    for name in zopes:
        parser.set(name, "zope_conf", zope_conf)
    for name in parser.sections():
        if name.startswith("handler_") and parser.has_option(name, "args"):
            parser.set(name, "class", "StreamHandler")
            parser.set(name, "args", "(sys.stderr,)")
            parser.remove_option(name, "kwargs")
    written = io.StringIO()
    parser.write(written)
    return written.getvalue()
