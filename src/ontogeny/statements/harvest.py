"""Harvesting: every rule looks at the measures of a run and says what survives."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from ontogeny.errors import DamagedError, InputError, RunError
from ontogeny.files import signed, unsigned, write_atomically
from ontogeny.measure import SETS, measure_run
from ontogeny.measure.keeping import KEY
from ontogeny.progress import Parts, Progress
from ontogeny.record import NAME as RECORD
from ontogeny.record import open_record
from ontogeny.run import RunFolder
from ontogeny.statements import categories, construction, couplings, geometry, learning
from ontogeny.statements import units as detectors
from ontogeny.statements.findings import Findings
from ontogeny.statements.rule import Rule, Said, Unsaid
from ontogeny.statements.statement import Statement, Where, ranked

FILE = "observations.json"
RULES: tuple[Rule, ...] = (
    *construction.RULES, *learning.RULES, *categories.RULES, *geometry.RULES, *couplings.RULES,
    *detectors.RULES,
)  # fmt: skip
"""Every claim that is made of a run, each by one rule."""

CONSTRUCTION_FIRST = (("constructed", "construction order"), ("combining",), ("building",))
"""Rules whose sentences lead, where recombinations were observed; those of a row are joined."""
FIRST = (("learning",), ("tokens",), ("differentiation", "exemplars"), ("separation",),
         ("carriers",))  # fmt: skip
"""Rules whose sentences come first in the report and on the page; those of a row are joined."""


def first_sentences(said: Mapping[str, Said | Unsaid]) -> list[str]:
    """Return what was constructed, where, when and out of what; what was learnt, when and where."""
    known = measured(said)
    rows = [row for row in CONSTRUCTION_FIRST if any(name in known for name in row)]
    return [" ".join(said[name].sentence for name in names if name in said)
            for names in (*rows, *FIRST)]  # fmt: skip


def measured(said: Mapping[str, Said | Unsaid]) -> dict[str, Said | Unsaid]:
    """Return what is said by the rules whose measures were made."""
    return {name: one for name, one in said.items() if isinstance(one, Said) or one.is_measured}


def say_all(findings: Findings) -> dict[str, Said | Unsaid]:
    """Return what each rule says of a run's measures, or why it is silent, by the rules' names."""
    return {rule.name: rule(findings) for rule in RULES}


def harvest(findings: Findings) -> list[Statement]:
    """Return what a run's measures support, strongest first, kinds taking turns.

    Parameters
    ----------
    findings
        The measures; a rule whose measures are not there says nothing.
    """
    return observed(say_all(findings))


def observed(found: Mapping[str, Said | Unsaid]) -> list[Statement]:
    """Return the statements of all that was said, strongest first, kinds taking turns."""
    return ranked([one for said in found.values() if isinstance(said, Said)
                   for one in said.statements])  # fmt: skip


def harvest_run(
    run: RunFolder | str | os.PathLike[str], *, progress: Progress | None = None
) -> list[Statement]:
    """Harvest a run's observations into its observations.json.

    Measures that are not there or stale are made first. Where the record lacks what detectors or
    the graph need, their rules say why they are silent.

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
    with open_record(folder.path / RECORD) as record:
        return write(folder, findings_of(folder, record, progress=progress))


def findings_of(
    run: RunFolder, record: xr.Dataset, *, progress: Progress | None = None
) -> Findings:
    """Return a run's record and measures; what is not there or stale is measured first.

    Raises
    ------
    RunError
        If there is no record, or no room.
    InputError
        If the record lacks what curves and category structure need.
    """
    parts, found, missing = Parts(progress, dict.fromkeys(SETS, 1)), {}, {}
    for name in SETS:
        try:
            found[name] = measure_run(run, name, progress=parts.of(name)).load()
        except InputError as error:
            if name not in _DISPENSABLE:
                raise
            missing[name] = str(error)
    return Findings(record, **found, missing=missing)


_DISPENSABLE = ("detectors", "graph", "gains")
"""Sets without which there is a report: the record may lack what they need."""


def write(run: RunFolder, findings: Findings) -> list[Statement]:
    """Write what survives, and each rule's sentence, into a run's observations.json.

    Raises
    ------
    RunError
        If there is no room.
    """
    said = say_all(findings)
    found = observed(said)
    content = {
        "run": run.path.name,
        "measured": findings["measures"].attrs.get(KEY),
        "sentences": {name: one.sentence for name, one in said.items()},
        "observations": [one.entry() for one in found],
    }
    text = json.dumps(signed(content), indent=1, allow_nan=False)
    write_atomically(run.path / FILE, text.encode())
    return found


def read(path: str | os.PathLike[str]) -> list[Statement]:
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


def _observation(entry: dict[str, Any]) -> Statement:
    open_ends = {"low": -math.inf, "high": math.inf}
    values: dict[str, Any] = {
        name: open_ends.get(name, math.nan) if entry[name] is None else entry[name]
        for name in ("effect", "low", "high", "bound")
    }
    words: dict[str, Any] = {
        name: entry[name] for name in ("kind", "subject", "text", "units", "interval", "null")
    }
    return Statement(**words, **values, where=Where(**entry["where"]))
