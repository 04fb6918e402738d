# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="import-not-found"
"""Faults at run time: before each request a WSGI filter brings the process in line with a JSON file.

Each fault only prepares the ground (one more upgrade step, a method that raises); what the client then sees comes from
Plone's own code. The names and values are described in support.plone.faults.
"""

from __future__ import annotations

import builtins
import contextlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import transaction
from BTrees.OOBTree import OOBTree
from Products.CMFPlone.CatalogTool import CatalogTool
from Products.CMFPlone.WorkflowTool import WorkflowTool
from Products.GenericSetup import profile_registry
from Products.GenericSetup.upgrade import UpgradeStep, _upgrade_registry
from ZODB import POSException

CORE = "Products.CMFPlone:plone"
CORE_ADDON = "plone.restapi:default"
ADDON = "siteops.testaddon:default"

LONGEST_WAIT = 300
"""Seconds, so that no worker thread waits for ever for a test that has ended."""

Handler = Callable[[Any], object]
"""What an upgrade step runs, with portal_setup as its argument."""

Steps = MutableMapping[str, Any]
"""The steps of one profile: a step, or a list of (id, step) for a group."""

Fault = AbstractContextManager[None]


class FaultFilter:
    def __init__(self, application: WSGIApplication, path: str) -> None:
        self.application = application
        self.path = Path(path)
        self.lock = threading.Lock()
        self.seen: tuple[int, int] | None = None
        self.active = contextlib.ExitStack()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self.lock:
            self._follow_file()
        return self.application(environ, start_response)

    def _follow_file(self) -> None:
        status = self.path.stat()
        version = (status.st_ino, status.st_mtime_ns)
        if version != self.seen:
            self.active.close()
            activate(self.active, json.loads(self.path.read_text(encoding="utf-8")))
            self.seen = version


def filter_factory(global_config: object, path: str) -> Callable[[WSGIApplication], WSGIApplication]:
    return lambda application: FaultFilter(application, path)


def activate(active: contextlib.ExitStack, faults: dict[str, Any]) -> None:
    """Enter every fault into the ExitStack ``active``; closing it takes them back."""
    message = faults.pop("message", "Injected fault")
    actions = [make(faults.pop(name), message) for name, make in STEP_FAULTS.items() if name in faults]
    if actions:
        active.enter_context(core_step(actions))
    for name, value in faults.items():
        active.enter_context(OTHER_FAULTS[name](value, message))


# What one more core step does, in this order, after all real ones.


def core_step(actions: list[Handler]) -> Fault:
    def handler(setup_tool: Any) -> None:
        for action in actions:
            action(setup_tool)

    return changed_steps(CORE, lambda steps: _append_step(steps, CORE, handler))


def step_sleep(seconds: float, message: str) -> Handler:
    return lambda setup_tool: time.sleep(seconds)


def step_until(path: str, message: str) -> Handler:
    def wait(setup_tool: Any) -> None:
        give_up = time.monotonic() + LONGEST_WAIT
        while not Path(path).exists() and time.monotonic() < give_up:
            time.sleep(0.05)

    return wait


def step_commit(enabled: bool, message: str) -> Handler:
    return lambda setup_tool: transaction.commit()


def step_conflicts(times: int, message: str) -> Handler:
    attempts = itertools.count()

    def conflict(setup_tool: Any) -> None:
        if times < 0 or next(attempts) < times:
            raise POSException.ConflictError(message)

    return conflict


def step_error(name: str, message: str) -> Handler:
    return raising(name, message)


def step_unpicklable(enabled: bool, message: str) -> Handler:
    def store(setup_tool: Any) -> None:
        setup_tool.aq_parent.siteops_unpicklable = type("NotImportable", (), {})()

    # Stored at once, it would be met by the savepoints that the upgrade makes later on, also in a dry run.
    return lambda setup_tool: transaction.get().addBeforeCommitHook(store, (setup_tool,))


STEP_FAULTS = {
    function.__name__: function
    for function in (step_sleep, step_until, step_commit, step_conflicts, step_unpicklable, step_error)
}


# Everything else.


