# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table: each call of both APIs x each fault, and the verdict that is expected.

The tests play every cell, and one compares the page of the docs with it. A verdict follows from three things: what kind
of call it is, how the fault hurts, and what the exceptions at the end say. In the words of a failure ``…`` is any text,
and ``|`` stands between words of which either is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

PLONE, ODOO = "Plone", "Odoo"

# Kinds of calls.
READ = "read"  # changes nothing; tried three times
POLL = "poll"  # a read that is repeated until the state is reached
PROVEN = "proven"  # changes something, and whether it did can be read
UNPROVEN = "unproven"  # changes something, or rehearses it, and no state that can be read proves it
RESULT = "result"  # brings a dump, in as many pieces as it takes
SSH = "ssh"  # is no HTTP

# How a fault hurts.
UNSENT = "unsent"  # nothing of the call gets out
LOST = "lost"  # the server may have acted, and its answer is gone
REFUSED = "refused"  # somebody says no, and nothing was done
HARMLESS = "harmless"  # the answer is all there


class WaitedOut(NamedTuple):
    """It is tried again, so that a fault that passes is not noticed; one that lasts fails the task in these words."""

    says: str


class Failed(NamedTuple):
    """The task fails in these words."""

    says: str


class ByReading(NamedTuple):
    """The state is read, and the task goes well if it proves that the server acted; else it fails in these words."""

    says: str


class Unharmed(NamedTuple):
    """The task goes well, for this reason."""

    why: str


class NotApplicable(NamedTuple):
    """It cannot happen to this call, for this reason."""

    why: str


Verdict = WaitedOut | Failed | ByReading | Unharmed | NotApplicable
VERDICTS: dict[type[Verdict], str] = {
    WaitedOut: "waited out",
    Failed: "failed",
    ByReading: "decided by reading",
    Unharmed: "unharmed",
    NotApplicable: "not applicable",
}


class Call(NamedTuple):
    """One call of an API; ``undone`` is what a failure adds when an answer is lost and nothing proves that it acted."""

    product: str
    name: str
    module: str
    kind: str
    undone: str = ""


class Fault(NamedTuple):
    """One thing that can go wrong.

    ``passes`` is whether it may pass by itself, so that a read is tried again. ``plone`` and ``odoo`` are the words of
    the two products.
    """

    group: str
    title: str
    hurts: str
    passes: bool
    plone: str
    odoo: str
    odoo_hurts: str = ""
    odoo_passes: bool | None = None

    def hurts_in(self, product: str) -> str:
        """How it hurts; on Odoo's platform sometimes otherwise."""
        return self.odoo_hurts or self.hurts if product == ODOO else self.hurts

    def passes_in(self, product: str) -> bool:
        """Whether it may pass by itself; on Odoo's platform sometimes otherwise."""
        return self.passes if product == PLONE or self.odoo_passes is None else self.odoo_passes

    def words(self, product: str) -> str:
        """What a failure says of it."""
        return self.plone if product == PLONE else self.odoo


NETWORK, PROXY, SERVER, CONTENT, TRANSFER = (
    "The network",
    "Proxies and gateways",
    "The server",
    "Bad content",
    "Transfers of dumps",
)

READ_AGAIN = "Run this again: it reads the state first"

