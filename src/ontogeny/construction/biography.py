"""One detector's life: in one picture, a dozen sentences, and the numbers behind both.

May import matplotlib, xarray, all of ontogeny.construction, ontogeny.plot, ontogeny.statements,
ontogeny.pictures, ontogeny.measure, ontogeny.record and ontogeny.run.
"""

import base64
import html
import io
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr
from matplotlib.figure import Figure

from ontogeny.construction.gallery import gallery
from ontogeny.construction.life import Sources, life
from ontogeny.construction.rollback import roll_back
from ontogeny.construction.telling import tell
from ontogeny.construction.tokens import token_life
from ontogeny.errors import InputError, RunError
from ontogeny.files import write_atomically
from ontogeny.measure.sets import measure_run, open_measures
from ontogeny.model import LOGITS
from ontogeny.pictures.album import Album, open_album
from ontogeny.plot.biography import Gallery, biography_page
from ontogeny.progress import Progress, silent
from ontogeny.record import NAME, RECOMBINED, open_record
from ontogeny.statements.onsets import ENDS, onsets_of
from ontogeny.train import Run, with_network

__all__ = ["Biography", "biography"]

_DPI = 150
_STYLE = (
    "body{font:16px/1.5 sans-serif;color:#2b2b2b;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "img{width:100%}"
)


@dataclass(frozen=True, eq=False)
class Biography:
    """One detector's life.

    Examples
    --------
    >>> told = ont.biography(run, "conv2:3")
    >>> told.name, sorted(told.data.sizes)[:3]
    ('conv2:3', ['child', 'control', 'edge_step'])
    """

    name: str
    sentences: tuple[str, ...]
    """What its numbers support, each with what chance gives."""
    data: xr.Dataset
    """The numbers, with their definitions."""
    gallery: Gallery = field(repr=False)
    """The pictures along the way, and those of parents and children."""

    def draw(self) -> Figure:
        """Draw the life on one page."""
        return biography_page(self.data, self.gallery)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the figure (.png, .svg, .pdf), or figure and sentences (.html).

        Raises
        ------
        InputError
            If the name ends otherwise.
        """
        out, kind = Path(path), Path(path).suffix.lower().removeprefix(".")
        if kind not in {"png", "svg", "pdf", "html"}:
            msg = f"expected a file .png, .svg, .pdf or .html, got {out.name}: name it so"
            raise InputError(msg)
        out.parent.mkdir(parents=True, exist_ok=True)
        content = self._page().encode() if kind == "html" else self._image(kind)
        write_atomically(out, content)
        return out

    def to_dict(self) -> dict[str, object]:
        """Return name, sentences and data as JSON holds them; missing and infinite is null."""
        every = {str(n): v for n, v in {**self.data.coords, **self.data.data_vars}.items()}
        values = {
            n: {"dims": list(v.dims), "values": _plain(v.values.tolist())} for n, v in every.items()
        }
        return {"name": self.name, "sentences": list(self.sentences), "data": values}

    def _repr_html_(self) -> str:
        """Return the figure and the sentences for a notebook."""
        shown = base64.b64encode(self._image("png")).decode()
        said = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in self.sentences)
        name = html.escape(self.name)
        return f'<img alt="The life of {name}" src="data:image/png;base64,{shown}"/><ul>{said}</ul>'

    def _page(self) -> str:
        name = html.escape(self.name)
        return (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
            f"<style>{_STYLE}</style></head><body>{self._repr_html_()}</body></html>"
        )

    def _image(self, kind: str) -> bytes:
        buffer = io.BytesIO()
        self.draw().savefig(buffer, format=kind, dpi=_DPI)
        return buffer.getvalue()


def biography(
    run: Run | str | os.PathLike[str], unit: str, *, progress: Progress | None = None
) -> Biography:
    """Tell one detector's life: inherited, constructed, from which parents, and what for.

    Parameters
    ----------
    run
        A run with a record, or its folder; opened with its network where that is your own class.
    unit
        "layer:channel"; or a token, whose logit and feature are told of.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Returns
    -------
    Biography
        `sentences`, each with its number and what chance gives; `data`, the numbers, among them
        what `roll_back` gives, over `rolled_step`; `draw()`, all on one page. What the run lacks
        (recombinations, weights, pictures, measures) is left out, and the last sentences say so.

    Raises
    ------
    InputError
        If there is no such unit or token, or the exemplars have no tokens.
    RunError
        If there is no run or no record.

    Examples
    --------
    >>> print(ont.biography(run, "cleo").sentences[0].split(",")[0])
    logits:2 is the logit of cleo
    """
    folder, say = with_network(run), progress or silent
    with open_record(folder.path / NAME) as record:
        token = unit if unit in record["token"].values.astype(str) else ""
        name = _logit(record, token) if token else unit
        missing: list[str] = []
        sources = _sources(folder, record, missing, say)
        say("life", 1, 4)
        data = life(sources, name)
        if token:
            data = _with_token(folder, sources, data, token)
        say("rolling back", 2, 4)
        data = _with_rollback(folder, data, missing)
        say("pictures", 3, 4)
        pictures = gallery(record, _album(folder, record, missing), data)
        say("biography", 4, 4)
    return Biography(unit, tell(data, missing), data, pictures)


def _logit(record: xr.Dataset, token: str) -> str:
    """Return the unit of a token's logit: that of its number in the last layer."""
    layer = record.attrs["layers"][-1] if record.attrs["layers"] else LOGITS
    return f"{layer}:{record['token'].values.astype(str).tolist().index(token)}"


