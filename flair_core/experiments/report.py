"""Records as one HTML file that needs nothing beside it: tables, plots, pictures and videos are inside."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import TYPE_CHECKING

from flair_core.errors import MediaError
from flair_core.experiments import draw, record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flair_core.experiments.record import Finding, Illustration, Record, Table

KINDS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".svg": "image/svg+xml",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}
STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #656d76; --back: #ffffff; --ink: #1f2328; --good: #1a7f37;
  --bad: #bc4c00; --panel: #f6f8fa }
@media (prefers-color-scheme: dark) { :root { --line: #30363d; --soft: #8b949e; --back: #0d1117; --ink: #e6edf3;
  --good: #3fb950; --bad: #db6d28; --panel: #161b22 } }
body { font: 15px/1.55 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto 4rem; padding: 0 1.25rem;
  color: var(--ink); background: var(--back) }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { font-size: 1.35rem; margin-top: 3rem; border-top: 1px solid
  var(--line); padding-top: 1.5rem } h3 { font-size: 1rem; margin: 1.6rem 0 .4rem }
p.text { max-width: 46rem } .soft { color: var(--soft); font-size: .9rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .3rem 0 1rem }
th, td { padding: .28rem .8rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child { text-align: left } th { font-weight: 600; color: var(--soft) }
td.best { font-weight: 700 }
.plots { display: flex; flex-wrap: wrap; gap: 1rem } .plots figure { margin: 0; background: #fff; border: 1px solid
  var(--line); border-radius: 6px; padding: .4rem } .plots svg { width: 25rem; height: auto; display: block }
figure { margin: 1rem 0 } figcaption { color: var(--soft); font-size: .85rem }
img, video { max-width: 100%; border-radius: 4px; display: block }
ul.findings { list-style: none; padding: 0 } ul.findings li { padding: .25rem 0 .25rem 1.6rem; text-indent: -1.6rem }
.holds { color: var(--good) } .fails { color: var(--bad) }
pre { background: var(--panel); padding: .8rem; border-radius: 6px; overflow-x: auto; font-size: .8rem }
nav a { margin-right: 1rem; color: inherit }
"""


def report(folders: Sequence[Path], title: str) -> str:
    """The records in some folders as one HTML document. Raises MediaError when one can't be read, FlairError
    when plots can't be drawn."""
    records = [record.read(folder) for folder in folders]
    links = "".join(f'<a href="#r{at}">{escape(found.title)}</a>' for at, found in enumerate(records))
    body = "".join(
        _section(found, folder, at) for at, (found, folder) in enumerate(zip(records, folders, strict=True))
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>"
        f"{f'<nav class=soft>{links}</nav>' if len(records) > 1 else ''}{body}</body></html>\n"
    )


def _section(found: Record, folder: Path, at: int) -> str:
    parts = [f'<h2 id="r{at}">{escape(found.title)}</h2><p class="text">{escape(found.text)}</p>']
    if found.findings:
        parts.append(f'<h3>Findings</h3><ul class="findings">{"".join(map(_finding, found.findings))}</ul>')
    if found.plots:
        drawn = "".join(
            f"<figure>{_inline(draw.svg(plot), f'r{at}p{i}')}</figure>" for i, plot in enumerate(found.plots)
        )
        parts.append(f'<div class="plots">{drawn}</div>')
    parts += [_table(table) for table in found.tables]
    parts += [_picture(picture, folder) for picture in found.pictures]
    parts += [f'<p class="soft">{escape(note)}</p>' for note in found.notes]
    made = escape(json.dumps(found.made, indent=2, ensure_ascii=False))
    parts.append(f'<details class="soft"><summary>How it was made</summary><pre>{made}</pre></details>')
    return "<section>" + "\n".join(parts) + "</section>\n"


def _finding(finding: Finding) -> str:
    mark, kind, word = ("✔", "holds", "holds") if finding.holds else ("✘", "fails", "does not hold")
    return (
        f'<li><span class="{kind}" role="img" aria-label="{word}">{mark}</span> '
        f'&nbsp;{escape(finding.claim)} <span class="soft">{escape(finding.seen)}</span></li>'
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column.head)}</th>" for column in table.columns)
    rows = []
    for name, values in table.rows:
        cells = "".join(
            f"<td{' class=best' if value is not None and value == table.best(at) else ''}>{record.number(value)}</td>"
            for at, value in enumerate(values, 1)
        )
        rows.append(f"<tr><td>{escape(name)}</td>{cells}</tr>")
    return (
        f'<h3>{escape(table.title)}</h3><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _picture(picture: Illustration, folder: Path) -> str:
    path = folder / picture.file
    try:
        data = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise MediaError(f"{path}, which the record names, can't be read ({error.strerror}).") from None
    kind, caption = KINDS[path.suffix.lower()], escape(picture.caption)
    url = f"data:{kind};base64,{data}"
    shown = (
        f'<video controls loop muted preload="metadata" src="{url}"></video>'
        if kind.startswith("video/")
        else f'<img alt="{caption}" src="{url}">'
    )
    return f"<figure>{shown}<figcaption>{caption}</figcaption></figure>"


def _inline(svg: str, prefix: str) -> str:
    """An SVG document as an element, its names made unique in the page."""
    element = svg[svg.index("<svg") :]
    for name in ('id="', 'href="#', "url(#"):
        element = element.replace(name, name + prefix)
    return element