CALLS: dict[str, Call] = {
    "get_upgrade": Call(PLONE, "GET @upgrade", "plone_upgrade_info", READ),
    "get_system": Call(PLONE, "GET @system", "plone_upgrade_info", READ),
    "get_addons": Call(PLONE, "GET @addons", "plone_addon_info", READ),
    "get_transactions": Call(PLONE, "GET @transactions", "plone_transaction_info", READ),
    "get_sites": Call(PLONE, "GET @sites", "plone_site_info", READ),
    "post_dry": Call(
        PLONE,
        "POST @upgrade (dry run)",
        "plone_upgrade",
        UNPROVEN,
        "A dry run leaves nothing behind … so nothing is proven.",
    ),
    "post_real": Call(
        PLONE, "POST @upgrade", "plone_upgrade", PROVEN, "the site still reads … The server may still be at work"
    ),
    "post_addons": Call(PLONE, "POST @addons", "plone_addon", PROVEN, "is not done. The server may still be at work"),
    "patch_transactions": Call(
        PLONE, "PATCH @transactions", "plone_upgrade_undo", PROVEN, "The transactions read afterwards show no undo."
    ),
    "create": Call(
        ODOO,
        "create",
        "odoo_upgrade_request",
        UNPROVEN,
        "The platform may have made a request whose id and key are unknown here … run it once with 'renew: true'.",
    ),
    "upload": Call(
        ODOO,
        "upload",
        "odoo_upgrade_upload",
        UNPROVEN,
        "It is unknown whether the platform has the dump … sends it again",
    ),
    "request_sftp_access": Call(ODOO, "request_sftp_access", "odoo_upgrade_sftp_access", UNPROVEN),
    "process": Call(
        ODOO,
        "process",
        "odoo_upgrade_process",
        PROVEN,
        f"has stayed in the state 'draft' for 30 seconds since. {READ_AGAIN}",
    ),
    "skip_test": Call(
        ODOO,
        "skip_test",
        "odoo_upgrade_skip_test",
        PROVEN,
        f"has stayed in the state 'testing' for 30 seconds since. {READ_AGAIN}",
    ),
    "status": Call(ODOO, "status", "odoo_upgrade_request_info", READ),
    "status_polling": Call(ODOO, "status, while waiting", "odoo_upgrade_request_info", POLL),
    "result_archive": Call(ODOO, "result archive", "odoo_upgrade_download", RESULT),
    "result_sql": Call(ODOO, "result SQL", "odoo_upgrade_download", RESULT),
    "sftp_connect": Call(ODOO, "SFTP connect", "odoo_upgrade_upload", SSH),
    "sftp_upload": Call(ODOO, "SFTP upload", "odoo_upgrade_upload", SSH),
    "sftp_download": Call(ODOO, "SFTP download", "odoo_upgrade_download", SSH),
}

FRONT = "… in front of Plone"
CHECK_FRONT = "any proxy between this host and the platform"


def _page(status: int) -> tuple[str, str]:
    return f"answered {status} with an HTML page {FRONT}", f"answered {status} with an HTML page"