def _sources(run: Run, record: xr.Dataset, missing: list[str], say: Progress) -> Sources:
    """Return the measures that there are; note what there is not."""
    gains = None
    if RECOMBINED in record:
        gains = measure_run(run, "gains", progress=say)
    else:
        why = record.attrs.get("without_couplings") or "it was observed without them"
        missing.append(
            "What it inherited and what it added cannot be told, as the record has no "
            f"recombinations: {why}."
        )
    return Sources(record, gains, _kept(run, "detectors", missing))


def _kept(run: Run, name: str, missing: list[str]) -> xr.Dataset | None:
    """Return a set of measures if it is there and fresh; note if it is not."""
    try:
        return open_measures(run, name)
    except RunError as error:
        missing.append(f"When it was tuned cannot be told: {error}.")
        return None


def _with_token(run: Run, sources: Sources, data: xr.Dataset, token: str) -> xr.Dataset:
    """Add a token's read-outs, its detectors and the onset of its accuracy."""
    if sources.gains is not None:
        data = data.merge(token_life(sources.gains, token), combine_attrs="override")
    about: dict[str, object] = {"token": token}
    try:
        onsets = {o.name: o for o in onsets_of(open_measures(run), "token")}
    except RunError:
        onsets = {}
    if token in onsets:
        about["accuracy_onset"] = [getattr(onsets[token], end) for end in ENDS]
    return data.assign_attrs(about)


def _with_rollback(run: Run, data: xr.Dataset, missing: list[str]) -> xr.Dataset:
    """Add what happens when the unit alone is rolled back; note why it cannot be told."""
    if "kind" not in data:
        return data
    try:
        found = roll_back(run, data.attrs["unit"])
    except (InputError, RunError) as error:
        missing.append(f"What rolling it back does cannot be told: {error}.")
        return data
    found = found.rename(step="rolled_step")
    return data.merge(found, combine_attrs="no_conflicts")


def _album(run: Run, record: xr.Dataset, missing: list[str]) -> Album | None:
    try:
        return open_album(run, record)
    except (InputError, RunError) as error:
        missing.append(f"Its preferred pictures are not shown: {error}.")
        return None


def _plain(values: object) -> object:
    """Return nested lists as JSON holds them: what is missing or infinite is null."""
    if isinstance(values, list):
        return [_plain(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
