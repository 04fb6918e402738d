# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built documentation site, which SITEOPS_SITE names: links lead somewhere, and nothing is loaded from elsewhere.

Links to other sites are checked for their form only: the test runs without a network.
"""

from __future__ import annotations

import html.parser
import os
import pathlib
import re
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

import pytest

# What a browser fetches by itself, as opposed to what a reader clicks on.
LOADED = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "img": "src",
    "input": "src",
    "object": "data",
    "script": "src",
    "source": "src",
    "track": "src",
    "video": "src",
}
LOADED_RELATIONS = {"icon", "manifest", "modulepreload", "preconnect", "prefetch", "preload", "stylesheet"}
LOADED_BY_STYLES = re.compile(r"(?:url\(|@import)\s*[\"']?([^\"')\s;]+)")
MADE_UP_BY_THE_BROWSER = {"", "top"}


class Link(NamedTuple):
    """One attribute that names an address; ``loaded`` where the browser fetches it unasked."""

    target: str
    loaded: bool


class Page(html.parser.HTMLParser):
    """The links and the anchors of one page."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.path = path
        self.links: list[Link] = []
        self.anchors = set(MADE_UP_BY_THE_BROWSER)
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        self.anchors |= {of[name] for name in ("id", "name") if name in of}
        if tag == "link":
            self.links.append(Link(of.get("href", ""), bool(LOADED_RELATIONS & set(of.get("rel", "").split()))))
        elif tag == "a" and "href" in of:
            self.links.append(Link(of["href"], False))
        elif LOADED.get(tag) in of:
            self.links.append(Link(of[LOADED[tag]], True))
        if "srcset" in of:
            self.links += [Link(entry.split()[0], True) for entry in of["srcset"].split(",") if entry.strip()]
        self.links += [Link(target, True) for target in LOADED_BY_STYLES.findall(of.get("style", ""))]


@pytest.fixture(scope="module")
def site() -> pathlib.Path:
    return pathlib.Path(os.environ["SITEOPS_SITE"])


@pytest.fixture(scope="module")
def pages(site: pathlib.Path) -> dict[pathlib.Path, Page]:
    """Every page of the site by its path."""
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def is_elsewhere(address: SplitResult) -> bool:
    return bool(address.scheme or address.netloc) and address.scheme != "data"


def fault_of(link: Link, page: Page, pages: dict[pathlib.Path, Page]) -> str:
    """What is wrong with a link, or an empty string."""
    address = urlsplit(link.target)
    if address.scheme == "data":
        return ""
    if is_elsewhere(address):
        if link.loaded:
            return "is loaded from elsewhere"
        well_formed = address.scheme == "mailto" or (address.scheme in ("http", "https") and address.hostname)
        return "" if well_formed else "is no address"
    target = page.path.parent / unquote(address.path) if address.path else page.path
    target = pathlib.Path(os.path.normpath(target))
    if not target.is_file():
        return "leads to no file"
    if target in pages and unquote(address.fragment) not in pages[target].anchors:
        return "leads to no anchor"
    return ""


def test_the_site_has_its_pages(site: pathlib.Path, root: pathlib.Path) -> None:
    guides = {path.stem for path in (root / "docs/docsite/rst").glob("*.rst")}
    modules = {f"{path.stem}_module" for path in (root / "plugins/modules").glob("*.py")}
    roles = {f"{path.parent.name}_role" for path in (root / "roles").glob("*/tasks")}
    built = {path.stem for path in (site / "collection").rglob("*.html")}
    assert guides | modules | roles <= built
    assert (site / "index.html").is_file()


def test_every_guide_can_be_reached(site: pathlib.Path, pages: dict[pathlib.Path, Page]) -> None:
    home = pages[site / "index.html"]
    linked = {urlsplit(link.target).path for link in home.links}
    built = {path.relative_to(site).as_posix() for path in pages if path.parent.name == "docsite"}
    assert built
    assert built <= linked


def test_every_link_leads_somewhere(site: pathlib.Path, pages: dict[pathlib.Path, Page]) -> None:
    links = [(page, link) for page in pages.values() for link in page.links]
    faults = sorted(
        {
            f"{page.path.relative_to(site)}: {link.target} {fault}"
            for page, link in links
            if (fault := fault_of(link, page, pages))
        }
    )
    assert faults == []
    print(f"{len(pages)} pages, {len(links)} links")
    assert links


def test_no_style_loads_anything_from_elsewhere(site: pathlib.Path) -> None:
    styles = {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in site.rglob("*.css")}
    assert styles
    targets = {(name, target) for name, text in styles.items() for target in LOADED_BY_STYLES.findall(text)}
    assert [(name, target) for name, target in targets if is_elsewhere(urlsplit(target))] == []


def test_no_page_repeats_what_the_theme_shows_beside_it(pages: dict[pathlib.Path, Page]) -> None:
    """The theme puts a red box around a table of contents."""
    assert [path for path in pages if '<nav class="contents' in path.read_text(encoding="utf-8")] == []


def test_what_is_wrong_with_a_link_is_found(tmp_path: pathlib.Path) -> None:
    """The checks above can fail."""
    (tmp_path / "other.html").write_text('<p id="here">', encoding="utf-8")
    (tmp_path / "page.html").write_text(
        '<a href="other.html#here"></a><a href="#top"></a><a href="https://example.org/x"></a><img src="data:,x">'
        '<a href="other.html#gone"></a><a href="gone.html"></a><a href="https://"></a>'
        '<script src="https://example.org/x.js"></script><p style="background: url(//example.org/x.png)">',
        encoding="utf-8",
    )
    pages = {tmp_path / name: Page(tmp_path / name) for name in ("other.html", "page.html")}
    page = pages[tmp_path / "page.html"]
    assert [fault_of(link, page, pages) for link in page.links] == [
        *[""] * 4,
        "leads to no anchor",
        "leads to no file",
        "is no address",
        "is loaded from elsewhere",
        "is loaded from elsewhere",
    ]
