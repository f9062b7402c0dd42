"""Three findings of a finished run, each with its picture: those of README.

Run as `python docs/gallery/findings.py [RUN] [OUT]`. It writes OUT/learning.png and
OUT/separation.png, and prints the findings as Markdown, word by word as the report says them.
The picture of the third finding is that of `ancestry.py`.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import ontogeny as ont
from ontogeny.report import categories as structure
from ontogeny.report import first
from ontogeny.report.figures import Material, Section
from ontogeny.run import RunFolder
from ontogeny.statements import findings_of, first_sentences

PICTURES = {"learning": first.key_figure, "separation": structure.differentiation}
DPI = 100


def save(section: Section, file: Path) -> None:
    """Write a figure of the report as a picture that README can show."""
    section.figure.savefig(file, dpi=DPI, pil_kwargs={"optimize": True})


def findings(run: str, out: Path) -> list[str]:
    """Write the pictures; return the sentences of the report's first screen."""
    folder = RunFolder.open(run)
    with ont.open_record(run) as record:
        material = Material(folder, findings_of(folder, record))
        for name, draw in PICTURES.items():
            save(draw(material), out / f"{name}.png")
        return first_sentences(material.said)


def main() -> None:
    """Make the findings of the run that `make run` makes, if no other is named."""
    run, out = [*sys.argv[1:], *[None] * 2][:2]
    run = run or "runs/faces"
    if not (Path(run) / "record.zarr").exists():
        sys.exit(print(f"{run} has no record: nothing is drawn (`make run` makes a run)"))
    for number, sentence in enumerate(findings(run, Path(out or "docs/gallery")), 1):
        print(f"{number}. {sentence}")


if __name__ == "__main__":
    main()
