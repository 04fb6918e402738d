# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The drawings of the report of upgrades, as SVG within the page.

They are as wide as the page and have a fixed height: positions along the time axis are in per cent, so that texts keep
their size on a telephone. Colours come from the classes, and no information is in the colour alone.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .fleet import TROUBLE
from .markup import Markup, Value, join, tag
from .words import PRODUCT, length, machine_moment, result

if t.TYPE_CHECKING:
    from .fleet import Host
    from .parts import Phase
    from .run import Run

# In the order of a run. Neighbours differ, and phases that both products have look the same.
PHASE_COLOUR = {
    "window": "plain",
    "check": "plain",
    "start": "plain",
    "rehearsal": "ochre",
    "upgrade": "blue",
    "addons": "violet",
    "verification": "green",
    "undo": "rust",
    "dump": "green",
    "request": "plain",
    "upload": "rust",
    "process": "blue",
    "wait": "violet",
    "skip_test": "ochre",
    "download": "green",
    "restore": "blue",
    "merge": "ochre",
    "neutralize": "violet",
    "update": "rust",
    "verify": "green",
    "swap": "blue",
    "login": "violet",
    "revert": "rust",
}
PHASE_WORDS = {"addons": "add-ons", "skip_test": "skip test", "neutralize": "neutralise"}
MINUTE, HOUR, DAY = 60, 3600, 86400
TICKS = (
    *(seconds for seconds in (1, 2, 5, 10, 15, 30)),
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR for hours in (1, 2, 3, 6, 12)),
    *(days * DAY for days in (1, 2, 7, 14, 30, 90, 365, 3650)),
)
MOST_TICKS = 5

ROW = 46
BAR = 18
AXIS = 22
NARROWEST = 300
LETTER = 6.6
THINNEST = 0.6

SMALL_BAR, SMALL_GAP, SMALL_HEIGHT = 6, 3, 26
PLOT_HEIGHT = 90
WIDEST_SLOT = 5.0
MARK = 7

GLYPHS = {
    # Each result has a shape of its own, beside its word.
    "failed": (
        "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1z"
        "M4.6 5.9 5.9 4.6 8 6.7l2.1-2.1 1.3 1.3L9.3 8l2.1 2.1-1.3 1.3L8 9.3l-2.1 2.1-1.3-1.3L6.7 8z"
    ),
    "unfinished": "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 1.8a5.2 5.2 0 0 1 0 10.4z",
    "refused": "M4.9 1 1 4.9v6.2L4.9 15h6.2l3.9-3.9V4.9L11.1 1zM4 7.1h8v1.8H4z",
    "would_change": "M8 1 15 9h-4v6H5V9H1zM8 3.5 4.7 7.3h2v6h2.6v-6h2z",
    "changed": "M8 1 15 9h-4v6H5V9H1z",
    "ok": "M13.5 3.1 15 4.5 6.3 13.4 1 8.3l1.4-1.4 3.9 3.7z",
}


