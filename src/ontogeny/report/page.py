"""The report as one HTML file: text escaped, figures inside, readable in light and dark."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape as _escape
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from ontogeny.plot.style import legible
from ontogeny.report.figures import Section
from ontogeny.report.observed import Line

POINTS = 72
"""Dots per inch of SVG."""

STYLE = """
:root{color-scheme:light dark;--ink:#222;--faint:#6b6b6b;--paper:#fbfbf9;--line:#e3e3df}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e4;--faint:#a3a39d;--paper:#17181a;
--line:#34363a}figure img{filter:brightness(.9)}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:62rem;margin:0 auto;padding:3rem 1.25rem 5rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .4rem;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.45rem;line-height:1.3;margin:3.2rem 0 1.4rem;padding-top:1rem;
border-top:1px solid var(--line)}
h3{font-size:1.15rem;line-height:1.35;margin:0 0 .8rem;overflow-wrap:anywhere}
nav{font-size:.9rem;margin:0 0 1.4rem}nav a{margin-right:1.1rem}
a{color:inherit;text-decoration-color:var(--faint);text-underline-offset:.15em}
.observed{padding-left:1.6rem;margin:0}.observed li{margin:0 0 .75rem}
.observed small{display:block;color:var(--faint);font-size:.8rem;line-height:1.4}
summary{cursor:pointer;margin:.6rem 0 1rem}summary:focus-visible{outline:2px solid;
outline-offset:.2rem}.first{margin:0 0 2rem}
.lead{color:var(--faint);margin:0 0 1.6rem}
.answers{padding-left:1.4rem;margin:0 0 1.8rem;max-width:52rem}.answers li{margin:.45rem 0;
padding-left:.2rem}
dl.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(7rem,1fr));gap:1rem;
border-top:1px solid var(--line);border-bottom:1px solid var(--line);padding:1rem 0;margin:0 0 3rem}
dt{color:var(--faint);font-size:.8rem}dd{margin:0;font-weight:600;overflow-wrap:anywhere}
section{margin:0 0 3.6rem}figure{margin:0}
figure img{display:block;width:100%;height:auto;background:#fff;border-radius:6px;
padding:.6rem}
figcaption{font-size:.9rem;margin-top:.7rem;max-width:52rem}
figcaption p{margin:.35rem 0}figcaption b{font-weight:600}.how{color:var(--faint)}
.notice{border-left:3px solid #d55e00;padding:.2rem .9rem;margin:0 0 1.6rem}
@media(max-width:36rem){main{padding:1.6rem .9rem 3rem}h1{font-size:1.45rem}
.wide{overflow-x:auto}.wide img{min-width:34rem}}
@media print{main{max-width:none;padding:0}nav,summary{list-style:none}
details::details-content{content-visibility:visible;block-size:auto}
section,li{break-inside:avoid}h2,h3{break-after:avoid}}
footer{color:var(--faint);font-size:.85rem;border-top:1px solid var(--line);padding-top:1rem}
"""


def escape(text: str) -> str:
    """Return a text as HTML in which a number stays on one line with its per cent sign."""
    return _escape(text).replace(" %", "&nbsp;%")


@dataclass(frozen=True)
class Head:
    """What stands above the chapters."""

    title: str
    lead: str
    sentences: list[str]
    picture: tuple[Section, bytes]
    """The key figure."""
    facts: dict[str, str]
    notices: list[str]


def page(
    head: Head,
    *,
    observed: Mapping[str, list[Line]] | None,
    chapters: dict[str, list[tuple[Section, bytes]]],
    missing: list[str],
) -> str:
    """Return the report's HTML; every text is escaped, sections bring their SVG."""
    chapters = {name: drawn for name, drawn in chapters.items() if drawn}
    names = ["What was observed", *chapters]
    links = "".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name in names)
    body = "".join(_chapter(name, drawn) for name, drawn in chapters.items())
    left_out = "".join(f"<li>{escape(words)}</li>" for words in missing)
    return document(
        head.title,
        f"{_header(head, links)}{observations(observed)}{body}"
        + (f"<details><summary>Figures that are not shown</summary><ul>{left_out}</ul></details>"
           if missing else ""),
        "Onsets are intervals between snapshots; the numbers are in the .zarr folders beside this "
        "file.",
    )  # fmt: skip


