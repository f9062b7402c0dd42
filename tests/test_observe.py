"""From snapshots to the record: live or afterwards, in order, fresh, resumable, undisturbing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from ontogeny.config import Config  # noqa: E402
from ontogeny.errors import DamagedError, InputError, RunError  # noqa: E402
from ontogeny.hooks import Probe, observe_network  # noqa: E402
from ontogeny.model import prepare, vgg  # noqa: E402
from ontogeny.observe import (  # noqa: E402
    TRAIN_EXEMPLARS,
    Clones,
    Exemplars,
    Observer,
    Recorder,
    halves,
    observe,
    score,
    weights_hash,
)
from ontogeny.record import VARIABLES, RecordWriter, open_record, validate  # noqa: E402
from ontogeny.stats.clones import gaussian_clones  # noqa: E402
from ontogeny.tasks.task import Task  # noqa: E402
from ontogeny.train import Run, train  # noqa: E402

pytestmark = pytest.mark.torch
CONFIG = Config(steps=12, batch=8, seed=3, snapshots=[0, 1, 4, 12], checkpoint_every=5, threads=1)


def small_task(size=8, n=20):
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (3, size, size, 3))
    token = np.repeat(["ann", "bea", "zoë"], n)
    images = np.clip(base.repeat(n, 0) + rng.normal(0, 30, (3 * n, size, size, 3)), 0, 255)
    factors = {"light": rng.normal(size=3 * n), "side": rng.choice(["left", "right"], 3 * n)}
    return Task.from_arrays(images.astype(np.uint8), token, probe=6, factors=factors)


def network(task):
    return vgg(task, widths=(4, 6), dense=5, seed=1)


def trained(out, *, watchers=(), config=CONFIG):
    task = small_task()
    return train(task, network(task), config, out=out, watchers=watchers)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("runs") / "first")


@pytest.fixture(autouse=True)
def one_thread():
    """Compute what is compared bit for bit with as many threads as the runs here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def same(a, b):
    """Say whether two records are equal in values, coordinates and attributes."""
    return a.load().identical(b.load())


def test_observed_run_is_a_whole_record(run, tmp_path):
    told = []
    record = observe(run, out=tmp_path / "r.zarr", progress=lambda *event: told.append(event))
    validate(record)
    task = small_task()
    assert told == [("snapshots", k, 4) for k in range(5)]
    assert record.step.values.tolist() == [0, 1, 4, 12]
    assert record.examples_seen.values.tolist() == [0, 8, 32, 96]
    assert_allclose(record.epoch, record.examples_seen / len(task.train))
    assert record.exemplar.values.tolist() == task.probe.tolist()
    assert record.exemplar_token.values.tolist() == [task.tokens[t] for t in task.token[task.probe]]
    assert record.factor_side.values.tolist() == task.factors["side"][task.probe].tolist()
    assert np.array_equal(record.group, task.group[task.probe])
    assert np.array_equal(record.image, task.images[task.probe])
    assert record.exemplar_half.values.mean() == 0.5
    assert record.attrs["layers"] == ["conv1", "conv2", "conv3", "conv4", "fc1", "logits"]
    assert record.attrs["tokens"] == list(task.tokens)
    assert record.attrs["config"]["steps"] == 12
    assert (record.attrs["seed"], record.attrs["data_hash"]) == (3, task.hash)
    assert {"ontogeny", "torch"} <= set(record.attrs["versions"])


def test_rows_are_what_the_network_shows(run, tmp_path):
    record, task = observe(run, out=tmp_path / "r.zarr"), small_task()
    for step in record.step.values.tolist():
        row, model = record.sel(step=step), run.network(step)
        seen = observe_network(model, task.images[task.probe], task.token[task.probe])
        for name in ("activation", "activation_maximum", "logit", "unit_variance", "coupling"):
            assert np.array_equal(row[name], getattr(seen, name), equal_nan=True), name
        logit = model(prepare(task.images[task.probe])).detach()
        token = torch.as_tensor(task.token[task.probe])
        loss = nn.functional.cross_entropy(logit.double(), token)
        assert_allclose(row.loss.sel(split="probe"), loss, rtol=1e-5)
        right = (logit.argmax(1) == token).numpy()
        assert_allclose(row.accuracy.sel(split="probe"), right.mean())
        for name in task.tokens:
            mine = right[row.exemplar_token.values == name]
            assert_allclose(row.token_accuracy.sel(split="probe", token=name), mine.mean())
        assert row.weights_hash.item() == weights_hash(run.weights(step))