FAULTS: dict[str, Fault] = {
    "refused": Fault(
        NETWORK,
        "The connection is refused",
        UNSENT,
        True,
        "could not be sent: the connection failed (Connection refused)",
        "could not be sent: the connection failed (Connection refused)",
    ),
    "dns": Fault(
        NETWORK,
        "The host name cannot be resolved",
        UNSENT,
        True,
        "could not be sent: the host name cannot be resolved. Check the URL and DNS.",
        "could not be sent: the host name cannot be resolved. Check the URL and DNS.",
    ),
    "reset_before": Fault(
        NETWORK,
        "The connection is reset before the server acted",
        LOST,
        True,
        "the connection …",
        "the connection …",
    ),
    "reset_after": Fault(
        NETWORK,
        "The connection is reset after the server acted",
        LOST,
        True,
        "the connection …",
        "the connection …",
    ),
    "timeout": Fault(
        NETWORK,
        "No answer within the timeout",
        LOST,
        True,
        "got no whole answer within … seconds",
        "got no whole answer within … seconds",
    ),
    "tls": Fault(
        NETWORK,
        "The server speaks no TLS",
        UNSENT,
        True,
        "could not be sent: the TLS handshake failed (…)",
        "could not be sent: the TLS handshake failed (…)",
    ),
    "expired": Fault(
        NETWORK,
        "The certificate has expired",
        UNSENT,
        False,
        "could not be sent: its TLS certificate is not trusted (certificate has expired). Have it renewed",
        "could not be sent: its TLS certificate is not trusted (certificate has expired). Have it renewed",
    ),
    "wrong_host": Fault(
        NETWORK,
        "The certificate is another host's",
        UNSENT,
        False,
        "could not be sent: its TLS certificate is not trusted (… mismatch, … not valid for …). Use the name",
        "could not be sent: its TLS certificate is not trusted (… mismatch, … not valid for …). Use the name",
    ),
    "untrusted": Fault(
        NETWORK,
        "The certificate is of an unknown authority",
        UNSENT,
        False,
        "could not be sent: its TLS certificate is not trusted (…). Give the authority that signed it as 'ca_path'",
        "could not be sent: its TLS certificate is not trusted (…). Give the authority that signed it as 'ca_path'",
    ),
    "401": Fault(
        SERVER,
        "401",
        REFUSED,
        False,
        "was refused (401 Unauthorized). … the Manager role",
        f"answered 401 with an HTML page … Check 'api_url', and {CHECK_FRONT}",
    ),
    "403": Fault(
        SERVER,
        "403",
        REFUSED,
        False,
        f"answered 403 with an HTML page {FRONT}. Have what stands in front of Plone, … let this call through.",
        f"answered 403 with an HTML page … Check 'api_url', and {CHECK_FRONT}",
    ),
    "404": Fault(
        SERVER,
        "404",
        REFUSED,
        False,
        "found nothing (404). …",
        f"answered 404 with an HTML page … Check 'api_url', and {CHECK_FRONT}",
    ),
    "429": Fault(
        PROXY,
        "429 with Retry-After",
        REFUSED,
        True,
        f"answered 429 with an HTML page {FRONT}. It asks to wait 1 seconds",
        "answered 429 with an HTML page … It asks to wait 1 seconds",
    ),
    "500": Fault(
        SERVER,
        "500 with the server's own JSON",
        REFUSED,
        False,
        "answered 500 ValueError: the step is broken",
        "was refused by the platform (500): SERVER:ERROR: …",
        odoo_hurts=LOST,
        odoo_passes=True,
    ),
    "502": Fault(PROXY, "502 with an HTML page", LOST, True, *_page(502)),
    "503": Fault(PROXY, "503 with an HTML page", LOST, True, *_page(503)),
    "504": Fault(PROXY, "504 with an HTML page", LOST, True, *_page(504)),
    "problem": Fault(
        PROXY,
        "504 with a gateway's own JSON (RFC 9457)",
        LOST,
        True,
        f"answered 504 with … bytes of application/problem+json {FRONT}",
        "answered 504 with … bytes of application/problem+json",
    ),
    "login_page": Fault(
        PROXY,
        "200 with an HTML login page",
        LOST,
        False,
        f"answered 200 with an HTML page {FRONT}",
        "answered 200 with an HTML page",
    ),
    "redirect": Fault(
        PROXY,
        "A redirect to another host",
        REFUSED,
        False,
        "was redirected to http://127.0.0.1:…. Credentials are not sent there … give it as 'url'.",
        "was redirected to http://127.0.0.1:…. Credentials are not sent there … give it as 'api_url'.",
    ),
    "redirect_loop": Fault(
        PROXY,
        "A redirect loop",
        REFUSED,
        False,
        "was redirected …",
        "was redirected …",
    ),
    "empty": Fault(
        CONTENT,
        "200 with an empty body",
        LOST,
        False,
        "answered 200 with an empty body",
        "answered 200 with an empty body",
        odoo_passes=True,
    ),
    "truncated": Fault(
        CONTENT,
        "JSON that ends in the middle",
        LOST,
        False,
        f"answered 200 with … bytes of application/json {FRONT}",
        "answered 200 with … bytes of application/json",
        odoo_passes=True,
    ),
    "shape": Fault(
        CONTENT,
        "JSON of another shape",
        LOST,
        False,
        "answered 200 with JSON that is not plone.restapi's for this service",
        "answered 200 with JSON that is not this API's",
    ),
    "length_long": Fault(
        CONTENT,
        "A Content-Length above what comes",
        LOST,
        True,
        "the connection was lost (IncompleteRead)",
        "the connection was lost (IncompleteRead)",
    ),
    "big": Fault(
        CONTENT,
        "A body of 10 MB",
        HARMLESS,
        False,
        "It is read: a report of many steps is as long. Above 64 MiB it is refused.",
        "It is read. Above 64 MiB it is refused.",
    ),
    "drip": Fault(
        CONTENT,
        "A body that drips one byte a second",
        LOST,
        True,
        "got no whole answer within … seconds",
        "got no whole answer within … seconds",
    ),
    "range_ignored": Fault(TRANSFER, "Range ignored", HARMLESS, False, "", "It is fetched anew from the start."),
    "416": Fault(TRANSFER, "416 in answer to a Range", HARMLESS, False, "", "It is fetched anew from the start."),
}

