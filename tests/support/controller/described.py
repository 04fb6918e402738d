# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role awx_setup describes, read without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Reads ``!unsafe`` texts too."""


def _unsafe(_loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(node.value)


_Loader.add_constructor("!unsafe", _unsafe)


class Described:
    """``role`` is the folder of the role."""

    def __init__(self, role: Path) -> None:
        self.variables: dict[str, Any] = {}
        for path in sorted([*role.glob("defaults/main/*.yml"), role / "vars/main.yml"]):
            self.variables |= yaml.load(path.read_text(encoding="utf-8"), _Loader) or {}

    def credential_type(self, name: str) -> dict[str, Any]:
        """Raises ValueError when there is none of that name."""
        return self._named("awx_setup_credential_types", name)

    def job_template(self, name: str) -> dict[str, Any]:
        """A job template with its survey, also where that is a reference. Raises ValueError."""
        template = self._named("awx_setup_job_templates", name)
        survey = template.get("survey", [])
        if isinstance(survey, str):
            survey = self.variables[survey.strip("{} ")]
        return {**template, "survey": survey}

    def _named(self, variable: str, name: str) -> dict[str, Any]:
        [found] = [each for each in self.variables[variable] if each["name"] == name]
        return dict(found)