def test_train_split_is_a_fixed_part_of_the_training_exemplars(run, tmp_path):
    record, task = observe(run, out=tmp_path / "r.zarr"), small_task()
    shown = Exemplars.of(task, seed=CONFIG.seed)
    per_token = min(TRAIN_EXEMPLARS, len(task.train) // 3)
    assert np.bincount(shown.train_token).tolist() == [per_token] * 3
    logit = run.network(12)(prepare(task.images[task.train])).detach()
    loss = nn.functional.cross_entropy(logit, torch.as_tensor(task.token[task.train]))
    assert_allclose(record.loss.sel(step=12, split="train"), loss, rtol=1e-5)  # all are in it


def test_training_is_bit_identical_with_and_without_observation(run, tmp_path):
    watched = trained(tmp_path / "run", watchers=[Observer(tmp_path / "run")])
    for step in run.steps:
        bare, seen = run.weights(step), watched.weights(step)
        assert all(np.array_equal(bare[k], seen[k]) for k in bare)
    assert np.array_equal(run.curve().loss, watched.curve().loss)
    after = observe(run, out=tmp_path / "after.zarr")
    assert same(open_record(watched.path), after)
    before = (watched.path / "record.zarr" / "zarr.json").stat().st_mtime_ns
    observe(watched)
    assert (watched.path / "record.zarr" / "zarr.json").stat().st_mtime_ns == before


def test_what_is_done_and_fresh_is_skipped(run, tmp_path, monkeypatch):
    path = tmp_path / "r.zarr"
    whole = observe(run, out=path).load()
    with RecordWriter(path) as writer:
        writer.truncate(2)
    steps = []
    monkeypatch.setattr(
        run, "network", lambda step: steps.append(step) or Run(run.path).network(step)
    )
    assert same(observe(run, out=path), whole)
    assert steps == [4, 12]


def test_gap_and_stale_rows_are_observed_anew(run, tmp_path):
    whole, path = observe(run, out=tmp_path / "whole.zarr").load(), tmp_path / "r.zarr"
    observer = Observer(run.path, out=path)
    observer(0, run.network(0))
    observer(4, run.network(4))  # step 1 is missing
    assert same(observe(run, out=path), whole)
    observer(1, run.network(12))  # not the weights of step 1: later steps go as well
    assert open_record(path).step.values.tolist() == [0, 1]
    assert same(observe(run, out=path), whole)
    observer(4, run.network(4))  # done: nothing changes
    assert same(open_record(path), whole)


def test_extras_are_in_the_record(run, tmp_path):
    record, task = observe(run, out=tmp_path / "r.zarr"), small_task()
    assert record.level.values.tolist() == [0.95, 0.99, 0.999]
    assert record.pair.values.tolist() == [0, 1, 2]
    for step in record.step.values.tolist():
        row, probe = record.sel(step=step), Probe(task.images[task.probe], task.token[task.probe])
        seen = observe_network(run.network(step), probe, extras=True, seed=CONFIG.seed)
        for name in (
            "coupling_null", "coupling_contrast_null", "edge_attribution", "interaction",
            "interaction_first", "interaction_second",
        ):  # fmt: skip
            assert np.array_equal(row[name], getattr(seen, name), equal_nan=True), name
    assert "lattice" in record.attrs["interactions"]
    assert "seed (3, layer)" in record.attrs["nulls"]


def test_clones_have_the_probes_tokens_and_the_training_exemplars_moments(run, tmp_path):
    record, task = observe(run, out=tmp_path / "r.zarr"), small_task()
    token = task.token[task.probe]
    clones = gaussian_clones(
        task.images[task.train], task.token[task.train], token,
        rng=np.random.default_rng(CONFIG.seed),
    )  # fmt: skip
    x = torch.as_tensor((clones - 127.5) / 63.75).permute(0, 3, 1, 2).float()
    for step in record.step.values.tolist():
        logit = run.network(step).eval()(x).detach().numpy()
        loss, accuracy, per_token = score(logit, token)
        assert_allclose(record.clone_loss.sel(step=step), loss, rtol=1e-5)
        assert record.clone_accuracy.sel(step=step) == accuracy
        assert record.clone_token_accuracy.sel(step=step).values.tolist() == per_token.tolist()
    drawn = record.attrs["clones"]
    assert (drawn["seed"], drawn["exemplars"]) == (CONFIG.seed, len(token))
    beyond = np.mean((clones < 0) | (clones > 255))
    assert 0 < beyond < 0.5
    assert_allclose(drawn["share_beyond_range"], beyond)


def test_a_second_probe_is_scored_at_every_step_and_leaves_the_first_as_it_is(tmp_path):
    plain = small_task(n=24)
    held = np.arange(72) % 24 < 4
    names = [f"{'x' if out else 'a'}{k}" for k, out in enumerate(held)]
    task = replace(plain, exemplars=tuple(names)).draw(probe=6, holdout="^x")
    run = train(task, network(task), CONFIG, out=tmp_path / "run")
    record = observe(run).load()
    validate(record)
    assert not set(task.holdout) & set(record.exemplar.values)
    assert record.attrs["holdout"].startswith("12 exemplars, at most 100 per token")
    images, token = prepare(task.images[task.holdout]), task.token[task.holdout]
    for step in record.step.values.tolist():
        loss, accuracy, per_token = score(run.network(step)(images).detach().numpy(), token)
        assert_allclose(record.holdout_loss.sel(step=step), loss, rtol=1e-5)
        assert record.holdout_accuracy.sel(step=step) == accuracy
        assert record.holdout_token_accuracy.sel(step=step).values.tolist() == per_token.tolist()
    with RecordWriter(run.path / "record.zarr") as writer:
        writer.truncate(2)
    assert same(observe(run), record)


def test_without_a_second_probe_the_record_is_as_ever(run, tmp_path):
    record = observe(run, out=tmp_path / "r.zarr")
    assert not [name for name in record.variables if str(name).startswith("holdout")]
    assert "holdout" not in record.attrs


def test_a_large_second_probe_is_shown_in_part():
    images = np.random.default_rng(0).integers(0, 256, (480, 2, 2), dtype=np.uint8)
    held = np.arange(480) % 240 < 130
    task = Task.from_arrays(images, np.repeat([0, 1], 240), holdout=held)
    shown = Exemplars.of(task, clones=False)
    assert np.bincount(shown.holdout_token).tolist() == [100, 100]


def test_tokens_with_one_training_exemplar_have_no_clones(run):
    task = small_task()
    mine = np.flatnonzero(task.token == 1)
    split = task.split.copy()
    split[mine] = [0, *[1] * (len(mine) - 1)]
    clones = Clones.of(replace(task, split=split), 0)
    assert 1 not in clones.token
    assert "fewer than two" in clones.attribute["missing"]


def test_extras_can_be_left_out_and_a_record_that_has_them_keeps_getting_them(run, tmp_path):
    path = tmp_path / "r.zarr"
    bare = observe(run, out=path, extras=False).load()
    absent = {n for n in VARIABLES if n.startswith(("clone", "interaction", "edge_at"))}
    assert not ({"coupling_null", "level", "pair"} | absent) & set(bare.variables)
    assert not {"nulls", "clones"} & set(bare.attrs)
    whole = observe(run, out=path).load()  # lacks what is wanted: anew
    assert absent <= set(whole.variables)
    for name in bare.data_vars:
        assert np.array_equal(bare[name], whole[name], equal_nan=True), name
    with RecordWriter(path) as writer:
        writer.truncate(2)
    assert same(observe(run, out=path, extras=False), whole)


def test_record_of_schema_1_is_read_as_it_is_and_observed_anew(run, tmp_path):
    path = tmp_path / "r.zarr"
    whole = observe(run, out=path).load()
    file = path / "zarr.json"
    metadata = json.loads(file.read_text())
    metadata["attributes"]["schema"] = 1
    del metadata["consolidated_metadata"]["ontogeny"]  # as before checksums
    file.write_text(json.dumps(metadata))
    old = open_record(path)
    assert old.attrs["schema"] == 1
    validate(old)
    Observer(run.path, out=path)(0, run.network(0))  # as in a training that goes on
    assert open_record(path).step.values.tolist() == [0]
    assert same(observe(run, out=path), whole)


@pytest.mark.parametrize(
    "file", ["zarr.json", "activation/c/0/0/0", "loss/c/0/0", "channel/c/0", "unit/c/0"]
)
def test_what_is_damaged_is_observed_anew(run, tmp_path, file):
    shutil.copytree(run.path, tmp_path / "run")
    copy = Run(tmp_path / "run")
    whole, damaged = observe(copy).load(), copy.path / "record.zarr" / file
    for data in (b"", damaged.read_bytes()[:-1] + b"?"):
        damaged.write_bytes(data)
        with pytest.raises(DamagedError, match=r"expected .*, got .*: run `ontogeny observe "):
            open_record(copy.path).load()
        assert same(observe(copy), whole)
    damaged.unlink()
    assert same(observe(copy), whole)
    damaged.write_bytes(b"?")
    Observer(copy.path)(copy.steps[-1], copy.network())  # as in a training that goes on
    assert same(observe(copy), whole)


def test_a_damaged_folder_that_is_not_the_runs_own_record_is_left_alone(run, tmp_path):
    path = tmp_path / "precious.zarr"
    path.mkdir()
    (path / "zarr.json").write_text("{")
    with pytest.raises(DamagedError, match="restore it from a copy, or delete it"):
        observe(run, out=path)
    assert (path / "zarr.json").read_text() == "{"


def test_record_of_another_task_or_without_couplings_is_replaced(run, tmp_path):
    whole, path = observe(run, out=tmp_path / "whole.zarr").load(), tmp_path / "r.zarr"
    Observer(run.path, out=path, couplings=False)(0, run.network(0))
    assert not {"coupling", "coupling_null", "interaction"} & set(open_record(path).variables)
    assert "clone_accuracy" in open_record(path)
    assert same(observe(run, out=path), whole)


KILLED = """
import sys
from ontogeny.observe import observe
print("ready", flush=True)
observe(sys.argv[1], out=sys.argv[2])
"""


@pytest.mark.slow
def test_killed_observation_goes_on(tmp_path):
    config = Config(steps=60, batch=8, snapshots="every:1", threads=1)
    run, rng = trained(tmp_path / "run", config=config), np.random.default_rng(0)
    whole = observe(run, out=tmp_path / "whole.zarr").load()
    for _ in range(8):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(run.path), str(tmp_path / "r.zarr")],
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        process.stdout.read(6)
        time.sleep(rng.uniform(0.1, 0.8))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert same(observe(run, out=tmp_path / "r.zarr"), whole)


