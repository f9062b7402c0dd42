"""`ontogeny list`: the runs of some folders, in one line each.

May import ontogeny.run, ontogeny.record and the standard library.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ontogeny.cli.output import probe_accuracy, size_in_words
from ontogeny.errors import InputError, OntogenyError
from ontogeny.run import RunFolder

HOME = "runs"
"""Where runs are, unless folders are given."""
_DESCRIPTION, _RECORD = "run.json", "record.zarr"


def runs_in(folders: Sequence[str]) -> list[dict[str, Any]]:
    """Describe every run in some folders, the one that was written last first.

    Parameters
    ----------
    folders
        Each a run, or a folder that holds runs; none: the folder `runs`, if there is one.

    Raises
    ------
    InputError
        If a folder that is given is not there.
    """
    found = sorted({path.absolute() for folder in folders or [HOME] for path in _runs(folder)})
    missing = [folder for folder in folders if not Path(folder).is_dir()]
    if missing:
        msg = f"expected folders of runs, got no folder {', '.join(missing)}: check the path"
        raise InputError(msg)
    return sorted((describe(path) for path in found), key=lambda run: run["written"], reverse=True)


def describe(path: Path) -> dict[str, Any]:
    """Describe a run; one that cannot be read is `damaged`, with the reason in `problem`."""
    description: dict[str, Any] = {
        "run": str(path), "name": path.name, "task": None, "state": "damaged", "steps": None,
        "of": None, "probe_accuracy": None, "bytes": _bytes(path), "written": _written(path),
        "problem": None,
    }  # fmt: skip
    try:
        return description | _read(RunFolder(path))
    except OntogenyError as error:
        return description | {"problem": str(error)}
    except (KeyError, TypeError, ValueError) as error:
        return description | {"problem": f"run.json is not as expected: {error!r}"}


def _read(run: RunFolder) -> dict[str, Any]:
    description = run.description
    curve = run.curve()
    found = {
        "task": description["task"]["name"],
        "state": description["state"],
        "steps": int(curve.step[-1]) if len(curve.step) else 0,
        "of": int(description["config"]["steps"]),
        "problem": description.get("failure"),
    }
    return found | {"probe_accuracy": probe_accuracy(run)["probe_accuracy"]}


def lines(gathered: dict[str, Any]) -> list[str]:
    """Lay the runs out as a table, and name below it what is wrong with some."""
    runs = gathered["runs"]
    if not runs:
        return ["There is no run here; `ontogeny run` makes one, in the folder runs."]
    head = ("run", "task", "state", "steps", "probe", "size", "last written")
    rows = [head, *map(_row, runs)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    table = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    problems = [f"{run['name']}: {run['problem']}" for run in runs if run["problem"]]
    return [line.rstrip() for line in table] + ([""] if problems else []) + problems


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    accuracy = run["probe_accuracy"]
    return (
        os.path.relpath(run["run"]),
        run["task"] or "-",
        run["state"],
        "-" if run["steps"] is None else f"{run['steps']:,} of {run['of']:,}",
        "-" if accuracy is None else f"{accuracy:.1%}",
        size_in_words(run["bytes"]),
        run["written"][:16].replace("T", " "),
    )


def _runs(folder: str) -> Iterator[Path]:
    """Yield the folder if it is a run, or else the runs that lie in it."""
    path = Path(folder)
    if (path / _DESCRIPTION).exists():
        yield path
    elif path.is_dir():
        yield from (inner for inner in path.iterdir() if (inner / _DESCRIPTION).exists())


def _bytes(path: Path) -> int:
    """Return the size of all files, those counted once that two names lead to."""
    sizes = {(s.st_dev, s.st_ino): s.st_size for s in _statuses(path.rglob("*"))}
    return sum(sizes.values())


def _written(path: Path) -> str:
    """Return when the run last changed, in local time."""
    files = (path / _DESCRIPTION, path / "curve.csv", path / _RECORD / "zarr.json")
    last = max((status.st_mtime for status in _statuses(files)), default=0.0)
    return datetime.fromtimestamp(last).astimezone().isoformat(timespec="seconds")


def _statuses(paths: Iterable[Path]) -> Iterator[os.stat_result]:
    """Yield what the disk says of files; one that has just gone is left out."""
    for path in paths:
        try:
            if path.is_file():
                yield path.stat()
        except OSError:
            continue
