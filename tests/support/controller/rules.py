# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX refuses in credential types, surveys and schedules. Each check raises ValueError with the first reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
FILE_LABEL = re.compile(r"template(\.[a-zA-Z_][a-zA-Z0-9_]*)?")
FIELD_KEYS = {
    "id",
    "label",
    "help_text",
    "type",
    "format",
    "secret",
    "multiline",
    "choices",
    "default",
    "ask_at_runtime",
}
OWN_VARIABLES = {
    "VIRTUAL_ENV", "PATH", "PYTHONPATH", "JOB_ID", "INVENTORY_ID", "INVENTORY_SOURCE_ID", "INVENTORY_UPDATE_ID",
    "AD_HOC_COMMAND_ID", "REST_API_URL", "REST_API_TOKEN", "MAX_EVENT_RES", "CALLBACK_QUEUE", "CALLBACK_CONNECTION",
    "CACHE", "JOB_CALLBACK_DEBUG", "INVENTORY_HOSTVARS", "AWX_HOST", "PROJECT_REVISION", "SUPERVISOR_CONFIG_PATH",
}  # fmt: skip
ANSWERS = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": float,
}
DTSTART = re.compile(r"DTSTART(;TZID=(?P<zone>[^:;\s]+))?:\d{8}T\d{6}(?P<utc>Z)?")
DAYS = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"}


def check_credential_type(kind: str, inputs: Mapping[str, Any], injectors: Mapping[str, Any]) -> None:
    """The rules for a credential type of one's own."""
    _demand(kind in ("cloud", "net"), f"kind is {kind}")
    _demand(set(inputs) <= {"fields", "required"}, f"inputs has {sorted(inputs)}")
    fields = inputs.get("fields", [])
    for field in fields:
        _check_field(field)
    ids = [field["id"] for field in fields]
    _demand(len(ids) == len(set(ids)), "two fields have the same id")
    _demand(set(inputs.get("required", [])) <= set(ids), "a field that is not there is required")
    _check_injectors(ids, injectors)


def _check_field(field: Mapping[str, Any]) -> None:
    _demand({"id", "label"} <= set(field) <= FIELD_KEYS, f"a field has the keys {sorted(field)}")
    name = field["id"]
    _demand(bool(NAME.fullmatch(name)) and name != "tower", f"a field is called {name}")
    _demand(field.get("type", "string") in ("string", "boolean"), f"{name} is of the type {field.get('type')}")
    if field.get("type") == "boolean":
        _demand(not {"secret", "multiline", "format", "choices"} & set(field), f"{name} has what only texts can have")
    _demand(field.get("format", "url") in ("ssh_private_key", "url"), f"{name} has the format {field.get('format')}")


def _check_injectors(ids: list[str], injectors: Mapping[str, Any]) -> None:
    _demand(set(injectors) <= {"file", "env", "extra_vars"}, f"injectors are {sorted(injectors)}")
    labels = list(injectors.get("file", {}))
    _demand(all(FILE_LABEL.fullmatch(label) for label in labels), f"files are called {labels}")
    _demand(labels == ["template"] or "template" not in labels, "a file with a name and one without")
    known: dict[str, Any] = dict.fromkeys(ids, "EXAMPLE")
    for template in injectors.get("file", {}).values():
        _render_strictly(template, known)
    named = {label.partition(".")[2]: "EXAMPLE" for label in labels}
    if labels:
        known["tower"] = {"filename": "EXAMPLE" if labels == ["template"] else named}
    for name, template in injectors.get("env", {}).items():
        _demand(bool(NAME.fullmatch(name)), f"an environment variable is called {name}")
        _demand(not name.startswith("ANSIBLE_"), f"{name} may affect the configuration of Ansible")
        _demand(name not in OWN_VARIABLES, f"{name} is a variable that AWX itself uses")
        _render_strictly(template, known)
    for name, template in injectors.get("extra_vars", {}).items():
        _demand(bool(NAME.fullmatch(name)), f"a variable is called {name}")
        _render_strictly(template, known)


def _render_strictly(template: Any, known: Mapping[str, Any]) -> None:
    _demand(isinstance(template, str), f"{template} is no text")
    try:
        ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(template).render(known)
    except TemplateError as error:
        raise ValueError(f"{template}: {error}") from error


def check_survey(survey: Mapping[str, Any]) -> None:
    """The rules for the survey of a template."""
    _demand(set(survey) == {"name", "description", "spec"}, f"a survey has the keys {sorted(survey)}")
    questions = survey["spec"]
    _demand(isinstance(questions, list) and bool(questions), "'spec' holds no questions")
    for question in questions:
        _check_question(question)
    names = [question["variable"] for question in questions]
    _demand(len(names) == len(set(names)), "two questions ask for the same variable")


def _check_question(question: Mapping[str, Any]) -> None:
    for key, kind in (("type", str), ("question_name", str), ("variable", str), ("required", bool)):
        _demand(isinstance(question.get(key), kind), f"{key} of a question is {question.get(key)!r}")
    name, kind, default = question["variable"], question["type"], question.get("default", "")
    _demand(kind in ANSWERS, f"{name} is of the type {kind}")
    _demand(default == "" or isinstance(default, ANSWERS[kind]), f"the default of {name} is {default!r}")
    for key in ("min", "max"):
        _demand(isinstance(question.get(key, 0), int), f"{key} of {name} is {question.get(key)!r}")
    if kind in ("multiplechoice", "multiselect"):
        choices = question.get("choices") or []
        _demand(bool(choices), f"{name} has no choices")
        given = choices.splitlines() if isinstance(choices, str) else choices
        _demand(all(isinstance(choice, str) for choice in given), f"a choice of {name} is no text")
        _demand(default == "" or default in given, f"the default of {name} is no choice of it")


def check_rrule(rrule: str) -> None:
    """The rules for when a schedule runs."""
    starts = DTSTART.findall(rrule)
    start = DTSTART.match(rrule)
    _demand(len(starts) == 1 and start is not None, f"{rrule} has not exactly one DTSTART, at its beginning")
    if start and start["zone"]:
        _demand(not start["utc"], f"{rrule} has a time zone and is in UTC")
        try:
            ZoneInfo(start["zone"])
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"there is no time zone {start['zone']}") from error
    rules = re.findall(r"\sRRULE:(\S+)", rrule)
    _demand(len(rules) >= 1, f"{rrule} has no RRULE")
    for rule in rules:
        parts = dict(part.split("=", 1) for part in rule.split(";"))
        _demand(parts.get("FREQ") in ("MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"), f"{rule}: FREQ")
        _demand(parts.get("INTERVAL", "").isdigit(), f"{rule} has no INTERVAL")
        _demand(set(parts.get("BYDAY", "MO").split(",")) <= DAYS, f"{rule}: BYDAY")
        _demand(not {"BYYEARDAY", "BYWEEKNO"} & set(parts), f"{rule} has a part that AWX does not support")
        _demand(int(parts.get("COUNT", 1)) <= 999, f"{rule}: COUNT is greater than 999")


def _demand(holds: bool, reason: str) -> None:
    if not holds:
        raise ValueError(reason)
