"""Run all benchmarks, print one table and write benchmarks/results.json.

`python -m benchmarks training observing` runs those two only.
"""

import importlib
import json
import sys
from pathlib import Path

from benchmarks.timing import Row, missing

PARTS = (
    "commandline",
    "training",
    "observing",
    "construction",
    "biography",
    "running",
    "categories",
    "maps",
    "pictures",
    "grafts",
    "drawing",
    "graphs",
    "page",
)
RESULTS = Path(__file__).parent / "results.json"


def main(chosen: list[str]) -> int:
    """Measure the chosen parts, or all."""
    unknown = sorted(set(chosen) - set(PARTS))
    if unknown:
        print(f"expected some of {', '.join(PARTS)}, got {', '.join(unknown)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for part in chosen or PARTS:
        print(f"# {part} ...", file=sys.stderr, flush=True)
        rows += measured(part)
        RESULTS.write_text(json.dumps([row.to_dict() for row in rows], indent=1) + "\n")
    print(table(rows))
    return 0


def measured(part: str) -> list[Row]:
    """Run one part; a part that fails is a row that is not met, with the reason."""
    try:
        return importlib.import_module(f"benchmarks.{part}").rows()
    except Exception as error:  # the table must name what could not be run
        return [missing(part, "", "", f"{type(error).__name__}: {error}")]


def table(rows: list[Row]) -> str:
    """Lay the rows out as one Markdown table."""
    head = ("what", "ours", "peer", "against", "ratio", "budget", "met")
    body = [
        (
            row.name,
            "-" if row.ours is None else f"{row.ours:.4g} {row.unit}",
            "-" if row.peer is None else f"{row.peer:.4g} {row.unit}",
            row.peer_version,
            "-" if row.ratio is None else f"{row.ratio:.3g}",
            row.budget,
            "yes" if row.met else f"no {row.reason}".strip(),
        )
        for row in rows
    ]
    widths = [max(len(line[k]) for line in [head, *body]) for k in range(len(head))]
    lines = [
        [text.ljust(w) for text, w in zip(line, widths, strict=True)] for line in [head, *body]
    ]
    lines.insert(1, ["-" * w for w in widths])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
