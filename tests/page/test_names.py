"""The page and Python name the same arrays: none asked for in vain, none packed unread."""

import json
from pathlib import Path

import pytest

from ontogeny.page import contract
from ontogeny.page.pack import DTYPES
from ontogeny.page.table import ARRAYS

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web" / "src"
FIXTURE = ROOT / "web" / "tests" / "run"


@pytest.mark.parametrize("path", contract.files())
def test_what_is_written_from_the_table_is_what_the_table_gives(path):
    """The page's compiler holds every reading of an array against the names in the file."""
    stale = f"{path} is not what the table of arrays gives: run `make contract`"
    assert (ROOT / path).read_text() == contract.files()[path], stale


def test_every_array_has_a_sentence_a_type_and_a_name_of_its_own():
    assert len({entry.what for entry in ARRAYS.values()}) == len(ARRAYS)
    for name, entry in ARRAYS.items():
        assert entry.what[0].isupper() or entry.what[0] == "1", name
        assert entry.what.endswith(".") and "|" not in entry.what, name
        assert entry.dtype in DTYPES and len(set(entry.dims)) == len(entry.dims), name


def test_every_name_is_read_somewhere():
    files = [file for file in WEB.rglob("*.ts*") if file.name != "names.ts"]
    text = "\n".join(file.read_text() for file in files)
    unread = [name for name in ARRAYS if f'"{name}"' not in text]
    assert unread == []


def test_the_run_of_the_page_s_own_tests_has_every_array_as_the_table_says():
    """It is written by `python -m tests.page.fixture`, after a change of the table too."""
    manifest = json.loads((FIXTURE / "manifest.json").read_text())
    arrays = {**manifest["beside"]["arrays"], **manifest["arrays"]}
    assert set(arrays) == set(ARRAYS)
    for name, array in arrays.items():
        entry, ends = ARRAYS[name], array["shape"]
        assert (array["blob"], array["dtype"]) == (entry.blob, entry.dtype), name
        assert array["dims"] == list(entry.dims) and len(ends) == len(entry.dims), name
        assert array["source"] == entry.place, name


def test_the_run_of_the_page_s_own_tests_is_small():
    files = [file for file in FIXTURE.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 300_000
