# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guides show can be typed: the syntax of playbooks, the names of options, variables, commands and targets.

tests/acceptance/test_guides.py runs the guides for beginners; here nothing is run.
"""

from __future__ import annotations

import json
import pathlib
import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible.cli.doc import DocCLI
from ansible.cli.galaxy import GalaxyCLI
from ansible.cli.playbook import PlaybookCLI

from support.guides import Block, all_blocks

COLLECTION = "siteops.upgrades"
BLOCKS = all_blocks()
YAML = [block for block in BLOCKS if block.language == "yaml"]
SHELL = [block for block in BLOCKS if block.language == "shell"]
LANGUAGES = {"ansible-output", "console", "html", "ini", "json", "shell", "text", "yaml"}

# Programs that are not ours. A new one is put here once somebody has tried the line that names it.
PROGRAMS = {
    *(".", "cd", "cp", "export", "read"),
    *("ansible", "ansible-builder", "ansible-rulebook", "ansible-vault"),
    *("curl", "git", "mkdir", "pg_dump", "pip", "podman", "python3", "ssh-keygen"),
}
ROLES = (
    *("awx_setup", "odoo_backup", "odoo_cutover", "odoo_test_copy", "odoo_upgrade"),
    *("plone_backup", "plone_rehearsal", "plone_upgrade", "service_control", "upgrade_report"),
)
ROLE_VARIABLE = re.compile(f"^({'|'.join(ROLES)})_")
NAME_OF_OURS = re.compile(r"\bsiteops\.upgrades\.(\w+)")


def answer(command: list[str]) -> Any:
    """The JSON that a command writes."""
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def documentation(kind: str) -> dict[str, Any]:
    """What ansible-doc says of all plugins of one kind, by their name without the collection."""
    command = ["ansible-doc", "--type", kind, "--json"]
    names = answer([*command, "--list", COLLECTION])
    shown = answer([*command, *names])
    return {name.removeprefix(f"{COLLECTION}."): entry for name, entry in shown.items()}


@pytest.fixture(scope="module")
def modules() -> dict[str, dict[str, Any]]:
    """The options of each module."""
    return {name: entry["doc"]["options"] for name, entry in documentation("module").items()}


@pytest.fixture(scope="module")
def inventories() -> dict[str, dict[str, Any]]:
    """The options of each inventory plugin."""
    return {name: entry["doc"]["options"] for name, entry in documentation("inventory").items()}


@pytest.fixture(scope="module")
def roles() -> dict[str, dict[str, Any]]:
    """The variables of each role."""
    return {name: entry["entry_points"]["main"]["options"] for name, entry in documentation("role").items()}


@pytest.fixture(scope="module")
def variables(roles: dict[str, dict[str, Any]], root: pathlib.Path) -> dict[str, dict[str, Any]]:
    """All variables of roles, and those of playbooks, which are not described."""
    ours = {name: option for options in roles.values() for name, option in options.items()}
    texts = "".join(path.read_text(encoding="utf-8") for path in (root / "playbooks").glob("*.yml"))
    return {name: {} for name in re.findall(r"(?<!\w)[a-z]\w+_\w+", texts)} | ours


def described(value: Any, option: dict[str, Any]) -> str:
    """What is wrong with a literal value, or an empty string; a template can be anything."""
    if isinstance(value, str) and "{{" in value:
        return ""
    choices, kind = option.get("choices"), option.get("type", "str")
    values = value if kind == "list" and isinstance(value, list) else [value]
    if choices and not set(map(str, values)) <= set(map(str, choices)):
        return f"{value!r} is none of {choices}"
    wanted = {"bool": bool, "dict": dict, "int": int, "list": list}.get(kind)
    return f"{value!r} is no {kind}" if wanted and not isinstance(value, wanted) else ""


def faults_of(given: dict[str, Any], options: dict[str, Any], whose: str) -> Iterator[str]:
    """What is wrong with the options of one task or plugin."""
    names = {alias: name for name, option in options.items() for alias in (name, *option.get("aliases", []))}
    for name, value in given.items():
        if name not in names:
            yield f"{whose} has no {name}"
        elif fault := described(value, options[names[name]]):
            yield f"{name} of {whose}: {fault}"


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """All mappings within a document, itself included."""
    if isinstance(value, dict):
        yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from mappings(child)


def is_playbook(document: Any) -> bool:
    plays = document if isinstance(document, list) else []
    return bool(plays) and all("hosts" in play or any("import_playbook" in key for key in play) for play in plays)


def is_tasks(document: Any) -> bool:
    return isinstance(document, list) and not is_playbook(document)


def test_there_are_guides() -> None:
    assert len({block.page for block in BLOCKS}) >= 5
    assert {block.language for block in BLOCKS} <= LANGUAGES


@pytest.mark.parametrize("block", YAML, ids=str)
def test_yaml_is_of_a_known_kind_and_its_names_exist(
    block: Block,
    modules: dict[str, dict[str, Any]],
    inventories: dict[str, dict[str, Any]],
    variables: dict[str, dict[str, Any]],
) -> None:
    document = yaml.safe_load(block.text)
    assert isinstance(document, list | dict)
    faults: list[str] = []
    for mapping in mappings(document):
        for key, value in mapping.items():
            module = NAME_OF_OURS.fullmatch(str(key))
            if module:
                options = modules.get(module.group(1))
                faults += [f"there is no module {key}"] if options is None else faults_of(value or {}, options, key)
            elif ROLE_VARIABLE.match(str(key)):
                faults += faults_of({key: value}, variables, "the roles")
    if isinstance(document, dict) and "plugin" in document:
        faults += faults_of(document, inventories[document["plugin"].removeprefix(f"{COLLECTION}.")], "the plugin")
    assert faults == []


def test_playbooks_have_the_syntax_of_playbooks(tmp_path: pathlib.Path) -> None:
    """One run for all of them: each takes half a second by itself."""
    paths = []
    for block in YAML:
        document = yaml.safe_load(block.text)
        text = block.text
        if is_tasks(document):
            play = [{"hosts": "localhost", "gather_facts": False, "tasks": document}]
            text = yaml.safe_dump(play)
        elif not is_playbook(document):
            continue
        path = tmp_path / f"{block.page}-{block.line}.yml"
        path.write_text(text, encoding="utf-8")
        paths.append(path)
    assert len(paths) > 1
    command = ["ansible-playbook", "--syntax-check", "-i", "localhost,shop,", *map(str, paths)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("playbook: ") == len(paths)


def commands(block: Block) -> Iterator[list[str]]:
    """The simple commands of a block, as words; a backslash at the end of a line continues it."""
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words:
            ends = [at for at, word in enumerate(words) if word in ("|", "&&", "||", ";")]
            end = ends[0] if ends else len(words)
            command = words[:end]
            while command and re.match(r"[A-Z_]+=", command[0]):
                command.pop(0)
            if command:
                yield command
            words = words[end + 1 :]


def made_by_the_page(block: Block) -> set[str]:
    return {other.caption for other in BLOCKS if other.page == block.page and other.caption}


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_commands_exist_and_take_these_flags(block: Block, root: pathlib.Path, variables: dict[str, Any]) -> None:
    targets = set(re.findall(r"^([a-z][\w -]*):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    targets = {target for line in targets for target in line.split()}
    for program, *arguments in commands(block):
        if program == "make":
            assert {word for word in arguments if "=" not in word} <= targets
        elif program == "ansible-playbook":
            parsed = parse(PlaybookCLI, [program, *arguments])
            for playbook in parsed.args:
                known = root / "playbooks" / f"{playbook.removeprefix(f'{COLLECTION}.')}.yml"
                assert known.is_file() or playbook in made_by_the_page(block), playbook
            for given in parsed.extra_vars:
                assert given.startswith("@") or given.partition("=")[0] in variables, given
        elif program == "ansible-doc":
            parse(DocCLI, [program, *arguments])
        elif program == "ansible-galaxy":
            parse(GalaxyCLI, [program, *arguments])
        else:
            assert program in PROGRAMS, f"{block}: {program}"


def parse(cli: type[Any], command: list[str]) -> Any:
    """The arguments as Ansible's own command reads them; a wrong one ends in SystemExit."""
    its = cli(command)
    its.init_parser()
    return its.parser.parse_args(command[1:])


