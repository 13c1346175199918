"""The page's look: the system's font, one accent, light or dark as the reader's system is, no script."""

STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf8; --ink: #1f2023; --quiet: #66666b; --line: #e3e0da;
  --accent: #17708c; --card: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --paper: #151618; --ink: #e8e7e4; --quiet: #9d9c99; --line: #303135;
  --accent: #69c0dc; --card: #1c1d20; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main, header, footer { max-width: 46rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 3.5rem; }
footer { padding-top: 2rem; padding-bottom: 4rem; color: var(--quiet); font-size: .875rem; }
h1 { font-size: 1.9rem; line-height: 1.2; font-weight: 650; letter-spacing: -.015em; margin: 0 0 .5rem;
  overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; line-height: 1.3; font-weight: 650; margin: 3.25rem 0 .4rem; }
h3 { font-size: 1rem; font-weight: 600; margin: 1.75rem 0 .4rem; }
p { max-width: 70ch; margin: .4rem 0 1rem; }
.quiet, figcaption, th { color: var(--quiet); }
.lead { font-size: 1.1rem; }
figure { margin: 1.1rem 0; }
figcaption { font-size: .875rem; max-width: 70ch; margin-top: .5rem; }
svg { display: block; width: 100%; }
.ink { fill: var(--accent); } .unknown { fill: none; stroke: var(--line); vector-effect: non-scaling-stroke; }
.grid, .limit { vector-effect: non-scaling-stroke; stroke: var(--line); stroke-width: 1; }
.limit { stroke: var(--ink); stroke-dasharray: 5 4; stroke-width: 1.5; }
.strip { height: 1.75rem; } .stack { height: 2.75rem; border-radius: 4px; } .thermometer { height: 2.5rem; }
.bar { height: .5rem; min-width: 4rem; }
.columns { height: 13rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 1px; margin: 1.75rem 0 0;
  background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.tiles > div { box-shadow: 0 0 0 1px var(--line); padding: .8rem 1rem .7rem; }
dt { color: var(--quiet); font-size: .8125rem; } dd { margin: 0; overflow-wrap: anywhere; }
.tiles dd { font-size: 1.35rem; font-weight: 600; letter-spacing: -.01em; }
.pairs { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .3rem 1.25rem; margin: .75rem 0; }
.pairs dt { font-size: .9375rem; }
.row { display: grid; grid-template-columns: 13.5rem 1fr 12rem; gap: .1rem 1rem; align-items: center;
  padding: .22rem 0; font-size: .9375rem; }
.row > :last-child { text-align: right; color: var(--quiet); font-variant-numeric: tabular-nums; white-space: nowrap; }
.axis { display: flex; justify-content: space-between; width: 100%; color: var(--quiet); font-size: .8125rem; }
.scale { display: flex; align-items: center; gap: .6rem; color: var(--quiet); font-size: .8125rem; margin-top: .8rem; }
.scale svg { width: 9rem; height: .7rem; }
.chart { display: grid; grid-template-columns: 4.2rem 1fr; column-gap: .6rem; }
.ticks { position: relative; font-size: .8125rem; color: var(--quiet); font-variant-numeric: tabular-nums; }
.ticks span { position: absolute; right: 0; transform: translateY(50%); white-space: nowrap; }
.ticks.flat { height: 1.4rem; } .ticks.flat span { right: auto; transform: translateX(-50%); top: 0; }
.ticks .last { color: var(--ink); font-weight: 600; } .ticks.flat .first { transform: none; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .36rem 0 .36rem 1rem; border-bottom: 1px solid var(--line); font-weight: 400;
  vertical-align: baseline; white-space: nowrap; }
thead th { font-size: .8125rem; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tbody th { color: var(--ink); white-space: normal; }
td.wide { width: 30%; vertical-align: middle; } .different { color: var(--accent); font-weight: 650; }
.swatch { display: inline-block; width: .75rem; height: .75rem; border-radius: 2px; margin-right: .55rem;
  background: var(--accent); }
code { font: .8125rem/1.45 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere;
  word-break: break-all; white-space: normal; }
details { margin: .8rem 0; font-size: .9375rem; } summary { cursor: pointer; color: var(--accent); }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; }
.figures { display: grid; gap: 1.4rem 2.5rem; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr));
  margin: 1.25rem 0; }
.figures dt { font-size: .9375rem; } .figures dd { font-size: 1.35rem; font-weight: 600; letter-spacing: -.01em; }
.figures p { font-size: .9375rem; margin: .15rem 0 0; }
.files { list-style: none; padding: 0; margin: 1rem 0; }
.files li { padding: .5rem 0; border-bottom: 1px solid var(--line); }
.files b { font-weight: 500; overflow-wrap: anywhere; }
.files span { float: right; color: var(--quiet); padding-left: 1rem; }
.files code { display: block; color: var(--quiet); }
@media (max-width: 36rem) { header { padding-top: 2rem; } h1 { font-size: 1.55rem; }
  .row { grid-template-columns: 1fr auto; padding: .35rem 0; } .row > .picture { grid-column: 1 / -1; grid-row: 2; }
  .row.axes > :first-child, .row.axes > :last-child { display: none; }
  thead th { white-space: normal; } .pairs { grid-template-columns: 1fr; gap: 0; } .pairs dd { margin-bottom: .55rem; }
  th, td { padding-left: .6rem; } tbody th { overflow-wrap: anywhere; min-width: 6.5rem; }
  table { font-size: .8125rem; }
  .tiles { grid-template-columns: 1fr 1fr; } .tiles dd { font-size: 1.2rem; }
  .chart { grid-template-columns: 3.2rem 1fr; } td.wide { display: none; } th.wide { display: none; } }
@media print { details { display: none; } h2 { break-after: avoid; } }
"""
