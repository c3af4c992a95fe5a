// pure

/** The only style of the page; its hash is in the Content-Security-Policy. Contrasts are at least those of WCAG AA. */
export const style = `
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2127;--dim:#59636e;--line:#d5dae0;--card:#f6f8fa;--bad:#b42318;--warn:#8a5300;--good:#1a6f37;--bar:#0b62c4;--grid:#c3cad2}
@media(prefers-color-scheme:dark){:root{--bg:#0f1419;--fg:#e3e8ee;--dim:#9ba7b4;--line:#2f3944;--card:#171d24;--bad:#ff8a80;--warn:#f2b75c;--good:#6fcf8e;--bar:#64a8ff;--grid:#3d4854}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1rem;background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.35rem;margin:0}h2{font-size:1.1rem;margin:1.8rem 0 .6rem}h3{font-size:1rem;margin:0 0 .4rem}
p{margin:.3rem 0}a{color:var(--bar)}.dim{color:var(--dim)}.bad{color:var(--bad)}.warn{color:var(--warn)}.good{color:var(--good)}
.big{font-size:1.05rem;font-weight:600;margin:.6rem 0}
.cards{display:grid;align-items:start;gap:.8rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.8rem}
ul{list-style:none;margin:0;padding:0}li{border-top:1px solid var(--line);padding:.45rem 0}li:first-child{border-top:0}
.row{display:flex;flex-wrap:wrap;gap:0 .8rem;justify-content:space-between}.row b{font-weight:600}
svg{display:block;width:100%;max-width:32rem;height:auto;margin:.4rem 0}.area{fill:var(--bar);fill-opacity:.22}.edge{fill:none;stroke:var(--bar);stroke-width:2}
.grid{stroke:var(--grid);stroke-width:1}.axis{fill:var(--dim);font-size:12px}
`;
