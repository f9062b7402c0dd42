"""Files written from the table of arrays: `python -m ontogeny.page.contract` in the repository.

The names are what the page's compiler knows, so that reading an array that nobody packs does not
compile; the list is for readers. A test holds both files against the table. May import
ontogeny.page.table.
"""

from itertools import groupby
from pathlib import Path

from ontogeny.page.table import ARRAYS, Entry

_NAMES = """\
// Written by `make contract` out of src/ontogeny/page/table.py: change that table, not this file.

/** Every array that a bundle may hold, with its dims and what it is. */
export type ArrayName =
"""
_LIST = """\
# Arrays of the page

Written by `make contract` out of `src/ontogeny/page/table.py`. The page reads every one of them,
and no other; what a run lacks is left out of its bundle, which says why. In the page, rest on a
number to read the full definition.
"""


def names() -> str:
    """Return the names of all arrays as a type of TypeScript."""
    rows = [(f'  | "{one.name}"', f" // {_dims(one)}: {one.what}\n") for one in _sorted()]
    *most, (last, words) = rows
    return _NAMES + "".join(name + said for name, said in most) + f"{last};{words}"


def listing() -> str:
    """Return the list of all arrays in Markdown."""
    parts = [_LIST]
    for blob, entries in groupby(_sorted(), lambda one: one.blob):
        parts.append(f"\n## {blob.capitalize()}\n\n| array | dims | what it is | from |\n")
        parts.append("|---|---|---|---|\n")
        parts += [f"| `{e.name}` | {_dims(e)} | {e.what} | `{e.place}` |\n" for e in entries]
    return "".join(parts)


def files() -> dict[str, str]:
    """Return what each file of the repository has to hold."""
    return {"web/src/data/names.ts": names(), "docs/page-arrays.md": listing()}


def _sorted() -> list[Entry]:
    """Return the table with each blob's arrays together."""
    blobs = list(dict.fromkeys(entry.blob for entry in ARRAYS.values()))
    return sorted(ARRAYS.values(), key=lambda entry: blobs.index(entry.blob))


def _dims(entry: Entry) -> str:
    return ", ".join(entry.dims) or "one number"


if __name__ == "__main__":
    for path, text in files().items():
        Path(path).write_text(text)
