"""One's own network in one's own loop: what is recorded is a run, and goes the whole way."""

import json
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

import ontogeny as ont  # noqa: E402
from ontogeny.cli import main  # noqa: E402
from ontogeny.config import Config  # noqa: E402
from ontogeny.errors import InputError, RunError  # noqa: E402
from ontogeny.measure import (  # noqa: E402
    discriminating_units,
    measure_run,
)
from ontogeny.measure.side_by_side import sets_apart  # noqa: E402
from ontogeny.model import prepare, vgg  # noqa: E402
from ontogeny.observe import Observer, Recorder, observe, weights_hash  # noqa: E402
from ontogeny.page.bundle import bundle_run  # noqa: E402
from ontogeny.pictures.asked import Asked  # noqa: E402
from ontogeny.pictures.preferred import Recipe  # noqa: E402
from ontogeny.pictures.store import Choice  # noqa: E402
from ontogeny.record import open_record, validate  # noqa: E402
from ontogeny.run import RunFolder  # noqa: E402
from ontogeny.tasks.task import Task  # noqa: E402
from ontogeny.train import Run, train  # noqa: E402

pytestmark = pytest.mark.torch
QUICK = Choice(recipe=Recipe(steps=2, warm_steps=1), frames=2, filmed=8, pictured=2)
TOKENS = ("ann", "bea", "zoë")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small_task(size=8, n=20):
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (3, size, size, 3))
    token = np.repeat(TOKENS, n)
    images = np.clip(base.repeat(n, 0) + rng.normal(0, 30, (3 * n, size, size, 3)), 0, 255)
    return Task.from_arrays(images.astype(np.uint8), token, probe=6)


class Chain(nn.Module):
    """A chain with its nonlinearities applied as functions."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv2d(3, 5, 3)
        self.hidden, self.out = nn.Linear(5 * 9, 6), nn.Linear(6, 3)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.conv(x)), 2)
        return self.out(torch.relu(self.hidden(torch.flatten(x, 1))))


class Branched(nn.Module):
    """A small residual network."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.stem, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.first, self.second = nn.Conv2d(6, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.relu, self.fc = nn.ReLU(inplace=True), nn.Linear(6, 3)

    def forward(self, x):
        x = self.relu(self.norm(self.stem(x)))
        x = self.relu(x + self.second(self.relu(self.first(x))))
        return self.fc(x.mean((2, 3)))


