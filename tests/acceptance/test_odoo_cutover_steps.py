# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of Odoo neutralised, updated, verified and swapped, on a real PostgreSQL."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.postgres.fake_odoo import behave, make_odoo_bin
from support.postgres.fake_web import Web, web
from support.postgres.odoo import (
    FILES,
    PARTNERS,
    SECRETS,
    UUID,
    content_of,
    make_addons,
    make_database,
    make_filestore,
    stored_name,
)
from support.postgres.runs import Databases
from support.postgres.server import PASSWORD, ROLE, Postgres

__all__ = ["web"]


@pytest.fixture
def databases(postgres: Postgres, tmp_path: Path) -> Databases:
    make_database(postgres, "shop")
    return Databases(postgres, tmp_path)


def closed(databases: Databases, name: str = "shop") -> None:
    databases.server.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")


def flags(databases: Databases, name: str = "shop") -> str:
    return databases.server.sql(f"SELECT datallowconn, datistemplate FROM pg_database WHERE datname = '{name}'")


def parameter(databases: Databases, key: str, name: str = "shop") -> str:
    return databases.server.sql(f"SELECT value FROM ir_config_parameter WHERE key = '{key}'", name)


LEFT = """
SELECT (SELECT count(*) FROM ir_mail_server WHERE active AND smtp_host <> 'invalid'),
       (SELECT count(*) FROM ir_mail_server WHERE coalesce(smtp_pass, google_gmail_refresh_token) IS NOT NULL
           OR smtp_ssl_private_key IS NOT NULL),
       (SELECT count(*) FROM fetchmail_server
         WHERE active OR coalesce(password, microsoft_outlook_refresh_token) IS NOT NULL),
       (SELECT string_agg(cron_name, ',') FROM ir_cron WHERE active),
       (SELECT count(*) FROM mail_mail WHERE state = 'outgoing'),
       (SELECT string_agg(state, ',' ORDER BY id) FROM payment_provider),
       (SELECT account_token FROM iap_account),
       (SELECT count(*) FROM ir_act_server WHERE webhook_url LIKE 'https%'),
       (SELECT count(*) FROM ir_config_parameter WHERE key = 'database.enterprise_code'),
       (SELECT string_agg(active::text, ',') FROM ir_mail_server WHERE smtp_host = 'invalid'),
       (SELECT string_agg(state, ',' ORDER BY id) FROM sms_sms),
       (SELECT string_agg(state, ',' ORDER BY id) FROM snailmail_letter),
       (SELECT string_agg(state, ',' ORDER BY id) FROM whatsapp_message),
       (SELECT string_agg(state, ',' ORDER BY id) FROM mailing_mailing),
       (SELECT count(*) FROM mail_message_schedule) + (SELECT count(*) FROM mail_scheduled_message),
       (SELECT string_agg(state, ',' ORDER BY id) FROM queue_job)
"""
HARMLESS = (
    "0|0|0|Auto-vacuum|0|disabled,test|token+disabled|0|0|true|canceled,sent,error|canceled,sent|cancel,delivered"
    "|draft,draft,done,draft|0|cancelled,cancelled,done,failed"
)


