"""The report as one HTML file: text escaped, figures inside, readable in light and dark."""

import base64
import io
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ontogeny.report.figures import Section

STYLE = """
:root{color-scheme:light dark;--ink:#222;--faint:#6b6b6b;--paper:#fbfbf9;--line:#e3e3df}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e4;--faint:#a3a39d;--paper:#17181a;
--line:#34363a}figure img{filter:brightness(.9)}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:62rem;margin:0 auto;padding:3rem 1.25rem 5rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .4rem;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.2rem;line-height:1.35;margin:0 0 .8rem;overflow-wrap:anywhere}
.lead{color:var(--faint);margin:0 0 1.6rem}
.answers{padding-left:1.2rem;margin:0 0 1.6rem}.answers li{margin:.35rem 0}
dl.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:1rem;
border-top:1px solid var(--line);border-bottom:1px solid var(--line);padding:1rem 0;margin:0 0 3rem}
dt{color:var(--faint);font-size:.8rem}dd{margin:0;font-weight:600;overflow-wrap:anywhere}
section{margin:0 0 3.6rem}figure{margin:0}
figure img{display:block;width:100%;height:auto;background:#fff;border-radius:6px;
padding:.6rem}
figcaption{font-size:.9rem;margin-top:.7rem;max-width:52rem}
figcaption p{margin:.35rem 0}figcaption b{font-weight:600}.how{color:var(--faint)}
.notice{border-left:3px solid #d55e00;padding:.2rem .9rem;margin:0 0 1.6rem}
footer{color:var(--faint);font-size:.85rem;border-top:1px solid var(--line);padding-top:1rem}
"""


def page(
    title: str,
    *,
    lead: str,
    answers: list[str],
    facts: dict[str, str],
    sections: list[tuple[Section, bytes]],
    notices: list[str],
) -> str:
    """Return the report's HTML; every text is escaped, `sections` bring their SVG."""
    items = "".join(f"<li>{escape(answer)}</li>" for answer in answers)
    rows = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
    warned = "".join(f'<p class="notice">{escape(notice)}</p>' for notice in notices)
    body = "".join(_section(section, svg) for section, svg in sections)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>"
        f'<header><h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>{warned}'
        f'<ul class="answers">{items}</ul><dl class="facts">{rows}</dl></header>{body}'
        "<footer>Made by Ontogeny. Onsets are intervals between snapshots; the numbers are in "
        "measures.zarr beside this file.</footer></main></body></html>\n"
    )


def svg(figure: Figure) -> bytes:
    """Draw a figure as SVG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    settings: Any = {
        "svg.hashsalt": "ontogeny",
        "svg.fonttype": "path",
        "image.composite_image": False,
    }
    with mpl.rc_context(settings):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=False)
    return buffer.getvalue()


def _section(section: Section, drawn: bytes) -> str:
    source = base64.b64encode(drawn).decode()
    width, height = (96 * inches for inches in section.figure.get_size_inches())
    return (
        f'<section id="{escape(section.key)}"><h2>{escape(section.title)}</h2><figure>'
        f'<img loading="lazy" decoding="async" width="{width:.0f}" height="{height:.0f}" '
        f'alt="{escape(section.title)}" src="data:image/svg+xml;base64,{source}">'
        f"<figcaption><p>{escape(section.seen)}</p>"
        f'<p class="how"><b>Definition.</b> {escape(section.definition)}</p>'
        f'<p class="how"><b>Null.</b> {escape(section.null)}</p></figcaption></figure></section>'
    )
