# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on the report of Plone's migration tool; the texts are what Plone 6.2 really sends."""

from __future__ import annotations

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._plone.migration_log import judge, readable

GOOD = """\
Starting the migration from version: 6018
Ran upgrade step: Run to6019 upgrade profile.
Ran upgrade step: Miscellaneous
End of upgrade path, main migration has finished.
Starting upgrading core addons.
Done upgrading core addons.
Your Plone instance is now up-to-date.
"""
DRY = f"Dry run selected.\n{GOOD}Dry run selected, transaction aborted\n"
TRACEBACK = """\
Traceback (most recent call last):
  File "/srv/plone/lib/python3.12/site-packages/Products/CMFPlone/MigrationTool.py", line 300, in upgrade
    step["step"].doStep(setup)
    ~~~~~~~~~~~~~~~~~~~^^^^^^^
  File "/srv/plone/lib/python3.12/site-packages/Products/GenericSetup/upgrade.py", line 178, in doStep
    self.handler(tool)
  File "/srv/plone/lib/python3.12/site-packages/example/steps.py", line 12, in fail
    raise ValueError("boom")
ValueError: boom
"""
BAD = f"""\
Starting the migration from version: 6018
Ran upgrade step: Run to6019 upgrade profile.
Upgrade aborted. Error:
{TRACEBACK}End of upgrade path, main migration has finished.
The upgrade path did NOT reach current version.
Migration has failed
"""
NO_PATH = """\
Starting the migration from version: 6018
End of upgrade path, main migration has finished.
The upgrade path did NOT reach current version.
Migration has failed
"""
SWALLOWED = GOOD.replace(
    "Your Plone",
    f"Recatalog needed. This may take a while...\nException was thrown while cataloging:\n{TRACEBACK}Your Plone",
)


def test_a_good_run_and_a_good_rehearsal() -> None:
    for report in (GOOD, DRY):
        verdict = judge(report)
        assert verdict.good
        assert (verdict.failures, verdict.warnings, verdict.error) == ((), (), "")
        assert verdict.steps_run == ("Run to6019 upgrade profile.", "Miscellaneous")


def test_a_failing_step_is_named_by_its_exception() -> None:
    verdict = judge(BAD)
    assert not verdict.good
    assert verdict.error == "ValueError: boom"
    assert verdict.failures == (
        "Upgrade aborted. Error:",
        "The upgrade path did NOT reach current version.",
        "Migration has failed",
    )


def test_an_exception_without_a_message_and_one_of_several_lines() -> None:
    assert judge(BAD.replace("ValueError: boom", "NotImplementedError")).error == "NotImplementedError"
    words = "ValueError: boom\n  and more\n\nand the end"
    assert judge(BAD.replace("ValueError: boom", words)).error == words
    assert judge(BAD.replace("ValueError: boom", "ValueError: \nbegins late")).error == "ValueError: \nbegins late"


def test_the_parts_of_an_exception_group_are_reported() -> None:
    group = """\
  + Exception Group Traceback (most recent call last):
  |   File "/srv/plone/steps.py", line 12, in fail
  |     raise ExceptionGroup("two", [ValueError("a"), KeyError("b")])
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: a
    +---------------- 2 ----------------
    | KeyError: 'b'
    +------------------------------------
"""
    error = judge(BAD.replace(TRACEBACK, group)).error
    assert error.startswith("ExceptionGroup: two (2 sub-exceptions)\n")
    assert "ValueError: a" in error
    assert "KeyError: 'b'" in error


def test_a_traceback_within_a_message_is_part_of_it() -> None:
    words = f"RemoteError: the other side says\n{TRACEBACK}".strip()
    assert judge(BAD.replace("ValueError: boom\n", f"{words}\n")).error == words


def test_of_a_chain_of_exceptions_the_one_that_stopped_the_upgrade_is_named() -> None:
    for words in (
        "During handling of the above exception, another exception occurred:",
        "The above exception was the direct cause of the following exception:",
    ):
        second = TRACEBACK.replace("ValueError: boom", "RuntimeError: the step is broken")
        assert judge(BAD.replace(TRACEBACK, f"{TRACEBACK}\n{words}\n\n{second}")).error == (
            "RuntimeError: the step is broken"
        )


@pytest.mark.parametrize("words", ("Upgrade aborted. Error:", "Migration has failed", "The upgrade path did NOT reach"))
def test_a_title_that_speaks_of_failure_is_none(words: str) -> None:
    for title in (words, f"{words} current version", f"Mend sites where it says: {words}", f"Mend this: {words}."):
        verdict = judge(GOOD.replace("Miscellaneous", title))
        assert (verdict.good, verdict.failures, verdict.steps_run[-1]) == (True, (), title)