def test_a_restored_copy_is_neutralised_before_anybody_can_open_it(databases: Databases) -> None:
    addons = make_addons(databases.folder / "addons")
    closed(databases)
    options = {"database": "shop", "addons_path": [str(addons)], "base_url": "https://test.example.com"}
    before = databases.state()
    assert databases.done("odoo_database_neutralize", "--check", **options)["changed"]
    assert databases.state() == before
    result = databases.done("odoo_database_neutralize", **options)
    assert (result["changed"], result["scripts"], flags(databases)) == (True, ["base"], "t|f")
    assert result["neutralized"] == {
        **{"contract": 1, "crons": 1, "fetchmail_server_logins": 1, "fetchmail_servers": 1, "iap_accounts": 1},
        **{"mail_server_logins": 1, "mail_servers": 1, "payment_providers": 1, "queued_mails": 2, "webhooks": 1},
        **{"mail_fallback": 1, "mail_server_gmail_tokens": 1, "mail_server_keys": 1, "queued_jobs": 2},
        **{"fetchmail_server_outlook_tokens": 1, "queued_letters": 1, "queued_mailings": 2, "queued_sms": 1},
        **{"queued_whatsapp": 1, "scheduled_messages": 1, "scheduled_notifications": 1},
    }
    assert databases.server.sql(LEFT, "shop") == HARMLESS
    assert parameter(databases, "database.uuid") != UUID
    assert parameter(databases, "database.secret") != SECRETS["database.secret"]
    assert parameter(databases, "database.is_neutralized") == "true"
    assert parameter(databases, "web.base.url") == "https://test.example.com"
    identity = parameter(databases, "database.uuid")
    for more in ((), ("--check",)):
        assert not databases.done("odoo_database_neutralize", *more, **options)["changed"]
    assert (databases.server.sql(LEFT, "shop"), parameter(databases, "database.uuid")) == (HARMLESS, identity)
    info = databases.done("odoo_database_info", database="shop")
    assert (info["neutralized"], info["open_work"]["queued_mails"]) == (True, 0)
    assert databases.done("odoo_database_verify", database="shop", neutralized=True)["neutralized"]
    secrets = (PASSWORD, *SECRETS.values(), parameter(databases, "database.secret"))
    for output in databases.outputs:
        assert [secret for secret in secrets if secret in output] == []


def test_the_flag_alone_is_not_believed(databases: Databases) -> None:
    addons = make_addons(databases.folder / "addons")
    databases.server.sql(
        "INSERT INTO ir_config_parameter (key, value) VALUES ('database.is_neutralized', 'true')", "shop"
    )
    options = {"database": "shop", "addons_path": [str(addons)]}
    assert databases.done("odoo_database_neutralize", "--check", **options)["changed"]
    assert databases.done("odoo_database_neutralize", **options)["changed"]
    placeholder = databases.server.sql("SELECT id FROM ir_mail_server WHERE smtp_host = 'invalid'", "shop")
    databases.server.sql(f"UPDATE mail_mail SET mail_server_id = {placeholder}", "shop")
    databases.server.sql("UPDATE ir_cron SET active = true", "shop")
    assert databases.done("odoo_database_neutralize", **options)["neutralized"] == {"crons": 2}
    # Odoo's script turns its placeholder off and makes another one; without any, Odoo sends by its configuration.
    assert databases.server.sql("SELECT id, active FROM ir_mail_server WHERE smtp_host = 'invalid'", "shop") == (
        f"{placeholder}|t"
    )
    # A module that came later has a script that was not run.
    script = addons / "mail/data/neutralize.sql"
    script.parent.mkdir()
    script.write_text("UPDATE res_partner SET notes = 'neutralised' WHERE id = 1;\n", encoding="utf-8")
    assert databases.done("odoo_database_neutralize", **options)["changed"]
    assert databases.server.sql("SELECT notes FROM res_partner WHERE id = 1", "shop") == "neutralised"
    assert not databases.done("odoo_database_neutralize", **options)["changed"]


def test_a_database_that_would_still_act_does_not_count_as_neutralised(databases: Databases) -> None:
    """One of each is enough: the mail server is the shop's own, the scheduled action is not the one that cleans up."""
    addons = make_addons(databases.folder / "addons")
    databases.done("odoo_database_neutralize", database="shop", addons_path=[str(addons)])
    verified = {"database": "shop", "neutralized": True}
    for change, words in (
        ("UPDATE ir_mail_server SET active = true", "1 active_mail_servers"),
        ("UPDATE ir_mail_server SET active = false", "1 mail_fallback (without an active placeholder"),
        (
            "UPDATE ir_mail_server SET active = (smtp_host = 'invalid'); UPDATE ir_cron SET active = (id = 2)",
            "1 active_crons",
        ),
        ("UPDATE ir_cron SET active = false; UPDATE payment_provider SET state = 'enabled'", "2 payment_providers"),
        ("DELETE FROM payment_provider; UPDATE ir_act_server SET webhook_url = 'https://x.example.com'", "1 webhooks"),
        # A scheduled action whose purpose is unknown counts.
        ("DELETE FROM ir_act_server; DROP TABLE ir_model_data; UPDATE ir_cron SET active = (id = 1)", "1 active_crons"),
    ):
        databases.server.sql(change, "shop")
        assert f"it would still act: {words}" in databases.refused("odoo_database_verify", **verified)
    databases.server.sql("UPDATE ir_cron SET active = false", "shop")
    assert databases.done("odoo_database_verify", **verified)["neutralized"]


