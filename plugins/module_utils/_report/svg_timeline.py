# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phases of each host's latest run along one time axis, and the colours of the phases.

Private to the collection: may change without notice.
"""

from __future__ import annotations

import typing as t

from .fleet import TROUBLE
from .markup import Markup, join, tag
from .svg import box, per_cent, short
from .words import PRODUCT, length, result

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


def swatch(name: str) -> Markup:
    """The colour of a phase, for a legend."""
    square = tag("rect", width="12", height="12", class_=_phase_class(name))
    return tag("svg", square, class_="swatch", aria_hidden="true")


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
        tag("foreignObject", tag("div", host.name, class_="name"), **box("0", top, "54%", 20)),
        tag("text", took, word, x="100%", y=short(top + 14), text_anchor="end", class_=f"ends is-{host.standing}"),
        tag("rect", class_="track", **box("0", bar_top, "100%", BAR)),
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
    place = box(per_cent(min(left, 100 - width)), top, per_cent(width), BAR)
    return tag(
        "g",
        tag("title", f"{word}: {length(phase.duration)}{', ' if phase.result else ''}{phase.result}"),
        tag("rect", class_=_phase_class(phase.name) if not failed else "phase is-failed", **place),
        tag("rect", fill="url(#hatch)", **place) if failed else None,
        tag("rect", class_="gap", **box(per_cent(left), top, "1", BAR)) if left and share > THINNEST else None,
        tag("text", label, x=per_cent(left), dx="6", y=short(top + 13), class_="within") if label else None,
    )


def _axis(longest: float, height: float) -> Markup:
    step = next((tick for tick in TICKS if longest / tick <= MOST_TICKS), TICKS[-1])
    parts = []
    for number in range(int(longest // step) + 1):
        share = 100 * number * step / longest
        place = per_cent(share)
        anchor = "start" if share < 3 else "end" if share > 94 else "middle"
        parts.append(tag("line", x1=place, x2=place, y1="18", y2=short(height - AXIS + 2), class_="tick"))
        parts.append(
            tag("text", _tick(number * step), x=place, y=short(height - 6), text_anchor=anchor, class_="faint")
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


def _end(run: Run) -> float:
    return max([run.duration or 0.0, *(run.offset_of(phase) + phase.duration for phase in run.phases)])


def _phase_class(name: str) -> str:
    return f"phase in-{PHASE_COLOUR.get(name, 'plain')}"
