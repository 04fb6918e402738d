# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values that the inventory plugin plone_sites takes and gives: from the environment, lists, names, literal texts.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import json
import os
import re
import typing as t
from contextlib import contextmanager
from urllib.parse import urlsplit

from ansible import template

from ..module_utils._core.errors import OptionError
from ..module_utils._core.path_options import refuse_texts

if hasattr(template, "trust_as_template"):
    # ansible-core 2.19 and newer: only what was said to be trusted is a template.
    trusted, distrusted = template.trust_as_template, str
else:
    from ansible.utils.unsafe_proxy import AnsibleUnsafeText

    trusted, distrusted = str, AnsibleUnsafeText

MARKS_OF_TEMPLATES = ("{{", "{%", "{#", "#jinja2")

PATHS = ("ca_path", "client_cert", "client_key")
"""Options that become variables of a host only from the inventory file: one of the environment can be a file that only
this run has, as in AWX."""


@contextmanager
def without_empty_variables() -> t.Iterator[None]:
    """Take the empty variables of this plugin out of the environment while Ansible reads the options.

    A credential of AWX sets all its variables, also those of empty fields. Ansible would take an empty path for the
    current folder, and refuse an empty boolean.
    """
    empty = [name for name, value in os.environ.items() if name.startswith("PLONE_") and not value]
    for name in empty:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(dict.fromkeys(empty, ""))


def environment_paths() -> dict[str, str | None]:
    """The options that name files, as the environment has them, before Ansible makes paths of them."""
    return {name: os.environ.get(f"PLONE_{name.upper()}") for name in PATHS}


def refuse_texts_as_paths(*given: t.Any) -> None:
    """Refuse the text of a key or a certificate in the place of a path.

    :param given: options by name; anything else is passed over, because others refuse it.
    :raises OptionError: names the option, and shows nothing of the text.
    """
    for options in given:
        if isinstance(options, dict):
            refuse_texts({name: {"type": "path"} for name in PATHS}, options)


def listed(value: t.Any, option: str) -> list[str]:
    """The list of an entry of ``instances``, which Ansible does not convert; a text is one with commas, or of JSON.

    :raises OptionError: it is neither.
    """
    names = value or []
    if isinstance(value, str):
        try:
            names = json.loads(value) if value.lstrip().startswith("[") else value.split(",")
        except ValueError:
            names = None
    if not isinstance(names, list) or not all(isinstance(name, (str, int)) for name in names):
        raise OptionError("instances", f"'{option}' of an entry is not a list of names.")
    return [str(name).strip() for name in names if str(name).strip()]


def literal(value: t.Any) -> t.Any:
    """The same JSON value, with those strings marked that would be taken for templates.

    The rest needs no mark, and with a mark ``ansible-inventory --list`` and its readers print an object instead.
    """
    if isinstance(value, str):
        return (distrusted if any(mark in value for mark in MARKS_OF_TEMPLATES) else trusted)(value)
    if isinstance(value, dict):
        return {key: literal(item) for key, item in value.items()}
    return [literal(item) for item in value] if isinstance(value, list) else value


def default_name(url: str) -> str:
    """The name of an instance that has none: host, port and path of its URL."""
    parts = urlsplit(url)
    return host_name(parts.netloc.rpartition("@")[2], parts.path)


def host_name(instance: str, path: str) -> str:
    """The name of a host in the inventory; only characters that a host pattern takes literally."""
    return "_".join(part for part in re.split(r"[^A-Za-z0-9.-]+", f"{instance}/{path}") if part)