def test_a_module_without_code_is_a_failure_unless_it_is_allowed(databases: Databases) -> None:
    addons = make_addons(databases.folder / "addons", "base", "web", "mail")
    closed(databases)
    options = {"database": "shop", "addons_path": [str(addons)]}
    assert "1 installed modules have no code" in databases.refused("odoo_database_neutralize", **options)
    assert flags(databases) == "f|f"
    result = databases.done("odoo_database_neutralize", missing_scripts="warn", **options)
    assert (result["modules_without_code"], flags(databases)) == (["zz_shop"], "t|f")


@pytest.mark.parametrize("script", ["UPDATE no_such_table SET x = 1;", "UPDATE ir_cron SET active = ", "\\\\! true"])
def test_a_script_that_fails_leaves_nothing_changed_and_the_door_closed(databases: Databases, script: str) -> None:
    addons = make_addons(databases.folder / "addons")
    path = addons / "zz_shop/data/neutralize.sql"
    path.parent.mkdir()
    path.write_text(script, encoding="utf-8")
    closed(databases)
    databases.refused("odoo_database_neutralize", database="shop", addons_path=[str(addons)])
    assert flags(databases) == "f|f"
    databases.server.sql("ALTER DATABASE shop ALLOW_CONNECTIONS true")
    assert parameter(databases, "database.uuid") == UUID
    assert databases.server.sql(LEFT, "shop").startswith("1|1|1|Auto-vacuum,Send mails|2")


def test_a_version_without_scripts_says_so(databases: Databases) -> None:
    databases.server.sql("UPDATE ir_module_module SET latest_version = '14.0.1.3' WHERE name = 'base'", "shop")
    ended = databases.run("odoo_database_neutralize", database="shop", queued_mail="keep", renew_identity=False)
    assert (ended.failed, ended.result["changed"]) == (False, True), ended.output
    assert "Odoo 14.0 has no scripts to neutralise" in ended.warnings
    placeholders = "SELECT count(*) FROM ir_mail_server WHERE smtp_host = 'invalid' AND active"
    assert databases.server.sql(placeholders, "shop") == "1"
    assert parameter(databases, "database.uuid") == UUID
    assert databases.server.sql("SELECT count(*) FROM mail_mail WHERE state = 'outgoing'", "shop") == "2"
    assert not databases.done("odoo_database_neutralize", database="shop", queued_mail="keep", renew_identity=False)[
        "changed"
    ]


def test_an_update_is_judged_by_the_database_and_the_log(databases: Databases) -> None:
    program = make_odoo_bin(databases.folder / "odoo", databases.server.bin / "psql")
    options = {"database": "shop", "odoo_bin": [str(program)], "modules": ["zz_shop"]}
    assert not databases.done("odoo_database_update", **options)["changed"]
    behave(program, "updates", "warns")
    result = databases.done("odoo_database_update", **options)
    assert result["updated"] == {"zz_shop": {"from": "16.0.1.0", "to": "16.0.2.0"}}
    assert result["log"] == [{"level": "WARNING", "text": "odoo.models: Two fields have the same label"}]
    behave(program, "is_silent", "complains")
    ended = databases.run("odoo_database_update", **options)
    assert not ended.failed, ended.output
    assert "Odoo wrote no log that can be read here" in ended.warnings
    for words, message in (
        (
            ("complains", "chatters"),
            "its log has 1 errors: odoo.modules.loading: Some modules are not loaded",
        ),
        (("breaks",), "it ended with status 255"),
        (("leaves",), "modules are left in an unfinished state: zz_shop"),
    ):
        behave(program, *words)
        assert message in databases.refused("odoo_database_update", **options)
    behave(program, "hangs")
    assert "did not end within 1 seconds" in databases.refused("odoo_database_update", timeout=1, **options)


