# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL on its way into psql: the first and last lines adapted, every other byte as it is."""

from __future__ import annotations

import pytest

from ansible_collections.siteops.upgrades.plugins.module_utils._postgres.sql_stream import SkewError, adapted
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.dump_forms import DamagedError
from ansible_collections.siteops.upgrades.plugins.module_utils._transfer.sql_watch import SqlWatch

BEGINNING = b"""--
-- PostgreSQL database dump
--

\\restrict KEY1

-- Dumped from database version 17.6

SET statement_timeout = 0;
SET transaction_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

"""
MIDDLE = b"""CREATE TABLE x (y text);
COPY x FROM stdin;
\\restrict KEY1
SET transaction_timeout = 0;
\\.
"""
END = b"""--
-- PostgreSQL database dump complete
--

\\unrestrict KEY1

"""
KNOWN = {"statement_timeout"}


def through(content: bytes, block: int, skip: bool = True, restrict: bool = False) -> bytes:
    blocks = [content[place : place + block] for place in range(0, len(content), block)]
    return b"".join(adapted(blocks, SqlWatch(), KNOWN, skip, restrict))


@pytest.mark.parametrize("block", [1, 50, 1_000_000])
@pytest.mark.parametrize("rows", [0, 10_000])
def test_only_the_two_ends_are_adapted(block: int, rows: int) -> None:
    if block == 1 and rows:
        block = 997
    middle = MIDDLE + b"INSERT INTO x VALUES ('a row');\n" * rows
    result = through(BEGINNING + middle + END, block)
    assert middle in result
    assert b"\n\\restrict" not in result.replace(middle, b"")
    assert b"\\unrestrict" not in result
    assert b"SET transaction_timeout" not in result.replace(middle, b"")
    assert b"SET statement_timeout = 0;" in result
    assert result.endswith(b"-- PostgreSQL database dump complete\n--\n\n\n")


def test_the_dump_stands_between_two_lines_with_a_key_of_this_run() -> None:
    lines = through(BEGINNING + MIDDLE + END, 100, restrict=True).splitlines()
    assert lines[0].startswith(b"\\restrict ")
    assert lines[-1] == lines[0].replace(b"restrict", b"unrestrict")
    assert b"KEY1" not in lines[0]


def test_a_setting_that_is_not_known_is_named() -> None:
    with pytest.raises(SkewError, match="sets transaction_timeout, which this server does not know"):
        through(BEGINNING + MIDDLE + END, 100, skip=False)


@pytest.mark.parametrize(
    ("statement", "words"),
    (
        (b"CREATE DATABASE shop WITH TEMPLATE = template0;\n", "pg_dump --create"),
        (b"DROP DATABASE IF EXISTS shop;\n", "pg_dump --create"),
        (b"\\connect shop\n", "pg_dump --create"),
        (b"ALTER TABLE ONLY public.x DROP CONSTRAINT x_pkey;\n", "pg_dump --clean"),
        (b"DROP INDEX public.x_name;\n", "pg_dump --clean"),
    ),
    ids=("create", "create-and-clean", "connect", "clean-constraint", "clean-index"),
)
def test_a_dump_that_makes_or_drops_what_it_holds_is_refused(statement: bytes, words: str) -> None:
    with pytest.raises(DamagedError, match=words):
        through(BEGINNING + statement + MIDDLE + END, 1000)


@pytest.mark.parametrize(
    "statement",
    (
        b"ALTER TABLE IF EXISTS ONLY public.x DROP CONSTRAINT IF EXISTS x_pkey;\n",
        b"DROP INDEX IF EXISTS public.x_name;\n",
        b"CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;\n",
    ),
    ids=("constraint", "index", "extension"),
)
def test_what_drops_only_what_is_there_is_taken(statement: bytes) -> None:
    assert statement in through(BEGINNING + statement + MIDDLE + END, 1000)
