# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of one Zope instance: three files in a folder, no buildout, no template tool."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import NamedTuple

ZOPE_CONF = """\
instancehome $folder

<zodb_db main>
  mount-point /
  cache-size 30000
  <blobstorage>
    blob-dir $folder/var/blobstorage
    <filestorage>
      path $folder/var/Data.fs
    </filestorage>
  </blobstorage>
</zodb_db>
"""

SITE_ZCML = """\
<configure xmlns="http://namespaces.zope.org/zope" xmlns:five="http://namespaces.zope.org/five">
  <include package="Products.Five" />
  <five:loadProducts file="meta.zcml" />
  <five:loadProducts />
  <include package="siteops.testaddon" />
  <five:loadProductsOverrides />
  <securityPolicy component="AccessControl.security.SecurityPolicy" />
</configure>
"""

# The access log stands outermost, so that it sees the status that really leaves the server.
WSGI_INI = """\
[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = $port
threads = 6

[pipeline:main]
pipeline = access_log faults egg:Zope#httpexceptions zope

[filter:access_log]
paste.filter_factory = siteops.testaddon.accesslog:filter_factory
path = $access_log

[filter:faults]
paste.filter_factory = siteops.testaddon.faults:filter_factory
path = $faults

[app:zope]
use = egg:Zope#main
zope_conf = $folder/etc/zope.conf

[loggers]
keys = root

[handlers]
keys = events

[formatters]
keys = events

[logger_root]
level = INFO
handlers = events

[handler_events]
class = FileHandler
args = (r"$folder/event.log", "a")
formatter = events

[formatter_events]
format = %(asctime)s %(levelname)s [%(name)s][%(threadName)s] %(message)s
"""


class Instance(NamedTuple):
    """The files of one instance; ``conf`` is the template of its zope.conf."""

    folder: Path
    conf: str = ZOPE_CONF

    @property
    def data(self) -> Path:
        return self.folder / "var"

    @property
    def access_log(self) -> Path:
        return self.folder / "access.log"

    @property
    def faults(self) -> Path:
        return self.folder / "faults.json"

    @property
    def console_log(self) -> Path:
        """What the server process itself printed: an address in use, a failed import."""
        return self.folder / "console.log"

    @property
    def zope_conf(self) -> Path:
        return self.folder / "etc" / "zope.conf"

    @property
    def wsgi_ini(self) -> Path:
        return self.folder / "etc" / "wsgi.ini"

    def write(self, port: int) -> None:
        """(Re)write the configuration for a server on 127.0.0.1:``port``."""
        values = {"folder": self.folder, "port": port, "access_log": self.access_log, "faults": self.faults}
        self.data.mkdir(parents=True, exist_ok=True)
        self.zope_conf.parent.mkdir(exist_ok=True)
        self.zope_conf.write_text(Template(self.conf).substitute(values), encoding="utf-8")
        self.zope_conf.with_name("site.zcml").write_text(SITE_ZCML, encoding="utf-8")
        self.wsgi_ini.write_text(Template(WSGI_INI).substitute(values), encoding="utf-8")
