"""Training: a loop that reads top to bottom, and a run that can go on, be replayed and be forked.

The order of exemplars is a pure function of the seed, and everything else that the next step
depends on is in a checkpoint; so a run that was killed ends in the same bits as one that was not,
on the same machine with the same threads and versions.
May import everything below the hooks: config, tasks, model, schedule, run, files, errors.
"""

import copy
import math
import os
import platform
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.config import Config
from ontogeny.errors import DivergedError, InputError, RunError
from ontogeny.files import Background
from ontogeny.model import FACTORIES, parameters, prepare, vgg
from ontogeny.run import COMPLETE, FAILED, TRAINING, CurveFile, Row, RunFolder
from ontogeny.tasks.task import Task

Watcher = Callable[[int, nn.Module], object]
"""Called as `watcher(step, network)` after each snapshot, with a copy of the network."""
Progress = Callable[[Row], object]
"""Called after each step."""

_FLIPS = 2**31
_DECISIVE = (
    ("machine", "processor"),
    ("machine", "instructions"),
    ("machine", "system"),
    ("versions", "ontogeny"),
    ("versions", "torch"),
    ("versions", "numpy"),
)
"""What the bits depend on, of what run.json says of the place of a training."""
_WEIGHTS, _OPTIMISER, _RANDOM = "weights/", "optimiser/", "random"


def train(  # noqa: PLR0913 - what to learn, with what, how, where to, and who looks on
    task: Task | None,
    model: nn.Module | None = None,
    config: Config | None = None,
    *,
    out: str | os.PathLike[str],
    resume: bool = False,
    watchers: Sequence[Watcher] = (),
    progress: Progress | None = None,
) -> "Run":
    """Train a network on a task and record its development in a folder.

    Parameters
    ----------
    task
        What to learn; None: the task of the run that is resumed.
    model
        A network that maps `prepare`d images [exemplar, channel, y, x] to logits
        [exemplar, token]; it is copied, and stays as it is. None: `vgg` for this task and seed.
    config
        How to train; None: the defaults, or those of the run that is resumed.
    out
        A new or empty folder, or the run to go on with.
    resume
        Go on with a run that was stopped or killed, from its newest checkpoint; the weights will
        be those of an uninterrupted run, bit for bit. Without a run in `out`, begin one; with a
        complete one, do nothing.
    watchers
        Called with the step and a copy of the network in evaluation mode after each snapshot.
        Nothing that they do to it, or draw from torch's random state, reaches the training.
        After a crash they see the steps since the newest checkpoint once more.
    progress
        Called with the row of the learning curve after each step.

    Returns
    -------
    Run
        The trained run.

    Raises
    ------
    InputError
        If task, network, config and folder do not go together.
    RunError
        If the folder is locked, damaged, not writable or out of room.
    DivergedError
        If the loss became NaN or infinite; what was recorded until then is kept.
    """
    run = Run(out, model=model)
    if resume and run.began:
        run._expect(task, config)
        return run.resume(watchers=watchers, progress=progress)
    if task is None:
        msg = f"expected a task, or a run to resume, got neither in {out}: give a task"
        raise InputError(msg)
    config = (config or Config()).settled(mirrors=task.mirrors)
    network = vgg(task, seed=config.seed) if model is None else model
    _check(network, task, config)
    with run.writing():
        run._begin(task, network, config)
        run._go_on(watchers, progress)
    return run


