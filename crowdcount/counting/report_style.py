"""The looks of a report: light or dark as the reader's system is, on a phone or on paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #f6f5f8; --card: #ffffff; --ink: #1d1b22; --soft: #625f6b; --line: #e2dfe8;
  --accent: #6f1fa3; --warning: #7a4d00; --warning-ground: #fdf1d8; --error: #a3201a; --error-ground: #fde7e4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #141318; --card: #1e1c23; --ink: #eeecf2; --soft: #a8a4b3; --line: #37343f;
    --accent: #d19bf2; --warning: #f3c873; --warning-ground: #35290f;
    --error: #f5a099; --error-ground: #3a1917;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main { max-width: 1200px; margin: 0 auto; padding: 40px 20px 32px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 19px; margin: 40px 0 12px; }
p { margin: 0; }
.soft { color: var(--soft); font-size: 14px; }
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 14px; margin: 28px 0 10px;
}
.tile, .card, .chart { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 14px 18px; min-width: 0; }
.tile b { display: block; font-size: 28px; line-height: 1.25; }
.tile .soft { overflow-wrap: anywhere; }
.chart { padding: 16px 12px 8px; margin-bottom: 8px; overflow-x: auto; }
.chart svg { display: block; width: 100%; min-width: 620px; height: auto; }
.chart text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); }
.range { stroke: var(--accent); stroke-opacity: .35; stroke-width: 5; stroke-linecap: round; }
.course { fill: none; stroke: var(--accent); stroke-opacity: .6; stroke-width: 1.5; }
.dot { fill: var(--accent); stroke: var(--card); stroke-width: 1.5; }
.cards {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(270px, 100%), 1fr)); gap: 18px;
  align-items: start;
}
.card { overflow: hidden; scroll-margin-top: 20px; break-inside: avoid; }
.card:target { outline: 3px solid var(--accent); }
.card img, .no-picture {
  display: block; width: 100%; height: 210px; object-fit: contain; background: #0c0b10;
}
.no-picture { color: #b7b3c2; text-align: center; line-height: 210px; }
.text { padding: 12px 16px 16px; }
.count { font-size: 22px; font-weight: 650; line-height: 1.3; }
.name { font-size: 14px; font-weight: 600; margin: 8px 0 0; overflow-wrap: anywhere; }
.note { margin-top: 10px; padding: 7px 10px; border-radius: 6px; font-size: 14px; overflow-wrap: anywhere; }
.warning { color: var(--warning); background: var(--warning-ground); }
.error { color: var(--error); background: var(--error-ground); }
table { border-collapse: collapse; width: 100%; margin-top: 10px; font-size: 14px; }
th { text-align: left; font-weight: 500; overflow-wrap: anywhere; }
td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; padding-left: 10px; }
td:nth-child(3) { white-space: normal; }
tr + tr > * { border-top: 1px solid var(--line); }
footer { margin-top: 44px; padding-top: 14px; border-top: 1px solid var(--line); max-width: 760px; }
footer p + p { margin-top: 8px; }
@media print { main { max-width: none; padding: 0; } .chart svg { min-width: 0; } }
"""
