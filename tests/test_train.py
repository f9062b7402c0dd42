import errno
import json
import math
import resource
import shutil
import threading
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ontogeny.config import Config
from ontogeny.errors import DivergedError, InputError, RunError
from ontogeny.model import prepare, vgg
from ontogeny.run import RunFolder
from ontogeny.tasks.task import Task
from ontogeny.train import Order, Run, Training, train

pytestmark = pytest.mark.torch

STEPS = 20
CONFIG = Config(
    steps=STEPS, batch=8, snapshots=[0, 1, 2, 5, 11, 20], checkpoint_every=6, rungs=1, flips=True,
    threads=1, learning_rate_schedule="constant",
)  # fmt: skip


def make_task(seed=0, channels=3):
    generator = np.random.default_rng(seed)
    token = np.repeat(np.arange(3), 20)
    noise = generator.integers(0, 100, (60, 8, 8, channels))
    images = (noise + 60 * token[:, None, None, None]).astype(np.uint8)
    return Task.from_arrays(images, token, names=["ada", "bo", "cy"], probe=4)


def make_network(**choices):
    return vgg(make_task(), **{"widths": (4, 6), "dense": 8, **choices})


class Dropping(nn.Module):
    """Dropout and batch norm: state beyond the weights, and random numbers in each step."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3),
        )  # fmt: skip

    def forward(self, x):
        return self.body(x)


def make_dropping():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Dropping()


class Stop(Exception):
    pass


def stop_at(step):
    def progress(_, done, __):
        if done == step:
            raise Stop

    return progress


def assert_same_run(a, b):
    assert a.steps == b.steps
    for step in a.steps:
        assert_same_weights(a.weights(step), b.weights(step))
    assert (a.path / "curve.csv").read_bytes() == (b.path / "curve.csv").read_bytes()


def assert_same_weights(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert np.asarray(a[name]).tobytes() == np.asarray(b[name]).tobytes(), name


def arrays(network):
    return {name: t.contiguous().numpy() for name, t in network.state_dict().items()}


@pytest.fixture(scope="module")
def task():
    return make_task()


@pytest.fixture(scope="module")
def whole(task, tmp_path_factory):
    """Return an uninterrupted run; tests only read it."""
    return train(task, make_network(), CONFIG, out=tmp_path_factory.mktemp("runs") / "whole")


# What a run is ----------------------------------------------------------------------------------


def test_a_run_has_its_snapshots_curve_and_description(task, whole):
    assert whole.state == "complete"
    assert whole.steps == (0, 1, 2, 5, 11, 20)
    assert whole.curve().step.tolist() == list(range(1, STEPS + 1))
    assert whole.description["task"]["hash"] == task.hash
    assert whole.description["task"]["density"] == {"ada": 16, "bo": 16, "cy": 16}
    assert whole.description["threads"] == 1
    assert whole.description["parameters"] == sum(p.numel() for p in make_network().parameters())
    assert {"torch", "numpy", "ontogeny"} <= set(whole.description["versions"])
    assert whole.checkpoints == (0, 18, 20)


def test_the_curve_counts_each_exemplar_of_each_batch(task, whole):
    curve, order = whole.curve(), Order(len(task.train), 8, 0)
    for step in (1, 7, 20):
        tokens = task.token[task.train][order.exemplars(step)]
        assert curve.shown[step - 1].tolist() == np.bincount(tokens, minlength=3).tolist()
    assert (curve.hits <= curve.shown).all()
    np.testing.assert_allclose(curve.accuracy, curve.hits.sum(1) / 8, rtol=1e-12)


def test_the_curve_is_that_of_a_loop_written_by_hand(task, tmp_path):
    """The naive twin: a usual loop over the same batches."""
    config = Config(
        steps=12, batch=8, optimiser="sgd", learning_rate=0.05,
        learning_rate_schedule="constant", threads=1,
    )  # fmt: skip
    run = train(task, make_network(), config, out=tmp_path / "run")
    network, losses = make_network(), []
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, weight_decay=0.01)
    stream = np.concatenate([np.random.default_rng([0, e]).permutation(48) for e in range(2)])
    for step in range(12):
        chosen = task.train[stream[step * 8 : step * 8 + 8]]
        loss = nn.functional.cross_entropy(
            network(prepare(task.images[chosen])), torch.tensor(task.token[chosen])
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    np.testing.assert_allclose(run.curve().loss, losses, rtol=1e-5)
    for name, weights in arrays(network).items():
        np.testing.assert_allclose(run.weights(12)[name], weights, rtol=1e-4, atol=1e-6)


def test_training_learns_the_task(task, tmp_path):
    config = Config(steps=120, batch=16, learning_rate=0.01, threads=1, snapshots=2)
    run = train(task, make_network(), config, out=tmp_path / "run")
    with torch.inference_mode():
        told = run.network()(prepare(task.images[task.probe])).argmax(1).numpy()
    assert (told == task.token[task.probe]).mean() > 0.9


def test_the_same_seed_gives_the_same_bits_and_another_does_not(task, whole, tmp_path):
    again = train(task, make_network(), CONFIG, out=tmp_path / "again")
    assert_same_run(whole, again)
    other = Config(**{**CONFIG.to_json(), "seed": 1})
    changed = train(task, make_network(), other, out=tmp_path / "other")
    assert changed.curve().loss.tolist() != whole.curve().loss.tolist()


def test_without_a_network_the_vgg_of_the_seed_is_trained(task, tmp_path):
    config = Config(steps=1, batch=4, seed=3, threads=1, snapshots=[0])
    run = train(task, config=config, out=tmp_path / "run")
    assert_same_weights(run.weights(0), arrays(vgg(task, seed=3)))


def test_the_network_given_stays_as_it_is(task, tmp_path):
    network = make_network().eval()
    before = {k: v.copy() for k, v in arrays(network).items()}
    run = train(task, network, CONFIG, out=tmp_path / "run")
    assert_same_weights(arrays(network), before)
    assert_same_weights(run.weights(0), before)
    assert not network.training
    assert all(p.grad is None for p in network.parameters())


@pytest.fixture
def two_threads():
    """Give torch another number of threads than the runs here have."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("two_threads")