def test_an_update_works_on_the_server_of_the_task(databases: Databases) -> None:
    program = make_odoo_bin(databases.folder / "odoo", databases.server.bin / "psql")
    behave(program, "updates")
    config = databases.folder / "odoo.conf"
    config.write_text("[options]\ndb_host = db.invalid\ndb_port = 1\n", encoding="utf-8")
    options = {"database": "shop", "odoo_bin": [str(program)], "modules": ["zz_shop"], "config": str(config)}
    assert databases.done("odoo_database_update", **options)["changed"]
    # sudo drops the variables of libpq, and Odoo may find another configuration for the account.
    options["odoo_bin"] = ["env", "-i", f"PGPASSWORD={PASSWORD}", f"PGUSER={ROLE}", str(program)]
    assert not databases.done("odoo_database_update", **options)["changed"]
    config.unlink()
    behave(program, "leaves")
    assert "modules are left in an unfinished state" in databases.refused("odoo_database_update", **options)


def test_an_update_of_what_is_not_there_is_refused_before_odoo_runs(databases: Databases) -> None:
    program = make_odoo_bin(databases.folder / "odoo", databases.server.bin / "psql")
    behave(program, "updates")
    options = {"odoo_bin": [str(program)], "modules": ["nosuch"]}
    assert "not installed in shop: nosuch" in databases.refused("odoo_database_update", database="shop", **options)
    assert "there is no database typo" in databases.refused("odoo_database_update", database="typo", **options)
    make_addons(program.parent / "addons")
    (program.parent / "addons/zz_shop/__manifest__.py").write_text("{'version': '3.0'}", encoding="utf-8")
    planned = databases.done(
        "odoo_database_update", "--check", database="shop", odoo_bin=[str(program)], modules=["all"]
    )
    assert planned["updated"]["zz_shop"] == {"from": "16.0.1.0", "to": "16.0.3.0"}
    assert databases.done("odoo_database_info", database="shop")["modules"]["zz_shop"]["version"] == "16.0.1.0"


def test_every_reason_is_named_at_once(databases: Databases) -> None:
    filestore = make_filestore(databases.folder / "shop")
    before = databases.done("odoo_database_info", database="shop", filestore=str(filestore))
    good = databases.done(
        "odoo_database_verify",
        database="shop",
        baseline=before,
        expect_version="16.0",
        neutralized=False,
        filestore=str(filestore),
        verify="hash",
    )
    assert (good["reasons"], good["counts"]["res_partner"]) == ([], PARTNERS)
    (filestore / stored_name(content_of(2))).unlink()
    databases.server.sql(
        "DELETE FROM res_partner WHERE id = 40; UPDATE ir_module_module SET state = 'to upgrade' WHERE name = 'web';"
        "UPDATE ir_module_module SET state = 'uninstalled' WHERE name = 'mail';"
        "UPDATE account_move SET state = 'draft'",
        "shop",
    )
    options = {"database": "shop", "baseline": before, "expect_version": "17.0", "neutralized": True}
    ended = databases.run("odoo_database_verify", filestore=str(filestore), **options)
    assert ended.failed
    assert ended.result["reasons"] == [
        "it is Odoo 16.0, not 17.0",
        "modules are left in an unfinished state: web",
        "modules that were installed before are not any more: mail "
        "(name them in 'allow_missing_modules' if that is meant)",
        f"res_partner has {PARTNERS - 1} rows, and had {PARTNERS} before",
        "accounting entries out_invoice/posted: 0, and 1 before",
        "it is not marked as neutralised",
        "it would still act: 1 active_crons, 1 active_mail_servers, 1 mail_fallback (without an active placeholder "
        "Odoo sends by the mail server of its configuration), 1 active_fetchmail_servers, 1 payment_providers, "
        "1 webhooks, 2 queued_jobs, 2 queued_mails, 1 queued_sms, 1 queued_letters, 1 queued_whatsapp, "
        "2 queued_mailings, 1 scheduled_notifications, 1 scheduled_messages",
        f"the filestore {filestore} is not whole: 1 missing: {stored_name(content_of(2))}",
    ]
    allowed = databases.run(
        "odoo_database_verify",
        allow_missing_modules=["mail"],
        allow_fewer_rows=["res_partner", "account_move"],
        **options,
    )
    assert not [reason for reason in allowed.result["reasons"] if "mail (" in reason or "res_partner" in reason]
    assert "Option 'baseline'" in databases.refused(
        "odoo_database_verify", database="shop", baseline={"counts": {"x": 1}}
    )


