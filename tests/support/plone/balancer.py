# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real nginx in front of Zope, whose files stand in a folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

from support.free_port import free_port

NGINX_CONF = """\
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream plone {{ include {folder}/clients/*.conf; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://plone;
      proxy_next_upstream off;
      proxy_read_timeout {patience}s;
      add_header X-Upstream $upstream_addr;
    }}
  }}
}}
"""


class Balancer:
    """One nginx; ``patience`` is for how many seconds it waits for an answer. Use it as a context manager."""

    def __init__(self, folder: Path, patience: int = 60) -> None:
        self.folder = folder
        self.clients = folder / "clients"
        self.port = free_port()
        self._patience = patience

    def __enter__(self) -> Balancer:
        return self

    def __exit__(self, *exception: object) -> None:
        if (self.folder / "nginx.pid").exists():
            self._run("-s", "stop")

    def start(self, *ports: int) -> None:
        """Start it in front of the servers on these ports."""
        self.clients.mkdir()
        for number, port in enumerate(ports, 1):
            (self.clients / f"client{number}.conf").write_text(f"server 127.0.0.1:{port};\n", encoding="ascii")
        conf = NGINX_CONF.format(folder=self.folder, port=self.port, patience=self._patience)
        (self.folder / "nginx.conf").write_text(conf, encoding="utf-8")
        self._run()

    def _run(self, *arguments: str) -> None:
        subprocess.run(["nginx", "-c", str(self.folder / "nginx.conf"), *arguments], check=True, capture_output=True)
