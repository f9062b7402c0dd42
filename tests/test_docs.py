"""The documentation: its Python runs, its links lead somewhere, its tables name what is there."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import matplotlib
import numpy as np
import pytest
import xarray as xr

import ontogeny as ont
from ontogeny.cli.parser import parser
from ontogeny.measure import SETS, Chance, measure_run
from ontogeny.measure.keeping import GRAFTS
from ontogeny.measure.units.tuning import CHANCE as UNITS_CHANCE
from ontogeny.statements import harvest_run
from records import keep_pictures, make_record, make_run

ROOT = Path(__file__).parent.parent
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS]
RUN_IN_FULL = (
    "tutorial",
    "measures",
    "detectors",
    "observations",
    "how-to-add-a-measure",
    "how-to-add-a-statement",
    "how-to-add-a-figure",
    "how-to-add-a-task",
)
TOKENS = ("ada", "bo", "cleo", "dov", "eli")
LAYERS = {"conv1": 6, "conv5": 18, "fc1": 6}
STEPS = (0, 1, 2, 3, 4, 6, 8, 11)


def blocks(page):
    """Return the Python of a page, block by block."""
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def anchors(page):
    """Return the anchors of a page's headings, as forges name them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def links(page):
    """Return the links of a page that lead to files."""
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]


def execute(page, names):
    """Run all blocks of a page, one after another, in one name space."""
    for number, block in enumerate(blocks(page)):
        exec(compile(block, f"{page.name}, block {number}", "exec"), names)


