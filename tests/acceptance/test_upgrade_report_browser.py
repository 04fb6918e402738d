# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report page as a reader sees it: in a real browser, light and dark, wide and narrow, by keyboard and on paper.

The pictures are left in tests/output/screenshots, for a person to look at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import browser as browsers
from support.ansible_cli import run_module
from support.browser import Browser, Site, served
from support.run_reports import fleet, write, write_broken

SCREENSHOTS = Path(__file__).parents[1] / "output/screenshots"
WIDTHS = (320, 360, 768, 961, 1280, 1920)
TAB, ENTER, SPACE = "\ue004", "\ue007", " "

pytestmark = pytest.mark.skipif(bool(browsers.MISSING), reason=browsers.MISSING)

# Every visible text, with its contrast to what is painted below the middle of its first line. Texts on a drawing have
# their colour as fill. The stripes of a failed phase are passed over: they lie on the colour that counts.
CONTRASTS = """
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = (colour) => {
  const [r, g, b] = numbers(colour).map((each) => each / 255)
    .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
};
const painted = (element) => {
  const style = getComputedStyle(element);
  const colour = element instanceof SVGGeometryElement ? style.fill : style.backgroundColor;
  return /^rgb/.test(colour) && numbers(colour)[3] !== 0 ? colour : '';
};
const results = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode;
  const owner = node.parentElement;
  if (!node.data.trim() || owner.closest('title, desc, symbol')) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const box = range.getClientRects()[0];
  const style = getComputedStyle(owner);
  if (!box || box.width < 2 || style.visibility !== 'visible') continue;
  const place = [box.x + Math.min(box.width / 2, 20), box.y + box.height / 2];
  const below = document.elementsFromPoint(...place).filter((each) => each !== owner).map(painted);
  const ground = painted(owner) && !(owner instanceof SVGElement) ? painted(owner) : below.find(Boolean);
  const colour = owner instanceof SVGElement ? style.fill : style.color;
  results.push([node.data.trim().slice(0, 40), contrast(colour, ground || painted(document.body)), colour, ground]);
}
return results;
"""
# Shapes that mean something, with their contrast to the track or the paper that they lie on.
SHAPES = """
const names = ['phase', 'bar', 'dot', 'part', 'glyph'];
return names.flatMap((name) => [...document.querySelectorAll('.' + name + ':not(.is-would_change)')]
  .map((each) => [name, getComputedStyle(each).stroke !== 'none' ? getComputedStyle(each).stroke
    : getComputedStyle(each).fill]));
"""


