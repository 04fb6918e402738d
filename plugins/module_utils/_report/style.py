# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The style of the report page: light, dark, on a telephone and on paper.

Private to the collection: may change without notice.
"""

from __future__ import annotations

from .markup import Markup

STYLE = Markup("""
:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --ink: #1f2124; --muted: #5a5e64; --line: #dad7cf; --shade: #f1efe9; --on-colour: #ffffff;
  --failed: #b3261e; --unfinished: #855600; --refused: #69489f;
  --would-change: #1f5c9e; --changed: #1f5c9e; --ok: #2c6a4c;
  --plain: #62676e; --ochre: #7d6117; --blue: #1f5c9e; --violet: #69489f; --rust: #94481f; --green: #2c6a4c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #17181b; --ink: #e9e7e2; --muted: #a9adb4; --line: #37393f; --shade: #202226; --on-colour: #15161a;
    --failed: #ff8d83; --unfinished: #e3b45f; --refused: #c5acf3;
    --would-change: #8abbf3; --changed: #8abbf3; --ok: #82cca7;
    --plain: #a3a9b2; --ochre: #d6ba68; --blue: #8abbf3; --violet: #c5acf3; --rust: #e5a27d; --green: #82cca7;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; max-width: 74rem; padding: 3rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif;
  overflow-wrap: anywhere;
}
h1, h2, h3, .lead, .counts b {
  font-family: Charter, "Bitstream Charter", "Iowan Old Style", "Source Serif 4", Georgia, "Liberation Serif", serif;
  font-weight: 600; line-height: 1.2;
}
h1 { margin: 0 0 .75rem; font-size: 2.5rem; letter-spacing: -.01em; }
h2 { margin: 4rem 0 .25rem; font-size: 1.6rem; }
h3 { margin: 0; font-size: 1.25rem; }
p { margin: .5rem 0; max-width: 46rem; }
.lead { margin: 0 0 1.5rem; font-size: 1.25rem; font-weight: 400; line-height: 1.4; }
.note, figcaption, caption, footer { color: var(--muted); font-size: .875rem; }
a { color: inherit; text-decoration: underline 1px var(--muted); text-underline-offset: .2em; }
a:hover { text-decoration-thickness: 2px; }
a:focus-visible, summary:focus-visible { outline: 3px solid var(--blue); outline-offset: 3px; border-radius: 2px; }
nav ul, .counts, .legend { display: flex; flex-wrap: wrap; margin: 0; padding: 0; list-style: none; }
nav ul { gap: .25rem 1.5rem; margin-top: 1.25rem; font-size: .9375rem; }
nav a { display: inline-block; padding: .25rem 0; }
.counts { gap: .5rem 2.25rem; margin-bottom: .75rem; }
.counts li { display: flex; align-items: baseline; gap: .4rem; }
.counts b { font-size: 1.75rem; font-variant-numeric: lining-nums; }
footer { margin-top: 4rem; border-top: 1px solid var(--line); padding-top: 1rem; }

.is-failed { color: var(--failed); } .is-unfinished { color: var(--unfinished); }
.is-refused { color: var(--refused); } .is-would_change { color: var(--would-change); }
.is-changed { color: var(--changed); } .is-ok { color: var(--ok); }
.result { font-weight: 600; white-space: nowrap; }
.glyphs { position: absolute; }
.glyph { width: .9em; height: .9em; fill: currentColor; vertical-align: -.06em; margin-right: .4em; }
.counts .glyph { align-self: center; width: 1.1rem; height: 1.1rem; margin: 0; }

table { width: 100%; border-collapse: collapse; font-size: .9375rem; font-variant-numeric: lining-nums tabular-nums; }
caption { text-align: left; padding-bottom: .75rem; max-width: 46rem; }
th, td { padding: .55rem 1rem .55rem 0; text-align: left; vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--muted); font-weight: 500; font-size: .8125rem; white-space: nowrap; }
thead tr { border-bottom: 1px solid var(--ink); }
tbody tr { border-bottom: 1px solid var(--line); }
tbody th { font-weight: 600; }
.steps tbody th, .runs tbody th { font-weight: 400; }
.within-fold caption {
  position: absolute; width: 1px; height: 1px; padding: 0; overflow: hidden; clip-path: inset(50%);
}
.under { display: block; color: var(--muted); font-size: .8125rem; font-weight: 400; }
.fixed { white-space: nowrap; }
.fleet th[scope="row"] { width: 14rem; }
.phases th[scope="row"] { min-width: 7rem; }

