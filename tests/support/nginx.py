# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx in front of the rehearsal platform, and of the hosts that it names for today's service."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

from support.free_port import LOOPBACK, free_port
from support.platform import Platform
from support.processes import kill_tree

SECONDS = 120
CONF = """
user root; worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {servers}
}}
"""
SERVER = """
  server {{
    listen {loopback}:{port} ssl; ssl_certificate {chain}; ssl_certificate_key {chain};
    {server}
    location / {{
      proxy_pass https://{loopback}:{upstream}; proxy_set_header Accept-Encoding "";
      sub_filter_once off; sub_filter_types application/json; {names}
      {location}
    }}
  }}
"""


class Nginx:
    """nginx between clients and a platform, which answers with nginx's addresses in place of its own.

    Use it as a context manager, again and again: its addresses stay.

    :param server, location: directives of nginx, for each server and for what it passes on.
    """

    def __init__(self, platform: Platform, folder: Path) -> None:
        self._platform = platform
        self._folder = folder
        folder.mkdir()
        self._ports = {upstream: free_port() for upstream in platform.ports}
        self.server = self.location = ""

    @property
    def service_url(self) -> str:
        return f"https://{LOOPBACK}:{self._ports[self._platform.ports[0]]}"

    @property
    def api_url(self) -> str:
        return f"{self.service_url}/database/v1"

    @property
    def ca_path(self) -> Path:
        return self._platform.ca_path

    def __enter__(self) -> Nginx:
        conf = self._folder / "nginx.conf"
        conf.write_text(self._conf(), encoding="utf-8")
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        self._process = subprocess.Popen([program, "-e", str(self._folder / "error.log"), "-c", str(conf)])
        give_up = time.monotonic() + SECONDS
        while not all(map(_listens, self._ports.values())):
            assert self._process.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.02)
        return self

    def __exit__(self, *_exception: object) -> None:
        kill_tree(self._process)

    def _conf(self) -> str:
        names = "".join(
            f"sub_filter '{LOOPBACK}:{upstream}' '{LOOPBACK}:{port}'; " for upstream, port in self._ports.items()
        )
        own = {"loopback": LOOPBACK, "chain": self._platform.chain, "names": names}
        servers = "".join(
            SERVER.format(port=port, upstream=upstream, server=self.server, location=self.location, **own)
            for upstream, port in self._ports.items()
        )
        return CONF.format(folder=self._folder, servers=servers)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False