def make_page(folder: Path, **options: str) -> None:
    """Make the page by the module that the playbook runs."""
    made = run_module("upgrade_report_page", {"src": str(folder), "html": str(folder / "index.html"), **options})
    assert not made.failed, made.output


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page of fifteen hosts with failures, and of files that are no run reports, as the playbook has it made."""
    folder = tmp_path_factory.mktemp("reports")
    write(folder, fleet())
    write_broken(folder)
    make_page(folder, title="Upgrades of the weekend")
    with served(folder) as site:
        yield site


@pytest.fixture(scope="module")
def one_browser() -> Iterator[Browser]:
    """One for all tests, because it takes long to start."""
    with Browser() as started:
        yield started


@pytest.fixture
def browser(one_browser: Browser) -> Browser:
    """A browser in which nothing was said or asked for yet."""
    one_browser.open("about:blank")
    one_browser.console()
    one_browser.requests()
    return one_browser


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_all_that_is_asked_for(scheme: str, width: int, browser: Browser, site: Site) -> None:
    site.asked.clear()
    browser.open(f"{site.url}/index.html", scheme=scheme, width=width)
    browser.screenshot(SCREENSHOTS / f"upgrade-report-{scheme}-{width}.png")
    assert site.asked == ["/index.html"]
    assert [url for url in browser.requests() if not url.startswith("data:")] == [f"{site.url}/index.html"]
    assert browser.console() == []
    assert browser.run("return document.title") == "Upgrades of the weekend"
    assert browser.run("return matchMedia('(prefers-color-scheme: dark)').matches") is (scheme == "dark")


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_makes_the_page_wider_than_the_window(width: int, browser: Browser, site: Site) -> None:
    browser.open(f"{site.url}/index.html", width=width)
    for _folded in (True, False):
        assert browser.run("return document.documentElement.scrollWidth") <= width
        beyond = "return [...document.querySelectorAll('main *:not(svg *)')].filter(each => each.checkVisibility())"
        outside = ".filter(each => each.getBoundingClientRect().right > innerWidth + 1).map(each => each.outerHTML)"
        assert browser.run(beyond + outside) == []
        browser.show_all()


@pytest.mark.parametrize("width", [320, 1280])
def test_a_name_too_long_for_the_timeline_ends_in_an_ellipsis(width: int, browser: Browser, site: Site) -> None:
    """And before the words on its right begin; whatever is drawn ends with the track."""
    browser.open(f"{site.url}/index.html", width=width)
    names = browser.run(
        "return [...document.querySelectorAll('.timeline .name')].map(each => [each.textContent,"
        " each.scrollWidth > each.clientWidth, getComputedStyle(each).textOverflow, each.getBoundingClientRect().right,"
        " each.closest('g').querySelector('.ends').getBoundingClientRect().left])"
    )
    assert {name for name, is_cut, *_rest in names if is_cut} >= {name for name, *_rest in names if len(name) > 80}
    assert "intranet" in {name for name, is_cut, *_rest in names if not is_cut}
    assert {overflow for _name, _is_cut, overflow, *_rest in names} == {"ellipsis"}
    assert [name for name, *_rest, right, left in names if right > left] == []
    beyond = browser.run(
        "return [...document.querySelectorAll('.timeline .phase')].filter(each => each.getBoundingClientRect().right"
        " > each.closest('svg').getBoundingClientRect().right + 1).map(each => each.outerHTML)"
    )
    assert beyond == []


@pytest.mark.parametrize(("scheme", "width"), [("light", 360), ("dark", 1280)])
def test_axe_finds_nothing(scheme: str, width: int, browser: Browser, site: Site) -> None:
    browser.open(f"{site.url}/index.html", scheme=scheme, width=width)
    browser.show_all()
    assert browser.accessibility_faults() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_shapes_stand_out(scheme: str, browser: Browser, site: Site) -> None:
    """Texts 4.5 to 1, also on drawings, which axe passes over; shapes 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11)."""
    browser.open(f"{site.url}/index.html", scheme=scheme)
    browser.show_all()
    texts = browser.run(CONTRASTS)
    assert len(texts) > 300
    assert {"3 rehearsal", "intranet", "8 min"} <= {text for text, *_rest in texts}
    assert [text for text in texts if text[1] < 4.5] == []
    grounds = [browser.run("return getComputedStyle(document.body).backgroundColor")]
    grounds.append(browser.run("return getComputedStyle(document.querySelector('.track')).fill"))
    shapes = {tuple(shape) for shape in browser.run(SHAPES)}
    assert {name for name, _colour in shapes} == {"phase", "bar", "dot", "part", "glyph"}
    assert [shape for shape in shapes for ground in grounds if contrast(shape[1], ground) < 3] == []


def contrast(one: str, other: str) -> float:
    """As WCAG counts it; colours as ``rgb(1, 2, 3)``."""
    low, high = sorted(luminance(colour) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_drawings_have_names_and_what_is_decoration_says_so(browser: Browser, site: Site) -> None:
    browser.open(f"{site.url}/index.html")
    drawings = browser.run(
        "return [...document.querySelectorAll('svg:not(svg svg)')].map(each => [each.getAttribute('aria-hidden'),"
        " each.getAttribute('role'), each.getAttribute('aria-label')"
        " || document.getElementById(each.getAttribute('aria-labelledby'))?.textContent])"
    )
    assert all(hidden == "true" or (role == "img" and name) for hidden, role, name in drawings)
    assert "Phases of the latest Plone runs" in {name for _hidden, _role, name in drawings}


def test_the_order_of_headings_and_the_landmarks(browser: Browser, site: Site) -> None:
    browser.open(f"{site.url}/index.html")
    levels = browser.run("return [...document.querySelectorAll('h1,h2,h3,h4')].map(each => +each.tagName[1])")
    assert levels[:4] == [1, 2, 2, 2]
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    for landmark in ("header", "nav", "main", "footer"):
        assert browser.run(f"return document.querySelectorAll('body > {landmark}, header > {landmark}').length") == 1


def test_everything_is_reached_by_keyboard(browser: Browser, site: Site) -> None:
    browser.open(f"{site.url}/index.html")
    asked = "return [document.activeElement.tagName, document.activeElement.textContent.trim()]"
    reached: list[list[str]] = []
    while not reached or reached[-1][0] != "SUMMARY":
        browser.press(TAB)
        reached.append(browser.run(asked))
        assert browser.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert len(reached) < 100
    contents = ["Fleet", "Timeline", "Hosts", "Files that could not be read"]
    assert [text for _tag, text in reached[:5]] == ["12 files could not be read", *contents]
    is_open = "return document.activeElement.parentElement.open"
    before = browser.run(is_open)
    browser.press(ENTER)
    assert browser.run(is_open) is not before
    browser.press(SPACE)
    assert browser.run(is_open) is before


def test_hostile_texts_are_shown_and_do_nothing(browser: Browser, site: Site) -> None:
    browser.open(f"{site.url}/index.html")
    assert browser.run("return document.scripts.length + document.images.length") == 0
    text = browser.run("return document.body.innerText")
    assert '<script>document.title="taken"</script>' in text
    assert "{{ lookup('ansible.builtin.pipe', 'id') }}" in text
    assert not set(text) & set("\x1b\x07\x00\u202e\u202c\u2066\u2069")


def test_what_would_get_into_the_page_is_stopped_by_its_policy(browser: Browser, site: Site) -> None:
    browser.open(f"{site.url}/index.html")
    site.asked.clear()
    browser.run(
        "document.body.insertAdjacentHTML('beforeend', '<img src=/pixel.png><iframe src=/frame></iframe>"
        '<link rel=stylesheet href=/style.css><p style="color: red" onclick="document.title = 1">x</p>\');'
        "document.body.lastChild.click()"
    )
    complaints = browser.console()
    assert len([each for each in complaints if "Content Security Policy" in each]) >= 4, complaints
    assert site.asked == []
    assert browser.run("return document.title") == "Upgrades of the weekend"


def test_a_page_without_runs(browser: Browser, tmp_path: Path) -> None:
    make_page(tmp_path)
    with served(tmp_path) as site:
        browser.open(f"{site.url}/index.html", width=360)
        assert "There are no runs yet." in browser.run("return document.body.innerText")
        assert browser.accessibility_faults() == []
        assert browser.console() == []


def test_paper_has_tables_and_light_colours(browser: Browser, site: Site) -> None:
    browser.open(f"{site.url}/index.html", scheme="dark")
    browser.printed(SCREENSHOTS / "upgrade-report.pdf")
    paper: dict[str, Any] = browser.in_print(
        "return {ground: getComputedStyle(document.body).backgroundColor,"
        " navigation: getComputedStyle(document.querySelector('nav')).display,"
        " table: getComputedStyle(document.querySelector('.fleet')).display}"
    )
    assert paper == {"ground": "rgb(255, 255, 255)", "navigation": "none", "table": "table"}