def loop(model, recorder, steps, lr=0.02):
    task = small_task()
    optimiser = torch.optim.SGD(model.parameters(), lr=lr)
    x, y = prepare(task.images[task.train]), torch.as_tensor(task.token[task.train])
    model.train()
    for _ in range(steps):
        loss = functional.cross_entropy(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if recorder is not None:
            recorder.step(loss)
    return loss


def probe_of(task):
    return task.images[task.probe], [task.tokens[t] for t in task.token[task.probe]]


def measured(run):
    """Measure a run in this process, set after set, as `measure_all` does in several."""
    measure_run(run)
    for name in sets_apart(run):
        measure_run(run.path, name)


def recorded(out, model, steps=12, **choices):
    images, tokens = probe_of(small_task())
    choices = {"tokens": tokens, "snapshots": [2, 5, 8], "steps": steps, **choices}
    with Recorder(model, out, images, **choices) as recorder:
        loop(model, recorder, steps)
    return RunFolder.open(out)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Return a recorded and measured run of somebody's own network."""
    run = recorded(tmp_path_factory.mktemp("own") / "mine", Chain())
    measured(run)
    return run


# --- what a Recorder writes ---------------------------------------------------------------------


def test_a_recorder_writes_a_run(chain):
    run, said = RunFolder.open(chain.path), chain.description
    assert (run.state, run.is_own_loop, run.steps) == ("complete", True, (0, 2, 5, 8, 12))
    assert said["model"] == {"factory": f"{__name__}:Chain", "arguments": None}
    assert said["task"]["tokens"] == list(TOKENS)
    assert (said["task"]["size"], said["task"]["channels"]) == ([8, 8], 3)
    assert said["parameters"] == sum(p.numel() for p in Chain().parameters())
    assert {"torch", "numpy"} <= set(said["versions"])
    assert said["config"]["steps"] == 12
    curve = run.curve()
    assert curve.step.tolist() == list(range(1, 13))
    assert np.isfinite(curve.loss).all()
    assert np.isnan(curve.accuracy).all()
    record = open_record(run.path)
    validate(record)
    assert record.attrs["data_hash"] == said["task"]["hash"]
    assert record.attrs["nonlinearities"] == ["ReLU", "ReLU", ""]
    assert record.attrs["kinds"] == ["conv", "dense", "dense"]
    assert [weights_hash(run.weights(s)) for s in run.steps] == record.weights_hash.values.tolist()
    assert np.array_equal(record["image"], probe_of(small_task())[0])


def test_its_network_comes_back_where_one_gives_the_class(chain):
    run = Run.open(chain.path, model=Chain)
    record = open_record(chain.path)
    logit = run.network(5)(prepare(record["image"].values.copy())).detach()
    np.testing.assert_allclose(logit, record.logit.sel(step=5), rtol=1e-4, atol=1e-5)


def test_it_is_measured_reported_and_shown(chain, tmp_path, capsys):
    for name in ("measures", "structure", "detectors", "graph"):
        assert (chain.path / f"{name}.zarr").is_dir()
    html = ont.report(chain).read_text()
    assert "Training exemplars per token" not in html
    assert "8 x 8 x 3" in html
    assert main(["report", str(chain.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["snapshots"] == 5
    assert main(["export", str(chain.path), str(tmp_path / "page.html"), "--quiet"]) == 0
    manifest = bundle_run(chain).manifest
    assert manifest["run"]["seed"] is None
    assert [layer["kind"] for layer in manifest["layers"]] == ["conv", "dense", "logits"]


def test_its_record_is_opened_and_never_observed_anew(chain):
    before = (chain.path / "record.zarr" / "zarr.json").read_bytes()
    assert observe(chain).sizes["step"] == 5
    assert main(["observe", str(chain.path), "--quiet"]) == 0
    assert (chain.path / "record.zarr" / "zarr.json").read_bytes() == before


@pytest.mark.parametrize("command", [["run"], ["fork", "--at", "3", "--out", "twin"]])
def test_it_cannot_be_trained_on_and_says_so(chain, command, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    arguments = [command[0], str(chain.path), *command[1:], "--quiet"]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "recorded in a training loop of its own" in said
    assert "Traceback" not in said
    assert not (tmp_path / "twin").exists()


def test_a_network_of_the_family_is_rebuilt_by_the_command(tmp_path):
    task = small_task()
    run = recorded(tmp_path / "mine", vgg(task, widths=(4, 4), dense=5, depth=1))
    assert Run.open(run.path).network(5) is not None


def test_weights_can_be_left_out(tmp_path):
    run = recorded(tmp_path / "mine", Chain(), weights=False)
    assert run.steps == ()
    assert open_record(run.path).sizes["step"] == 5


def test_a_loop_that_fails_leaves_a_failed_run(tmp_path):
    model = Chain()
    images, tokens = probe_of(small_task())
    with (
        pytest.raises(ZeroDivisionError),
        Recorder(model, tmp_path / "mine", images, tokens=tokens, snapshots="every:2") as recorder,
    ):
        loop(model, recorder, 3)
        raise ZeroDivisionError
    run = RunFolder.open(tmp_path / "mine")
    assert (run.state, run.description["failure"]) == ("failed", "ZeroDivisionError after step 3")
    assert run.curve().step.tolist() == [1, 2, 3]
    assert open_record(run.path).step.values.tolist() == [0, 2]


def test_what_cannot_be_observed_leaves_no_folder(tmp_path):
    images, tokens = probe_of(small_task())
    lazy = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(3))
    with pytest.raises(InputError, match="run one forward pass before recording"):
        Recorder(lazy, tmp_path / "mine", images, tokens=tokens)
    with (
        pytest.raises(InputError, match="couplings need"),
        Recorder(Branched(), tmp_path / "mine", images, tokens=tokens, couplings=True),
    ):
        pass
    with pytest.raises(InputError, match=r"takes the probe, as \[1, 8, 3, 8\]"):
        Recorder(Chain(), tmp_path / "mine", images.transpose(0, 3, 1, 2), tokens=tokens)
    assert not (tmp_path / "mine").exists()


def test_a_folder_that_holds_anything_is_refused(tmp_path):
    images, tokens = probe_of(small_task())
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"expected a folder without a record.*notes.txt"):
        Recorder(Chain(), tmp_path, images, tokens=tokens)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_network_of_another_precision_is_recorded_as_a_float32_copy(tmp_path, dtype):
    model = Chain().to(dtype)
    images, tokens = probe_of(small_task())
    with Recorder(model, tmp_path / "mine", images, tokens=tokens) as recorder:
        recorder.step()
    record = open_record(tmp_path / "mine")
    kind = str(dtype).removeprefix("torch.")
    assert record.attrs["precision"] == f"a float32 copy of the {kind} network"
    assert {p.dtype for p in model.parameters()} == {dtype}
    twin = Chain().to(dtype).float()
    with Recorder(twin, tmp_path / "twin", images, tokens=tokens) as recorder:
        recorder.step()
    other = open_record(tmp_path / "twin").load()
    for name in record.data_vars:
        assert np.array_equal(record[name].values, other[name].values, equal_nan=True), name


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda m: torch.compile(m, backend="eager")])
def test_wrapped_networks_are_recorded_by_the_names_of_the_bare_one(tmp_path, wrap):
    run = recorded(tmp_path / "mine", wrap(Chain()))
    assert open_record(run.path).attrs["layers"] == ["conv", "hidden", "logits"]
    assert set(run.weights(0)) == set(Chain().state_dict())


@pytest.mark.parametrize("make", [Chain, Branched])
@pytest.mark.filterwarnings("ignore:no couplings")
def test_a_recorded_training_ends_in_the_bits_of_the_bare_one(tmp_path, make):
    bare, seen = make(), make()
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        loop(bare, None, 6)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        recorded(tmp_path / "mine", seen, steps=6, snapshots="every:1")
    assert weights_hash(bare.state_dict()) == weights_hash(seen.state_dict())


# --- inputs that are no images -------------------------------------------------------------------


def test_inputs_that_are_no_images_go_the_whole_way(tmp_path, capsys):
    task = small_task()
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.Tanh(), nn.Linear(8, 3))
    x = prepare(task.images[task.probe].copy()).flatten(1).numpy()
    run = recorded_inputs(tmp_path / "mine", model, x, probe_of(task)[1])
    assert "image" not in open_record(run.path)
    measured(run)
    assert "<dt>Images</dt>" not in ont.report(run).read_text()
    bundle = bundle_run(run)
    assert bundle.manifest["run"]["image"] == [0, 0, 192]
    assert "probe" not in bundle.manifest["sheets"]
    assert main(["export", str(run.path), str(tmp_path / "page.html"), "--quiet"]) == 0
    assert main(["pictures", str(run.path), "--quiet"]) == 2
    assert "images" in capsys.readouterr().err


