# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How AWX hands a credential of a type of one's own to a run: environment variables, variables and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jinja2.sandbox import ImmutableSandboxedEnvironment

from support.controller.api import Api
from support.controller.rules import check_credential_type

CONTROLLER = {"CONTROLLER_VERIFY_SSL": "False", "CONTROLLER_USERNAME": "", "CONTROLLER_PASSWORD": ""}
"""What a credential for a controller sets in any case; its other fields are called like the variables here."""


class Injection(NamedTuple):
    """What a run gets: the environment, the variables given by a file of -e, and the files that were written."""

    env: dict[str, str]
    extra_vars: dict[str, str]
    files: dict[str, Path]


def inject(credential_type: Mapping[str, Any], values: Mapping[str, Any], folder: Path) -> Injection:
    """Render the injectors of a type with what a credential holds.

    Empty texts count as not given, what is not given renders as nothing, and a boolean that was never set is false.
    A required field that is missing is accepted, as AWX does. The files are written into ``folder`` with mode 0600,
    those too whose template renders as nothing. A variable of the environment ends with its first line, because
    ansible-runner gives them to the container in a file of lines.

    Raises ValueError when AWX would refuse the type, or a field that the type does not have.
    """
    inputs, injectors = credential_type["inputs"], credential_type["injectors"]
    check_credential_type("cloud", inputs, injectors)
    fields = {field["id"]: field for field in inputs["fields"]}
    if not set(values) <= set(fields):
        raise ValueError(f"unknown: {sorted(set(values) - set(fields))}")
    known: dict[str, Any] = {name: value for name, value in values.items() if value != ""}
    for name, field in fields.items():
        if field.get("type") == "boolean":
            known.setdefault(name, False)
        if field.get("format") == "ssh_private_key" and name in known and not known[name].endswith("\n"):
            known[name] += "\n"
    environment = ImmutableSandboxedEnvironment()
    files: dict[str, Path] = {}
    for label, template in injectors.get("file", {}).items():
        path = folder / f"credential-{label}"
        path.touch(mode=0o600)
        path.write_text(environment.from_string(template).render(known), encoding="utf-8")
        files[label] = path
    if files:
        named = {label.partition(".")[2]: str(path) for label, path in files.items()}
        known["tower"] = {"filename": named.get("", named)}

    def rendered(kind: str) -> dict[str, str]:
        templates = injectors.get(kind, {})
        return {name: environment.from_string(template).render(known) for name, template in templates.items()}

    env = {name: value.partition("\n")[0] for name, value in rendered("env").items()}
    return Injection(env, rendered("extra_vars"), files)


def inject_all(api: Api, credentials: Iterable[int], folder: Path) -> Injection:
    """What the credentials of a template or a source inject together."""
    types = {each["id"]: each for each in api.all("credential_types")}
    whole = Injection({}, {}, {})
    for number in credentials:
        described = types[api.one("credentials", number)["credential_type"]]
        if described["managed"]:
            injected = Injection({**CONTROLLER, **api.secrets(number)}, {}, {})
        else:
            injected = inject(described, api.secrets(number), folder)
        whole.env.update(injected.env)
        whole.extra_vars.update(injected.extra_vars)
        whole.files.update(injected.files)
    return whole