@pytest.mark.parametrize(
    "words", ("Migration has failed", "Migration has failed for 3 members, who are left as they are")
)
def test_what_a_step_logs_before_the_closing_sentence_is_no_verdict(words: str) -> None:
    verdict = judge(GOOD.replace("Ran upgrade step: Misc", f"{words}\nRan upgrade step: Misc"))
    assert (verdict.good, verdict.failures) == (True, ())


@pytest.mark.parametrize(
    "report",
    (
        BAD.replace("Upgrade aborted", "Your Plone instance is now up-to-date.\nUpgrade aborted"),
        BAD.replace("ValueError: boom", "ValueError: no\nYour Plone instance is now up-to-date."),
        BAD.replace("Run to6019 upgrade profile.", "Your Plone instance is now up-to-date."),
        NO_PATH.replace("End of", "Your Plone instance is now up-to-date.\nEnd of"),
        NO_PATH.replace("The upgrade path did NOT reach current version.\nMigration has failed", "")
        + "The log said: Your Plone instance is now up-to-date.",
    ),
)
def test_success_that_somebody_else_speaks_of_is_none(report: str) -> None:
    assert not judge(report).good


def test_an_abort_is_one_although_plone_closes_with_success() -> None:
    """A step that commits has brought the last version into the database, and the next one failed."""
    closing = "The upgrade path did NOT reach current version.\nMigration has failed"
    verdict = judge(BAD.replace(closing, "Your Plone instance is now up-to-date."))
    assert (verdict.good, verdict.error) == (False, "ValueError: boom")


def test_an_upgrade_without_a_path_has_no_exception() -> None:
    verdict = judge(NO_PATH)
    assert (verdict.good, verdict.error, len(verdict.failures)) == (False, "", 2)


def test_an_error_without_a_traceback_is_not_taken_from_the_next_lines() -> None:
    assert judge("Upgrade aborted. Error:\nMigration has failed\n").error == ""


def test_a_swallowed_catalog_error_is_good_with_a_warning() -> None:
    verdict = judge(SWALLOWED)
    assert verdict.good
    assert verdict.warnings == ("Exception was thrown while cataloging:",)
    assert verdict.error == ""


def test_other_warnings() -> None:
    lines = (
        "Exception was thrown while updating role mappings",
        "Cannot import module plone.gone. Ignoring <Addon profile plone.gone:default>",
    )
    verdict = judge(GOOD + "\n".join(lines))
    assert (verdict.good, verdict.warnings) == (True, lines)


def test_what_does_not_reach_the_end_is_not_good() -> None:
    for report in ("", "\n", GOOD.replace("up-to-date", "somewhere"), "<html>502</html>"):
        assert not judge(report).good


def test_lines_of_another_request_neither_prove_nor_disprove() -> None:
    """A rehearsal that runs at the same time leaks into the report of the real run, and the other way round."""
    lines = GOOD.splitlines()
    mixed = [line for pair in zip(lines, DRY.splitlines()) for line in pair]
    verdict = judge("\n".join(mixed))
    assert verdict.good
    assert verdict.steps_run.count("Miscellaneous") == 2
    stranger = "Indexing object /Plone/news\nNo handlers for the event ObjectModifiedEvent\n"
    assert judge(stranger + GOOD).good
    assert not judge(stranger + BAD + stranger).good


def test_a_failure_of_another_request_is_a_failure() -> None:
    """It is not known whose it is, so it is not called good."""
    assert not judge(GOOD + "Upgrade aborted. Error:\n").good


def test_line_ends_and_margins_do_not_matter() -> None:
    verdict = judge(BAD.replace("\n", "\r\n"))
    assert (verdict.good, verdict.error) == (False, "ValueError: boom")
    assert judge("\n".join(f"  {line}" for line in GOOD.splitlines())).good


def test_a_readable_report_cuts_each_traceback_to_its_end() -> None:
    shown = readable(BAD)
    assert shown == [
        "Starting the migration from version: 6018",
        "Ran upgrade step: Run to6019 upgrade profile.",
        "Upgrade aborted. Error:",
        "Traceback (most recent call last):",
        "  ... 4 lines of the server's traceback left out ...",
        *BAD.splitlines()[8:],
    ]
    twice = readable(SWALLOWED + BAD)
    assert sum("left out" in line for line in twice) == 2
    assert twice[-1] == "Migration has failed"


def test_a_readable_report_leaves_everything_else_alone() -> None:
    short = 'Traceback (most recent call last):\n  File "x.py", line 1, in x\n    x()\nNameError: x\nnext'
    for report in ("", GOOD, NO_PATH, short):
        assert readable(report) == report.splitlines()


def test_a_traceback_that_never_ends_is_cut_too() -> None:
    endless = "Traceback (most recent call last):\n" + "\n".join(f"  frame {n}" for n in range(500))
    assert readable(endless)[-1] == "  frame 499"
    assert len(readable(endless)) == 6
