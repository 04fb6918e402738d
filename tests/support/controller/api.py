# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that a controller keeps, and what its API does with them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.controller.resources import RESOURCES, SURVEYED, TEMPLATES, Field, Resource
from support.controller.rules import check_credential_type, check_rrule, check_survey

ROOT = "/api/v2/"
HIDDEN = "$encrypted$"
PAGING = {"page", "page_size", "order_by"}
WEBHOOK_DEFAULTS = {
    "http_method": "POST",
    "disable_ssl_verification": False,
    "username": "",
    "password": "",
    "headers": {},
}

Document = dict[str, Any]


class Refusal(Exception):
    """An answer of 4xx: ``status`` and the JSON ``body``."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(f"{status}: {json.dumps(body)}")
        self.status = status
        self.body = body


def bad(name: str, reason: str) -> Refusal:
    """The refusal of one field."""
    return Refusal(400, {name: [reason]})


class Api:
    """``project`` is the folder that every project holds once it was fetched."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._objects: dict[str, dict[int, Document]] = {name: {} for name in RESOURCES}
        self._associated: dict[tuple[str, int, str], list[int]] = {}
        self._surveys: dict[tuple[str, int], Document] = {}
        self._launched: list[Document] = []
        self._last_id = 0

    @property
    def launched(self) -> list[Document]:
        """Every job, with name and extra_vars, in order."""
        return copy.deepcopy(self._launched)

    def all(self, endpoint: str) -> list[Document]:
        """Every object of a resource, as GET shows it."""
        return [self._shown(endpoint, number) for number in self._objects[endpoint]]

    def named(self, endpoint: str, name: str) -> Document:
        """The one object with this name or identifier. Raises ValueError when there is none, or another."""
        [found] = [item for item in self.all(endpoint) if name in (item.get("name"), item.get("identifier"))]
        return found

    def survey(self, endpoint: str, name: str) -> Document:
        """The survey of a template; empty where it has none."""
        return copy.deepcopy(self._surveys.get((endpoint, self.named(endpoint, name)["id"]), {}))

    def associated(self, endpoint: str, number: int, association: str) -> list[Document]:
        """What is associated with an object, in order."""
        other = RESOURCES[endpoint].associations[association]
        return [self._shown(other, each) for each in self._associated.get((endpoint, number, association), [])]

    def find(self, endpoint: str, query: Mapping[str, str]) -> Document:
        """A page with every object that the filters let through."""
        kinds = TEMPLATES if endpoint == "unified_job_templates" else (endpoint,)
        known = {"id", "type", *(name for kind in kinds for name in RESOURCES[kind].fields)} | PAGING
        for name in query:
            if name.removeprefix("or__") not in known:
                raise Refusal(400, {"detail": f"{endpoint} has no field named '{name}'"})
        found = [item for kind in kinds for item in self.all(kind) if _passes(item, query)]
        return page(found)

    def one(self, endpoint: str, number: int) -> Document:
        """One object as GET shows it. Raises Refusal with 404."""
        if number not in self._objects.get(endpoint, {}):
            raise Refusal(404, {"detail": "Not found."})
        return self._shown(endpoint, number)

    def create(self, endpoint: str, body: Mapping[str, Any]) -> Document:
        """Make an object."""
        resource = RESOURCES[endpoint]
        self._check(resource, body)
        for name, field in resource.fields.items():
            if field.needed and body.get(name) in (None, ""):
                raise bad(name, "This field is required.")
        values = {name: copy.deepcopy(field.default) for name, field in resource.fields.items() if not field.needed}
        values.update({name: value for name, value in body.items() if name in resource.fields})
        return self._keep(endpoint, self._next_id(), values)

    def change(self, endpoint: str, number: int, body: Mapping[str, Any]) -> Document:
        """Change an object."""
        self.one(endpoint, number)
        self._check(RESOURCES[endpoint], body)
        return self._keep(endpoint, number, {**self._objects[endpoint][number], **body})

    def remove(self, endpoint: str, number: int) -> None:
        """Delete an object, and take it out of every association."""
        self.one(endpoint, number)
        del self._objects[endpoint][number]
        for (owner, _number, association), present in self._associated.items():
            if RESOURCES[owner].associations[association] == endpoint and number in present:
                present.remove(number)

    def associate(self, endpoint: str, number: int, association: str, body: Mapping[str, Any]) -> None:
        """Add an object to an association, or take it out with ``disassociate``."""
        if set(body) - {"id", "disassociate"}:
            raise bad("detail", f"unknown: {sorted(body)}")
        self.one(endpoint, number)
        other = RESOURCES[endpoint].associations[association]
        self.one(other, body["id"])
        present = self._associated.setdefault((endpoint, number, association), [])
        if body.get("disassociate"):
            present.remove(body["id"])
        elif body["id"] not in present:
            self._check_link(endpoint, association, present, body["id"])
            present.append(body["id"])

    def set_survey(self, endpoint: str, number: int, survey: Document) -> None:
        """Give a template its survey."""
        self.one(endpoint, number)
        try:
            check_survey(survey)
        except ValueError as error:
            raise Refusal(400, {"error": str(error)}) from error
        self._surveys[endpoint, number] = copy.deepcopy(survey)

    def get_survey(self, endpoint: str, number: int) -> Document:
        """The survey of a template, an empty one where it has none."""
        self.one(endpoint, number)
        return copy.deepcopy(self._surveys.get((endpoint, number), {}))

    def create_approval(self, node: int, body: Mapping[str, Any]) -> Document:
        """Make a node one that waits for an approval."""
        self.one("workflow_job_template_nodes", node)
        approval = self.create("workflow_approval_templates", body)
        self._objects["workflow_job_template_nodes"][node]["unified_job_template"] = approval["id"]
        return approval

    def launch(self, endpoint: str, number: int, body: Mapping[str, Any]) -> Document:
        """Launch a template. The job has ended as soon as it is asked for; nothing is run."""
        template = self.one(endpoint, number)
        given = body.get("extra_vars") or {}
        given = json.loads(given) if isinstance(given, str) else given
        survey = self._surveys.get((endpoint, number), {}).get("spec", []) if template["survey_enabled"] else []
        asked = {question["variable"] for question in survey}
        # AWX ignores what it did not ask for, which nobody notices.
        if not template["ask_variables_on_launch"] and set(given) - asked:
            raise bad("extra_vars", f"not asked for: {sorted(set(given) - asked)}")
        if body.get("limit") and not template["ask_limit_on_launch"]:
            raise bad("limit", "not asked for")
        defaults = {question["variable"]: question["default"] for question in survey if "default" in question}
        missing = [q["variable"] for q in survey if q["required"] and q["variable"] not in {**defaults, **given}]
        if missing:
            raise Refusal(400, {"variables_needed_to_start": missing})
        self._launched.append({
            "id": self._next_id(),
            "type": "workflow_job" if endpoint == "workflow_job_templates" else "job",
            "name": template["name"],
            "extra_vars": {**defaults, **given},
            "limit": body.get("limit", ""),
        })  # fmt: skip
        return self.job(self._launched[-1]["id"])

    def job(self, number: int) -> Document:
        """A job as GET shows it. Raises Refusal with 404."""
        for job in self._launched:
            if job["id"] == number:
                url = f"{ROOT}{job['type']}s/{number}/"
                ended = {"status": "successful", "failed": False, "artifacts": {}, "summary_fields": {}}
                return {**job, "url": url, **ended, "created": "", "extra_vars": json.dumps(job["extra_vars"])}
        raise Refusal(404, {"detail": "Not found."})

    def seed(self, endpoint: str, **values: Any) -> Document:
        """Put in what a fresh AWX brings along, without the checks for what users make."""
        resource = RESOURCES[endpoint]
        number = self._next_id()
        defaults = {name: None if field.needed else field.default for name, field in resource.fields.items()}
        self._objects[endpoint][number] = {**copy.deepcopy(defaults), **values}
        return self._shown(endpoint, number)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _keep(self, endpoint: str, number: int, values: Document) -> Document:
        values = {name: value for name, value in values.items() if name in RESOURCES[endpoint].fields}
        self._check_unique(endpoint, number, values)
        self._check_rules(endpoint, number, values)
        self._objects[endpoint][number] = values
        return self._shown(endpoint, number)

    def _check(self, resource: Resource, body: Mapping[str, Any]) -> None:
        for name, value in body.items():
            if name in resource.read_only:
                if value != resource.type:
                    raise bad(name, f"is {resource.type}")
                continue
            if name not in resource.fields:
                raise bad(name, f"{resource.type} has no such field.")
            self._check_value(name, resource.fields[name], value)

    def _check_value(self, name: str, field: Field, value: Any) -> None:
        if field.choices and value not in field.choices:
            raise bad(name, f'"{value}" is not a valid choice.')
        if isinstance(field.kind, str):
            kinds = TEMPLATES if field.kind == "unified_job_templates" else (field.kind,)
            if value is not None and not any(value in self._objects[kind] for kind in kinds):
                raise bad(name, f'Invalid pk "{value}" - object does not exist.')
        elif value is not None and not _is(value, field.kind):
            raise bad(name, f"{value!r} is no {field.kind.__name__}.")
        if name in ("variables", "extra_vars", "source_vars") and value and not isinstance(json.loads(value), dict):
            raise bad(name, "is no mapping")

    def _check_unique(self, endpoint: str, number: int, values: Document) -> None:
        unique = RESOURCES[endpoint].unique
        for other, present in self._objects[endpoint].items():
            if unique and other != number and all(present[name] == values[name] for name in unique):
                raise Refusal(400, {"__all__": [f"{endpoint} with these {', '.join(unique)} already exists."]})

    def _check_rules(self, endpoint: str, number: int, values: Document) -> None:
        try:
            if endpoint == "credential_types":
                for field in values["inputs"].get("fields", []):
                    field.setdefault("type", "string")
                check_credential_type(values["kind"], values["inputs"], values["injectors"])
            elif endpoint == "credentials":
                self._check_credential(number, values)
            elif endpoint == "schedules":
                check_rrule(values["rrule"])
                self._check_extra_data(values["unified_job_template"], values["extra_data"])
            elif endpoint == "workflow_job_template_nodes" and values["extra_data"]:
                self._check_extra_data(values["unified_job_template"], values["extra_data"])
            elif endpoint == "job_templates":
                self._check_file(values["playbook"])
            elif endpoint == "inventory_sources":
                self._check_file(values["source_path"])
            elif endpoint == "notification_templates":
                values["notification_configuration"] = {**WEBHOOK_DEFAULTS, **values["notification_configuration"]}
        except ValueError as error:
            raise bad("detail", str(error)) from error

    def _check_file(self, name: str) -> None:
        if not (self._project / name).is_file():
            raise ValueError(f"the project has no {name}")

    def _check_credential(self, number: int, values: Document) -> None:
        declared = self._objects["credential_types"][values["credential_type"]]["inputs"]
        fields = {field["id"]: field for field in declared.get("fields", [])}
        former = self._objects["credentials"].get(number, {}).get("inputs", {})
        for name, value in values["inputs"].items():
            if name not in fields:
                raise ValueError(f"credentials of this type have no {name}")
            if not _is(value, bool if fields[name]["type"] == "boolean" else str):
                raise ValueError(f"{name} is {type(value).__name__}")
            if value == HIDDEN:
                values["inputs"][name] = former[name]

    def _check_extra_data(self, template: int, extra_data: Document) -> None:
        [endpoint] = [kind for kind in TEMPLATES if template in self._objects[kind]]
        survey = self._surveys.get((endpoint, template), {}).get("spec", [])
        for name, value in extra_data.items():
            questions = [question for question in survey if question["variable"] == name]
            if not questions:
                raise ValueError(f"the template does not ask for {name}")
            if "choices" in questions[0] and value not in questions[0]["choices"]:
                raise ValueError(f"{value!r} is no choice for {name}")

    def _check_link(self, endpoint: str, association: str, present: list[int], number: int) -> None:
        if association == "credentials":
            kinds = {self._objects["credentials"][each]["credential_type"] for each in present}
            if self._objects["credentials"][number]["credential_type"] in kinds:
                raise Refusal(400, {"error": "Cannot assign multiple credentials of the same type."})

    def _shown(self, endpoint: str, number: int) -> Document:
        values = copy.deepcopy(self._objects[endpoint][number])
        url = f"{ROOT}{endpoint}/{number}/"
        related = {name: f"{url}{name}/" for name in RESOURCES[endpoint].associations}
        summary: Document = {}
        if endpoint in SURVEYED:
            related |= {"survey_spec": f"{url}survey_spec/", "launch": f"{url}launch/"}
            values.setdefault("ask_labels_on_launch", False)
        if endpoint == "projects":
            values |= {"status": "successful", "scm_revision": "0" * 40}
        if endpoint == "credentials":
            fields = self._objects["credential_types"][values["credential_type"]]["inputs"].get("fields", [])
            secret = {field["id"] for field in fields if field.get("secret")}
            values["inputs"] = {k: HIDDEN if k in secret and v else v for k, v in values["inputs"].items()}
        if endpoint == "notification_templates" and values["notification_configuration"].get("password"):
            values["notification_configuration"]["password"] = HIDDEN
        template = values.get("unified_job_template")
        for kind in TEMPLATES:
            if template in self._objects[kind]:
                related["unified_job_template"] = f"{ROOT}{kind}/{template}/"
        organization = self._objects["organizations"].get(values.get("organization") or 0)
        if organization:
            summary["organization"] = {"id": values["organization"], "name": organization["name"]}
        associated = {
            name: self._associated.get((endpoint, number, name), [])
            for name in RESOURCES[endpoint].associations
            if name.endswith("_nodes")
        }
        shown = {"id": number, "type": RESOURCES[endpoint].type, "url": url, "related": related}
        return {**shown, "summary_fields": summary, **associated, **values}


def page(found: list[Document]) -> Document:
    """A list as the API sends one, on one page."""
    return {"count": len(found), "next": None, "previous": None, "results": found}


def _is(value: Any, kind: type) -> bool:
    """Whether a value is of a type of JSON, in which true is no number."""
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


def _passes(item: Document, query: Mapping[str, str]) -> bool:
    def same(name: str, value: str) -> bool:
        return str(item.get(name)) == value

    every = [same(name, value) for name, value in query.items() if not name.startswith("or__") and name not in PAGING]
    either = [same(name.removeprefix("or__"), value) for name, value in query.items() if name.startswith("or__")]
    return all(every) and (not either or any(either))