def test_run_without_snapshots_is_told(tmp_path):
    with pytest.raises(RunError, match=r"expected the folder of a run, got .* without run.json"):
        observe(tmp_path)


def test_run_whose_snapshots_are_gone_is_told(run, tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "steps", ())
    with pytest.raises(RunError, match=r"expected a run with snapshots, got none in .*: train it"):
        observe(run, out=tmp_path / "r.zarr")


def test_score_equals_torch_and_tells_tokens_apart():
    rng = np.random.default_rng(0)
    logit, token = rng.normal(size=(50, 4)) * 5, rng.integers(0, 3, 50)
    loss, accuracy, per_token = score(logit, token)
    own = nn.functional.cross_entropy(torch.as_tensor(logit), torch.as_tensor(token))
    assert_allclose(loss, own, rtol=1e-10)
    right = logit.argmax(1) == token
    assert_allclose(accuracy, right.mean())
    assert_allclose(per_token[:3], [right[token == c].mean() for c in range(3)])
    assert np.isnan(per_token[3])


def test_halves_split_each_token_evenly():
    token = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [10, 7, 1]))
    half = halves(token)
    for c, sizes in enumerate(([5, 5], [4, 3], [1, 0])):
        assert np.bincount(half[token == c], minlength=2).tolist() == sizes