def test_a_login_is_judged_by_its_answer(databases: Databases, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert databases.done("odoo_database_verify", database="shop", login_url=web)["reasons"] == []
    assert databases.done("odoo_database_verify", database="shop", login_url=web, web_password="right")["reasons"] == []
    message = databases.refused("odoo_database_verify", database="shop", login_url=web, web_password="wrong-one")
    assert "refused the login: Access Denied" in message
    monkeypatch.setattr(Web, "page", b"<html>Create a database</html>")
    message = databases.refused("odoo_database_verify", database="shop", login_url=f"{web}/web/login")
    assert "without a login form" in message
    message = databases.refused("odoo_database_verify", database="shop", login_url="http://127.0.0.1:1")
    assert "the login failed" in message
    assert "wrong-one" not in "".join(databases.outputs)


@pytest.fixture
def pair(databases: Databases) -> dict[str, Any]:
    """An old and an upgraded database with their filestores, and the options of their swap."""
    make_database(databases.server, "shop_new")
    databases.server.sql("UPDATE ir_module_module SET latest_version = '17.0.1.3' WHERE name = 'base'", "shop_new")
    filestore = databases.folder / "filestore"
    make_filestore(filestore / "shop", range(1))
    make_filestore(filestore / "shop_new")
    return {"database": "shop", "upgraded": "shop_new", "keep_as": "shop_old", "filestore_dir": str(filestore)}


def places(databases: Databases) -> dict[str, str]:
    """Which version and how many files each name has."""
    found = {}
    for name in sorted(databases.server.databases()):
        open_ = flags(databases, name)[0] == "t"
        databases.server.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        version = databases.server.sql("SELECT latest_version FROM ir_module_module WHERE name = 'base'", name)
        databases.server.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {open_}")
        folder = databases.folder / "filestore" / name
        files = [path for path in folder.glob("[0-9a-f][0-9a-f]/*") if path.is_file()]
        found[name] = f"{version} {len(files)} {'open' if open_ else 'closed'}"
    return found


OLD, NEW = "16.0.1.3 1", f"17.0.1.3 {FILES}"


@pytest.mark.main
def test_a_swap_and_the_way_back(databases: Databases, pair: dict[str, Any]) -> None:
    before = databases.state()
    planned = databases.done("odoo_database_swap", "--check", "--diff", **pair)
    assert (planned["changed"], databases.state()) == (True, before)
    result = databases.done("odoo_database_swap", "--diff", **pair)
    assert (result["changed"], result["databases"]) == (True, planned["databases"])
    assert places(databases) == {"shop": f"{NEW} open", "shop_old": f"{OLD} closed"}
    before = databases.state()
    for more in ((), ("--check",)):
        assert not databases.done("odoo_database_swap", *more, **pair)["changed"]
    assert databases.state() == before
    assert databases.done("odoo_database_swap", "--check", state="reverted", **pair)["changed"]
    assert databases.state() == before
    assert databases.done("odoo_database_swap", state="reverted", **pair)["changed"]
    assert places(databases) == {"shop": f"{OLD} open", "shop_new": f"{NEW} closed"}
    before = databases.state()
    assert not databases.done("odoo_database_swap", state="reverted", **pair)["changed"]
    assert databases.state() == before


def test_a_swap_is_refused_while_somebody_is_connected(databases: Databases, pair: dict[str, Any]) -> None:
    with databases.session("shop"):
        before = databases.state()
        for more in ((), ("--check",)):
            message = databases.refused("odoo_database_swap", *more, **pair)
            assert "1 connections are open, so nothing was exchanged: shop: odoo (psql)" in message
        assert databases.state() == before
        assert databases.done("odoo_database_swap", terminate=True, **pair)["changed"]
    assert places(databases) == {"shop": f"{NEW} open", "shop_old": f"{OLD} closed"}


def test_what_is_in_the_way_of_a_swap_is_found_before_anything_moves(
    databases: Databases, pair: dict[str, Any]
) -> None:
    filestore = Path(pair["filestore_dir"])
    (filestore / "shop_old").mkdir()
    before = databases.state()
    for more in ((), ("--check",)):
        assert "there is a folder" in databases.refused("odoo_database_swap", *more, **pair)
    (filestore / "shop_old").rmdir()
    (filestore / "shop_new").rename(filestore / "elsewhere")
    assert "would lack its files" in databases.refused("odoo_database_swap", **pair)
    (filestore / "elsewhere").rename(filestore / "shop_new")
    assert "no database nosuch" in databases.refused("odoo_database_swap", **{**pair, "upgraded": "nosuch"})
    make_database(databases.server, "taken")
    message = databases.refused("odoo_database_swap", **{**pair, "keep_as": "taken"})
    assert "there is a database taken already" in message
    message = databases.refused("odoo_database_swap", **{**pair, "keep_as": "shop"})
    assert "three different names" in message
    databases.server.drop("taken")
    assert databases.state()[0] == before[0]  # type: ignore[index]
    databases.done("odoo_database_swap", **pair)


def test_names_alone_do_not_prove_a_swap(databases: Databases, pair: dict[str, Any]) -> None:
    """The database of an earlier swap is kept, and the one that is to come now is not there."""
    databases.server.sql("COMMENT ON DATABASE shop IS 'of the shop''s owner'")
    assert not databases.done("odoo_database_swap", state="reverted", **pair)["changed"]
    databases.done("odoo_database_swap", **pair)
    typo = {**pair, "upgraded": "typo"}
    assert "was put aside when shop_new got the name shop" in databases.refused("odoo_database_swap", **typo)
    make_database(databases.server, "shop_new")
    message = databases.refused("odoo_database_swap", **{**pair, "keep_as": "typo", "state": "reverted"})
    assert "the database of before is kept as shop_old" in message
    databases.server.drop("shop_new")
    assert databases.done("odoo_database_swap", state="reverted", **pair)["changed"]
    comments = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop'"
    assert databases.server.sql(comments) == "of the shop's owner"
    message = databases.refused("odoo_database_swap", **{**pair, "keep_as": "typo", "state": "reverted"})
    assert "was put aside when shop_old got the name shop" in message
    make_database(databases.server, "by_hand")
    databases.server.drop("shop_new")
    message = databases.refused("odoo_database_swap", database="shop", upgraded="typo", keep_as="by_hand")
    assert "has no mark of a swap" in message


def test_a_swap_without_filestores(databases: Databases, pair: dict[str, Any]) -> None:
    options = {"database": "shop", "upgraded": "shop_new"}
    closed(databases, "shop_new")
    assert databases.done("odoo_database_swap", **options)["changed"]
    assert databases.server.databases() == {"shop", "shop_before"}
    assert (flags(databases, "shop"), flags(databases, "shop_before")) == ("t|f", "f|f")
    # The folders were left to somebody else; a run that knows them finishes that.
    result = databases.done("odoo_database_swap", **{**pair, "keep_as": "shop_before"})
    assert result["changed"]
    assert places(databases) == {"shop": f"{NEW} open", "shop_before": f"{OLD} closed"}


def test_two_runs_on_one_database_at_once(databases: Databases, pair: dict[str, Any]) -> None:
    """The second one is refused while the first one holds the name."""
    digest = "substr(encode(sha256('siteops.upgrades:shop'), 'hex'), 1, 16)"
    key = f"SELECT pg_advisory_lock(('x' || {digest})::bit(64)::bigint);"
    command = [str(databases.server.bin / "psql"), "-XAtq", "-d", "postgres"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=databases.server.environment(ROLE)
    ) as first:
        assert first.stdin
        assert first.stdout
        first.stdin.write(f"{key}\nSELECT 1;\n".encode())
        first.stdin.flush()
        assert first.stdout.readline() == b"\n"
        assert first.stdout.readline() == b"1\n"
        before = databases.state()
        assert "Another run of this collection works on the database shop" in databases.refused(
            "odoo_database_swap", **pair
        )
        message = databases.refused("odoo_database_neutralize", database="shop", missing_scripts="warn")
        assert "Another run" in message
        assert databases.state() == before
        first.stdin.close()
    assert databases.done("odoo_database_swap", **pair)["changed"]
