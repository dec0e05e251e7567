//! The look of the page: light and dark by the reader's setting, and light on paper.

/// The style sheet.
pub(super) const STYLE: &str = "\
:root { color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #16191d; --soft: #555d68; --faint: #69727e; --line: #e2e6eb; --grid: #e9ecf0;
  --accent: #2a62c9; --allow: #b9c9e6; --deny: #d23f3d; --would: #e0a11b; --good: #1a7f4b;
  --deny-ink: #c02f2d; --would-ink: #8f5f00;
  --c0: #d23f3d; --c1: #2a78d6; --c2: #e0a11b; --c3: #4a3aa7; --c4: #1b9e77; --c5: #d55a9b; --c6: #e2703a; --c7: #9aa3ae; }
@media (prefers-color-scheme: dark) { :root {
  --page: #101318; --card: #181c22; --ink: #e9ecf1; --soft: #a9b2be; --faint: #929caa; --line: #2a3038; --grid: #262b33;
  --accent: #86aef7; --allow: #3d5684; --deny: #ec6a66; --would: #e3b04b; --good: #54c08a;
  --deny-ink: #f0807c; --would-ink: #e3b04b;
  --c0: #ec6a66; --c1: #5a9cf0; --c2: #e3b04b; --c3: #9c8ff0; --c4: #36b58d; --c5: #e27fb2; --c6: #ea8a56; --c7: #6d7682; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1.25rem 3rem; }
h1 { font-size: 1.65rem; line-height: 1.2; letter-spacing: -.015em; margin: 0 0 .35rem; }
h2 { font-size: 1.15rem; margin: 0 0 .2rem; letter-spacing: -.005em; }
h3 { font-size: .95rem; margin: 1.4rem 0 .3rem; }
p { margin: 0 0 .6rem; max-width: 62rem; }
.soft, figcaption { color: var(--soft); }
.soft { font-size: .9rem; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 2px; }
code { font: .89em/1.45 ui-monospace, 'SF Mono', Menlo, Consolas, 'Liberation Mono', monospace; overflow-wrap: anywhere; }
header { margin-bottom: 1.5rem; }
header p { color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 0 0 .75rem; padding: 0;
  list-style: none; }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; }
.tiles b { display: block; font-size: 1.7rem; line-height: 1.15; font-weight: 650; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: .88rem; }
.tiles .deny b { color: var(--deny-ink); } .tiles .would b { color: var(--would-ink); } .tiles .good b { color: var(--good); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1.1rem 1.25rem 1.2rem;
  margin: 0 0 .75rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: .75rem; }
.pair section { min-width: 0; }
figure { margin: .6rem 0 0; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--faint); font: 11px system-ui, 'Liberation Sans', sans-serif; font-variant-numeric: tabular-nums; }
svg .grid { stroke: var(--grid); } svg .axis { stroke: var(--line); }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .5rem 0 0; padding: 0; list-style: none; font-size: .86rem;
  color: var(--soft); }
.key li { min-width: 0; overflow-wrap: anywhere; }
p { overflow-wrap: anywhere; }
.dot { display: inline-block; width: .65rem; height: .65rem; border-radius: .18rem; margin-right: .4rem; }
.k0 { background: var(--c0); fill: var(--c0); } .k1 { background: var(--c1); fill: var(--c1); }
.k2 { background: var(--c2); fill: var(--c2); } .k3 { background: var(--c3); fill: var(--c3); }
.k4 { background: var(--c4); fill: var(--c4); } .k5 { background: var(--c5); fill: var(--c5); }
.k6 { background: var(--c6); fill: var(--c6); } .k7 { background: var(--c7); fill: var(--c7); }
.allow { background: var(--allow); } .denied { background: var(--deny); } .would-deny { background: var(--would); }
.scroll { overflow-x: auto; margin: 0 -.25rem; padding: 0 .25rem; }
table { border-collapse: collapse; width: 100%; margin-top: .5rem; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .38rem .8rem .38rem 0; border-bottom: 1px solid var(--line); }
tr:last-child > * { border-bottom: 0; }
table th:last-child, table td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-size: .8rem; font-weight: 550; white-space: nowrap; }
tbody th { font-weight: 500; }
th.n, td.n { text-align: right; padding-right: 1.5rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.zero { color: var(--faint); }
td.bar { width: 26%; min-width: 6rem; padding-top: .75rem; }
th[scope=row] { min-width: 6.5rem; }
.whole { white-space: nowrap; }
.bar span { display: flex; height: .7rem; gap: 2px; }
.bar i { border-radius: .15rem; min-width: 2px; }
.tag { display: inline-block; border: 1px solid var(--line); border-radius: .35rem; padding: 0 .4rem; margin: .05rem .25rem .05rem 0; }
.none { color: var(--soft); margin: .5rem 0 0; }
footer { color: var(--soft); font-size: .87rem; padding: .75rem .25rem 0; }
footer ul { margin: .2rem 0 0; padding-left: 1.1rem; }
@media (max-width: 50rem) { .scroll table { min-width: 44rem; } figure { overflow-x: auto; } svg { min-width: 34rem; } }
@media print {
  html { font-size: 9.5pt; }
  @page { size: A4; margin: 13mm; }
  :root { color-scheme: light; --page: #fff; --card: #fff; --ink: #000; --soft: #444; --faint: #666; --line: #ccc; --grid: #e2e2e2;
    --accent: #000; --allow: #b9c9e6; --deny: #b8302e; --would: #d2930f; --good: #14663b;
    --deny-ink: #a52523; --would-ink: #7a5200;
    --c0: #b8302e; --c1: #2a78d6; --c2: #e0a11b; --c3: #4a3aa7; --c4: #1b9e77; --c5: #d55a9b; --c6: #e2703a; --c7: #9aa3ae; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 9.5pt; }
  .scroll { overflow: visible; } .scroll table, svg { min-width: 0; }
  main { max-width: none; padding: 0; }
  section { border: 0; border-top: 1px solid var(--line); border-radius: 0; padding: .7rem 0; margin: 0; }
  .tiles { grid-template-columns: repeat(4, 1fr); }
  .pair { display: block; }
  a { text-decoration: none; }
  h2, h3 { break-after: avoid; } tr, .tiles li, figure { break-inside: avoid; } thead { display: table-header-group; }
}
";
