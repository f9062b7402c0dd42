"""Harvesting: every rule looks at the measures of a run and says what survives."""

import json
import math
import os
from pathlib import Path
from typing import Any

import xarray as xr

from ontogeny.errors import DamagedError, InputError, RunError
from ontogeny.files import signed, unsigned, write_atomically
from ontogeny.measure import measure_run
from ontogeny.measure.keeping import KEY
from ontogeny.observations import categories, graph, units
from ontogeny.observations.findings import Findings, Rule
from ontogeny.observations.observation import Observation, Where, ranked
from ontogeny.progress import Parts, Progress
from ontogeny.record import NAME as RECORD
from ontogeny.record import open_record
from ontogeny.run import RunFolder

FILE = "observations.json"
RULES: tuple[Rule, ...] = (*categories.RULES, *graph.RULES, *units.RULES)


def harvest(findings: Findings) -> list[Observation]:
    """Return what a run's measures support, strongest first, kinds taking turns.

    Parameters
    ----------
    findings
        The measures; a rule whose measures are not there says nothing.
    """
    return ranked([one for rule in RULES for one in rule(findings)])


def observations_run(
    run: RunFolder | str | os.PathLike[str], *, progress: Progress | None = None
) -> list[Observation]:
    """Harvest a run's observations into its observations.json.

    Measures that are not there or stale are made first. Where the record lacks what detectors or
    the graph need, their rules say nothing.

    Parameters
    ----------
    run
        A run, or its folder; it needs a record.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Raises
    ------
    RunError
        If there is no record, or no room.
    InputError
        If the record lacks what the measures need.
    """
    folder = run if isinstance(run, RunFolder) else RunFolder.open(run)
    parts = Parts(progress, dict.fromkeys(("measures", "structure", "detectors", "graph"), 1))
    with open_record(folder.path / RECORD) as record:
        measures = measure_run(folder, progress=parts.of("measures"))
        found = harvest(Findings(
            record, measures, measure_run(folder, "structure", progress=parts.of("structure")),
            _possible("detectors", folder, parts.of("detectors")),
            _possible("graph", folder, parts.of("graph")),
        ))  # fmt: skip
    content = {
        "run": folder.path.name,
        "measured": measures.attrs.get(KEY),
        "observations": [one.entry() for one in found],
    }
    text = json.dumps(signed(content), indent=1, allow_nan=False)
    write_atomically(folder.path / FILE, text.encode())
    return found


def _possible(name: str, folder: RunFolder, progress: Progress | None) -> xr.Dataset | None:
    """Return measures in memory; None where the record lacks what they need."""
    try:
        return measure_run(folder, name, progress=progress).load()
    except InputError:
        return None


def read(path: str | os.PathLike[str]) -> list[Observation]:
    """Read observations.json of a run's folder.

    Raises
    ------
    RunError
        If it is not there or not readable.
    DamagedError
        If it is not what was written.
    """
    file = Path(path) / FILE
    try:
        content = unsigned(json.loads(file.read_bytes()))
        if content is None:
            msg = f"expected {file} as it was written, got another checksum: run `ontogeny report`"
            raise DamagedError(msg)
        return [_observation(entry) for entry in content["observations"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        msg = f"expected observations in {file}, got {error!r}: run `ontogeny report` on the run"
        raise RunError(msg) from error


def _observation(entry: dict[str, Any]) -> Observation:
    open_ends = {"low": -math.inf, "high": math.inf}
    values: dict[str, Any] = {
        name: open_ends.get(name, math.nan) if entry[name] is None else entry[name]
        for name in ("effect", "low", "high", "bound")
    }
    words: dict[str, Any] = {
        name: entry[name] for name in ("kind", "subject", "text", "units", "interval", "null")
    }
    return Observation(**words, **values, where=Where(**entry["where"]))