class Run(RunFolder):
    """A run whose network can be brought back to life at any step.

    Parameters
    ----------
    path
        The folder.
    model
        The network, or a function that makes it, where the run's own was not made by `vgg`: a
        run folder is never allowed to name code that is run.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        model: nn.Module | Callable[[], nn.Module] | None = None,
    ) -> None:
        super().__init__(path)
        self._model = model

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        model: nn.Module | Callable[[], nn.Module] | None = None,
    ) -> Self:
        """Open a run for reading; it may be in training at the same time.

        Raises
        ------
        RunError
            If there is no run, its description is damaged, or it is of a newer schema.
        """
        run = super().open(path)
        run._model = model
        return run

    @cached_property
    def config(self) -> Config:
        """How it is trained."""
        return Config.from_json(self.description["config"])

    @cached_property
    def task(self) -> Task:
        """What it learns, from the run's own copy.

        Raises
        ------
        RunError
            If the copy is not the task that the run was begun with.
        """
        task = Task.load(self.task_path)
        expected = self.description["task"]["hash"]
        if task.hash != expected:
            msg = (
                f"expected the task {expected[:12]} in {self.task_path}, got {task.hash[:12]}: "
                "restore it from a copy"
            )
            raise RunError(msg)
        return task

    def network(self, step: int | None = None) -> nn.Module:
        """Return the network at a snapshot, in evaluation mode.

        Parameters
        ----------
        step
            Step of a snapshot; None: the last there is.

        Raises
        ------
        InputError
            If there is no snapshot at this step, or the network cannot be made.
        RunError
            If the snapshot is damaged or of another network.
        """
        weights = self.weights(max(self.steps, default=0) if step is None else step)
        network = self._architecture()
        _load(network, weights, str(self.path))
        return network.eval()

    def replay(self, step: int) -> nn.Module:
        """Return the network at any step that was trained, in evaluation mode, bit for bit.

        Between snapshots it is trained again from the nearest checkpoint before; nothing is
        written. A warning tells if a loss on the way is not the recorded one: then this machine,
        or its versions, cannot reproduce the bits.

        Raises
        ------
        InputError
            If the step was not trained.
        RunError
            If no checkpoint before it is whole.
        """
        if step in self.steps:
            return self.network(step)
        with settled(self.description["threads"]):
            return self._training(self._trained(step)).model.eval()

    def fork(self, at: int, out: str | os.PathLike[str]) -> "Run":
        """Begin a child that shares this run's history up to a step; `resume` trains it on.

        Without an intervention it reproduces this run bit for bit. The parent is only read;
        snapshots are hard-linked where the disk can.

        Parameters
        ----------
        at
            Any step that was trained.
        out
            A new or empty folder.

        Raises
        ------
        InputError
            If the step was not trained.
        RunError
            If `out` holds something, or the parent is damaged.
        """
        at, child = self._trained(at), Run(out, model=self._model)
        parent = {"path": str(self.path), "step": at}
        with child.writing():
            child.begin(
                {**self.description, "parent": parent, "failure": None},
                self.description["task"]["tokens"],
            )
            self.share(child, at)
            if at not in child.checkpoints:
                with settled(self.description["threads"]):
                    child.write_checkpoint(at, _arrays(self._training(at).state()))
            child.amend(state=TRAINING)
        return child

    def resume(
        self, *, watchers: Sequence[Watcher] = (), progress: Progress | None = None
    ) -> "Run":
        """Go on from the newest checkpoint to the last step; see `train`.

        Raises
        ------
        RunError
            If the run diverged, or somebody else writes it.
        """
        if self.state == FAILED:
            msg = (
                f"expected a run that can go on, got {self.path}, which failed "
                f"({self.description['failure']}): train another, or fork it at an earlier step"
            )
            raise RunError(msg)
        if self.state != COMPLETE:
            with self.writing():
                self._note_other_machine()
                self._go_on(watchers, progress)
        return self

    # Beginning ----------------------------------------------------------------------------------

    def _begin(self, task: Task, network: nn.Module, config: Config) -> None:
        """Lay out the folder with all that a resume needs: task, description, checkpoint 0."""
        threads = config.threads or torch.get_num_threads()
        self.begin(_description(task, network, config, threads), task.tokens)
        task.save(self.task_path)
        self.task, self.config = task, config
        with settled(threads, seed=config.seed):
            training = Training(copy.deepcopy(network), task, config)
            self.write_checkpoint(0, _arrays(training.state()))
        self.amend(state=TRAINING)

    def _expect(self, task: Task | None, config: Config | None) -> None:
        """Refuse to go on with another task, config or network than the run was begun with."""
        description, problems = self.description, []
        if task is not None and task.hash != description["task"]["hash"]:
            problems.append(f"another task ({task.name}, {task.hash[:12]})")
        if config is not None:
            asked = config.settled(mirrors=self.task.mirrors)
            new, old = asked.to_json(), self.config.to_json()
            problems += [f"{k} {new[k]} (it has {old[k]})" for k in new if new[k] != old[k]]
        spec = getattr(self._model, "spec", None)
        if spec is not None and spec != description["model"]:
            problems.append(f"another network ({spec})")
        if problems:
            msg = (
                f"expected what {self.path} was begun with, got {'; '.join(problems)}: "
                "resume it as it is or train in another folder (--out)"
            )
            raise InputError(msg)

    # The loop -----------------------------------------------------------------------------------

    def _go_on(self, watchers: Sequence[Watcher], progress: Progress | None) -> None:
        """Train from the newest checkpoint to the last step, and note how it ended."""
        try:
            with settled(self.description["threads"]):
                training = self._restored(self.config.steps)
                self.rewind(training.step)
                with self.append_curve() as curve, Background() as background:
                    scribe = _Scribe(self, training, curve, background, watchers)
                    self._loop(training, scribe, progress)
        except DivergedError as error:
            self.amend(state=FAILED, failure=str(error))
            raise
        self.amend(state=COMPLETE)

    def _loop(self, training: "Training", scribe: "_Scribe", progress: Progress | None) -> None:
        config, snapshots = self.config, frozenset(self.config.snapshot_steps)
        if training.step == 0:
            scribe.snapshot()
        while training.step < config.steps:
            row = training.advance()
            scribe.row(row)
            if row.step in snapshots:
                scribe.snapshot()
            if config.is_checkpoint(row.step):
                scribe.checkpoint()
            if progress is not None:
                progress(row)

    # Back to life -------------------------------------------------------------------------------

    def _architecture(self) -> nn.Module:
        """Make the network, with whatever weights."""
        spec = self.description["model"]
        if isinstance(self._model, nn.Module):
            network = copy.deepcopy(self._model)
        elif self._model is not None:
            network = self._model()
        elif spec["factory"] in FACTORIES:
            network = FACTORIES[spec["factory"]](**spec["arguments"])
        else:
            msg = (
                f"expected a network made by {' or '.join(FACTORIES)}, got {spec['factory']}, "
                f"which is not run unasked: give it, Run.open({str(self.path)!r}, model=...)"
            )
            raise InputError(msg)
        return network

    def _restored(self, at_most: int) -> "Training":
        """Return the training as it was at the newest whole checkpoint up to a step."""
        steps = [step for step in self.checkpoints if step <= at_most]
        training = Training(self._architecture(), self.task, self.config)
        while steps:
            try:
                training.restore(steps[-1], self.checkpoint(steps[-1]), str(self.path))
            except RunError as error:
                if len(steps) == 1:
                    raise
                warnings.warn(f"{error}; going on from the checkpoint before", stacklevel=2)
                steps.pop()
            else:
                return training
        msg = f"expected a checkpoint at or before step {at_most} in {self.path}, got none"
        raise RunError(msg)

    def _training(self, step: int) -> "Training":
        """Return the training as it was at a step, by repeating it from the checkpoint before."""
        training, losses = self._restored(step), self.curve().loss
        is_same = True
        while training.step < step:
            row = training.advance()
            if is_same and row.loss != losses[row.step - 1]:
                is_same = False
                warnings.warn(
                    f"expected the loss {losses[row.step - 1]} at step {row.step} of {self.path}, "
                    f"got {row.loss}: this machine or its versions do not reproduce the bits",
                    stacklevel=2,
                )
        return training

    def _trained(self, step: int) -> int:
        """Return a step if it was trained."""
        last = len(self.curve().step)
        if not 0 <= step <= last:
            msg = f"expected a step from 0 to {last}, which were trained, got {step}"
            raise InputError(msg)
        return int(step)

    def _note_other_machine(self) -> None:
        """Warn, and keep in run.json, that bits may differ where a run moves between machines."""
        description = self.description
        now = {"machine": _machine(), "versions": _versions()}
        pairs = [(name, description[kind].get(name), now[kind][name]) for kind, name in _DECISIVE]
        changes = [f"{name} {then} -> {here}" for name, then, here in pairs if then != here]
        if not changes:
            return
        warning = (
            f"from step {max(self.checkpoints, default=0)} on, bits may differ from an "
            f"uninterrupted run: {', '.join(changes)}"
        )
        self.amend(**now, warnings=[*description["warnings"], warning])
        warnings.warn(warning, stacklevel=4)


class Training:
    """A network while it learns: all that the next step depends on, and the step itself.

    Parameters
    ----------
    model
        Is trained in place.
    task
        What it learns.
    config
        How.
    """

    def __init__(self, model: nn.Module, task: Task, config: Config) -> None:
        self.step = 0
        self.config = config
        self.model = model.to(memory_format=torch.channels_last).train()  # pyright: ignore[reportCallIssue]
        self.optimiser = _optimiser(self.model, config)
        self.images = torch.tensor(task.images[task.train])
        self.token = torch.tensor(task.token[task.train])
        self.n_tokens = task.n_tokens
        self.order = Order(len(task.train), config.batch, config.seed)

    def advance(self) -> Row:
        """Take one step.

        Raises
        ------
        DivergedError
            If the loss is NaN or infinite; the network is left as it was.
        """
        step, config = self.step + 1, self.config
        chosen = torch.from_numpy(self.order.exemplars(step))
        images, token = self.images[chosen], self.token[chosen]
        if config.flips:
            images = _flip(images, np.random.default_rng([config.seed, _FLIPS, step]))
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bfloat16"):
            logits = self.model(prepare(images))
        loss = nn.functional.cross_entropy(logits.float(), token)
        if not math.isfinite(loss.item()):
            raise DivergedError(_divergence(loss.item(), step, config))
        rate = config.learning_rate_at(step)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.step = step
        return _row(step, loss.item(), rate, logits.detach(), token, self.n_tokens)

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights, with the buffers."""
        return {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def state(self) -> dict[str, Tensor]:
        """Return a copy of all that the next step depends on, but for the task and the config."""
        state = {_WEIGHTS + name: tensor for name, tensor in self.weights().items()}
        for index, parameter in enumerate(self._parameters()):
            for name, value in self.optimiser.state.get(parameter, {}).items():
                if value is not None:
                    state[f"{_OPTIMISER}{index}/{name}"] = value.clone()
        return state | {_RANDOM: torch.get_rng_state()}

    def restore(self, step: int, state: Mapping[str, np.ndarray], source: str) -> None:
        """Go back to a state; tensors take the memory order of their parameters, as kernels ask.

        Raises
        ------
        RunError
            If the state is of another network; `source` says whose it is.
        """
        _load(self.model, _below(_WEIGHTS, state), source)
        self.optimiser.state.clear()
        owners = self._parameters()
        for path, array in _below(_OPTIMISER, state).items():
            index, _, name = path.partition("/")
            owner, value = owners[int(index)], torch.tensor(array)
            if value.shape == owner.shape:
                value = torch.empty_like(owner, dtype=value.dtype).copy_(value)
            self.optimiser.state[owner][name] = value
        torch.set_rng_state(torch.tensor(state[_RANDOM]))
        self.step = step

    def _parameters(self) -> list[nn.Parameter]:
        return [p for group in self.optimiser.param_groups for p in group["params"]]


class Order:
    """The stream of training exemplars: one permutation after another, cut into batches.

    A pure function of seed and step. Batches run across the borders of epochs.

    Parameters
    ----------
    n, batch
        Training exemplars, and how many of them make a step.
    seed
        Of the permutations: epoch e is permuted by a generator seeded with (seed, e).
    """

    def __init__(self, n: int, batch: int, seed: int) -> None:
        self.n, self.batch, self.seed = n, batch, seed
        self._epochs: dict[int, np.ndarray] = {}

    def exemplars(self, step: int) -> np.ndarray:
        """Return the places, among the training exemplars, of the batch that leads to `step`."""
        place = np.arange((step - 1) * self.batch, step * self.batch)
        first, last = int(place[0]) // self.n, int(place[-1]) // self.n
        self._epochs = {e: self._permutation(e) for e in range(first, last + 1)}
        stream = np.concatenate(list(self._epochs.values()))
        return stream[place - first * self.n]

    def _permutation(self, epoch: int) -> np.ndarray:
        if epoch in self._epochs:
            return self._epochs[epoch]
        return np.random.default_rng([self.seed, epoch]).permutation(self.n)


class _Scribe:
    """Writes down what happens in a run, behind the training's back, and shows it to watchers.

    Checkpoints wait in line behind the snapshots and rows that they promise.
    """

    def __init__(
        self,
        run: Run,
        training: Training,
        curve: CurveFile,
        background: Background,
        watchers: Sequence[Watcher],
    ) -> None:
        self.run, self.training, self.curve, self.background = run, training, curve, background
        self.watchers = watchers
        self.copy = copy.deepcopy(training.model) if watchers else None
        base = (run.description["parent"] or {"step": 0})["step"]
        self.lasting = run.config.lasting_checkpoints | {base}

    def row(self, row: Row) -> None:
        """Append to the learning curve."""
        self.curve.append(row)

    def snapshot(self) -> None:
        """Store the weights, and show a copy of the network to the watchers."""
        step, weights = self.training.step, self.training.weights()
        self.background.put(lambda: self.run.write_snapshot(step, _arrays(weights)))
        if self.copy is None:
            return
        self.copy.load_state_dict(weights)
        for watcher in self.watchers:
            self.copy.eval()
            with _undisturbed():
                watcher(step, self.copy)

    def checkpoint(self) -> None:
        """Store all that a resume needs, after all that came before is durable."""
        step, state = self.training.step, self.training.state()
        _refuse_nan(state, step, self.run.config)
        self.background.put(self.curve.synchronise)
        self.background.put(lambda: self.run.write_checkpoint(step, _arrays(state)))
        self.background.put(partial(self.run.keep_checkpoints, self.lasting))


@contextmanager
def settled(threads: int, seed: int = 0) -> Iterator[None]:
    """Compute in a way that repeats, or warn, and leave torch as it was."""
    deterministic: Any = torch.utils.deterministic
    mode = torch.get_deterministic_debug_mode()
    fill = deterministic.fill_uninitialized_memory
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.default_generator.manual_seed(seed)
        try:
            torch.set_num_threads(threads)
            torch.set_deterministic_debug_mode("warn")
            deterministic.fill_uninitialized_memory = False
            yield
        finally:
            deterministic.fill_uninitialized_memory = fill
            torch.set_deterministic_debug_mode(mode)
            torch.set_num_threads(before)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let others compute without a trace in torch's random state and threads."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        yield
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def _optimiser(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    """Make the optimiser; the fused AdamW is a third faster here and repeats its bits."""
    trained = [p for p in model.parameters() if p.requires_grad]
    if config.optimiser == "sgd":
        return torch.optim.SGD(
            trained,
            lr=config.learning_rate,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        )
    return torch.optim.AdamW(
        trained, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )


def _flip(images: Tensor, generator: np.random.Generator) -> Tensor:
    """Mirror about half of the images, [exemplar, y, x, channel]."""
    chosen = torch.from_numpy(generator.random(len(images)) < 0.5)
    return torch.where(chosen[:, None, None, None], images.flip(2), images)


def _row(step: int, loss: float, rate: float, logits: Tensor, token: Tensor, n_tokens: int) -> Row:
    shown, is_hit = token.numpy(), (logits.argmax(1) == token).numpy()
    return Row(
        step=step,
        loss=loss,
        accuracy=float(is_hit.mean()),
        learning_rate=rate,
        hits=np.bincount(shown[is_hit], minlength=n_tokens).tolist(),
        shown=np.bincount(shown, minlength=n_tokens).tolist(),
    )


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Return tensors as arrays in C order; numpy reorders them on one thread, torch on all."""
    return {name: np.asarray(tensor.numpy(), order="C") for name, tensor in tensors.items()}


def _below(prefix: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {n.removeprefix(prefix): a for n, a in state.items() if n.startswith(prefix)}


def _load(network: nn.Module, weights: Mapping[str, np.ndarray], source: str) -> None:
    try:
        network.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        msg = f"expected the network that {source} was trained with, got another: {reason}"
        raise RunError(msg) from error


def _divergence(value: float, step: int, config: Config) -> str:
    return (
        f"expected a finite loss, got {value} at step {step}: lower the learning rate "
        f"({config.learning_rate:g}) or the initial weights; what was recorded before is kept"
    )


def _refuse_nan(state: Mapping[str, Tensor], step: int, config: Config) -> None:
    """Let no checkpoint hold weights that are not numbers: the last step has no loss after it."""
    weights = (value for name, value in state.items() if name.startswith(_WEIGHTS))
    if not all(bool(torch.isfinite(value).all()) for value in weights):
        raise DivergedError(_divergence(math.nan, step + 1, config))


def _check(network: nn.Module, task: Task, config: Config) -> None:
    """Refuse, before anything is written, a network that cannot learn this task."""
    n = len(task.train)
    if config.batch > n:
        msg = f"expected a batch of at most the {n} training exemplars, got {config.batch}"
        raise InputError(msg)
    if {p.dtype for p in network.parameters()} != {torch.float32}:
        msg = "expected a network of float32 weights, got others: convert it with .float()"
        raise InputError(msg)
    trial = copy.deepcopy(network).eval()
    y, x = task.size
    with torch.inference_mode(), _undisturbed():
        try:
            got = list(trial(prepare(task.images[task.train[:2]])).shape)
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())
            msg = f"expected a network for images of {task.channels} x {y} x {x}, got: {reason}"
            raise InputError(msg) from error
    if got != [2, task.n_tokens]:
        msg = f"expected logits [exemplar, {task.n_tokens}] for two exemplars, got {got}"
        raise InputError(msg)


def _description(task: Task, network: nn.Module, config: Config, threads: int) -> dict[str, Any]:
    """Return what run.json says of a run that begins."""
    kind = type(network)
    unknown = {"factory": f"{kind.__module__}:{kind.__qualname__}", "arguments": None}
    return {
        "config": config.to_json(),
        "task": {
            "name": task.name,
            "hash": task.hash,
            "tokens": list(task.tokens),
            "density": task.density,
            "size": list(task.size),
            "channels": task.channels,
            "origin": task.origin,
        },
        "model": getattr(network, "spec", unknown),
        "parameters": parameters(network),
        "threads": threads,
        "machine": _machine(),
        "versions": _versions(),
        "parent": None,
        "failure": None,
        "warnings": [],
    }


def _machine() -> dict[str, str]:
    """Return what the bits of a training depend on, beside its config and versions."""
    return {
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("ontogeny", "torch", "numpy", "safetensors")}
    return packages | {"python": platform.python_version()}


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
