"""The page as one file that opens from disk, with no network.

Script, style and the run's bundle are inside; a content security policy allows those two by their
hashes and nothing else. May import ontogeny.page and ontogeny.files.
"""

import base64
import gzip
import hashlib
import os
import re
from pathlib import Path

from ontogeny.files import plain_words, write_atomically
from ontogeny.page import Where
from ontogeny.page.assets import asset
from ontogeny.page.bundle import Bundle, bundle_run
from ontogeny.run import RunFolder

PAGE = "page.html"
"""The page's place in the folder of a run."""
_SCRIPT = re.compile(r'<script[^>]*\ssrc="([^"]+)"[^>]*></script>')
_STYLE = re.compile(r'<link[^>]*\srel="stylesheet"[^>]*>')
_EFFORT = 6
"""Of gzip: at 9 arrays are two hundredths smaller and take four times as long."""
_HREF = re.compile(r'\shref="([^"]+)"')


def export(run: Where, out: str | os.PathLike[str], *, beside: Where | None = None) -> Path:
    """Write the page of a run as one HTML file.

    Parameters
    ----------
    run
        A run or its folder.
    out
        The file; an existing one is replaced whole.
    beside
        Another run, such as a twin, that the page compares this one with; None: no other.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    RunError
        If there is no run, the page was not built, or there is no room.
    """
    html = one_file(bundle_run(run, beside=beside))
    path = Path(out).absolute()
    with plain_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, html.encode())
    return path


def leave(run: Where) -> Path | None:
    """Write the page of a run that was stopped, in the place where its command would have.

    Returns
    -------
    Path or None
        Of the file; None where there is no run yet.

    Raises
    ------
    RunError
        If the run is damaged, the page was not built, or there is no room.
    """
    folder = RunFolder(run.path if isinstance(run, RunFolder) else run)
    return export(folder, folder.path / PAGE) if folder.began else None


def one_file(given: Bundle) -> str:
    """Return the page with its script, its style and a bundle inside."""
    html = asset("index.html").decode()
    scripts = [asset(name).decode() for name in _SCRIPT.findall(html)]
    styles = [asset(_HREF.findall(link)[0]).decode() for link in _STYLE.findall(html)]
    html = _STYLE.sub("", _SCRIPT.sub("", html))
    scripts = [script.replace("</script", "<\\/script") for script in scripts]
    head = [f'<meta http-equiv="Content-Security-Policy" content="{policy(scripts, styles)}">']
    head += [f"<style>{style}</style>" for style in styles]
    head += [f'<script type="application/json" id="manifest">{given.text()}</script>']
    head += [_embedded(name, data) for name, data in given.blobs.items()]
    body = "".join(f'<script type="module">{script}</script>' for script in scripts)
    html = html.replace("</head>", "".join(head) + "</head>", 1)
    return html.replace("</body>", f"{body}</body>", 1)


def policy(scripts: list[str], styles: list[str]) -> str:
    """Return the content security policy that allows these texts and no others."""
    script, style = (" ".join(map(_digest, texts)) or "'none'" for texts in (scripts, styles))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _embedded(name: str, data: bytes) -> str:
    """Return a blob as a script element that no browser runs."""
    is_image = name.endswith(".jpg")
    packed = data if is_image else gzip.compress(data, _EFFORT, mtime=0)
    encoding = "none" if is_image else "gzip"
    text = base64.b64encode(packed).decode()
    kind = "application/octet-stream;base64"
    return f'<script type="{kind}" id="blob-{name}" data-encoding="{encoding}">{text}</script>'