def glyphs() -> Markup:
    """The shapes of the results, for ``glyph`` to show; once in a page, hidden."""
    shapes = [
        tag("symbol", tag("path", d=path, fill_rule="evenodd"), id=f"glyph-{name}", viewBox="0 0 16 16")
        for name, path in GLYPHS.items()
    ]
    stripes = tag("rect", width="3", height="6", class_="stripe")
    hatch = tag(
        "pattern",
        stripes,
        id="hatch",
        width="6",
        height="6",
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    return tag("svg", shapes, tag("defs", hatch), class_="glyphs", width="0", height="0", aria_hidden="true")


def glyph(name: str) -> Markup:
    """The shape of a result, in addition to the word beside it."""
    return tag("svg", tag("use", href=f"#glyph-{name}"), class_=f"glyph is-{name}", aria_hidden="true")


def phase_word(name: str) -> str:
    """The name of a phase for people."""
    return PHASE_WORDS.get(name, name.replace("_", " "))


def phases_of(hosts: t.Iterable[Host]) -> list[str]:
    """The phases of the latest runs, in the order of a run, unknown ones last."""
    found = {phase.name for host in hosts for phase in host.latest.phases}
    known = [name for name in PHASE_COLOUR if name in found]
    return known + sorted(found - set(known))


def timeline(hosts: t.Sequence[Host], product: str) -> Markup:
    """The phases of each host's latest run, from the start of the run, with one scale for all hosts."""
    longest = max((_end(host.latest) for host in hosts), default=0.0) or 1.0
    names = phases_of(hosts)
    height = len(hosts) * ROW + AXIS
    identity = f"timeline-{product}"
    rows = [_row(host, number * ROW, longest, names) for number, host in enumerate(hosts)]
    return tag(
        "svg",
        tag("title", f"Phases of the latest {PRODUCT[product]} runs", id=f"{identity}-title"),
        tag("desc", _described(hosts), id=f"{identity}-text"),
        _axis(longest, height),
        rows,
        class_="timeline",
        role="img",
        aria_labelledby=f"{identity}-title",
        aria_describedby=f"{identity}-text",
        width="100%",
        height=height,
    )


def small_plot(host: Host) -> Markup:
    """The durations of the past runs, oldest first, one bar each."""
    bars = []
    for number, (run, high) in enumerate(_past(host, SMALL_HEIGHT - MARK)):
        left = number * (SMALL_BAR + SMALL_GAP)
        box = _box(_short(left + 0.5), SMALL_HEIGHT - high, str(SMALL_BAR - 1), high)
        bars.append((tag("rect", class_=_bar_class(run), **box), _mark(run, _short(left + 3), SMALL_HEIGHT - high - 4)))
    size: dict[str, Value] = {"width": len(bars) * (SMALL_BAR + SMALL_GAP), "height": SMALL_HEIGHT}
    return tag("svg", bars, class_="small-plot", role="img", aria_label=_runs_described(host), **size)


def plot(host: Host) -> Markup:
    """The same, as wide as the page."""
    slot = min(100 / len(host.past), WIDEST_SLOT)
    ground = PLOT_HEIGHT - 1
    bars = []
    for number, (run, high) in enumerate(_past(host, PLOT_HEIGHT - 30)):
        label = f"{machine_moment(run.started_at)}: {length(run.duration)}, {result(run)}"
        box = _box(_per_cent(number * slot), ground - high, _per_cent(slot * 0.7), high)
        mark = _mark(run, _per_cent((number + 0.35) * slot), ground - high - 6)
        bars.append(tag("g", tag("title", label), tag("rect", class_=_bar_class(run), **box), mark))
    base = tag("line", x1="0", x2="100%", y1=_short(ground + 0.5), y2=_short(ground + 0.5), class_="base")
    most = tag("text", f"longest {length(_longest(host))}", x="0", y="11", class_="faint")
    size: dict[str, Value] = {"width": "100%", "height": PLOT_HEIGHT}
    return tag("svg", most, base, bars, class_="plot", role="img", aria_label=_runs_described(host), **size)


def swatch(name: str) -> Markup:
    """The colour of a phase, for a legend."""
    square = tag("rect", width="12", height="12", class_=_phase_class(name))
    return tag("svg", square, class_="swatch", aria_hidden="true")


def proportions(counts: dict[str, int], total: int) -> Markup:
    """A bar that shows the proportion of each result in the fleet; the numbers are beside it."""
    left = 0.0
    parts: list[Markup | None] = []
    for name, count in counts.items():
        place = _box(_per_cent(left), 0, _per_cent(100 * count / total), 10)
        if count:
            parts.append(tag("rect", class_=f"part is-{name}", **place))
            parts.append(tag("rect", fill="url(#hatch)", **place) if name == "failed" else None)
            parts.append(tag("rect", class_="gap", **_box(_per_cent(left), 0, "2", 10)) if left else None)
        left += 100 * count / total
    return tag("svg", parts, class_="proportions", width="100%", height="10", aria_hidden="true")


def _row(host: Host, top: float, longest: float, names: list[str]) -> Markup:
    run = host.latest
    bar_top = top + 20
    stands = host.standing.replace("_", " ")
    took = length(run.duration) if run.duration is not None else ""
    between = " · " if took else ""
    # On a narrow page a result that needs nobody has no word.
    word = tag("tspan", f"{between}{stands}", class_=None if host.standing in TROUBLE else "where-wide")
    return tag(
        "g",
        # Only HTML text can be cut with an ellipsis where the words on the right begin.
        tag("foreignObject", tag("div", host.name, class_="name"), **_box("0", top, "54%", 20)),
        tag("text", took, word, x="100%", y=_short(top + 14), text_anchor="end", class_=f"ends is-{host.standing}"),
        tag("rect", class_="track", **_box("0", bar_top, "100%", BAR)),
        [_segment(phase, run.offset_of(phase), bar_top, longest, names) for phase in run.phases],
    )


def _segment(phase: Phase, offset: float, top: float, longest: float, names: list[str]) -> Markup | None:
    if not phase.duration:
        return None
    left = min(100 * offset / longest, 100)
    share = min(100 * phase.duration / longest, 100 - left)
    word, number = phase_word(phase.name), str(names.index(phase.name) + 1)
    room = share / 100 * NARROWEST - 8
    label = next((text for text in (f"{number} {word}", number) if len(text) * LETTER <= room), "")
    failed = phase.result == "failed"
    width = max(share, THINNEST)
    place = _box(_per_cent(min(left, 100 - width)), top, _per_cent(width), BAR)
    return tag(
        "g",
        tag("title", f"{word}: {length(phase.duration)}{', ' if phase.result else ''}{phase.result}"),
        tag("rect", class_=_phase_class(phase.name) if not failed else "phase is-failed", **place),
        tag("rect", fill="url(#hatch)", **place) if failed else None,
        tag("rect", class_="gap", **_box(_per_cent(left), top, "1", BAR)) if left and share > THINNEST else None,
        tag("text", label, x=_per_cent(left), dx="6", y=_short(top + 13), class_="within") if label else None,
    )


def _axis(longest: float, height: float) -> Markup:
    step = next((tick for tick in TICKS if longest / tick <= MOST_TICKS), TICKS[-1])
    parts = []
    for number in range(int(longest // step) + 1):
        share = 100 * number * step / longest
        place = _per_cent(share)
        anchor = "start" if share < 3 else "end" if share > 94 else "middle"
        parts.append(tag("line", x1=place, x2=place, y1="18", y2=_short(height - AXIS + 2), class_="tick"))
        parts.append(
            tag("text", _tick(number * step), x=place, y=_short(height - 6), text_anchor=anchor, class_="faint")
        )
    return join(parts)


def _tick(seconds: float) -> str:
    return length(seconds) if seconds >= 10 else f"{seconds:.0f} s" if seconds else "0"


def _described(hosts: t.Sequence[Host]) -> str:
    return " ".join(f"{host.name}: {_phases_described(host.latest)}." for host in hosts)


def _phases_described(run: Run) -> str:
    phases = ", ".join(
        f"{phase_word(phase.name)} {length(phase.duration)}{' (failed)' if phase.result == 'failed' else ''}"
        for phase in run.phases
    )
    took = f" after {length(run.duration)}" if run.duration is not None else ""
    return f"{result(run)}{took}; {phases or 'no phases'}"


def _runs_described(host: Host) -> str:
    runs = ", ".join(f"{length(run.duration)} {result(run)}" for run in host.past[::-1])
    return f"Past runs of {host.name}, oldest first: {runs}"


def _longest(host: Host) -> float:
    return max(run.duration or 0.0 for run in host.past)


def _past(host: Host, highest: float) -> list[tuple[Run, float]]:
    """The past runs, oldest first, with the heights of their bars."""
    longest = _longest(host) or 1.0
    return [(run, max(highest * (run.duration or 0.0) / longest, 2.0)) for run in host.past[::-1]]


def _end(run: Run) -> float:
    return max([run.duration or 0.0, *(run.offset_of(phase) + phase.duration for phase in run.phases)])


def _bar_class(run: Run) -> str:
    return f"bar is-{run.result}{' check' if run.check_mode else ''}"


def _mark(run: Run, x: str, y: float) -> Markup | None:
    """A dot above the bar of a run that failed, was refused or has not ended."""
    if run.result in ("changed", "ok"):
        return None
    return tag("circle", cx=x, cy=_short(max(y, 3)), r="2.5", class_=f"dot is-{run.result}")


def _phase_class(name: str) -> str:
    return f"phase in-{PHASE_COLOUR.get(name, 'plain')}"


def _box(x: str, y: float, width: str, height: float) -> dict[str, Value]:
    return {"x": x, "y": _short(y), "width": width, "height": _short(height)}


def _per_cent(value: float) -> str:
    return f"{_short(value)}%"


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