@pytest.mark.parametrize("change", ["value", "name", "shape", "type"])
def test_hash_of_weights_tells_every_change(change):
    weights = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(3)}
    other = dict(weights)
    if change == "value":
        other["a"] = weights["a"] + 1e-6
    elif change == "name":
        other = {"aa": other.pop("a"), **other}
    elif change == "shape":
        other["a"] = weights["a"].reshape(3, 2)
    else:
        other["b"] = torch.tensor(3, dtype=torch.int32)
    assert weights_hash(weights) != weights_hash(other)
    arrays = {name: value.numpy() for name, value in reversed(weights.items())}
    assert weights_hash(weights) == weights_hash(arrays)


# --- one's own training loop --------------------------------------------------------------------


def own_loop(recorder, model, steps):
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    task = small_task()
    x, y = prepare(task.images[task.train]), torch.as_tensor(task.token[task.train])
    model.train()
    for _ in range(steps):
        loss = nn.functional.cross_entropy(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if recorder is not None:
            recorder.step(loss)
    return loss


def own_network(kind="cnn"):
    torch.manual_seed(0)
    if kind == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(192, 9), nn.Tanh(), nn.Linear(9, 3))
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(), nn.Linear(36, 3),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["cnn", "mlp"])
def test_recorder_in_ones_own_loop(tmp_path, kind):
    task, model = small_task(), own_network(kind)
    names = [task.tokens[t] for t in task.token[task.probe]]
    images = task.images[task.probe]
    with Recorder(model, tmp_path, images, tokens=names, snapshots=[2, 5], steps=7) as recorder:
        loss = own_loop(recorder, model, 7)
    assert model.training
    record = open_record(tmp_path)
    validate(record)
    assert record.step.values.tolist() == [0, 2, 5, 7]
    assert record.token.values.tolist() == ["ann", "bea", "zoë"]
    assert "epoch" not in record
    assert np.isnan(record.loss.sel(split="train")[0])
    assert_allclose(record.loss.sel(split="train")[-1], loss.item())
    assert not record.token_accuracy.sel(split="probe").isnull().any()
    sums = record.coupling.groupby("target").sum(skipna=False)
    assert_allclose(sums, 1, rtol=1e-3)