def test_torch_is_left_as_it_was(task, tmp_path):
    def state():
        return (
            torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(), torch.is_grad_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory, threading.active_count(),
            torch.get_rng_state().tolist(),
        )  # fmt: skip

    before, numpy_before = state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    with torch.no_grad():
        train(task, make_network(), CONFIG, out=tmp_path / "run")
    assert state() == before
    assert np.random.get_state()[1].tolist() == numpy_before  # noqa: NPY002
    with pytest.raises(Stop):
        train(task, make_network(), CONFIG, out=tmp_path / "other", progress=stop_at(3))
    assert state() == before


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_each_optimiser_and_precision_resumes_bit_identically(task, tmp_path, optimiser, precision):
    config = Config(
        steps=9, batch=8, optimiser=optimiser, precision=precision, checkpoint_every=3,
        snapshots="every:3", threads=1, learning_rate_schedule="cosine", warmup_steps=2,
    )  # fmt: skip
    whole = train(task, make_network(), config, out=tmp_path / "whole")
    with pytest.raises(Stop):
        train(task, make_network(), config, out=tmp_path / "cut", progress=stop_at(7))
    assert_same_run(whole, Run.open(tmp_path / "cut").resume())
    weights = whole.weights(9)
    assert all(w.dtype == np.float32 for w in weights.values())


def test_learning_rates_are_those_of_the_schedule(task, tmp_path):
    config = Config(
        steps=6, batch=8, learning_rate_schedule="cosine", warmup_steps=2, threads=1, snapshots=1
    )
    run = train(task, make_network(), config, out=tmp_path / "run")
    expected = [config.learning_rate_at(step) for step in range(1, 7)]
    assert run.curve().learning_rate.tolist() == expected


