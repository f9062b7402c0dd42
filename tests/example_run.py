"""The small run of the docstrings' examples: `python tests/example_run.py` makes it anew.

It lies beside this file, without what going on with it would need, so that examples need no torch
and print the same numbers on every machine.
"""

import os
import tempfile
import textwrap
import zipfile
from pathlib import Path

STORED = Path(__file__).with_suffix(".zip")
NAME = "runs/tiny"
_LEFT_OUT = {"resume", "task.npz"}


def recipe():
    """Return the lines that make `run` and `record`, as the docstring of the measures has them."""
    import ontogeny.measure

    text = ontogeny.measure.__doc__ or ""
    first, last = text.index("    import ontogeny"), text.index("\n\nPrinted numbers")
    return textwrap.dedent(text[first:last]) + "\n"


def make():
    """Run the lines in the current folder; return what they name."""
    names = {}
    exec(compile(recipe(), "ontogeny.measure", "exec"), names)
    return names


def unpack(folder):
    """Lay the stored run out below a folder."""
    with zipfile.ZipFile(STORED) as archive:
        archive.extractall(folder)
    return Path(folder) / NAME


def store(folder):
    """Put the run below a folder into the file, with no time or owner in it."""
    run = Path(folder) / NAME
    with zipfile.ZipFile(STORED, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in sorted(path for path in run.rglob("*") if path.is_file()):
            if file.relative_to(run).parts[0] not in _LEFT_OUT:
                name = zipfile.ZipInfo(file.relative_to(folder).as_posix())
                name.external_attr = 0o644 << 16
                archive.writestr(name, file.read_bytes(), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    for pool in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(pool, "1")
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        make()
        store(place)
        os.chdir(Path(__file__).parent)