def test_recorder_disturbs_nothing(tmp_path):
    bare, seen = own_network(), own_network()
    torch.manual_seed(1)
    own_loop(None, bare, 5)
    torch.manual_seed(1)
    with Recorder(seen, tmp_path, small_task(), snapshots="every:1") as recorder:
        own_loop(recorder, seen, 5)
    assert weights_hash(bare.state_dict()) == weights_hash(seen.state_dict())
    assert open_record(tmp_path).step.values.tolist() == list(range(6))


def test_recorder_without_tokens_keeps_what_needs_none(tmp_path):
    model, x = own_network(), prepare(small_task().images[:9].copy())
    with Recorder(model, tmp_path, probe=x) as recorder:
        recorder.step()
    record = open_record(tmp_path)
    assert record.token.values.tolist() == ["0", "1", "2"]
    absent = {"coupling_token_signal", "coupling_contrast", "accuracy", "exemplar_token", "image"}
    absent |= {"coupling_null", "edge_attribution", "interaction", "clone_loss", "level"}
    assert not absent & set(record.variables)
    assert record.coupling.shape == (2, 4 * 3 + 3 * 4)


def test_recorder_of_unknown_length_thins_out(tmp_path):
    recorder = Recorder(own_network(), tmp_path, small_task())
    due = [step for step in range(1, 1001) if recorder._is_due(step)]
    assert due[:10] == list(range(1, 11))
    assert len(due) < 75
    assert max(b / a for a, b in pairwise(due[10:])) < 1.13


def test_recorder_keeps_what_was_recorded_when_the_loop_fails(tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        Recorder(own_network(), tmp_path, small_task(), snapshots="every:2") as recorder,
    ):
        for _ in range(3):
            recorder.step(1.0)
        raise ZeroDivisionError
    assert open_record(tmp_path).step.values.tolist() == [0, 2]


def test_recorder_refuses_what_does_not_go_together(tmp_path):
    model, task = own_network(), small_task()
    with pytest.raises(InputError, match="expected one token for each of 5 exemplars"):
        Recorder(model, tmp_path, task.images[:5], tokens=["a"])
    with pytest.raises(InputError, match="a logit for each of 2 tokens, got 3"):
        Recorder(model, tmp_path, task.images[:4], tokens=list("aabb"))
    with pytest.raises(InputError, match='a list of steps or "every:N"'):
        Recorder(model, tmp_path, task, snapshots="every:0")
    with Recorder(model, tmp_path, task):
        pass
    with pytest.raises(RunError, match="expected a folder without a record"):
        Recorder(model, tmp_path, task)


def test_record_is_read_by_plain_xarray_while_training(tmp_path):
    seen = []

    def reader(step, _model):
        plain = xr.open_zarr(tmp_path / "run" / "record.zarr")
        seen.append((step, plain.step.values.tolist()))

    trained(tmp_path / "run", watchers=[Observer(tmp_path / "run"), reader])
    assert seen == [(0, [0]), (1, [0, 1]), (4, [0, 1, 4]), (12, [0, 1, 4, 12])]
    assert Path(tmp_path / "run" / "run.json").exists()
