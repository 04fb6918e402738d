# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One site with two Zope clients on a ZEO server, and a real nginx as their balancer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from support.free_port import free_port
from support.plone.balancer import Balancer
from support.plone.environment import clean_variables, environment_folder
from support.plone.extra_packages import extra_packages
from support.plone.instance import Instance
from support.plone.process import end, launch
from support.plone.server import SECONDS_TO_START
from support.plone.snapshot import addon_path, prepare_snapshot

PACKAGES = ("ZEO==6.2", "zdaemon==5.2.1")
"""What the environment of the other tests lacks."""

ZEO_CONF = """\
<zeo>
  address 127.0.0.1:{port}
</zeo>
<filestorage 1>
  path {folder}/var/Data.fs
  blob-dir {folder}/var/blobstorage
</filestorage>
"""

ZOPE_CONF = """\
instancehome {home}

<zodb_db main>
  mount-point /
  <zeoclient>
    server 127.0.0.1:{port}
    storage 1
    name zeostorage
    shared-blob-dir on
    blob-dir {folder}/var/blobstorage
  </zeoclient>
</zodb_db>
"""

SERVICE = """\
import sys
from pathlib import Path
from support.plone.zeo import start_client, stop_client

{"stop": stop_client, "start": start_client}[sys.argv[1]](Path(sys.argv[2]))
"""


def variables() -> dict[str, str]:
    """The environment of server and clients."""
    packages = extra_packages("zeo", *PACKAGES, proof="ZEO/runzeo.py")
    return clean_variables(PYTHONPATH=f"{addon_path(prepare_snapshot())}{os.pathsep}{packages}")


def start_client(home: Path) -> None:
    """Start the client of a folder; it answers some seconds later."""
    command = [str(environment_folder() / "bin/runwsgi"), str(Instance(home).wsgi_ini)]
    pid = launch(command, variables(), home, home / "console.log")
    (home / "pid").write_text(str(pid), encoding="ascii")


def stop_client(home: Path) -> None:
    """End the client of a folder."""
    end(int((home / "pid").read_text(encoding="ascii")), home)


class ZeoSite:
    """The site with its server, clients and balancer; use it as a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"one": free_port(), "two": free_port()}
        self.balancer = Balancer(folder)
        self._zeo: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ZeoSite:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for name in self.ports:
            if (self.folder / name / "pid").exists():
                stop_client(self.folder / name)
        self.balancer.__exit__()
        if self._zeo:
            self._zeo.terminate()
            self._zeo.wait()

    def url(self, name: str) -> str:
        """The site's URL at one client, past the balancer."""
        return f"http://127.0.0.1:{self.ports[name]}/Plone"

    def service(self, what: str, name: str) -> list[str]:
        """The command that stops or starts a client."""
        script = self.folder / "service.py"
        script.write_text(SERVICE, encoding="utf-8")
        tests = str(Path(__file__).parents[2])
        return ["env", f"PYTHONPATH={tests}", sys.executable, str(script), what, str(self.folder / name)]

    def _start(self) -> None:
        shutil.copytree(prepare_snapshot() / "var", self.folder / "var")
        port = free_port()
        (self.folder / "zeo.conf").write_text(ZEO_CONF.format(port=port, folder=self.folder), encoding="utf-8")
        command = [str(environment_folder() / "bin/python"), "-m", "ZEO.runzeo", "-C", str(self.folder / "zeo.conf")]
        with open(self.folder / "zeo.log", "wb") as log:
            self._zeo = subprocess.Popen(command, env=variables(), stdout=log, stderr=log)
        for name, own in self.ports.items():
            home = self.folder / name
            instance = Instance(home)
            instance.write(own)
            instance.faults.write_text("{}", encoding="utf-8")
            conf = ZOPE_CONF.format(home=home, port=port, folder=self.folder)
            instance.zope_conf.write_text(conf, encoding="utf-8")
            start_client(home)
        give_up = time.monotonic() + SECONDS_TO_START
        while not all(status(f"http://127.0.0.1:{own}/ok") == 200 for own in self.ports.values()):
            if time.monotonic() > give_up:
                raise RuntimeError((self.folder / "one/console.log").read_text(encoding="utf-8")[-2000:])
            time.sleep(0.2)
        self.balancer.start(*self.ports.values())


class Load:
    """A steady load of reads through the balancer: the status of each, 0 for one without an answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.statuses: list[int] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join(60)

    def _read(self) -> None:
        # A client that stops is away for seconds. Each read keeps a processor busy that the release needs.
        while not self._over.wait(0.5):
            self.statuses.append(status(self.url))


def status(url: str) -> int:
    """The status of a read; 0 without an answer."""
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0
