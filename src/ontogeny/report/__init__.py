"""report.html: what a run shows, in one file that opens from disk.

Sentences and a figure come first (what was constructed, what was learnt), then observations by
subject, then every figure with what is seen, its definition and its null.
May import matplotlib, numpy, xarray, ontogeny.plot, ontogeny.measure and below; no torch.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import xarray as xr

from ontogeny.errors import DamagedError, OntogenyError
from ontogeny.files import plain_words, write_atomically
from ontogeny.progress import Parts, Progress
from ontogeny.record import WITHOUT_COUPLINGS, open_record
from ontogeny.report import categories as structure
from ontogeny.report import construction, detectors, first, geometry, learning, observed, units
from ontogeny.report import couplings as graph
from ontogeny.report.figures import Material, Section, Shown
from ontogeny.report.page import Head, page, svg
from ontogeny.run import RunFolder
from ontogeny.statements import Statement, findings_of, first_sentences, write
from ontogeny.statements.words import listed, percent

__all__ = ["CHAPTERS", "FIGURES", "report"]

COUPLING = "Couplings"
CONSTRUCTION = "Construction"
CHAPTERS = (CONSTRUCTION, "Learning", "Category structure", "Detectors", COUPLING)
"""In the order of the report; observations come before them."""
FIGURES: tuple[Shown, ...] = (
    *construction.FIGURES, *structure.FIGURES, *geometry.FIGURES, *detectors.FIGURES,
    *units.FIGURES, *learning.FIGURES, *graph.FIGURES,
)  # fmt: skip
"""All figures, those of a chapter in their order."""
_COUPLED = {CONSTRUCTION, COUPLING}
"""Chapters of which a network without couplings has nothing."""
_CHAPTER_OF = {one.key: one.chapter for name in CHAPTERS for one in FIGURES if one.chapter == name}


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
    with open_record(folder.path / "record.zarr") as record:
        findings = findings_of(folder, record, progress=stages.of("observations"))
        material = Material(folder, findings)
        found, missing = _observations(material)
        chapters, undrawn = _chapters(material, stages.of("figures"))
        key = first.key_figure(material)
        head = Head(
            _title(folder, findings["measures"]), _lead(folder), first_sentences(material.said),
            (key, svg(key.figure)), _facts(folder, record), _notices(folder, findings["measures"]),
        )  # fmt: skip
    drawn = {name: [(s, svg(s.figure)) for s in each] for name, each in chapters.items()}
    flat = [head.picture, *(pair for each in drawn.values() for pair in each)]
    _write_figures(folder.path / "figures", flat)
    lines = None
    if found is not None:
        rows = observed.lines(found, [section.key for section, _ in flat])
        lines = observed.by_chapter(rows, _CHAPTER_OF)
    html = page(head, observed=lines, chapters=drawn, missing=missing + undrawn)
    write_atomically(folder.path / "report.html", html.encode())
    return folder.path / "report.html"


def _write_figures(folder: Path, drawn: list[tuple[Section, bytes]]) -> None:
    """Write each figure as an SVG of its own."""
    with plain_words(folder):
        folder.mkdir(exist_ok=True)
    for section, content in drawn:
        write_atomically(folder / f"{section.key}.svg", content)


def _observations(material: Material) -> tuple[list[Statement] | None, list[str]]:
    """Write the run's observations; where part of the record is damaged, say so."""
    try:
        return write(material.run, material.findings), []
    except DamagedError as error:
        return None, [f"Not shown: observations, since {error}."]


def _chapters(material: Material, progress: Progress) -> tuple[dict[str, list[Section]], list[str]]:
    """Draw what can be drawn; say of the rest why not."""
    chapters: dict[str, list[Section]] = {name: [] for name in CHAPTERS}
    missing: list[str] = []
    if "coupling" not in material.record:
        why = material.record.attrs.get(WITHOUT_COUPLINGS, "the record holds no couplings")
        names = ", ".join(one.name for one in FIGURES if one.chapter in _COUPLED)
        missing.append(f"Not shown: {names}. Reason: {why}.")
    wanted = [one for chapter in CHAPTERS for one in FIGURES
              if one.chapter == chapter and not (missing and chapter in _COUPLED)]  # fmt: skip
    for done, one in enumerate(wanted):
        progress(f"drawing {one.name}", done, len(wanted))
        try:
            chapters[one.chapter].append(one.draw(material))
        except OntogenyError as error:
            missing.append(f"Not shown: {one.name}, since {error}.")
    return chapters, missing


def _title(folder: RunFolder, measures: xr.Dataset) -> str:
    name = folder.description["task"]["name"]
    last = measures["accuracy"].isel(step=-1).sel(split="probe")
    return (
        f"{name}: {measures.sizes['token']} tokens, {percent(float(last))} of held-out "
        f"exemplars classified correctly, chance {percent(float(measures['chance']))}"
    )


def _lead(folder: RunFolder) -> str:
    tokens = listed([str(name) for name in folder.description["task"]["tokens"]])
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
