"""The examples of docstrings print what they say, and every public function has some.

An example finds `ont`, `np`, `record` and `run` (see `ontogeny.measure`) and an empty folder to
write to, in which `runs/tiny` is the run.
"""

import ast
import doctest
import re
import shutil
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import numpy as np
import pytest

import ontogeny as ont
from example_run import NAME, make, recipe, unpack

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
LIVING = ("config", "tasks", "train", "hooks", "observe", "pictures", "construction", "model")
"""Parts of the package whose examples need the train extra."""
LEAST = 40
WITHOUT = {
    "measure.SETS": "a table",
    "measure.kept": "docs/how-to-add-a-measure.md runs it",
    "measure.measure_all": "it starts processes of its own; the README has it",
    "measure.measure_record": "a union of measures with examples",
    "measure.measure_run": "the tutorial runs it",
    "measure.open_measures": "docs/measures.md runs it",
    "page": "it serves until it is stopped",
    "report": "it writes a page for the eye; the README has it",
}
"""Public names that have no example, and why."""


def examples():
    """Return (name, file, line, docstring) of all that has an example, without importing it."""
    found = []
    for file in sorted(SOURCE.rglob("*.py")):
        module = ".".join(file.relative_to(SOURCE).with_suffix("").parts)
        module = module.removesuffix(".__init__")
        text = file.read_text()
        if ">>> " in text:
            found += _examples(ast.parse(text), module, file)
    return found


def _examples(node, name, file):
    """Walk a module or a class for docstrings with examples."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    text = ast.get_docstring(node, clean=True) or ""
    if ">>> " in text:
        yield name, file, node.body[0].lineno, text
    if not isinstance(node, ast.FunctionDef):
        for child in node.body:
            if isinstance(child, kinds):
                yield from _examples(child, f"{name}.{child.name}", file)


FOUND = examples()


def lives(name):
    """Tell whether an example needs the train extra."""
    return name.split(".")[1] in LIVING


def case(found):
    name = found[0]
    return pytest.param(*found, id=name.removeprefix("ontogeny."),
                        marks=[pytest.mark.torch] if lives(name) else [])  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Return the folder of the run that is stored beside the tests."""
    return unpack(tmp_path_factory.mktemp("stored"))


@pytest.fixture(scope="module")
def record(stored):
    return ont.open_record(stored)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make the run here and now; return its folder and what was observed of it."""
    place = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        names = make()
        names["record"].load()
    return place / NAME, names["record"]


@pytest.fixture
def quiet_figures():
    backend = mpl.get_backend()
    mpl.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
    mpl.use(backend)


@pytest.mark.parametrize(("name", "file", "line", "text"), [case(found) for found in FOUND])
def test_an_example_prints_what_it_says(
    name, file, line, text, request, tmp_path, monkeypatch, quiet_figures
):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__", "ont": ont, "np": np}
    if re.search(r"\brecord\b", text):
        names["record"] = request.getfixturevalue("record")
    if re.search(rf"\brun\b|{NAME}", text):
        source = request.getfixturevalue("made")[0] if lives(name) else None
        shutil.copytree(source or request.getfixturevalue("stored"), NAME)
        names["run"] = (ont.Run if lives(name) else ont.RunFolder).open(NAME)
    test = doctest.DocTestParser().get_doctest(text, names, name, str(file), line - 1)
    said = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    failed, tried = runner.run(test, out=said.append)
    assert tried
    assert not failed, "".join(said)


def test_examples_stand_in_their_section_and_are_short():
    for name, _, _, text in FOUND:
        before, _, example = text.partition("\nExamples\n--------\n")
        assert ">>> " in example, name
        assert ">>> " not in before, name
        assert len(re.findall(r"^(?:>>>|\.\.\.) ", example, re.MULTILINE)) <= 13, name
        assert "doctest:" not in example, name


def test_enough_objects_have_an_example():
    assert len({name for name, *_ in FOUND}) >= LEAST


@pytest.mark.parametrize(
    "part", [pytest.param("", marks=pytest.mark.torch, id="ontogeny"), "measure", "plot"]
)
def test_every_public_name_has_an_example(part):
    home = getattr(ont, part) if part else ont
    without = []
    for name in home.__all__:
        value = getattr(home, name)
        if isinstance(value, (ModuleType, str)) or ">>> " in (value.__doc__ or ""):
            continue
        without.append(f"{part}.{name}".removeprefix("."))
    missing = [name for name in without if name not in WITHOUT]
    assert not missing, "expected a section Examples in the docstring, or the reason in WITHOUT"
    have = {name for name in WITHOUT if name.rpartition(".")[0] == part} - set(without)
    assert not have & {f"{part}.{name}".removeprefix(".") for name in home.__all__}


def test_the_lines_that_make_the_run_are_the_same_in_the_docs():
    assert f"```\n{recipe()}```" in (ROOT / "docs" / "how-to-add-a-measure.md").read_text()


@pytest.mark.torch
def test_the_stored_run_is_what_its_lines_make(made, record):
    """To rounding, which training makes larger; if not, `python tests/example_run.py` makes it."""
    fresh = made[1]
    assert dict(fresh.sizes) == dict(record.sizes)
    assert set(fresh.variables) == set(record.variables)
    assert fresh.attrs["schema"] == record.attrs["schema"]
    for name in ("step", "unit", "token", "source", "target", "exemplar_token"):
        assert (fresh[name].values == record[name].values).all(), name
    early = fresh["step"].values <= 7
    np.testing.assert_allclose(fresh["loss"][early], record["loss"][early], rtol=0.02)
    assert abs(fresh["accuracy"] - record["accuracy"]).max() < 0.15