# Order and flips --------------------------------------------------------------------------------


def test_each_epoch_shows_each_exemplar_once_across_borders_of_batches():
    order = Order(n=10, batch=4, seed=5)
    stream = np.concatenate([order.exemplars(step) for step in range(1, 11)])
    for epoch in range(4):
        assert sorted(stream[epoch * 10 : epoch * 10 + 10]) == list(range(10))
    assert stream[:10].tolist() != stream[10:20].tolist()


def test_the_order_is_a_function_of_the_step_alone():
    walked = Order(10, 4, 5)
    for step in range(1, 8):
        last = walked.exemplars(step)
    assert Order(10, 4, 5).exemplars(7).tolist() == last.tolist()


def test_a_batch_may_be_a_whole_epoch():
    assert sorted(Order(6, 6, 0).exemplars(2)) == list(range(6))


def test_flips_mirror_about_half_and_nothing_else(task):
    from ontogeny.train.training import _flip

    images = torch.from_numpy(task.images.copy())
    flipped = _flip(images, np.random.default_rng(0))
    is_same = (flipped == images).flatten(1).all(1)
    is_mirrored = (flipped == images.flip(2)).flatten(1).all(1)
    assert (is_same | is_mirrored).all()
    assert 0.25 < is_mirrored.float().mean() < 0.75


def test_flips_change_the_training(task, whole, tmp_path):
    config = Config(**{**CONFIG.to_json(), "flips": False})
    plain = train(task, make_network(), config, out=tmp_path / "plain")
    assert plain.curve().loss.tolist() != whole.curve().loss.tolist()


# Going on ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 5, 6, 7, 13, 19, 20])
def test_a_stopped_run_ends_in_the_same_bits(task, whole, tmp_path, step):
    with pytest.raises(Stop):
        train(task, make_network(), CONFIG, out=tmp_path / "cut", progress=stop_at(step))
    cut = Run.open(tmp_path / "cut")
    assert cut.state == "training"
    resumed = train(task, make_network(), CONFIG, out=cut.path, resume=True)
    assert resumed.state == "complete"
    assert_same_run(whole, resumed)


def test_dropout_and_batch_norm_resume_bit_identically(task, tmp_path):
    whole = train(task, make_dropping(), CONFIG, out=tmp_path / "whole")
    with pytest.raises(Stop):
        train(task, make_dropping(), CONFIG, out=tmp_path / "cut", progress=stop_at(15))
    torch.manual_seed(99)
    assert_same_run(whole, Run.open(tmp_path / "cut", model=Dropping).resume())
    assert "body.1.running_mean" in whole.weights(20)


def test_an_interrupt_leaves_a_run_that_can_go_on(task, whole, tmp_path):
    def interrupt(_, done, __):
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(task, make_network(), CONFIG, out=tmp_path / "cut", progress=interrupt)
    assert Run.open(tmp_path / "cut").state == "training"
    assert_same_run(whole, train(None, out=tmp_path / "cut", resume=True))


def test_resume_without_a_run_begins_one_and_with_a_complete_one_does_nothing(
    task, whole, tmp_path
):
    run = train(task, make_network(), CONFIG, out=tmp_path / "run", resume=True)
    assert_same_run(whole, run)
    stamps = {p: p.stat().st_mtime_ns for p in run.path.rglob("*")}
    again = train(task, make_network(), CONFIG, out=run.path, resume=True)
    assert again.state == "complete"
    assert {p: p.stat().st_mtime_ns for p in run.path.rglob("*")} == stamps


