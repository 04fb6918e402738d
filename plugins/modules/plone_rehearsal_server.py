# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Module plone_rehearsal_server: start or stop a Zope server on a copy of a database."""

from __future__ import annotations

DOCUMENTATION = r"""
module: plone_rehearsal_server
short_description: Start a Zope server on a copy of a database, on a loopback port, and stop it
version_added: 1.1.0
description:
  - Starts a server with the code of an instance on a copy of its database, which M(siteops.upgrades.plone_restore) has
    put into O(folder). The configuration of the instance is taken over with other paths and one port of 127.0.0.1.
  - The copy sends no mail, because the Python of its server refuses every SMTP connection. Sections of a C(zope.conf)
    that listen or run something by the clock are left out.
  - The role P(siteops.upgrades.plone_rehearsal#role) does all of it.
author:
  - Contributors to siteops.upgrades (@siteops)
extends_documentation_fragment:
  - siteops.upgrades.attributes
  - siteops.upgrades.attributes.actiongroup_plone_database
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - O(state=started) always starts a new server, after it stopped one of the same folder.
options:
  state:
    description:
      - V(started) starts the server and waits until it answers. V(stopped) ends it.
    type: str
    choices: [started, stopped]
    default: started
  folder:
    description:
      - The folder of the copy, with C(var/Data.fs) and C(var/blobstorage). Configuration and log of the server are
        written there.
    type: path
    required: true
  python:
    description:
      - The Python of the instance with the code that is rehearsed. Required with O(state=started) without O(command).
    type: path
  zope_conf:
    description:
      - The C(zope.conf) of the instance. Required with O(state=started), unless O(command) does without it.
    type: path
  wsgi_ini:
    description:
      - The C(wsgi.ini) of the instance, if it has one. Otherwise a plain one is used.
    type: path
  command:
    description:
      - The command that starts the server in the foreground, a list. V({zope_conf}), V({wsgi_ini}), V({port}),
        V({data_fs}), V({blobs}) and V({folder}) in it are replaced. Without it, C(python -m Zope2.Startup.serve) with
        the C(wsgi.ini) of the copy.
    type: list
    elements: str
    default: []
  environment:
    description:
      - Variables for the environment of the server. C(PYTHONPATH) and C(PYTHONHOME) of the module itself, and variables
        that begin with C(PLONE_), such as E(PLONE_PASSWORD), do not reach it unless they are named here.
    type: dict
    default: {}
  port:
    description:
      - The port on 127.0.0.1; V(0) takes a free one.
    type: int
    default: 0
  timeout:
    description:
      - Seconds in which the server must answer.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Start the new code on a copy
  siteops.upgrades.plone_rehearsal_server:
    folder: /var/tmp/plone-rehearsal
    python: /srv/plone-6.2/bin/python
    zope_conf: /srv/plone-6.2/etc/zope.conf
    wsgi_ini: /srv/plone-6.2/etc/wsgi.ini
  register: copy

- name: Stop it
  siteops.upgrades.plone_rehearsal_server:
    state: stopped
    folder: /var/tmp/plone-rehearsal
"""

RETURN = r"""
msg:
  description: What happened, or why it failed, in a sentence.
  type: str
  returned: always
  sample: The server on the copy answers at http://127.0.0.1:38123.
url:
  description: Where the server answers; empty when it is stopped.
  type: str
  returned: success
  sample: http://127.0.0.1:38123
port:
  description: Its port; 0 when it is stopped.
  type: int
  returned: success
  sample: 38123
pid:
  description: The id of its process; 0 when it is stopped.
  type: int
  returned: success
  sample: 4711
database_size:
  description: Bytes of the Data.fs of the copy.
  type: int
  returned: success
  sample: 28311552
peak_memory:
  description: Bytes of memory that the server used at most; 0 when it was just started.
  type: int
  returned: success
  sample: 231211008
started_at:
  description: When the module began, in UTC.
  type: str
  returned: always
  sample: "2026-11-21T03:00:00.000Z"
finished_at:
  description: When it ended.
  type: str
  returned: always
  sample: "2026-11-21T03:00:07.204Z"
"""

import os
import typing as t

from ..module_utils._core.ansible_module import Module
from ..module_utils._core.errors import OptionError
from ..module_utils._core.module import run
from ..module_utils._core.options import require_positive
from ..module_utils._plone.copy_server import ServerPlan, running_in, size_of, start, stop


def work(module: Module) -> dict[str, t.Any]:
    """The result of the module.

    :raises UpgradeError: names the option, or has the last words of the server.
    """
    params = module.params
    require_positive(params, "timeout")
    folder = os.path.abspath(params["folder"] or "")
    if params["state"] == "stopped":
        return _stopped(folder, module.check_mode)
    if not os.path.isdir(folder):
        raise OptionError("folder", f"there is no folder {folder}.")
    if not 0 <= params["port"] <= 65535:
        raise OptionError("port", f"must be from 0 to 65535, not {params['port']}.")
    if not params["command"] and not params["zope_conf"]:
        raise OptionError("zope_conf", "is empty; give the zope.conf of the instance, or a 'command'.")
    python = params["python"] or ""
    if not params["command"] and not (os.path.isfile(python) and os.access(python, os.X_OK)):
        raise OptionError("python", f"there is no program {python}." if python else "is empty; give a path.")
    plan = ServerPlan(
        folder=folder,
        python=python,
        zope_conf=os.path.abspath(params["zope_conf"]) if params["zope_conf"] else "",
        wsgi_ini=os.path.abspath(params["wsgi_ini"]) if params["wsgi_ini"] else "",
        command=tuple(params["command"]),
        environment={str(name): str(value) for name, value in params["environment"].items()},
        port=params["port"],
        timeout=params["timeout"],
    )
    if module.check_mode:
        return {"changed": True, "msg": f"A server on the copy in {folder} would be started.", **_facts(folder)}
    started = start(plan)
    url = f"http://127.0.0.1:{started.port}"
    facts = {**_facts(folder), "url": url, "port": started.port, "pid": started.pid}
    return {"changed": True, "msg": f"The server on the copy answers at {url}.", **facts}


def _stopped(folder: str, check_mode: bool) -> dict[str, t.Any]:
    ran, peak = (bool(running_in(folder)), 0) if check_mode else stop(folder)
    said = "would be stopped" if check_mode else "was stopped"
    msg = f"The server on the copy {said}." if ran else "No server runs on the copy."
    return {"changed": ran, "msg": msg, **_facts(folder), "peak_memory": peak}


def _facts(folder: str) -> dict[str, t.Any]:
    return {"url": "", "port": 0, "pid": 0, "database_size": size_of(folder), "peak_memory": 0}


def main() -> None:
    """Entry point of the module."""
    module = Module(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
            "folder": {"type": "path", "required": True},
            "python": {"type": "path"},
            "zope_conf": {"type": "path"},
            "wsgi_ini": {"type": "path"},
            "command": {"type": "list", "elements": "str", "default": []},
            "environment": {"type": "dict", "default": {}},
            "port": {"type": "int", "default": 0},
            "timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    run(module, lambda: work(module), calls=False)


if __name__ == "__main__":
    main()
