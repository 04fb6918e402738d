# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects that a controller keeps: made, changed, linked and removed by the rules of AWX."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.controller.answers import check_answers
from support.controller.resources import RESOURCES, ROLES, SURVEYED, TEMPLATES, Field, Resource
from support.controller.rules import check_credential_type, check_rrule, check_survey
from support.controller.syncs import SCM, Syncs

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


class Store:
    """``project`` is the folder that every project holds once a sync fetched it; the first ``failing_syncs`` fail."""

    def __init__(self, project: Path, failing_syncs: int = 0) -> None:
        self.syncs = Syncs(project, failing_syncs)
        self._objects: dict[str, dict[int, Document]] = {name: {} for name in RESOURCES}
        self._associated: dict[tuple[str, int, str], list[int]] = {}
        self._surveys: dict[tuple[str, int], Document] = {}
        self._roles: dict[tuple[str, int, str], int] = {}
        self._last_id = 0

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
        if endpoint == "inventory_sources":
            known -= {"credential"}
        for name in query:
            if name.removeprefix("or__").split("__")[0] not in known:
                raise Refusal(400, {"detail": f"{endpoint} has no field named '{name}'"})
        return page([item for kind in kinds for item in self.all(kind) if self._passes(kind, item, query)])

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
        if endpoint == "schedules":
            self._check_schedule(values)
        number = self._next_id()
        self._keep(endpoint, number, values)
        if endpoint == "projects" and values["scm_type"]:
            self.syncs.start(number, self._next_id())
        return self._shown(endpoint, number)

    def change(self, endpoint: str, number: int, body: Mapping[str, Any]) -> Document:
        """Change an object."""
        self.one(endpoint, number)
        self._check(RESOURCES[endpoint], body)
        before = self._objects[endpoint][number]
        values = {**before, **body}
        moved = body.get("organization") not in (None, before.get("organization"))
        if endpoint == "execution_environments" and moved:
            raise bad("organization", "Cannot change the organization of an execution environment")
        if endpoint == "schedules" and "extra_data" in body:
            self._check_schedule(values)
        self._keep(endpoint, number, values)
        if endpoint == "projects" and any(before[name] != values[name] for name in SCM):
            self.syncs.start(number, self._next_id())
        return self._shown(endpoint, number)

    def remove(self, endpoint: str, number: int) -> None:
        """Delete an object with what belongs to it, and take it out of every association."""
        self.one(endpoint, number)
        if endpoint == "credential_types":
            self._check_unused(number)
        del self._objects[endpoint][number]
        for other, resource in RESOURCES.items():
            for name, field in resource.fields.items():
                kinds = TEMPLATES if field.kind == "unified_job_templates" else (field.kind,)
                pointing = [each for each, item in self._objects[other].items() if item.get(name) == number]
                for each in pointing if endpoint in kinds else []:
                    if each not in self._objects[other]:
                        continue  # It went with something else that pointed here.
                    if field.needed or other == "schedules":
                        self.remove(other, each)
                    else:
                        self._objects[other][each][name] = None
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
        if endpoint == "inventories" and values["kind"] is None:
            values["kind"] = ""
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
            elif endpoint == "workflow_job_template_nodes" and values["extra_data"]:
                self._check_node(values)
            elif endpoint == "job_templates" and values["playbook"] not in self.syncs.playbooks(values["project"]):
                raise bad("playbook", "Playbook not found for project.")
            elif endpoint == "notification_templates":
                values["notification_configuration"] = {**WEBHOOK_DEFAULTS, **values["notification_configuration"]}
        except ValueError as error:
            raise bad("detail", str(error)) from error

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

    def _asked(self, endpoint: str, number: int) -> list[Document]:
        """The questions of a template whose survey is enabled."""
        enabled = self._objects[endpoint][number].get("survey_enabled")
        questions: list[Document] = self._surveys.get((endpoint, number), {}).get("spec", []) if enabled else []
        return questions

    def _check_schedule(self, values: Document) -> None:
        """A schedule is refused as a launch is, and for variables that nobody asked for."""
        self._check_saved(values, needed=True)

    def _check_node(self, values: Document) -> None:
        self._check_saved(values, needed=False)

    def _check_saved(self, values: Document, *, needed: bool) -> None:
        [endpoint] = [kind for kind in TEMPLATES if values["unified_job_template"] in self._objects[kind]]
        template = self._objects[endpoint][values["unified_job_template"]]
        survey = self._asked(endpoint, values["unified_job_template"])
        any_variable = template.get("ask_variables_on_launch", False)
        answers = check_answers(survey, values["extra_data"], any_variable=any_variable, needed=needed)
        if answers.errors:
            raise Refusal(400, {"variables_needed_to_start": answers.errors})
        if answers.ignored:
            raise bad("extra_vars", f"Variables {', '.join(answers.ignored)} are not allowed on launch.")

    def _check_unused(self, credential_type: int) -> None:
        if any(each["credential_type"] == credential_type for each in self._objects["credentials"].values()):
            raise Refusal(403, {"detail": "Credential types that are in use cannot be deleted."})

    def _check_link(self, endpoint: str, association: str, present: list[int], number: int) -> None:
        if association == "credentials":
            kinds = {self._objects["credentials"][each]["credential_type"] for each in present}
            if self._objects["credentials"][number]["credential_type"] in kinds:
                raise Refusal(400, {"error": "Cannot assign multiple credentials of the same type."})

    def _role_id(self, endpoint: str, number: int, name: str) -> int:
        if (endpoint, number, name) not in self._roles:
            self._roles[endpoint, number, name] = self._next_id()
        return self._roles[endpoint, number, name]

    def _passes(self, endpoint: str, item: Document, query: Mapping[str, str]) -> bool:
        """Whether an object passes the filters; ``inventory__name`` is the name of its inventory."""

        def same(path: str, value: str) -> bool:
            kind, found = endpoint, item
            *ways, last = path.split("__")
            for name in ways:
                kind = str(RESOURCES[kind].fields[name].kind)
                found = self._objects[kind].get(found[name] or 0, {})
            return str(found.get(last)) == value

        every = [
            same(name, value) for name, value in query.items() if not name.startswith("or__") and name not in PAGING
        ]
        either = [same(name.removeprefix("or__"), value) for name, value in query.items() if name.startswith("or__")]
        return all(every) and (not either or any(either))

    def _shown(self, endpoint: str, number: int) -> Document:
        values = copy.deepcopy(self._objects[endpoint][number])
        url = f"{ROOT}{endpoint}/{number}/"
        related = {name: f"{url}{name}/" for name in RESOURCES[endpoint].associations}
        summary: Document = {}
        if endpoint in SURVEYED:
            related |= {"survey_spec": f"{url}survey_spec/", "launch": f"{url}launch/"}
            values.setdefault("ask_labels_on_launch", False)
        if endpoint == "projects":
            fields, summary = self.syncs.of(number)
            values |= fields
            related["update"] = f"{url}update/"
        if endpoint == "credential_types":
            # AWX sorts the keys anew.
            values["inputs"], values["injectors"] = (_sorted(values[name]) for name in ("inputs", "injectors"))
        if endpoint in ROLES:
            roles = {name: {"id": self._role_id(endpoint, number, name)} for name in ROLES[endpoint]}
            summary["object_roles"] = roles
        for name in ("credentials", "labels"):
            if endpoint in SURVEYED and name in RESOURCES[endpoint].associations:
                numbers = self._associated.get((endpoint, number, name), [])
                linked = [{"id": each, "name": self._objects[name][each]["name"]} for each in numbers]
                summary[name] = linked if name == "credentials" else {"count": len(linked), "results": linked}
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
                found = self._objects[kind][template]
                known = {name: found[name] for name in ("name", "description", "timeout") if name in found}
                summary["unified_job_template"] = {"id": template, **known}
        organization = self._objects["organizations"].get(values.get("organization") or 0)
        if organization:
            summary["organization"] = {"id": values["organization"], "name": organization["name"]}
        associated = {
            name: self._associated.get((endpoint, number, name), [])
            for name in RESOURCES[endpoint].associations
            if name.endswith("_nodes")
        }
        if endpoint == "inventory_sources" and values["credential"]:
            name = self._objects["credentials"][values["credential"]]["name"]
            summary["credential"] = {"id": values["credential"], "name": name}
        shown = {"id": number, "type": RESOURCES[endpoint].type, "url": url, "related": related}
        return {**shown, "summary_fields": summary, **associated, **values}


def page(found: list[Document]) -> Document:
    """A list as the API sends one, on one page."""
    return {"count": len(found), "next": None, "previous": None, "results": found}


def _is(value: Any, kind: type) -> bool:
    """Whether a value is of a type of JSON, in which true is no number."""
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)


def _sorted(value: Any) -> Any:
    return dict(sorted(value.items())) if isinstance(value, dict) else value