def test_a_damaged_newest_checkpoint_costs_only_the_way_from_the_one_before(task, whole, tmp_path):
    with pytest.raises(Stop):
        train(task, make_network(), CONFIG, out=tmp_path / "cut", progress=stop_at(14))
    cut = Run.open(tmp_path / "cut")
    assert cut.checkpoints == (0, 6, 12)
    (cut.path / "resume" / "00000012.safetensors").write_bytes(b"torn")
    with pytest.warns(UserWarning, match=r"00000012.*going on from the checkpoint before"):
        cut.resume()
    assert_same_run(whole, cut)


def test_resume_on_another_machine_warns_and_notes_it(task, tmp_path):
    with pytest.raises(Stop):
        train(task, make_network(), CONFIG, out=tmp_path / "cut", progress=stop_at(8))
    cut = Run.open(tmp_path / "cut")
    with cut.writing():
        cut.amend(versions={**cut.description["versions"], "torch": "1.0"})
    with pytest.warns(UserWarning, match=r"from step 6 on, bits may differ.*torch 1.0 -> "):
        cut.resume()
    assert "bits may differ" in cut.description["warnings"][0]
    assert cut.description["versions"]["torch"] != "1.0"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"config": Config(**{**CONFIG.to_json(), "steps": 30})}, r"steps 30 \(it has 20\)"),
        ({"task": make_task(seed=1)}, "another task"),
        ({"model": make_network(dense=9)}, "another network"),
    ],
)
def test_a_run_goes_on_only_as_it_was_begun(task, whole, change, words):
    given = {"task": task, "model": make_network(), "config": CONFIG, **change}
    with pytest.raises(InputError, match=words):
        train(**given, out=whole.path, resume=True)


def test_a_folder_with_a_run_is_not_trained_over(task, whole):
    with pytest.raises(RunError, match=r"holds one \(complete\): resume it \(--resume\)"):
        train(task, make_network(), CONFIG, out=whole.path)


def test_a_run_in_training_is_locked(task, tmp_path):
    def intrude(*_):
        with pytest.raises(RunError, match="expected to be the only writer"):
            Run.open(tmp_path / "run").resume()
        raise Stop

    with pytest.raises(Stop):
        train(task, make_network(), CONFIG, out=tmp_path / "run", progress=intrude)


def test_a_run_can_be_read_while_it_trains(task, tmp_path):
    seen = []

    def look(*_):
        folder = RunFolder.open(tmp_path / "run")
        seen.append((folder.state, len(folder.curve().step)))
        for step in folder.steps:
            folder.weights(step)

    train(task, make_network(), CONFIG, out=tmp_path / "run", progress=look)
    assert seen == [("training", step) for step in range(1, STEPS + 1)]


# Watchers ---------------------------------------------------------------------------------------


def test_watchers_see_each_snapshot_and_do_not_disturb(task, tmp_path):
    """They compute, draw, train, break: none of it reaches the training."""
    seen = []

    def meddle(step, network):
        seen.append(step)
        assert not network.training
        assert_same_weights(
            {"w": network.body[0].weight.detach().contiguous().numpy()},
            {"w": network.state_dict()["body.0.weight"].contiguous().numpy()},
        )
        network.train()
        torch.rand(5)
        torch.set_num_threads(2)
        network(prepare(task.images[task.probe])).sum().backward()
        with torch.no_grad():
            network.body[0].weight.zero_()

    undisturbed = train(task, make_dropping(), CONFIG, out=tmp_path / "a")
    watched = train(task, make_dropping(), CONFIG, out=tmp_path / "b", watchers=[meddle])
    assert seen == list(CONFIG.snapshot_steps)
    assert_same_run(undisturbed, watched)


def test_each_watcher_is_shown_the_weights_of_the_snapshot(task, whole, tmp_path):
    shown = {}
    watchers = [lambda step, network: shown.update({step: {
        k: v.copy() for k, v in arrays(network).items()}})]  # fmt: skip
    train(task, make_network(), CONFIG, out=tmp_path / "run", watchers=watchers)
    for step in whole.steps:
        assert_same_weights(shown[step], whole.weights(step))


