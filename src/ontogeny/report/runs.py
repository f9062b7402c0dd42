"""One page on several runs: what holds in how many of them, how alike they end, which units match.

May import matplotlib, numpy, xarray, ontogeny.plot, ontogeny.statements, ontogeny.measure.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from html import escape
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ontogeny.errors import InputError
from ontogeny.files import write_atomically
from ontogeny.measure import match_units, noise_ceiling, run_similarity
from ontogeny.plot.matching import match_levels
from ontogeny.progress import Parts, Progress, silent
from ontogeny.record import open_record
from ontogeny.report import geometry
from ontogeny.report.figures import Section
from ontogeny.report.observed import number
from ontogeny.report.page import document, section_html, svg
from ontogeny.run import RunFolder
from ontogeny.statements import Holding, harvest_run, holding
from ontogeny.statements.words import percent

_BESIDE = "runs beside each other"
_SUFFIX = "_within"


def report_runs(
    runs: Sequence[RunFolder | str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
) -> Path:
    """Write one page on several runs; return the file.

    It says which observations hold in how many runs and, where the runs share their task, how alike
    their layers end, the noise ceiling, and how well the units of the first run find partners in
    the others.

    Parameters
    ----------
    runs
        Two or more runs, or their folders, each with a record.
    out
        The HTML file.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Raises
    ------
    InputError
        If there are fewer than two runs.
    RunError
        If a run has no record, or there is no room.
    """
    if len(runs) < 2:
        msg = f"expected at least 2 runs, got {len(runs)}: name another run as well"
        raise InputError(msg)
    folders = _named([r if isinstance(r, RunFolder) else RunFolder.open(r) for r in runs])
    parts = Parts(progress, {**dict.fromkeys(folders, 1), _BESIDE: 1})
    found = {name: harvest_run(folder, progress=parts.of(name)) for name, folder in folders.items()}
    sections, notices = _compared(folders, parts.of(_BESIDE))
    rows = holding(found)
    body = (
        f"<header><h1>{escape(_title(rows, len(folders)))}</h1>"
        f'<p class="lead">{escape(", ".join(folders))}</p>'
        + "".join(f'<p class="notice">{escape(notice)}</p>' for notice in notices)
        + f"</header>{_table(rows)}"
        + ("<h2>How alike the runs are</h2>" if sections else "")
        + "".join(section_html(section, svg(section.figure)) for section in sections)
    )
    file = Path(out)
    footer = "A statement holds in a run if it survives its null there; see the run's own report."
    write_atomically(file, document("Several runs", body, footer).encode())
    return file


def matching(records: Mapping[str, xr.Dataset], progress: Progress | None = None) -> xr.Dataset:
    """Match the units of the first run with those of each other, layer by layer, at the end.

    Returns
    -------
    xr.Dataset
        Over (pair, layer): `correlation_within` and `null_mean_within`, means over units of
        |correlation| within tokens of matched units and of those matched to shuffled exemplars;
        `matched`, the share of units beyond their threshold (1 % by chance). Over pair: `run_b`.

    Raises
    ------
    InputError
        If the records are not of one task and probe.
    """
    (_, first), *others = records.items()
    layers = [str(name) for name in first.attrs["layers"] if str(name) != "logits"]
    say, rows = progress or silent, []
    for name, other in others:
        say(f"matching units with {name}", len(rows), len(others))
        rows.append([_match(match_units(first, other, layer)) for layer in layers])
    table = np.array(rows)
    keys = ("correlation_within", "null_mean_within", "matched")
    return xr.Dataset(
        {key: (("pair", "layer"), table[..., k]) for k, key in enumerate(keys)},
        {"layer": layers, "run_b": ("pair", [name for name, _ in others])},
    )


def _match(found: xr.Dataset) -> tuple[float, float, float]:
    size = np.abs(found[f"correlation{_SUFFIX}"].values)
    fine = np.isfinite(size)
    if not fine.any():
        return np.nan, np.nan, np.nan
    null, bound = (found[f"{n}{_SUFFIX}"].values[fine] for n in ("null_mean", "threshold"))
    return float(size[fine].mean()), float(np.nanmean(null)), float(np.mean(size[fine] > bound))


def match_section(found: xr.Dataset) -> Section:
    """Draw how well units find partners in other runs."""
    figure = Figure(figsize=(9.6, 3.0), layout="constrained")
    match_levels(found, figure.subplots())
    share = found["matched"].mean("pair")
    best, worst = (str(getattr(share, end)("layer").values) for end in ("idxmax", "idxmin"))
    high, low = (percent(float(share.sel(layer=n))) for n in (best, worst))
    title = f"Units find a partner in another run most often in {best} ({high})"
    return Section(
        "matching", title if best == worst else f"{title}, least in {worst} ({low})", figure,
        "Units are matched by their responses, never by their index; by chance 1 % pass.",
        "The units of a layer of the first run and of another are paired so that the sum of "
        "|correlation| of their responses over the held-out exemplars is largest; token means are "
        "removed, so that a partner shares more than the token to which it responds.",
        "The other run's exemplars shuffled within tokens, groups whole, and units paired again.",
    )  # fmt: skip


def _compared(
    folders: Mapping[str, RunFolder], progress: Progress
) -> tuple[list[Section], list[str]]:
    """Draw what compares runs of one task; say why not of others."""
    with ExitStack() as stack:
        records = {name: stack.enter_context(open_record(folder.path / "record.zarr"))
                   for name, folder in folders.items()}  # fmt: skip
        try:
            parts = Parts(progress, {"likeness": 1, "ceiling": 1, "matching": 1})
            alike = run_similarity(records, progress=parts.of("likeness"))
            ceiling = noise_ceiling(records, progress=parts.of("ceiling"))
            matched = matching(records, parts.of("matching"))
            return [geometry.runs(alike, ceiling), match_section(matched)], []
        except InputError as error:
            return [], [f"Layers and units are not compared: {error}."]


def _named(folders: Sequence[RunFolder]) -> dict[str, RunFolder]:
    """Name runs by their folders; those of one name by their whole paths."""
    names = [folder.path.name for folder in folders]
    return {name if names.count(name) == 1 else str(folder.path): folder
            for name, folder in zip(names, folders, strict=True)}  # fmt: skip


def _title(rows: Sequence[Holding], n_runs: int) -> str:
    all_of = sum(len(row.runs) == n_runs for row in rows)
    every = "both runs" if n_runs == 2 else f"all {n_runs} runs"
    return f"{all_of} of {len(rows)} statements hold in {every}"


def _table(rows: Sequence[Holding]) -> str:
    """Return the statements as an HTML list, one item a kind, those that hold most often first."""
    kinds: dict[str, list[Holding]] = {}
    for row in rows:
        kinds.setdefault(row.kind, []).append(row)
    items = "".join(_item(kind, of_kind) for kind, of_kind in kinds.items())
    return f'<h2>What holds in how many runs</h2><ul class="observed">{items}</ul>'


def _item(kind: str, rows: Sequence[Holding]) -> str:
    """Say of one kind which subjects it holds of, by runs, with the strongest one in words."""
    by_runs: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        by_runs.setdefault(row.runs, []).append(row.subject)
    n_runs, parts = rows[0].n_runs, []
    for names, subjects in by_runs.items():
        which = "" if len(names) == n_runs else f" ({', '.join(names)})"
        parts.append(f"{' · '.join(subjects)}: {len(names)} of {n_runs}{which}")
    first = rows[0]
    effects = " to ".join(dict.fromkeys(number(v) for v in (first.low, first.high)))
    example = f"{first.text} Effect {effects}."
    return (
        f"<li><b>{escape(kind[:1].upper() + kind[1:])}</b> {escape('; '.join(parts))}"
        f"<small>{escape(example)}</small></li>"
    )
