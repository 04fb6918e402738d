# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both protocols of Odoo's platform behind a real nginx: what it changes is no fault, what it refuses says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import pytest

from support.nginx import Nginx
from support.odoo_job import ONCE, Job, calls, made_once
from support.platform import Platform
from support.service_job import ServiceJob

ALL_CHANGES = (
    "gzip on; gzip_min_length 1; gzip_proxied any; gzip_types *; keepalive_timeout 0; ssl_protocols TLSv1.2;",
    "proxy_http_version 1.0; proxy_request_buffering on; proxy_set_header Range '';",
)
AS_IT_COMES = ("", "proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off;")
SENT_ON = "{{ return 301 https://upgrade.example.com$request_uri; }}"
GIVES_UP = "proxy_read_timeout 1s;"
AT_UPLOAD, AT_CREATE, AT_STATUS = (f'if ($uri ~ "/{name}$")' for name in ("upload", "create", "status"))


class Refusal(NamedTuple):
    """Directives of nginx for its servers and for what it passes on; what is said; a call that takes too long."""

    server: str
    location: str
    says: tuple[str, ...]
    slow: str = ""


REFUSALS = {
    "body": Refusal("client_max_body_size 100k;", "", ("/upload answered 413", "Too Large", "Set 'transport' to sftp")),
    "client certificate": Refusal(
        "ssl_verify_client on; ssl_client_certificate {ca_path};",
        "",
        ("/create answered 400 with an HTML page titled '400 No required SSL certificate was sent'",),
    ),
    "redirect": Refusal(
        f"{AT_CREATE} {SENT_ON}", "", ("/create was redirected to https://upgrade.example.com", "give it as 'api_url'")
    ),
    "upload takes too long": Refusal(
        "", GIVES_UP, ("/upload answered 504", "Gateway Time-out", "set 'transport' to sftp"), "upload"
    ),
    "maintenance": Refusal(
        f"{AT_UPLOAD} {{{{ return 200 '<title>Back soon</title>'; }}}} default_type text/html;",
        "",
        ("/upload answered 200 with an HTML page titled 'Back soon'", "The next run sends it again"),
    ),
    "no state": Refusal(
        f"{AT_STATUS} {{{{ return 444; }}}}", "", ("/status got no whole answer: the connection", "and run this again")
    ),
    "no answer": Refusal(f"{AT_UPLOAD} {{{{ return 444; }}}}", "", ("/upload got no whole answer: the connection",)),
}


@pytest.fixture(scope="module")
def running_platform() -> Iterator[Platform]:
    with Platform(stage_seconds=0, ssh_server="asyncssh") as started:
        yield started


@pytest.fixture
def nginx(platform: Platform, tmp_path: Path) -> Nginx:
    return Nginx(platform, tmp_path / "nginx")


def behind(nginx: Nginx, platform: Platform, folder: Path) -> Job:
    job = Job(platform, folder)
    job.address = nginx.api_url
    return job


@pytest.mark.parametrize("directives", [ALL_CHANGES, AS_IT_COMES], ids=["changed", "as it comes"])
def test_a_dump_goes_both_ways_through_nginx(
    platform: Platform, nginx: Nginx, tmp_path: Path, directives: tuple[str, str]
) -> None:
    nginx.server, nginx.location = directives
    job = behind(nginx, platform, tmp_path / "v1")
    service = ServiceJob(cast("Platform", nginx), tmp_path / "service")
    platform.fault("cut_download", "upgraded/*", after=200_000)
    with nginx:
        job.complete()
        runs = service.all()
    assert not runs[-1].failed, runs[-1].output
    job.assert_whole()
    assert made_once(platform)
    assert len(platform.calls("upgraded/archive")) == 2


@pytest.mark.parametrize("name", REFUSALS)
def test_what_nginx_refuses_says_why_and_the_next_run_goes_on(
    platform: Platform, nginx: Nginx, tmp_path: Path, name: str
) -> None:
    refusal = REFUSALS[name]
    job = behind(nginx, platform, tmp_path / "v1")
    nginx.server, nginx.location = refusal.server.format(ca_path=nginx.ca_path), refusal.location
    if refusal.slow:
        platform.fault("delay", refusal.slow, seconds=3)
    with nginx:
        run = job.attempt()[-1]
    assert run.failed
    assert [words for words in refusal.says if words not in run.msg] == [], run.msg
    nginx.server = nginx.location = ""
    with nginx:
        job.complete()
    job.assert_whole()
    assert [calls(platform).count(call) for call in ONCE] == [1, 2 if refusal.slow else 1, 1]