def test_a_failing_watcher_leaves_a_run_that_can_go_on(task, whole, tmp_path):
    def fail(step, _):
        if step == 11:
            raise Stop

    with pytest.raises(Stop):
        train(task, make_network(), CONFIG, out=tmp_path / "run", watchers=[fail])
    seen = []
    resumed = Run.open(tmp_path / "run").resume(watchers=[lambda step, _: seen.append(step)])
    assert seen == [11, 20]
    assert_same_run(whole, resumed)


# Back to life -----------------------------------------------------------------------------------


def test_a_network_has_the_weights_of_its_snapshot(whole):
    network = whole.network(11)
    assert_same_weights(arrays(network), whole.weights(11))
    assert not network.training
    assert_same_weights(arrays(whole.network()), whole.weights(20))


def test_a_run_is_opened_without_the_network_where_it_is_ours(whole):
    assert_same_weights(arrays(Run.open(whole.path).network(5)), whole.weights(5))


def test_a_strangers_network_is_not_run_unasked(task, tmp_path):
    train(task, make_dropping(), CONFIG, out=tmp_path / "run")
    spec = json.loads((tmp_path / "run" / "run.json").read_bytes())["model"]
    assert spec["factory"].endswith(":Dropping")
    with pytest.raises(InputError, match=r"Dropping, which is not run unasked: give it"):
        Run.open(tmp_path / "run").network(5)
    for model in (Dropping, make_dropping()):
        network = Run.open(tmp_path / "run", model=model).network(5)
        assert_same_weights(arrays(network), RunFolder(tmp_path / "run").weights(5))


def test_another_network_than_the_runs_is_refused(whole):
    with pytest.raises(RunError, match=r"expected the network that .* was trained with"):
        Run.open(whole.path, model=lambda: vgg(widths=(3,))).network(5)


@pytest.mark.parametrize("step", [0, 3, 6, 13, 19, 20])
def test_replay_gives_the_bits_of_any_step(task, whole, tmp_path, step):
    config = Config(**{**CONFIG.to_json(), "snapshots": "every:1"})
    dense = train(task, make_network(), config, out=tmp_path / "dense")
    assert_same_weights(arrays(whole.replay(step)), dense.weights(step))


def test_replay_tells_if_this_machine_does_not_reproduce_the_bits(whole, tmp_path):
    shutil.copytree(whole.path, tmp_path / "moved")
    curve = tmp_path / "moved" / "curve.csv"
    rows = curve.read_text().splitlines()
    cells = rows[4].split(",")
    row = ",".join([cells[0], "0.5", *cells[2:-1]])
    rows[4] = f"{row},{zlib.crc32(row.encode())}"
    curve.write_text("\n".join(rows) + "\n")
    with pytest.warns(UserWarning, match=r"expected the loss 0.5 at step 4 .*do not reproduce"):
        Run.open(tmp_path / "moved").replay(10)


@pytest.mark.parametrize("step", [-1, 21])
def test_a_step_that_was_not_trained_cannot_be_replayed_or_forked(whole, tmp_path, step):
    with pytest.raises(InputError, match=rf"expected a step from 0 to 20.*got {step}"):
        whole.replay(step)
    with pytest.raises(InputError, match=rf"expected a step from 0 to 20.*got {step}"):
        whole.fork(step, tmp_path / "child")
    assert not (tmp_path / "child").exists()


@pytest.mark.parametrize("at", [0, 2, 9, 18, 20])
def test_a_fork_without_intervention_reproduces_its_parent(whole, tmp_path, at):
    before = {p: p.read_bytes() for p in whole.path.rglob("*") if p.is_file()}
    child = whole.fork(at, tmp_path / "child")
    assert child.state == "training"
    assert child.description["parent"] == {"path": str(whole.path), "step": at}
    assert child.steps == tuple(step for step in whole.steps if step <= at)
    assert at in child.checkpoints
    child.resume()
    assert_same_run(whole, child)
    assert at in child.checkpoints
    assert {p: p.read_bytes() for p in whole.path.rglob("*") if p.is_file()} == before