def document(title: str, body: str, footer: str) -> str:
    """Return a whole HTML document that needs nothing beside it; `body` is HTML."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>{body}"
        f"<footer>Made by Ontogeny. {escape(footer)}</footer></main></body></html>\n"
    )


def _header(head: Head, links: str) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in head.sentences)
    rows = "".join(
        f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in head.facts.items()
    )
    warned = "".join(f'<p class="notice">{escape(notice)}</p>' for notice in head.notices)
    return (
        f'<header><h1>{escape(head.title)}</h1><p class="lead">{escape(head.lead)}</p>{warned}'
        f'<ol class="answers">{items}</ol>{section_html(*head.picture)}<nav>{links}</nav>'
        f'<dl class="facts">{rows}</dl></header>'
    )


def observations(found: Mapping[str, list[Line]] | None) -> str:
    """Return observations by chapter as HTML, each chapter folded; they unfold without a script.

    None where they could not be found; the reason stands with all that is not shown.
    """
    if found is None:
        title = "What was observed"
        return f'<h2 id="{_anchor(title)}">{title}</h2><p>Not shown: the reason stands below.</p>'
    folded = "".join(
        f"<details><summary>{escape(subject)}: {_number(len(lines))}</summary>{_list(lines)}"
        "</details>"
        for subject, lines in found.items()
    )
    said = folded or "<p>No statement survives its null.</p>"
    return (
        f'<h2 id="{_anchor("What was observed")}">What was observed</h2>'
        "<p>Every statement survives its null. The statements of a chapter are ordered by the size "
        "of their effect against the bound of the null, the strongest of every kind before the "
        f"second of any.</p>{said}"
    )


def _number(lines: int) -> str:
    return f"{lines} statement{'' if lines == 1 else 's'}"


def _list(found: list[Line]) -> str:
    items = "".join(
        f"<li>{escape(line.text)}{_link(line)}<small>{escape(line.evidence)}</small></li>"
        for line in found
    )
    return f'<ol class="observed">{items}</ol>'


def _link(line: Line) -> str:
    return f' <a href="#{escape(line.figure)}">figure</a>' if line.figure else ""


def _anchor(chapter: str) -> str:
    return "chapter-" + chapter.lower().replace(" ", "-")


def _chapter(name: str, drawn: list[tuple[Section, bytes]]) -> str:
    body = "".join(section_html(section, svg) for section, svg in drawn)
    return f'<h2 id="{_anchor(name)}">{escape(name)}</h2>{body}'


def svg(figure: Figure) -> bytes:
    """Draw a figure as SVG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    settings: Any = {
        "svg.hashsalt": "ontogeny",
        "svg.fonttype": "path",
        "image.composite_image": False,
    }
    with mpl.rc_context(settings):
        laid_out(legible(figure)).savefig(
            buffer, format="svg", metadata={"Date": None}, transparent=False
        )
    return buffer.getvalue()


def laid_out(figure: Figure) -> Figure:
    """Lay a figure out for SVG, once: to save it would draw it whole to find its layout."""
    engine = figure.get_layout_engine()
    if engine is not None:
        FigureCanvasSVG(figure)
        dpi = figure.dpi
        figure.dpi = POINTS
        engine.execute(figure)
        figure.set_layout_engine(None)
        figure.dpi = dpi
    return figure


def section_html(section: Section, drawn: bytes) -> str:
    """Return a figure with its title and caption."""
    source = base64.b64encode(drawn).decode()
    seen = "".join(f"<p>{escape(line)}</p>" for line in section.seen.splitlines())
    title = section.title.rstrip(".")
    width, height = (96 * inches for inches in section.figure.get_size_inches())
    return (
        f'<section id="{escape(section.key)}"><h3>{escape(title)}</h3><figure><div class="wide">'
        f'<img loading="lazy" decoding="async" width="{width:.0f}" height="{height:.0f}" '
        f'alt="{escape(title)}" src="data:image/svg+xml;base64,{source}"></div>'
        f"<figcaption>{seen}"
        f'<p class="how"><b>Definition.</b> {escape(section.definition)}</p>'
        f'<p class="how"><b>Null.</b> {escape(section.null)}</p></figcaption></figure></section>'
    )