def test_names_of_ours_in_all_pages_exist(
    modules: dict[str, Any], roles: dict[str, Any], inventories: dict[str, Any], root: pathlib.Path
) -> None:
    playbooks = {path.stem for path in (root / "playbooks").glob("*.yml")}
    rulebooks = {path.stem for path in (root / "extensions/eda/rulebooks").glob("*.yml")}
    known = {*modules, *roles, *inventories, *playbooks, *rulebooks, "plone", "odoo", "docsite", "git"}
    pages = [*(root / "docs/docsite/rst").glob("*.rst"), root / "README.md", root / "CONTRIBUTING.md"]
    named = {(page.name, name) for page in pages for name in NAME_OF_OURS.findall(page.read_text(encoding="utf-8"))}
    assert {(page, name) for page, name in named if name not in known} == set()


def test_readme_leads_to_guides_that_exist(root: pathlib.Path) -> None:
    text = (root / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"https://github\.com/siteops/siteops\.upgrades/(?:blob|tree)/main/([\w./-]+)", text)
    assert len(linked) > 5
    assert [name for name in linked if not (root / name).exists()] == []


def test_files_of_the_repository_that_pages_name_exist(root: pathlib.Path) -> None:
    """Written as ``folder/file`` in a page; a name with a star stands for many."""
    folders = sorted(path.name for path in root.iterdir() if path.is_dir() and path.name.isalpha())
    pattern = re.compile(rf"``((?:{'|'.join(folders)})/[\w./*-]+)``")
    pages = (root / "docs/docsite/rst").glob("*.rst")
    named = {(page.name, name) for page in pages for name in pattern.findall(page.read_text(encoding="utf-8"))}
    assert named
    assert {(page, name) for page, name in named if not any(root.glob(name.rstrip("/")))} == set()