def test_a_fork_of_a_fork_reproduces_the_first(whole, tmp_path):
    grandchild = whole.fork(12, tmp_path / "child").resume().fork(15, tmp_path / "grandchild")
    assert_same_run(whole, grandchild.resume())


def test_a_fork_does_not_land_on_another_run(whole, tmp_path):
    with pytest.raises(RunError, match="holds one"):
        whole.fork(5, whole.path)


def test_a_damaged_task_is_told(whole, tmp_path):
    shutil.copytree(whole.path, tmp_path / "moved")
    make_task(seed=4).save(tmp_path / "moved" / "task.npz")
    with pytest.raises(RunError, match=r"expected the task .* restore it from a copy"):
        _ = Run.open(tmp_path / "moved").task


# What can go wrong ------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_what_was_recorded(task, tmp_path):
    config = Config(**{**CONFIG.to_json(), "optimiser": "sgd", "learning_rate": 1e9})
    with pytest.raises(DivergedError, match=r"expected a finite loss, got (nan|inf) at step"):
        train(task, make_network(), config, out=tmp_path / "run")
    run = Run.open(tmp_path / "run")
    assert run.state == "failed"
    assert "lower the learning rate (1e+09)" in run.description["failure"]
    last = len(run.curve().step)
    assert np.isfinite(run.curve().loss).all()
    assert run.steps == tuple(step for step in config.snapshot_steps if step <= last)
    with pytest.raises(RunError, match=r"got .*, which failed \(expected a finite loss"):
        run.resume()


def test_weights_that_are_not_finite_after_the_last_step_are_found(task, tmp_path):
    config = Config(steps=1, batch=8, optimiser="sgd", learning_rate=1e38, threads=1, snapshots=[0])
    with pytest.raises(DivergedError, match="got nan at step 2"):
        train(task, make_network(output_scale=1e6), config, out=tmp_path / "run")
    assert Run.open(tmp_path / "run").checkpoints == (0,)


