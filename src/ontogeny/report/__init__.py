"""report.html: what a run shows, in one file that opens from disk.

Five sentences and a figure come first, then observations by subject, then every figure with what
is seen, its definition and its null.
May import matplotlib, numpy, xarray, ontogeny.plot, ontogeny.measure and below; no torch.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import xarray as xr

from ontogeny.errors import DamagedError, InputError, OntogenyError
from ontogeny.files import plain_words, write_atomically
from ontogeny.measure import measure_run
from ontogeny.measure.layers import PIXELS
from ontogeny.progress import Parts, Progress
from ontogeny.record import WITHOUT_COUPLINGS, open_record
from ontogeny.report import (
    detectors,
    figures,
    first,
    geometry,
    graph,
    observed,
    structure,
    units,
    words,
)
from ontogeny.report.figures import Material, Section
from ontogeny.report.page import Head, page, svg
from ontogeny.run import RunFolder
from ontogeny.statements import Statement, harvest_run

__all__ = ["CHAPTERS", "SECTIONS", "report"]

Draw = Callable[[Material], Section]


def _factors(material: Material) -> Section:
    """Draw which known factors distances follow, where a task has any."""
    if "factor_beyond" not in material.structure:
        msg = "this task has no known factors"
        raise InputError(msg)
    section = geometry.factors(material)
    tested = material.structure["factor_beyond_p"]
    hidden = [n for n in tested["layer"].values.tolist() if n not in {PIXELS, "logits"}]
    share = float((tested.sel(layer=hidden) <= 0.05).mean())
    if share < 2 * 0.05:
        title = (
            "Once tokens, parts and pixels are accounted for, distances follow known factors "
            f"hardly more often than by chance: {words.percent(share)} of the cells pass a null "
            "of 5 %"
        )
        return replace(section, title=title)
    return section


COUPLING = "Coupling"
_FIRST = ("learning curves", "tokens' learning curves")
CHAPTERS: dict[str, dict[str, Draw]] = {
    "Learning": {name: figures.SECTIONS[name] for name in _FIRST},
    "Category structure": {
        **structure.SECTIONS,
        **{name: draw for name, draw in geometry.SECTIONS.items()
           if name != "dimension over scales"},
        "known factors in distances": _factors,
        **{name: draw for name, draw in figures.SECTIONS.items()
           if name not in {*_FIRST, "first-layer filters"}},
    },
    "Detectors": {
        **detectors.SECTIONS, **units.SECTIONS,
        "first-layer filters": figures.SECTIONS["first-layer filters"],
    },
    COUPLING: graph.SECTIONS,
}  # fmt: skip
"""The figures of each chapter in the order of the report; observations come before them."""
SECTIONS = {name: draw for chapter in CHAPTERS.values() for name, draw in chapter.items()}
"""All figures."""


def report(run: RunFolder | str | os.PathLike[str], *, progress: Progress | None = None) -> Path:
    """Write report.html and figures/ of a run; measures that are stale are made first.

    Parameters
    ----------
    run
        A run, or its folder; it needs a record.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Returns
    -------
    Path
        Of report.html. What could not be drawn is named in it with the reason.

    Raises
    ------
    RunError
        If there is no record, or no room.
    InputError
        If the record lacks what the measures need.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.open(run)
    stages = Parts(progress, {"observations": 1, "figures": 4})
    measures = measure_run(folder)
    found, unfound = _observations(folder, stages.of("observations"))
    with open_record(folder.path / "record.zarr") as record:
        material = Material(folder, record, measures)
        chapters, missing = _chapters(material, stages.of("figures"))
        said, key = first.sentences(material), first.key_figure(material)
        missing = unfound + missing
        facts = _facts(folder, record)
    drawn = {name: [(s, svg(s.figure)) for s in each] for name, each in chapters.items()}
    picture = key, svg(key.figure)
    flat = [picture, *(pair for each in drawn.values() for pair in each)]
    with plain_words(folder.path / "figures"):
        (folder.path / "figures").mkdir(exist_ok=True)
    for section, content in flat:
        write_atomically(folder.path / "figures" / f"{section.key}.svg", content)
    head = Head(
        _title(folder, measures), _lead(folder), said, picture, facts, _notices(folder, measures)
    )  # fmt: skip
    keys = [section.key for section, _ in flat]
    lines = None if unfound else observed.lines(found, keys)
    html = page(head, observed=lines, chapters=drawn, missing=missing)
    write_atomically(folder.path / "report.html", html.encode())
    return folder.path / "report.html"