def recorded_inputs(out, model, x, tokens):
    task = small_task()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.02)
    rows, y = prepare(task.images[task.train]), torch.as_tensor(task.token[task.train])
    with Recorder(model, out, x, tokens=tokens, snapshots="every:3") as recorder:
        for _ in range(9):
            loss = functional.cross_entropy(model(rows), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            recorder.step(loss)
    return RunFolder.open(out)


# --- networks with branches ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def branched(tmp_path_factory):
    """Return a run of a residual network that Ontogeny trained, observed and measured."""
    config = Config(steps=12, batch=8, seed=3, snapshots=[0, 2, 5, 8, 12], threads=1)
    out = tmp_path_factory.mktemp("branched") / "run"
    run = train(small_task(), Branched(), config, out=out)
    with pytest.warns(UserWarning, match="no couplings are observed: they need"):
        observe(run)
    measured(run)
    return run


def test_a_run_without_couplings_remembers_why_and_says_it_once(branched):
    said = branched.description
    assert said["couplings"] is False
    [warning] = said["warnings"]
    assert "does not come through" in warning
    record = open_record(branched.path)
    assert record.attrs["without_couplings"] == warning
    assert "coupling" not in record
    assert "clone_accuracy" in record
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert observe(branched).identical(record)
    with pytest.raises(InputError, match="couplings need each layer's input"):
        observe(branched, couplings=True)
    assert open_record(branched.path).sizes["step"] == 5


def test_what_needs_no_couplings_is_made_and_what_is_missing_is_named_once(branched, tmp_path):
    assert not (branched.path / "graph.zarr").exists()
    html = ont.report(branched).read_text()
    assert html.count("does not come through") == 2  # the notice, and the chapter that is missing
    missing = bundle_run(branched).manifest["missing"]
    assert [m["why"] for m in missing if "coupling" in m["what"]] == branched.description[
        "warnings"
    ]
    assert main(["export", str(branched.path), str(tmp_path / "page.html"), "--quiet"]) == 0
    assert main(["measure", str(branched.path), "--quiet"]) == 0


def test_live_observation_falls_back_as_well(branched, tmp_path):
    out = tmp_path / "live"
    with pytest.warns(UserWarning, match="no couplings are observed"):
        train(small_task(), Branched(), branched.config, out=out, watchers=[Observer(out)])
    live = RunFolder.open(out)
    assert (live.state, live.description["couplings"]) == ("complete", False)
    assert len(live.description["warnings"]) == 1
    assert open_record(out).identical(open_record(branched.path).load())


def test_choosing_to_do_without_couplings_is_remembered(tmp_path):
    config = Config(steps=2, batch=8, snapshots=[0, 2], threads=1)
    task = small_task()
    run = train(task, vgg(task, widths=(4, 4), dense=5, depth=1), config, out=tmp_path / "run")
    without = observe(run, couplings=False)
    assert "coupling" not in without
    assert without.attrs["without_couplings"] == "no couplings were asked for"
    assert "coupling" not in observe(run)
    assert run.description["warnings"] == []
    assert "coupling" in observe(run, couplings=True)
    assert "coupling" in observe(run)


def test_a_recorder_falls_back_with_a_warning(tmp_path):
    with pytest.warns(UserWarning, match="no couplings are observed"):
        run = recorded(tmp_path / "mine", Branched())
    assert run.description["couplings"] is False
    assert len(run.description["warnings"]) == 1


def test_units_are_chosen_by_discrimination_where_there_are_no_couplings(branched):
    record = open_record(branched.path)
    chosen = discriminating_units(record, limit=2)
    assert [name.split(":")[0] for name in chosen] == (
        ["logits"] * 2 + ["second"] * 2 + ["first"] * 2 + ["stem"] * 2
    )
    at = record["activation"].sel(step=12)
    by_token = at.groupby("exemplar_token").map(lambda x: x.mean("exemplar"))
    counts = record["exemplar_token"].groupby(record["exemplar_token"]).count()
    between = (counts * (by_token - at.mean("exemplar")) ** 2).sum("exemplar_token")
    share = between / ((at - at.mean("exemplar")) ** 2).sum("exemplar")
    second = share.where(share.layer == "second", drop=True).fillna(-1)
    best = second.unit.values[np.argsort(-second.values)[:2]]
    assert set(chosen[2:4]) == set(best.tolist())


def test_pictures_are_made_without_couplings_and_stay_fresh(branched, tmp_path):
    run = Run.open(branched.path, model=Branched)
    made = ont.picture_run(run, choice=QUICK)
    assert made["has_picture"].any()
    assert set(made["film_layer"].values.astype(str)) == {"stem", "first", "second", "logits"}
    said = []
    ont.picture_run(run, choice=QUICK, progress=lambda what, *_: said.append(what))
    assert said == ["pictures: fresh"]


def test_pictures_of_ones_own_network_are_made_in_python(chain, tmp_path, capsys):
    assert main(["pictures", str(chain.path), "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "model=Chain" in said
    assert "ontogeny.picture_run(run)" in said
    made = ont.picture_run(Run.open(chain.path, model=Chain), choice=QUICK)
    assert made["has_picture"].any()
    record = open_record(chain.path)
    assert set(made["top_exemplar"].values.ravel()) <= {-1, *record["exemplar"].values}
    assert "film" in bundle_run(chain).manifest["sheets"]
    asked = Asked(Run.open(chain.path, model=Chain))
    assert asked.activation_map(5, "conv:1", 3).shape == (6, 6)
    with pytest.raises(InputError, match="expected an exemplar of the record"):
        asked.activation_map(5, "conv:1", 99)
    graph = ont.picture_graph(asked, 3, step=5, against="mean")
    assert graph.attrs["token"] in asked.tokens
    assert graph.completeness_error < 1e-12
    with pytest.raises(InputError, match="expected an exemplar of the record"):
        ont.picture_graph(asked, 99)


# --- as typed -------------------------------------------------------------------------------------

SCRIPT = """
    import contextlib, sys
    import numpy as np, torch
    from torch import nn
    import ontogeny as ont

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    tokens = np.repeat(["a", "b"], 6)
    x, y = ont.prepare(images), torch.arange(12) // 6
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    cast = torch.autocast("cpu", torch.bfloat16)
    around = cast if "cast" in sys.argv else contextlib.nullcontext()
    with around, ont.Recorder(model, "runs/mine", probe=images, tokens=tokens) as recorder:
        for _ in range(3):
            loss = nn.functional.cross_entropy(model(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            recorder.step(loss)
    print(ont.open_record("runs/mine").sizes["step"], ont.RunFolder.open("runs/mine").state)
"""


@pytest.mark.parametrize("arguments", [[], ["cast"]])
def test_a_plain_script_as_typed(tmp_path, arguments):
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    done = subprocess.run(
        [sys.executable, "script.py", *arguments],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "4 complete\n"


def test_a_notebook_cell_run_twice(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    cell = textwrap.dedent(SCRIPT)
    exec(compile(cell, "cell", "exec"), names)
    with pytest.raises(RunError, match="give another one as out, or remove it"):
        exec(compile(cell, "cell", "exec"), names)


DISTRIBUTED = """
    import sys
    import numpy as np, torch
    from torch import distributed, multiprocessing, nn
    from torch.nn.parallel import DistributedDataParallel
    import ontogeny as ont

    def work(rank, store, out):
        torch.set_num_threads(1)
        distributed.init_process_group("gloo", f"file://{store}", rank=rank, world_size=2)
        torch.manual_seed(0)
        bare = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
        model = DistributedDataParallel(bare)
        images = np.random.default_rng(0).integers(0, 256, (21, 8, 8, 3), dtype=np.uint8)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        with ont.Recorder(model, out, images, tokens=np.arange(21) % 3) as recorder:
            for _ in range(3):
                optimiser.zero_grad()
                model(ont.prepare(images[rank::2])).square().mean().backward()
                optimiser.step()
                recorder.step()
        if rank == 0:
            record = ont.open_record(out)
            logit = bare.eval()(ont.prepare(images)).detach().numpy()
            assert np.allclose(record.logit[-1], logit, rtol=1e-4, atol=1e-5)
            print(record.sizes["exemplar"], record.step.values.tolist(), record.attrs["layers"])
        distributed.destroy_process_group()

    if __name__ == "__main__":
        multiprocessing.spawn(work, sys.argv[1:], nprocs=2)
"""


@pytest.mark.slow
def test_one_rank_of_a_distributed_training_records(tmp_path):
    (tmp_path / "script.py").write_text(textwrap.dedent(DISTRIBUTED))
    done = subprocess.run(
        [sys.executable, "script.py", str(tmp_path / "store"), str(tmp_path / "mine")],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "21 [0, 1, 2, 3] ['0', 'logits']\n"