def test_a_diverging_step_leaves_the_network_as_it_was(task):
    training = Training(make_network(init_gain=1e30), task, CONFIG)
    before = training.weights()
    with pytest.raises(DivergedError):
        training.advance()
    assert all(torch.equal(v, before[k]) for k, v in training.weights().items())
    assert training.step == 0


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (lambda: vgg(tokens=4, widths=(4,)), r"expected logits \[exemplar, 3\].*got \[2, 4\]"),
        (lambda: vgg(channels=1, widths=(4,), tokens=3), "expected a network for images of 3 x 8"),
        (lambda: make_network().double(), "expected a network of float32 weights"),
        (nn.Flatten, "expected a network of float32 weights"),
    ],
)
def test_a_network_that_cannot_learn_the_task_is_refused(task, tmp_path, network, words):
    with pytest.raises(InputError, match=words):
        train(task, network(), CONFIG, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_batch_larger_than_the_task_is_refused(task, tmp_path):
    with pytest.raises(InputError, match="at most the 48 training exemplars, got 49"):
        train(task, make_network(), Config(batch=49), out=tmp_path / "run")


def test_no_task_and_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected a task, or a run to resume, got neither"):
        train(None, out=tmp_path / "run", resume=True)


def test_a_write_that_fails_in_the_background_stops_the_training(
    task, whole, tmp_path, monkeypatch
):
    """No checkpoint may promise a snapshot that was not written."""
    write = RunFolder.write_snapshot

    def full(self, step, weights):
        if step == 5:
            msg = "expected room"
            raise RunError(msg)
        write(self, step, weights)

    monkeypatch.setattr(RunFolder, "write_snapshot", full)
    with pytest.raises(RunError, match="expected room"):
        train(task, make_network(), CONFIG, out=tmp_path / "run")
    monkeypatch.undo()
    run = Run.open(tmp_path / "run")
    assert run.state == "training"
    assert run.checkpoints == (0,)
    assert_same_run(whole, run.resume())


@pytest.mark.parametrize("room", [900, 3000, 8000])
def test_a_limit_on_the_size_of_files_ends_in_a_sentence_and_the_run_resumes(
    task, whole, tmp_path, room
):
    """A real quota: the system refuses to let files grow beyond `room` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(_, done, __):
        if done == 4:
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))

    try:
        with pytest.raises(RunError, match=r"expected room for .*: make room and resume"):
            train(task, make_network(), CONFIG, out=tmp_path / "run", progress=limit)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_same_run(whole, Run.open(tmp_path / "run").resume())


def test_a_folder_that_may_not_be_written_is_told(task, tmp_path, monkeypatch):
    def refuse(*_args, **_choices):
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(RunError, match=r"expected to be allowed to write .*choose another folder"):
        train(task, make_network(), CONFIG, out=tmp_path / "run")


def test_loss_is_recorded_before_the_update(task, tmp_path):
    config = Config(steps=1, batch=8, threads=1, snapshots=[0])
    run = train(task, make_network(), config, out=tmp_path / "run")
    chosen = task.train[Order(48, 8, 0).exemplars(1)]
    with torch.inference_mode():
        logits = make_network()(prepare(task.images[chosen]))
        loss = nn.functional.cross_entropy(logits, torch.tensor(task.token[chosen])).item()
    assert math.isclose(run.curve().loss[0], loss, rel_tol=1e-5)


def test_photographs_are_mirrored_unless_said_otherwise_and_the_run_says_so(tmp_path):
    task = replace(make_task(), origin={"source": "folder"})
    config = Config(steps=1, batch=4)
    run = train(task, make_network(), config, out=tmp_path / "run")
    assert run.config.flips is True
    assert train(task, config=config, out=tmp_path / "run", resume=True).config.flips is True
    with pytest.raises(InputError, match=r"flips False \(it has True\)"):
        train(task, config=Config(steps=1, batch=4, flips=False), out=run.path, resume=True)
    drawn = train(make_task(), make_network(), config, out=tmp_path / "drawn")
    assert drawn.config.flips is False


def test_a_small_task_is_trained_in_batches_of_all_it_has_and_the_run_says_so(tmp_path):
    task = make_task().draw(density=5)
    with pytest.warns(UserWarning, match="The batch is 15, not 50, because there are no more"):
        run = train(task, make_network(), Config(steps=1), out=tmp_path / "run")
    assert run.config.batch == 15
    assert run.description["warnings"] == [
        "The batch is 15, not 50, because there are no more training exemplars."
    ]
    assert train(task, config=Config(steps=1), out=run.path, resume=True).state == "complete"
    with pytest.raises(InputError, match="batch of at most the 15 training exemplars, got 16: ask"):
        train(task, make_network(), Config(steps=1, batch=16), out=tmp_path / "other")


def test_doubts_of_a_task_stand_in_its_run(tmp_path):
    plain = make_task()
    images = plain.images.copy()
    images[25] = images[5]
    task = Task.from_arrays(images, plain.token, names=plain.tokens, probe=4)
    with pytest.warns(UserWarning, match="1 picture stands under two tokens"):
        run = train(task, make_network(), Config(steps=1, batch=4), out=tmp_path / "run")
    (words,) = run.description["warnings"]
    assert words.startswith("1 picture stands under two tokens (ada 5 and bo 25 are equal pixel")


def test_a_watcher_that_fails_leaves_threads_as_they_were():
    from ontogeny.train.place import undisturbed

    before = torch.get_num_threads()
    with pytest.raises(KeyError), undisturbed():
        torch.set_num_threads(before + 1)
        raise KeyError
    assert torch.get_num_threads() == before
