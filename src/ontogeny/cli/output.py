"""The summary on standard output.

May import `ontogeny.record` where a run has one, and the standard library.
"""

import argparse
import json
from collections.abc import Callable
from typing import Any

import ontogeny


def summary(run: Any) -> dict[str, Any]:
    """Gather what the last lines and `--json` say of a run."""
    description = run.description
    gathered = {
        "run": str(run.path),
        "state": run.state,
        "task": description["task"]["name"],
        "tokens": list(description["task"]["tokens"]),
        "parameters": description["parameters"],
        "steps": description["config"]["steps"],
        "snapshots": len(run.steps),
        "chance": 1 / len(description["task"]["tokens"]),
        "files": sorted(str(path) for path in run.path.iterdir() if not path.name.startswith(".")),
    }
    return gathered | probe_accuracy(run)


def probe_accuracy(run: Any) -> dict[str, Any]:
    """Read the accuracy on the probe, and on a second one, off the record if there is one."""
    path = run.path / "record.zarr"
    if not path.exists():
        return {"probe_accuracy": None}
    with ontogeny.open_record(path) as record:
        if record.sizes["step"] == 0:
            return {"probe_accuracy": None}
        last = record["accuracy"].sel(split="probe").isel(step=-1)
        found = {"probe_accuracy": float(last), "observed_steps": record.sizes["step"]}
        if "holdout_accuracy" in record:
            found["holdout_accuracy"] = float(record["holdout_accuracy"].isel(step=-1))
        return found


def tell(
    gathered: dict[str, Any],
    options: argparse.Namespace,
    lines: Callable[[dict[str, Any]], list[str]],
) -> None:
    """Print the summary: one JSON object, or a few lines."""
    if options.json:
        print(json.dumps(gathered))
    elif not options.quiet:
        print("\n".join(lines(gathered)))


def size_in_words(count: float) -> str:
    """Return a number of bytes with the unit that leaves one to three digits before the point."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def run_lines(gathered: dict[str, Any]) -> list[str]:
    """Put the summary of a run into a few lines."""
    accuracy, chance = gathered["probe_accuracy"], gathered["chance"]
    lines = [
        f"{gathered['run']}: {gathered['task']}, {', '.join(gathered['tokens'])}",
        f"  {gathered['parameters']:,} parameters, {gathered['steps']} steps, "
        f"{gathered['snapshots']} snapshots",
        f"  {gathered['seconds']:.0f} s, at most {gathered['peak_memory_mb']:,.0f} MB of memory",
    ]
    if accuracy is not None:
        second = gathered.get("holdout_accuracy")
        held = "" if second is None else f", on the holdout {second:.1%}"
        lines.append(f"  accuracy on the probe {accuracy:.1%}{held}, chance {chance:.1%}")
    if "forked_at" in gathered:
        lines.append(f"  twin of {gathered['parent']} from step {gathered['forked_at']}")
    if "report" in gathered:
        lines.append(f"  look at {gathered['report']}")
    if "page" in gathered:
        again = f"`ontogeny view {gathered['run']}` serves it again"
        lines.append(f"  the page is {gathered['page']}; {again}")
    return lines
