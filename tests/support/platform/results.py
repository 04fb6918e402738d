# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What lies behind the URLs of a request: dumps, SQL, notes, modules, the status page. Range requests included."""

from __future__ import annotations

import html
import io
import re
import urllib.parse
import zipfile
from collections.abc import Callable
from pathlib import Path

from support.platform.exchange import Answer, Exchange
from support.platform.requests_store import WITH_RESULT, RequestStore, UpgradeRequest
from support.platform.status_document import SHARD

_ARCHIVE = "application/octet-stream"
_SQL = "application/sql"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Results:
    """Answers `GET /database/<shard>/<id>/<key>/<result>`."""

    def __init__(self, store: RequestStore) -> None:
        self._store = store
        self.results: dict[str, Callable[[Exchange, UpgradeRequest], Answer]] = {
            "status": _status_page,
            "upgraded/notes": _notes,
            "upgraded/archive": _upgraded_archive,
            "upgraded/sql": _upgraded_sql,
            "original/archive": _original_archive,
            "original/sql": _original_sql,
            "modules/archive": _modules,
        }

    def call_name(self, path: str) -> str:
        """The name of the call for faults and the log; `status_page` keeps apart from the status method."""
        result = _split(path)[3]
        if result == "status":
            return "status_page"
        return result if result in self.results else "unknown"

    def answer(self, exchange: Exchange) -> Answer:
        shard, number, key, result = _split(exchange.path)
        request = self._store.get(number)
        serve = self.results.get(result)
        if shard != SHARD or request is None or serve is None:
            return _not_found()
        exchange.record.request_id = request.id
        if key != request.key:
            return Answer.of_html("403 Forbidden", 403)
        if exchange.method not in ("GET", "HEAD"):
            return Answer.of_html("405 Method Not Allowed", 405)
        return serve(exchange, request)


def _split(path: str) -> tuple[str, str, str, str]:
    _before, _database, shard, number, key, result = [*path.split("/", 5), *[""] * 6][:6]
    return shard, number, urllib.parse.unquote(key), result


def _not_found() -> Answer:
    return Answer.of_html("404 Not Found", 404)


def _status_page(exchange: Exchange, request: UpgradeRequest) -> Answer:
    text = f"<p>{html.escape(request.filename)}: {html.escape(request.state)}</p>"
    return Answer.of_html(f"Upgrade request {request.id}", text=text)


def _notes(exchange: Exchange, request: UpgradeRequest) -> Answer:
    if request.state not in WITH_RESULT:
        return _not_found()
    text = f"<p>{html.escape(request.filename)} was upgraded to {html.escape(request.target)} in a rehearsal.</p>"
    return Answer.of_html("Upgrade notes", text=text)


def _modules(exchange: Exchange, request: UpgradeRequest) -> Answer:
    if request.state not in WITH_RESULT:
        return _not_found()
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("README.txt"), "A rehearsal upgrades no custom module.\n")
    return Answer(200, content.getvalue(), "application/zip")


def _upgraded_archive(exchange: Exchange, request: UpgradeRequest) -> Answer:
    if request.state not in WITH_RESULT:
        return _not_found()
    return _file(exchange, request.upgraded, request.result_name, _ARCHIVE)


def _upgraded_sql(exchange: Exchange, request: UpgradeRequest) -> Answer:
    if request.state not in WITH_RESULT or not request.upgraded.exists():
        return _not_found()
    return _file(exchange, request.sql_file("upgraded"), f"{request.result_name}.sql", _SQL)


def _original_archive(exchange: Exchange, request: UpgradeRequest) -> Answer:
    return _file(exchange, request.original, request.filename, _ARCHIVE) if request.upload_size else _not_found()


def _original_sql(exchange: Exchange, request: UpgradeRequest) -> Answer:
    if not request.upload_size or request.state == "draft":
        return _not_found()
    return _file(exchange, request.sql_file("original"), f"{request.filename}.sql", _SQL)


def _file(exchange: Exchange, path: Path, name: str, media_type: str) -> Answer:
    if not path.exists():
        return _not_found()
    stat = path.stat()
    etag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}{exchange.entity}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"attachment; filename*=UTF-8''{urllib.parse.quote(name, safe='')}",
        "ETag": etag,
    }
    whole = Answer(200, path, media_type, headers, length=stat.st_size)
    asked = _RANGE.fullmatch(exchange.headers.get("Range", "").strip())
    if not asked or asked.groups() == ("", "") or exchange.headers.get("If-Range", etag) != etag:
        return whole
    first, last = _part(asked[1], asked[2], stat.st_size)
    if first >= stat.st_size or first > last:
        refusal = Answer.of_html("416 Range Not Satisfiable", 416)
        refusal.headers["Content-Range"] = f"bytes */{stat.st_size}"
        return refusal
    headers["Content-Range"] = f"bytes {first}-{last}/{stat.st_size}"
    return Answer(206, path, media_type, headers, offset=first, length=last - first + 1)


def _part(first: str, last: str, size: int) -> tuple[int, int]:
    """First and last byte of `first-last`, `first-` or `-count` in a file of this size."""
    if not first:
        return max(0, size - int(last)), size - 1 if int(last) else -1
    return int(first), min(int(last), size - 1) if last else size - 1