NO_RANGE = "Only the fetching of a result asks for a range."
NO_HTTP = "SFTP is neither HTTP nor TLS."
WHILE_CONNECTING = "This happens while connecting, which is a call of its own here: SFTP connect."
WHILE_CONNECTED = "This happens to a connection that stands."
ANY_SIZE = "A result may have any size."

ENDED = "The connection to the SFTP server was lost"
SILENT = "said nothing for … seconds"
ALL_WENT_WELL = "The server answered as if all went well. The transactions read afterwards show no undo."
NOT_SO = "The server answered that the install of … went well, but … reads not_installed"

EXCEPTIONS: dict[tuple[str, str], Verdict] = {
    ("upload", "timeout"): Failed(f"{SILENT}. … {CALLS['upload'].undone}"),
    ("upload", "500"): Failed("was refused by the platform (500): SERVER:ERROR: … try again later."),
    ("post_addons", "empty"): ByReading(NOT_SO),
    ("post_addons", "shape"): ByReading(NOT_SO),
    ("patch_transactions", "empty"): ByReading(ALL_WENT_WELL),
    ("patch_transactions", "shape"): ByReading(ALL_WENT_WELL),
    ("sftp_connect", "refused"): Failed("The SFTP server … cannot be reached: Connection refused."),
    ("sftp_connect", "dns"): Failed("The SFTP server … cannot be reached: …"),
    ("sftp_connect", "reset_before"): WaitedOut("Cannot connect to … over SSH: …"),
    ("sftp_connect", "timeout"): Failed("Cannot connect to … over SSH: …"),
    ("sftp_connect", "wrong_host"): Failed("showed the key … instead of … This can be a man-in-the-middle attack"),
    ("sftp_connect", "401"): Failed("accepts none of the keys"),
    ("sftp_connect", "shape"): Failed("answered without a usable host, port, user and file of an SFTP server"),
    ("sftp_upload", "reset_after"): WaitedOut(ENDED),
    ("sftp_upload", "timeout"): WaitedOut("The SFTP server stopped answering."),
    ("sftp_upload", "404"): Failed("denied"),
    ("sftp_download", "reset_after"): WaitedOut(ENDED),
    ("sftp_download", "timeout"): WaitedOut("The SFTP server stopped answering."),
    ("sftp_download", "404"): Failed("none of them is the upgraded shop.sql"),
}
for _call in ("result_archive", "result_sql"):
    EXCEPTIONS[_call, "timeout"] = WaitedOut(SILENT)
    EXCEPTIONS[_call, "login_page"] = Failed("is not a database dump: it is an HTML page")
    EXCEPTIONS[_call, "empty"] = Failed("is not a database dump: it is empty")
    EXCEPTIONS[_call, "shape"] = Failed("is not a database dump: it is of no known format")
    EXCEPTIONS[_call, "truncated"] = Unharmed("It is taken up where it ended, as long as that moves it on.")
    EXCEPTIONS[_call, "drip"] = Unharmed("It goes on as long as bytes arrive within each 'timeout'.")
    EXCEPTIONS[_call, "big"] = NotApplicable(ANY_SIZE)