@contextlib.contextmanager
def catalog_error(name: str, message: str) -> Iterator[None]:
    with (
        _asked_for_by_core_step("_needRecatalog"),
        mock.patch.object(CatalogTool, "refreshCatalog", raising(name, message)),
    ):
        yield


@contextlib.contextmanager
def role_error(name: str, message: str) -> Iterator[None]:
    with (
        _asked_for_by_core_step("_needUpdateRole"),
        mock.patch.object(WorkflowTool, "updateRoleMappings", raising(name, message)),
    ):
        yield


def core_addon_error(name: str, message: str) -> Fault:
    step = UpgradeStep("Injected step", CORE_ADDON, "*", "*", None, raising(name, message))
    return changed_steps(CORE_ADDON, lambda steps: steps.update({step.id: step}))


def addon_error(name: str, message: str) -> Fault:
    return changed_steps(ADDON, lambda steps: _append_step(steps, ADDON, raising(name, message)))


def ungrouped_step(enabled: bool, message: str) -> Fault:
    def add(steps: Steps) -> None:
        step = _step_like_last(steps, CORE, "Injected ungrouped step", _do_nothing)
        steps[step.id] = step

    return changed_steps(CORE, add)


def duplicate_group(enabled: bool, message: str) -> Fault:
    def add(steps: Steps) -> None:
        step = _step_like_last(steps, CORE, "Injected step of a second group", _do_nothing)
        steps["siteops-second-group"] = [(step.id, step)]

    return changed_steps(CORE, add)


def no_upgrade_code(enabled: bool, message: str) -> Fault:
    """What the absence of plone.app.upgrade means to the core: a profile without any step."""
    return changed_steps(CORE, lambda steps: steps.clear())


OTHER_FAULTS = {
    function.__name__: function
    for function in (
        catalog_error,
        role_error,
        core_addon_error,
        addon_error,
        ungrouped_step,
        duplicate_group,
        no_upgrade_code,
    )
}


# What the faults are made of.


def raising(name: str, message: str) -> Callable[..., NoReturn]:
    """A callable that raises the built-in or ZODB exception called ``name``, whatever it is called with."""
    exception = getattr(builtins, name, None) or getattr(POSException, name)
    if not issubclass(exception, Exception):
        raise ValueError(f"{name} would end the worker thread and leave the request without an answer")

    def fail(*args: object, **kwargs: object) -> NoReturn:
        raise exception(message)

    return fail


@contextlib.contextmanager
def changed_steps(profile: str, change: Callable[[Steps], object]) -> Iterator[None]:
    """Have the upgrade step registry answer with a changed copy of the steps of one profile."""
    original = _upgrade_registry.getUpgradeStepsForProfile(profile)
    changed = OOBTree({key: list(step) if isinstance(step, list) else step for key, step in original.items()})
    change(changed)
    _upgrade_registry._registry[profile] = changed
    try:
        yield
    finally:
        _upgrade_registry._registry[profile] = original


def _asked_for_by_core_step(attribute: str) -> Fault:
    def ask(setup_tool: Any) -> None:
        setattr(setup_tool.aq_parent.portal_migration, attribute, 1)

    return changed_steps(CORE, lambda steps: _append_step(steps, CORE, ask))


def _append_step(steps: Steps, profile: str, handler: Handler) -> None:
    """Add a step that runs after all others of the profile."""
    step = _step_like_last(steps, profile, "Injected step", handler)
    _last_group(steps, profile).append((step.id, step))


def _step_like_last(steps: Steps, profile: str, title: str, handler: Handler) -> Any:
    last = _last_group(steps, profile)[0][1]
    return UpgradeStep(title, profile, last.source, last.dest, None, handler)


def _last_group(steps: Steps, profile: str) -> list[tuple[str, Any]]:
    """The group that leads to the version on the file system; later versions may be prepared already."""
    version = tuple(profile_registry.getProfileInfo(profile)["version"].split("."))
    return next(group for group in steps.values() if isinstance(group, list) and group[0][1].dest == version)


def _do_nothing(setup_tool: Any) -> None:
    pass