figure { margin: 1rem 0 2rem; }
figcaption { margin-bottom: .75rem; max-width: 46rem; }
.legend { gap: .25rem 1.25rem; margin: 0 0 1rem; font-size: .875rem; }
.legend li { display: flex; align-items: center; gap: .4rem; }
.swatch { width: 12px; height: 12px; flex: none; }
svg { display: block; overflow: visible; }
.glyph { display: inline-block; }
text { fill: var(--ink); font-size: 13px; font-variant-numeric: lining-nums tabular-nums; }
.name {
  font-weight: 600; font-size: 13px; line-height: 20px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis;
}
.ends { fill: currentColor; stroke: var(--paper); stroke-width: 4px; paint-order: stroke; }
.faint { fill: var(--muted); font-size: 12px; }
.within { fill: var(--on-colour); font-size: 12px; pointer-events: none; }
.track { fill: var(--shade); }
.tick, .base { stroke: var(--line); }
.gap { fill: var(--paper); }
.stripe { fill: var(--on-colour); opacity: .13; }
.phase { fill: var(--plain); }
.in-ochre { fill: var(--ochre); } .in-blue { fill: var(--blue); } .in-violet { fill: var(--violet); }
.in-rust { fill: var(--rust); } .in-green { fill: var(--green); } .phase.is-failed { fill: var(--failed); }
.proportions { border-radius: 2px; overflow: hidden; max-width: 46rem; }
.part, .dot { fill: currentColor; }
.part.is-would_change { opacity: .6; }
.bar { fill: currentColor; stroke: currentColor; }
.bar.is-ok, .bar.check { fill: var(--paper); }
.bar.check { stroke-dasharray: 2 1.5; }

.host { border-top: 1px solid var(--ink); margin-top: 2.5rem; padding-top: 1rem; }
.host header { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; }
.message { border-left: 3px solid var(--line); padding-left: .9rem; margin: .75rem 0; white-space: pre-line; }
.host .message { color: var(--ink); }
.message.is-failed { border-color: var(--failed); }
.message.is-unfinished { border-color: var(--unfinished); }
.message.is-refused { border-color: var(--refused); }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: .6rem 1.5rem; }
.facts { margin: 1rem 0; }
.facts dt { color: var(--muted); font-size: .8125rem; }
.facts dd { margin: 0; font-size: .9375rem; font-variant-numeric: lining-nums tabular-nums; }
.warnings { margin: .75rem 0; padding-left: 1.1rem; max-width: 46rem; }
details { border-top: 1px solid var(--line); }
details:last-of-type { border-bottom: 1px solid var(--line); }
summary { padding: .6rem 0; cursor: pointer; font-weight: 500; }
summary span { color: var(--muted); font-weight: 400; }
details > *:last-child { margin-bottom: 1.25rem; }
details tbody tr:last-child { border-bottom: 0; }
pre {
  margin: 0; padding: 1rem; background: var(--shade); white-space: pre-wrap; overflow-wrap: anywhere;
  font: .8125rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
}
.plot { margin: .25rem 0 1rem; }

@media screen and (max-width: 60rem) {
  body { padding: 1.75rem 1rem 3rem; }
  h1 { font-size: 2rem; }
  h2 { margin-top: 3rem; }
  .counts { gap: .25rem 1.5rem; }
  table, caption, tbody, tr, th, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  tbody tr { padding: .75rem 0; }
  th, td { padding: .1rem 0; }
  tbody td { display: grid; grid-template-columns: 5.5rem minmax(0, 1fr); column-gap: .75rem; }
  tbody td::before { content: attr(data-label); color: var(--muted); font-size: .8125rem; line-height: 1.85; }
  tbody td.empty { display: none; }
  tbody td.says, tbody td.stands { display: block; }
  tbody td.says::before, tbody td.stands::before { content: none; }
  .fleet th[scope="row"] { width: auto; }
  .where-wide { display: none; }
  .facts { grid-template-columns: minmax(0, 1fr); }
}
@media print {
  :root {
    color-scheme: light;
    --paper: #ffffff; --ink: #000000; --muted: #4a4d52; --line: #c9c6be; --shade: #f1efe9; --on-colour: #ffffff;
    --failed: #b3261e; --unfinished: #855600; --refused: #69489f;
  --would-change: #1f5c9e; --changed: #1f5c9e; --ok: #2c6a4c;
    --plain: #62676e; --ochre: #7d6117; --blue: #1f5c9e; --violet: #69489f; --rust: #94481f; --green: #2c6a4c;
  }
  @page { margin: 16mm 14mm; }
  html { font-size: 11px; }
  body { max-width: none; padding: 0; }
  text, .name { font-size: 11px; }
  svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  nav, details:not([open]) { display: none; }
  a { text-decoration: none; }
  h2 { margin-top: 2rem; }
  h2, h3, summary, caption, figcaption { break-after: avoid; }
  tr, .facts > div, .message, figure > ul { break-inside: avoid; }
  thead { display: table-header-group; }
  tbody tr:first-child { break-before: avoid; }
  .tick { stroke-opacity: .5; }
}
""")
