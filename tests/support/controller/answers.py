# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX does with the variables of a launch, a schedule or a node: it accepts, ignores or refuses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

TEXTS = ("text", "textarea", "password")


class Answers(NamedTuple):
    """``ignored`` are variables that nobody asked for; ``errors`` is what a refusal says."""

    accepted: dict[str, Any]
    ignored: dict[str, Any]
    errors: list[str]


def check_answers(
    survey: Iterable[Mapping[str, Any]], given: Mapping[str, Any], *, any_variable: bool, needed: bool = True
) -> Answers:
    """Check ``given`` against the questions of a survey.

    A required question needs an answer, also where it has a default: AWX fills the defaults in when the job is made,
    after this check. ``any_variable`` is the template's ask_variables_on_launch. Without ``needed`` an answer may be
    missing, as at the nodes of a workflow.
    """
    rest = dict(given)
    accepted: dict[str, Any] = {}
    errors: list[str] = []
    for question in survey:
        name = question["variable"]
        problem = _problem(question, given[name]) if name in given else ""
        if name not in given and question["required"] and needed:
            problem = f"'{name}' value missing"
        if problem:
            errors.append(problem)
            rest.pop(name, None)
        elif name in given:
            accepted[name] = rest.pop(name)
    if any_variable:
        accepted, rest = {**accepted, **rest}, {}
    return Answers(accepted, rest, errors)


def defaults(survey: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The defaults of a survey that pass as answers."""
    return {
        question["variable"]: question["default"]
        for question in survey
        if "default" in question and not _problem(question, question["default"])
    }


def _problem(question: Mapping[str, Any], value: Any) -> str:
    name, kind = question["variable"], question["type"]
    choices = question.get("choices") or []
    choices = choices.splitlines() if isinstance(choices, str) else choices
    if kind in TEXTS:
        if not isinstance(value, str):
            return f"Value {value} for '{name}' expected to be a string."
        return _outside(question, len(value), f"'{name}' value {value}")
    if kind in ("integer", "float"):
        kinds = (int,) if kind == "integer" else (int, float)
        if type(value) not in kinds:
            return (
                f"Value {value} for '{name}' expected to be {'an integer' if kind == 'integer' else 'a numeric type'}."
            )
        return _outside(question, value, f"'{name}' value {value}")
    if kind == "multiselect":
        wrong = [each for each in value if each not in choices] if isinstance(value, list) else [value]
    else:
        wrong = [value] if value not in choices else []
    return f"Value {wrong[0]} for '{name}' expected to be one of {choices}." if wrong else ""


def _outside(question: Mapping[str, Any], size: float, what: str) -> str:
    least, most = question.get("min"), question.get("max")
    if least not in ("", None) and size < int(least):
        return f"{what} is too small (must be at least {least})."
    if most not in ("", None) and size > int(most):
        return f"{what} is too large (must be no more than {most})."
    return ""
