"""report.html: what a run shows, in one file that opens from disk.

The answers come first, then each figure with what is seen, its definition and its null.
May import matplotlib, numpy, xarray, ontogeny.plot, ontogeny.measure and below; no torch.
"""

import os
from collections.abc import Callable
from pathlib import Path

import xarray as xr

from ontogeny.errors import OntogenyError
from ontogeny.files import plain_words, write_atomically
from ontogeny.measure import measure_run
from ontogeny.record import open_record
from ontogeny.report import detectors, figures, geometry, structure, words
from ontogeny.report.figures import Material, Section
from ontogeny.report.page import page, svg
from ontogeny.run import RunFolder

__all__ = ["SECTIONS", "report"]

_FIRST = ("learning curves", "tokens' learning curves")
SECTIONS = {
    **{name: figures.SECTIONS[name] for name in _FIRST},
    **structure.SECTIONS, **geometry.SECTIONS, **detectors.SECTIONS, **figures.SECTIONS,
}  # fmt: skip
"""All figures in the order of the report."""


def report(
    run: RunFolder | str | os.PathLike[str], *, progress: Callable[[str], None] | None = None
) -> Path:
    """Write report.html and figures/ of a run, from measures that are made anew if stale.

    Parameters
    ----------
    run
        A run, or its folder; it needs a record.
    progress
        Called with a few words before each figure.

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
    measures = measure_run(folder, progress=progress)
    with open_record(folder.path / "record.zarr") as record:
        material = Material(folder, record, measures)
        sections, missing = _sections(material, progress)
        answers = _structure_answers(material) or _answers(measures)
        facts = _facts(folder, record)
    drawn = [(section, svg(section.figure)) for section in sections]
    with plain_words(folder.path / "figures"):
        (folder.path / "figures").mkdir(exist_ok=True)
    for section, picture in drawn:
        write_atomically(folder.path / "figures" / f"{section.key}.svg", picture)
    html = page(
        _title(folder, measures), lead=_lead(folder), answers=answers, facts=facts,
        sections=drawn, notices=[*_notices(folder, measures), *missing],
    )  # fmt: skip
    write_atomically(folder.path / "report.html", html.encode())
    return folder.path / "report.html"


def _sections(
    material: Material, progress: Callable[[str], None] | None
) -> tuple[list[Section], list[str]]:
    """Draw what can be drawn; say of the rest why not."""
    sections, missing = [], []
    for name, draw in SECTIONS.items():
        if progress is not None:
            progress(f"drawing {name}")
        try:
            sections.append(draw(material))
        except OntogenyError as error:
            missing.append(f"Not shown: {name}, since {error}.")
    return sections, missing


def _title(folder: RunFolder, measures: xr.Dataset) -> str:
    name = folder.description["task"]["name"]
    last = measures["accuracy"].isel(step=-1).sel(split="probe")
    return (
        f"{name}: {measures.sizes['token']} tokens, {words.percent(float(last))} of held-out "
        f"exemplars told right, chance {words.percent(float(measures['chance']))}"
    )


def _lead(folder: RunFolder) -> str:
    return f"How the network of the run {folder.path.name} grew up."


def _answers(measures: xr.Dataset) -> list[str]:
    found = (words.layers_rise, words.tokens_told, words.most_confused, words.strongest_layer)
    return [words.untrained_signal(measures), *(f"{say(measures)}." for say in found)]


def _structure_answers(material: Material) -> list[str]:
    """Answer where and when tokens became things; nothing where it could not be measured."""
    try:
        told = structure.answers(material.structure)
    except OntogenyError:
        return []  # the figures that are missing say why
    return [*told, f"{words.tokens_told(material.measures)}."]


def _facts(folder: RunFolder, record: xr.Dataset) -> dict[str, str]:
    description = folder.description
    task, config = description["task"], description["config"]
    density = sorted(task["density"].values())
    per_token = f"{density[0]:,}" if density[0] == density[-1] else (
        f"{density[0]:,} to {density[-1]:,}"
    )  # fmt: skip
    held = int((record["exemplar_split"] == "probe").sum())
    return {
        "Tokens": ", ".join(str(name) for name in task["tokens"]),
        "Training exemplars per token": per_token,
        "Held-out exemplars": f"{held:,}",
        "Images": f"{task['size'][0]} x {task['size'][1]} x {task['channels']}",
        "Parameters": f"{description['parameters']:,}",
        "Steps": f"{int(record['step'][-1]):,} of {config['steps']:,}",
        "Snapshots": f"{record.sizes['step']:,}",
        "Seed": str(config["seed"]),
    }


def _notices(folder: RunFolder, measures: xr.Dataset) -> list[str]:
    """Say what the reader must know before believing a figure."""
    notices, description = [], folder.description
    if folder.state == "failed":
        notices.append(f"This run failed: {description['failure']}. It is shown up to there.")
    elif folder.state != "complete":
        notices.append("This run is not complete: it is shown as far as it was recorded.")
    if measures.sizes["step"] < int(measures.attrs["hold"]):
        notices.append(
            f"Only {measures.sizes['step']} snapshots are recorded; an onset needs "
            f"{measures.attrs['hold']}, so none can be found."
        )
    notices += [str(warning) for warning in description.get("warnings", [])]
    return notices
