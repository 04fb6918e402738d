# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults at run time: before each request a WSGI filter brings the process in line with a JSON file.

Each fault only prepares the ground (one more upgrade step, a method that raises); what the client then sees comes from
Plone's own code. The names and values are described in support.plone.faults.
"""

from __future__ import annotations

import builtins
import contextlib
import itertools
import json
import os
import threading
import time
from unittest import mock

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


class FaultFilter:
    def __init__(self, application, path):
        self.application = application
        self.path = path
        self.lock = threading.Lock()
        self.seen = None
        self.active = contextlib.ExitStack()

    def __call__(self, environ, start_response):
        with self.lock:
            self._follow_file()
        return self.application(environ, start_response)

    def _follow_file(self):
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            version = None
        else:
            version = (status.st_ino, status.st_mtime_ns)
        if version == self.seen:
            return
        self.active.close()
        self.seen = version
        if version is not None:
            with open(self.path, encoding="utf-8") as file:
                activate(self.active, json.load(file))


def filter_factory(global_config, path):
    return lambda application: FaultFilter(application, path)


def activate(active, faults):
    """Enter every fault into the ExitStack ``active``; closing it takes them back."""
    message = faults.pop("message", "Injected fault")
    actions = [make(faults.pop(name), message) for name, make in STEP_FAULTS.items() if name in faults]
    if actions:
        active.enter_context(core_step(actions))
    for name, value in faults.items():
        active.enter_context(OTHER_FAULTS[name](value, message))


# What one more core step does, in this order, after all real ones.


def core_step(actions):
    def handler(setup_tool):
        for action in actions:
            action(setup_tool)

    return changed_steps(CORE, lambda steps: _append_step(steps, CORE, handler))


def step_sleep(seconds, message):
    return lambda setup_tool: time.sleep(seconds)


def step_commit(enabled, message):
    return lambda setup_tool: transaction.commit()


def step_conflicts(times, message):
    attempts = itertools.count()

    def conflict(setup_tool):
        if times < 0 or next(attempts) < times:
            raise POSException.ConflictError(message)

    return conflict


def step_error(name, message):
    return raising(name, message)


def step_unpicklable(enabled, message):
    def store(setup_tool):
        setup_tool.aq_parent.siteops_unpicklable = lambda: None

    return store


STEP_FAULTS = {
    function.__name__: function
    for function in (step_sleep, step_commit, step_conflicts, step_unpicklable, step_error)
}


# Everything else.


@contextlib.contextmanager
def catalog_error(name, message):
    with (
        _asked_for_by_core_step("_needRecatalog"),
        mock.patch.object(CatalogTool, "refreshCatalog", raising(name, message)),
    ):
        yield


@contextlib.contextmanager
def role_error(name, message):
    with (
        _asked_for_by_core_step("_needUpdateRole"),
        mock.patch.object(WorkflowTool, "updateRoleMappings", raising(name, message)),
    ):
        yield


def core_addon_error(name, message):
    step = UpgradeStep("Injected step", CORE_ADDON, "*", "*", None, raising(name, message))
    return changed_steps(CORE_ADDON, lambda steps: steps.update({step.id: step}))


def addon_error(name, message):
    return changed_steps(ADDON, lambda steps: _append_step(steps, ADDON, raising(name, message)))


def ungrouped_step(enabled, message):
    def add(steps):
        step = _step_like_last(steps, CORE, "Injected ungrouped step", _do_nothing)
        steps[step.id] = step

    return changed_steps(CORE, add)


def duplicate_group(enabled, message):
    def add(steps):
        step = _step_like_last(steps, CORE, "Injected step of a second group", _do_nothing)
        steps["siteops-second-group"] = [(step.id, step)]

    return changed_steps(CORE, add)


def no_upgrade_code(enabled, message):
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


def raising(name, message):
    """A callable that raises the built-in or ZODB exception called ``name``, whatever it is called with."""
    exception = getattr(builtins, name, None) or getattr(POSException, name)
    if not issubclass(exception, Exception):
        raise ValueError(f"{name} would end the worker thread and leave the request without an answer")

    def fail(*args, **kwargs):
        raise exception(message)

    return fail


@contextlib.contextmanager
def changed_steps(profile, change):
    """Have the upgrade step registry answer with a changed copy of the steps of one profile."""
    original = _upgrade_registry.getUpgradeStepsForProfile(profile)
    changed = OOBTree({key: list(step) if isinstance(step, list) else step for key, step in original.items()})
    change(changed)
    _upgrade_registry._registry[profile] = changed
    try:
        yield
    finally:
        _upgrade_registry._registry[profile] = original


def _asked_for_by_core_step(attribute):
    def ask(setup_tool):
        setattr(setup_tool.aq_parent.portal_migration, attribute, 1)

    return changed_steps(CORE, lambda steps: _append_step(steps, CORE, ask))


def _append_step(steps, profile, handler):
    """Add a step that runs after all others of the profile."""
    step = _step_like_last(steps, profile, "Injected step", handler)
    _last_group(steps, profile).append((step.id, step))


def _step_like_last(steps, profile, title, handler):
    _, last = _last_group(steps, profile)[0]
    return UpgradeStep(title, profile, last.source, last.dest, None, handler)


def _last_group(steps, profile):
    """The group that leads to the version on the file system; later versions may be prepared already."""
    version = tuple(profile_registry.getProfileInfo(profile)["version"].split("."))
    return next(group for group in steps.values() if isinstance(group, list) and group[0][1].dest == version)


def _do_nothing(setup_tool):
    pass