def pictures_of(record):
    """Return grey pictures of all units of a record, as pictures.zarr keeps them."""
    n_units, rank = record.sizes["unit"], 2
    place = {name: np.full((n_units, rank), 3) for name in ("height", "width")}
    place |= {name: np.zeros((n_units, rank), int) for name in ("top", "left")}
    exemplar = np.tile(record["exemplar"].values[:rank], (n_units, 1))
    return xr.Dataset(
        {
            "picture": (("unit", "y", "x", "channel"), np.zeros((n_units, 6, 6, 3), np.uint8)),
            "height": ("unit", np.full(n_units, 6)),
            "width": ("unit", np.full(n_units, 6)),
            "top_exemplar": (("unit", "rank"), exemplar),
            **{f"top_{name}": (("unit", "rank"), values) for name, values in place.items()},
            "film_picture": (("film_step", "film_unit", "y", "x", "channel"),
                             np.zeros((1, 1, 6, 6, 3), np.uint8)),
            "film_height": (("film_step", "film_unit"), np.full((1, 1), 6)),
            "film_width": (("film_step", "film_unit"), np.full((1, 1), 6)),
        },
        {"unit": record["unit"], "layer": record["layer"], "film_step": record["step"].values[-1:],
         "film_unit": record["unit"].values[-1:]},
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make a folder with a small measured run, under the two names that the pages use."""
    path = tmp_path_factory.mktemp("docs")
    rises = {"conv5": 3, "fc1": 3, "logits": 3}
    record = make_record(tokens=TOKENS, layers=LAYERS, steps=STEPS, rises=rises, exemplars=12)
    run = make_run(path / "runs" / "small", record)
    for name in SETS:
        measure_run(run, name)
    harvest_run(run)
    keep_pictures(run, pictures_of(record))
    (path / "runs" / "faces").symlink_to(run.path)
    return path


@pytest.fixture(autouse=True)
def no_window():
    backend = matplotlib.get_backend()
    matplotlib.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
    matplotlib.use(backend)


@pytest.mark.parametrize("name", RUN_IN_FULL)
def test_a_page_runs_from_top_to_bottom(name, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    page = ROOT / "docs" / f"{name}.md"
    assert blocks(page)
    execute(page, {"ont": ont})


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md"])
def test_a_page_is_a_plain_script(name, folder):
    """Without a function `main` and without `if __name__ == "__main__"`, as a reader types it."""
    count = 1 if name == "README.md" else None  # what follows there trains
    measures = 'import ontogeny as ont\nont.measure.measure_all("runs/small")\n'
    script = folder / "script.py"
    script.write_text(measures + "".join(blocks(ROOT / name)[:count]))
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, script], cwd=folder, env=environment, check=False, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_first_lines_of_the_readme_run(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    first = blocks(ROOT / "README.md")[0]
    exec(compile(first, "README.md", "exec"), {})
    assert "token: ada" in capsys.readouterr().out


@pytest.mark.torch
def test_the_training_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    change = (
        ("density=500", "density=10, probe=2"),
        ("ont.vgg(task)", "ont.vgg(task, widths=(4, 4))"),
        ("steps=1200", "steps=4, batch=10"),
        ("137", "3"),
        ("120", "2"),
    )
    lines = blocks(ROOT / "README.md")[1]
    for before, after in change:
        assert before in lines
        lines = lines.replace(before, after)
    names = {"ont": ont}
    exec(compile(lines, "README.md", "exec"), names)
    assert names["twin"].steps[-1] == 2


@pytest.mark.torch
def test_the_loop_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"ont": ont, "task": ont.load_task("faces", density=12, probe=2)}
    exec(compile(blocks(ROOT / "README.md")[2], "README.md", "exec"), names)
    run = ont.RunFolder.open("runs/mine")
    assert (run.state, run.steps) == ("complete", (0, 1, 2))


@pytest.mark.torch
def test_the_page_on_own_networks_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "own_networks"}
    execute(ROOT / "docs" / "own-networks.md", names)
    assert names["run"].state == "complete"
    assert names["pictures"]["has_picture"].any()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_is_python(page):
    for block in blocks(page):
        ast.parse(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in links(page):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_is_linked_from_the_readme():
    linked = {Path(link).name for link in links(ROOT / "README.md")}
    assert {page.name for page in DOCS} <= linked


def test_every_measure_is_written_down():
    words = "".join((ROOT / "docs" / f"{name}.md").read_text() for name in RUN_IN_FULL)
    missing = [name for name in ont.measure.__all__ if not re.search(rf"\b{name}\b", words)]
    assert not missing


def test_the_readme_names_the_commands_that_there_are():
    told = set(re.findall(r"^\| `ontogeny (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    [commands] = [set(a.choices) for a in parser()._actions if isinstance(a.choices, dict)]
    assert told == commands


def test_what_is_said_of_draws_is_what_they_are():
    words = (ROOT / "docs" / "measures.md").read_text()
    default = Chance()
    said = f"`Chance(n_shuffles={default.n_shuffles}, n_resamples={default.n_resamples}, "
    assert said + f"level={default.level}, seed={default.seed})`" in words
    assert f"units have {UNITS_CHANCE.n_shuffles} shuffles" in words


def commands(page):
    """Return the commands of a page's code blocks, without comments and what follows a name."""
    fenced = re.findall(r"^```\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    lines = [line for block in fenced for line in block.splitlines()]
    return [line.partition("#")[0].split()[1:] for line in lines if line.startswith("ontogeny ")]


def test_commands_of_the_pages_parse():
    shown = [command for page in PAGES for command in commands(page)]
    assert len(shown) >= 6
    for command in shown:
        parser().parse_args(command)


def test_options_of_the_pages_exist():
    [commands] = [a.choices for a in parser()._actions if isinstance(a.choices, dict)]
    known = {option for one in (parser(), *commands.values()) for action in one._actions
             for option in action.option_strings}  # fmt: skip
    for page in PAGES:
        prose = re.sub(r"`[^`]*(?:npm|pip|git|docs\.screenshots)[^`]*`", "", page.read_text())
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose))
        assert named <= known, (page.name, named - known)


def test_python_names_of_the_pages_exist():
    for page in PAGES:
        for name in set(re.findall(r"\bont((?:\.[A-Za-z_]\w*)+)", page.read_text())):
            value = ont
            for part in name.split(".")[1:]:
                assert hasattr(value, part), f"{page.name}: ont{name}"
                value = getattr(value, part)
                if not isinstance(value, ModuleType | type):
                    break


def test_files_of_the_run_folder_are_those_that_the_code_writes():
    page = (ROOT / "docs" / "run-folder.md").read_text()
    source = "".join(file.read_text() for file in (ROOT / "src").rglob("*.py"))
    sets = {f"{name}.zarr" for name in (*SETS, GRAFTS.name)}
    named = set(re.findall(r"\b(\w+\.(?:zarr|json|csv|npz|html))\b", page))
    assert sets <= named
    for name in named - sets:
        assert f'"{name}"' in source or name == "page.html", name


def test_pictures_of_the_readme_are_small_and_made_by_a_script():
    shown = [ROOT / link for link in links(ROOT / "README.md") if link.endswith(".png")]
    scripts = "".join(file.read_text() for file in (ROOT / "docs").rglob("*.py"))
    assert len(shown) >= 4
    for picture in shown:
        assert picture.stat().st_size < 300_000, picture
        assert picture.stem in scripts, picture