def verdict(call_id: str, fault_id: str) -> Verdict:
    """What is expected of a cell."""
    call, fault = CALLS[call_id], FAULTS[fault_id]
    if (call_id, fault_id) in EXCEPTIONS:
        return EXCEPTIONS[call_id, fault_id]
    words, hurts = fault.words(call.product), fault.hurts_in(call.product)
    if fault.group == TRANSFER and call.kind != RESULT:
        return NotApplicable(NO_HTTP if call.kind == SSH else NO_RANGE)
    if call.kind == SSH:
        if ("sftp_connect", fault_id) in EXCEPTIONS:
            return NotApplicable(WHILE_CONNECTING)
        return NotApplicable(WHILE_CONNECTED if ("sftp_upload", fault_id) in EXCEPTIONS else NO_HTTP)
    if hurts == HARMLESS:
        return Unharmed(words)
    if call.kind in (READ, POLL, RESULT):
        return WaitedOut(words) if fault.passes_in(call.product) else Failed(words)
    if hurts != LOST:
        return Failed(words)
    lost = f"{words} … {call.undone}" if call.undone else words
    return ByReading(lost) if call.kind == PROVEN else Failed(lost)


class Play(NamedTuple):
    """One run of a cell: the fault once or lasting, and whether the server acts before it."""

    call: str
    fault: str
    acts: bool
    lasts: bool
    succeeds: bool
    says: str

    @property
    def name(self) -> str:
        """A name for a test."""
        details = ["acted" if self.acts else "", "lasting" if self.lasts else ""]
        return "-".join(filter(None, (self.call, self.fault, *details)))


def cells() -> Iterator[tuple[str, str, Verdict]]:
    """Every cell."""
    for call_id in CALLS:
        for fault_id in FAULTS:
            yield call_id, fault_id, verdict(call_id, fault_id)


def plays(product: str) -> Iterator[Play]:
    """How every cell of a product to which a fault applies is tried."""
    for call_id, fault_id, expected in cells():
        call, fault = CALLS[call_id], FAULTS[fault_id]
        if call.product != product or isinstance(expected, NotApplicable):
            continue
        writes = call.kind in (PROVEN, UNPROVEN)
        acts = _acts(fault_id, fault.hurts_in(product), writes)
        if isinstance(expected, WaitedOut):
            yield Play(call_id, fault_id, acts[-1], False, True, "")
            yield Play(call_id, fault_id, acts[-1], True, False, expected.says)
        elif isinstance(expected, ByReading):
            for acted in acts:
                yield Play(call_id, fault_id, acted, False, acted, "" if acted else expected.says)
        elif isinstance(expected, Unharmed):
            yield Play(call_id, fault_id, True, False, True, "")
        else:
            for acted in acts:
                yield Play(call_id, fault_id, acted, True, False, expected.says)


def representatives(product: str) -> Iterator[Play]:
    """One play of each call that shows most: a fault that the server has acted before, where there is one."""
    for call_id, call in CALLS.items():
        faults = ("reset_after", "reset_before") if call.kind == SSH else ("504",)
        found = [play for play in plays(product) if play.call == call_id and play.fault in faults]
        if found:
            yield max(found, key=lambda play: (play.succeeds, play.acts))


def _acts(fault_id: str, hurts: str, writes: bool) -> tuple[bool, ...]:
    """Whether the server acts before the fault: yes, no, or both to be tried."""
    if fault_id == "reset_before" or hurts in (UNSENT, REFUSED):
        return (False,)
    if fault_id == "reset_after" or not writes:
        return (True,)
    return False, True