def _observations(folder: RunFolder, progress: Progress) -> tuple[list[Statement], list[str]]:
    """Harvest observations; where part of the record is damaged, say so."""
    try:
        return harvest_run(folder, progress=progress), []
    except DamagedError as error:
        return [], [f"Not shown: observations, since {error}."]


def _chapters(material: Material, progress: Progress) -> tuple[dict[str, list[Section]], list[str]]:
    """Draw what can be drawn; say of the rest why not."""
    chapters: dict[str, list[Section]] = {name: [] for name in CHAPTERS}
    missing, done = [], 0
    for chapter, sections in CHAPTERS.items():
        if chapter == COUPLING and "coupling" not in material.record:
            why = material.record.attrs.get(WITHOUT_COUPLINGS, "the record holds no couplings")
            missing.append(f"Not shown: {', '.join(sections)}. Reason: {why}.")
            continue
        for name, draw in sections.items():
            progress(f"drawing {name}", done, len(SECTIONS))
            done += 1
            try:
                chapters[chapter].append(draw(material))
            except OntogenyError as error:
                missing.append(f"Not shown: {name}, since {error}.")
    return chapters, missing


def _title(folder: RunFolder, measures: xr.Dataset) -> str:
    name = folder.description["task"]["name"]
    last = measures["accuracy"].isel(step=-1).sel(split="probe")
    return (
        f"{name}: {measures.sizes['token']} tokens, {words.percent(float(last))} of held-out "
        f"exemplars classified correctly, chance {words.percent(float(measures['chance']))}"
    )


def _lead(folder: RunFolder) -> str:
    tokens = words.listed([str(name) for name in folder.description["task"]["tokens"]])
    return f"How the network of the run {folder.path.name} learnt to classify {tokens}."


def _facts(folder: RunFolder, record: xr.Dataset) -> dict[str, str]:
    description = folder.description
    task, config = description["task"], description["config"]
    facts = {
        "Training exemplars per token": _density(task["density"]),
        "Held-out exemplars": f"{int((record['exemplar_split'] == 'probe').sum()):,}",
        "Images": " x ".join(map(str, [*task["size"], task["channels"]])) if task["size"] else "",
        "Parameters": f"{description['parameters']:,}",
        "Steps": f"{int(record['step'][-1]):,} of {config['steps']:,}",
        "Snapshots": f"{record.sizes['step']:,}",
        "Seed": "" if config["seed"] is None else str(config["seed"]),
    }
    return {name: words for name, words in facts.items() if words}


def _density(density: Mapping[str, int]) -> str:
    """Say how many training exemplars tokens have; nothing where somebody's own loop knows."""
    counts = sorted(density.values())
    if not counts:
        return ""
    return f"{counts[0]:,}" if counts[0] == counts[-1] else f"{counts[0]:,} to {counts[-1]:,}"


def _notices(folder: RunFolder, measures: xr.Dataset) -> list[str]:
    """Say what the reader must know before believing a figure."""
    notices, description = [], folder.description
    if folder.state == "failed":
        notices.append(f"This run failed: {description['failure']}. It is shown up to there.")
    elif folder.state != "complete":
        notices.append("This run is not complete: it is shown as far as it was recorded.")
    if folder.is_quick:
        notices.append(
            "This is a quick run: it has fewer steps, snapshots and held-out exemplars than a "
            "default run, so its intervals are wide and fewer statements pass their null."
        )
    if measures.sizes["step"] < int(measures.attrs["hold"]):
        notices.append(
            f"The number of recorded snapshots is {measures.sizes['step']}; an onset needs "
            f"{measures.attrs['hold']}, so none can be found."
        )
    notices += [str(warning) for warning in description.get("warnings", [])]
    return notices
