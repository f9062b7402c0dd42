"""Observing: snapshots of a run, live or afterwards, into its record.

A row of the record knows the hash of the weights that it was taken from; so what is done and fresh
is skipped, what is stale is observed anew, and an observation that was killed goes on.
May import hooks, train, run, tasks, schedule, record, files and errors.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
import xarray as xr
from scipy.special import logsumexp
from torch import Tensor, nn

from ontogeny import record as names
from ontogeny.coupling import LATTICE
from ontogeny.errors import InputError, RunError
from ontogeny.hooks import Observation, Probe, Wiring, network_logits, observe_network
from ontogeny.model import prepare
from ontogeny.record import (
    LEVELS,
    NAME,
    PAIRS,
    SPLITS,
    RecordWriter,
    definition,
    find_record,
    open_record,
)
from ontogeny.run import RunFolder
from ontogeny.schedule import snapshot_steps
from ontogeny.stats.clones import gaussian_clones, share_clipped
from ontogeny.tasks.task import Task
from ontogeny.train import Run, settled

Progress = Callable[[str, int, int], object]
"""Called as `progress("snapshots", done, total)`."""

TRAIN_EXEMPLARS = 50
"""Training exemplars per token that the train split's loss and accuracy are taken over."""

PATIENCE = 60.0
"""Seconds to wait for another observer of the same run."""

GROWTH = 1.08
"""Each next step that a `Recorder` of unknown length observes is about this times the last."""

_WIRED_EXTRAS = {
    names.COUPLING_NULL, names.COUPLING_CONTRAST_NULL, names.EDGE_ATTRIBUTION, names.INTERACTION,
    names.INTERACTION_FIRST, names.INTERACTION_SECOND,
}  # fmt: skip
_CHOSEN = frozenset({names.COUPLING, names.CLONE_LOSS} | _WIRED_EXTRAS)
"""Variables that an observer may leave out; so whether they are there tells records apart."""


def observe(
    run: Run | RunFolder | str | os.PathLike[str],
    *,
    progress: Progress | None = None,
    out: str | os.PathLike[str] | None = None,
    extras: bool = True,
) -> xr.Dataset:
    """Bring a run's record up to its snapshots, and open it.

    Steps that are in the record and fresh are skipped; from the first that is missing or stale
    on, all are observed anew, so that steps stay in order.

    Parameters
    ----------
    run
        The run or its folder; it may be in training.
    progress
        Called as `progress("snapshots", done, total)`.
    out
        Where the record lies; None: `record.zarr` in the run's folder.
    extras
        Observe the nulls of couplings, edge attribution, interaction and Gaussian clones too, as
        far as couplings, tokens and training exemplars allow; they take longer than all the rest.
        A record that has them keeps getting them.

    Returns
    -------
    xr.Dataset
        The record.

    Raises
    ------
    RunError
        If the run has no snapshots, one is damaged, the record is of a newer schema or somebody
        else writes it, or the disk is full.
    """
    if not isinstance(run, Run):
        run = Run.open(run.path if isinstance(run, RunFolder) else run)
    steps = run.steps
    if not steps:
        msg = f"expected a run with snapshots, got none in {run.path}: train it first"
        raise RunError(msg)
    observer = Observer(run.path, out=out, extras=extras)
    done = observer.keep_fresh(run)
    for k, step in enumerate(steps[done:], start=done):
        if progress is not None:
            progress("snapshots", k, len(steps))
        observer(step, run.network(step))
    if progress is not None:
        progress("snapshots", len(steps), len(steps))
    return open_record(observer.path)


@dataclass(frozen=True, eq=False)
class Clones:
    """Gaussian clones of a task's probe: its tokens, and moments of the training exemplars."""

    images: Tensor
    """The network's input."""
    token: np.ndarray
    """[clone], index into the task's tokens."""
    attribute: Mapping[str, Any]
    """How they were drawn, for the record."""

    @classmethod
    def of(cls, task: Task, seed: int) -> Self:
        """Draw as many clones as held-out exemplars, but none of tokens with 1 to learn from."""
        counts = np.bincount(task.token[task.train], minlength=task.n_tokens)
        token = task.token[task.probe]
        token = token[counts[token] >= 2]
        clones = gaussian_clones(
            task.images[task.train], task.token[task.train], token, rng=np.random.default_rng(seed)
        )
        attribute = {
            "drawn": "once by seed, from the normal distribution with the mean and covariance of "
            "each token's training exemplars; not clipped, not rounded",
            "seed": seed,
            "exemplars": len(token),
            "share_beyond_range": float(share_clipped(clones, (0, 255)).mean())
            if len(token)
            else None,
        }
        if len(token) < len(task.probe):
            attribute["missing"] = "tokens with fewer than two training exemplars have no clones"
        return cls(prepare(torch.as_tensor(clones)), token, attribute)

    @cached_property
    def probe(self) -> Probe:
        """The clones as the network is shown them."""
        return Probe(self.images)


@dataclass(frozen=True, eq=False)
class Exemplars:
    """What the network is shown, and what is known of it."""

    images: np.ndarray | Tensor
    """uint8 [exemplar, y, x, channel], or the network's input itself."""
    tokens: tuple[str, ...] | None = None
    """Names of the network's outputs."""
    token: np.ndarray | None = None
    """[exemplar], index into tokens."""
    coordinates: Mapping[str, np.ndarray] = field(default_factory=dict)
    """More coordinates along exemplar, by their names in the record."""
    train_images: np.ndarray | None = None
    train_token: np.ndarray | None = None
    """A fixed part of the training exemplars, for the train split."""
    clones: Clones | None = None
    """Gaussian clones of the exemplars."""
    seed: int = 0
    """Of all that is drawn."""

    @classmethod
    def of(cls, task: Task, *, seed: int = 0, clones: bool = True) -> Self:
        """Return a task's probe, and training exemplars and clones drawn by seed."""
        probe, part = task.probe, _training_part(task, seed)
        coordinates = {
            names.EXEMPLAR: probe,
            names.EXEMPLAR_SPLIT: np.full(len(probe), SPLITS[1]),
            names.GROUP: task.group[probe],
            **{names.FACTOR + k: np.asarray(v)[probe] for k, v in task.factors.items()},
        }
        return cls(
            task.images[probe], task.tokens, task.token[probe], coordinates,
            task.images[part], task.token[part],
            Clones.of(task, seed) if clones else None, seed,
        )  # fmt: skip

    @cached_property
    def probe(self) -> Probe:
        """The exemplars as the network is shown them."""
        n_tokens = None if self.token is None or self.tokens is None else len(self.tokens)
        return Probe(self.images, self.token, n_tokens=n_tokens)

    @cached_property
    def train(self) -> Probe | None:
        """The training exemplars as the network is shown them."""
        return None if self.train_images is None else Probe(self.train_images)


class Observer:
    """Observes a run's snapshots into its record; a watcher of the training.

    `ontogeny.train(..., out="runs/first", watchers=[Observer("runs/first")])`. A step that the
    record holds already is skipped; one whose weights have changed takes the place of it and of
    all later ones.

    Parameters
    ----------
    run
        The run's folder; it need not be there before the first snapshot.
    out
        Where the record lies; None: `record.zarr` in the run's folder.
    couplings
        Observe couplings; without them, networks that are not chains can be observed.
    extras
        Observe the nulls of couplings, edge attribution, interaction and Gaussian clones too, as
        far as couplings, tokens and training exemplars allow; they take longer than all the rest.
        A record that has them keeps getting them.
    """

    def __init__(
        self,
        run: str | os.PathLike[str],
        *,
        out: str | os.PathLike[str] | None = None,
        couplings: bool = True,
        extras: bool = True,
    ) -> None:
        self.run = RunFolder(run)
        self.path = Path(out).absolute() if out is not None else self.run.path / NAME
        self.couplings, self.extras = couplings, extras

    def __call__(self, step: int, model: nn.Module) -> None:
        """Observe the network at a step, unless that is done."""
        digest = weights_hash(model.state_dict())
        self._drop_unlike()
        if not self.path.exists():
            row, wiring = self._row(step, model, digest)
            with RecordWriter.create(self.path, self._template(wiring, row)) as writer:
                writer.append(row)
            return
        with RecordWriter(self.path, patience=PATIENCE) as writer:
            if not _is_done(writer, step, digest):
                writer.append(self._row(step, model, digest)[0])

    def keep_fresh(self, run: Run) -> int:
        """Cut the record where it first differs from the run's snapshots; return what is left."""
        self._drop_unlike()
        if not self.path.exists():
            return 0
        with RecordWriter(self.path, patience=PATIENCE) as writer:
            fresh = _fresh(writer, run)
            writer.truncate(fresh)
            return fresh

    def _drop_unlike(self) -> None:
        """Delete a record that no row of this observer would fit: it is observed anew."""
        if not self.path.exists():
            return
        with RecordWriter(self.path, patience=PATIENCE) as writer:
            kept, variables = writer.attributes, writer.variables
            self.extras |= names.CLONE_LOSS in variables
            if (
                kept["data_hash"] == self._description["task"]["hash"]
                and kept["schema"] == names.SCHEMA
                and self._wanted == variables & _CHOSEN
            ):
                return
        shutil.rmtree(self.path)

    @property
    def _wanted(self) -> frozenset[str]:
        """What this observer observes of what may be left out."""
        wanted = {names.COUPLING} if self.couplings else set()
        wanted |= {names.CLONE_LOSS} if self.extras else set()
        return frozenset(wanted | (_WIRED_EXTRAS if self.couplings and self.extras else set()))

    @cached_property
    def _description(self) -> dict[str, Any]:
        return self.run.description

    @cached_property
    def _exemplars(self) -> Exemplars:
        task = Task.load(self.run.task_path)
        seed = self._description["config"]["seed"]
        return Exemplars.of(task, seed=seed, clones=self.extras)

    def _row(self, step: int, model: nn.Module, digest: str) -> tuple[dict[str, Any], Wiring]:
        shown, config = self._exemplars, self._description["config"]
        with settled(self._description["threads"]):  # last bits depend on the number of threads
            observation = observe_network(
                model, shown.probe, couplings=self.couplings, extras=self.extras, seed=shown.seed
            )
            scores = _scores(model, shown, observation)
            if self.extras:
                scores |= _clone_scores(model, shown)
        seen = step * config["batch"]
        where = {
            names.STEP: step,
            names.WEIGHTS: digest,
            names.EXAMPLES_SEEN: seen,
            names.EPOCH: seen / sum(self._description["task"]["density"].values()),
        }
        return where | scores | _variables(observation), observation.wiring

    def _template(self, wiring: Wiring, row: Mapping[str, Any]) -> xr.Dataset:
        description = self._description
        attributes = {
            "config": description["config"],
            "seed": description["config"]["seed"],
            "data_hash": description["task"]["hash"],
            "task": description["task"]["name"],
            "parameters": description["parameters"],
            "train_exemplars": f"{TRAIN_EXEMPLARS} per token, drawn by seed",
        }
        return template(self._exemplars, wiring, row, attributes)


class Recorder:
    """Records the development of a network in one's own training loop.

    ::

        with Recorder(model, "runs/mine", probe=images, tokens=tokens) as recorder:
            for x, y in batches:
                ...
                recorder.step(loss)

    Step 0 is observed on entering, the last step on leaving. Observing disturbs nothing: weights,
    gradients, batch norm and random state stay as they are.

    Parameters
    ----------
    model
        The network; its Conv2d and Linear layers form a chain, or `couplings` is False.
    out
        A folder, which gets `record.zarr`.
    probe
        What each snapshot is shown: a `Task`, uint8 images [exemplar, y, x, channel], or the
        network's own input.
    tokens
        With images: each exemplar's token, by name or number; numbers are the outputs' indices.
        None: no token signal, contrast or accuracy.
    snapshots
        Which steps are observed: as in `snapshot_steps`.
    steps
        Length of the training. None: unknown; a count of snapshots then means each step at first,
        later steps 8 % apart.
    couplings
        Observe couplings.
    extras
        Observe the nulls of couplings, edge attribution, interaction and Gaussian clones too, as
        far as couplings, tokens and training exemplars allow; they take longer than all the rest.

    Raises
    ------
    InputError
        If probe, tokens and network do not go together.
    RunError
        If `out` holds a record already, or cannot be written.
    """

    def __init__(  # noqa: PLR0913 - all but the first three are choices with a default
        self,
        model: nn.Module,
        out: str | os.PathLike[str],
        probe: Task | np.ndarray | Tensor,
        *,
        tokens: Sequence[Any] | np.ndarray | None = None,
        snapshots: int | str | Sequence[int] = 60,
        steps: int | None = None,
        couplings: bool = True,
        extras: bool = True,
    ) -> None:
        self.model, self.couplings, self.extras = model, couplings, extras
        self.path = Path(out).absolute() / NAME
        self.exemplars = (
            Exemplars.of(probe, clones=extras)
            if isinstance(probe, Task)
            else _own_exemplars(probe, tokens)
        )
        self.exemplars = _with_outputs(self.exemplars, model)
        self.task = probe if isinstance(probe, Task) else None
        self.done, self._last, self._next = 0, -1, 1
        self._loss: float | Tensor | None = None
        self._is_due = self._schedule(snapshots, steps)
        if find_record(self.path).exists():
            msg = f"expected a folder without a record, got {self.path}: give another one as out"
            raise RunError(msg)

    def step(self, loss: float | Tensor | None = None) -> None:
        """Count one optimiser update, and observe if this step is due.

        Parameters
        ----------
        loss
            The training's loss at this step, for the record.
        """
        self.done += 1
        self._loss = loss.detach() if isinstance(loss, Tensor) else loss
        if self._is_due(self.done):
            self.observe()

    def observe(self) -> None:
        """Observe the network now, whether this step is due or not."""
        if self._last == self.done:
            return
        shown = self.exemplars
        observation = observe_network(
            self.model, shown.probe, couplings=self.couplings, extras=self.extras, seed=shown.seed
        )
        row = {names.STEP: self.done, names.WEIGHTS: weights_hash(self.model.state_dict())}
        row |= _scores(self.model, shown, observation) | _variables(observation)
        if self.extras:
            row |= _clone_scores(self.model, shown)
        if self.exemplars.train is None:
            row[names.LOSS][0] = np.nan if self._loss is None else float(self._loss)
        attributes = {"data_hash": None if self.task is None else self.task.hash}
        if self._last < 0:
            blank = template(self.exemplars, observation.wiring, row, attributes)
            opened = RecordWriter.create(self.path, blank)
        else:
            opened = RecordWriter(self.path, patience=PATIENCE)
        with opened as writer:
            writer.append(row)
        self._last = self.done

    def __enter__(self) -> Self:
        self.observe()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.observe()

    def _schedule(
        self, snapshots: int | str | Sequence[int], steps: int | None
    ) -> Callable[[int], bool]:
        if steps is not None:
            return frozenset(snapshot_steps(steps, snapshots)).__contains__
        if isinstance(snapshots, str):
            snapshot_steps(0, snapshots)  # refuses what it cannot read
            interval = int(snapshots.partition(":")[2])
            return lambda step: step % interval == 0
        if isinstance(snapshots, Sequence):
            return frozenset(snapshots).__contains__
        return self._is_next

    def _is_next(self, step: int) -> bool:
        if step < self._next:
            return False
        self._next = max(step + 1, round(step * GROWTH))
        return True


def template(
    shown: Exemplars, wiring: Wiring, row: Mapping[str, Any], attributes: Mapping[str, Any]
) -> xr.Dataset:
    """Return a record of no steps for rows like this one."""
    layers = np.repeat(wiring.layers, wiring.n_units)
    tokens = shown.tokens or ()
    values: dict[str, Any] = {
        names.EXEMPLAR: np.arange(len(shown.images)),
        **shown.coordinates,
        names.UNIT: np.array(wiring.units),
        names.LAYER: layers,
        names.CHANNEL: np.concatenate([np.arange(n) for n in wiring.n_units]),
        names.TOKEN: np.array(tokens),
        names.SPLIT: np.array(SPLITS),
    }
    if names.COUPLING_NULL in row:
        values |= {names.LEVEL: np.array(LEVELS), names.PAIR: np.arange(len(PAIRS))}
    if shown.token is not None:
        values[names.EXEMPLAR_TOKEN] = np.array(tokens)[shown.token]
        values[names.EXEMPLAR_HALF] = halves(shown.token)
    if names.COUPLING in row:
        source, target = wiring.edges()
        values |= {names.SOURCE: source, names.TARGET: target, names.EDGE: np.arange(len(source))}
    if isinstance(shown.images, np.ndarray) and shown.images.dtype == np.uint8:
        values[names.IMAGE] = shown.images
    for name, value in row.items():
        kind = definition(name).dtype
        values[name] = np.empty((0, *np.shape(value)), dtype=object if kind == "string" else kind)
    unknown = dict.fromkeys(names.ATTRIBUTES)
    if names.COUPLING_NULL in row:
        attributes = {
            **attributes,
            "nulls": f"weights permuted by seed ({shown.seed}, layer), alike at all steps",
            "interactions": f"half 0; a lattice of at most {LATTICE} x {LATTICE} positions",
        }
    if names.CLONE_LOSS in row and shown.clones is not None:
        attributes = {**attributes, "clones": shown.clones.attribute}
    fixed = {
        "schema": names.SCHEMA,
        "tokens": list(tokens),
        "layers": list(wiring.layers),
        "versions": {n: version(n) for n in ("ontogeny", "torch", "numpy", "zarr", "xarray")},
    }
    entries = {name: _entry(name, value) for name, value in values.items()}
    return xr.Dataset(
        {n: e for n, e in entries.items() if not definition(n).is_coordinate},
        coords={n: e for n, e in entries.items() if definition(n).is_coordinate},
        attrs={**unknown, **attributes, **fixed},
    )


def halves(token: np.ndarray) -> np.ndarray:
    """Return 0 and 1 in turns within each token, int8 [exemplar]."""
    half = np.zeros(len(token), dtype=np.int8)
    for c in np.unique(token):
        mine = np.flatnonzero(token == c)
        half[mine[1::2]] = 1
    return half


def weights_hash(weights: Mapping[str, Tensor | np.ndarray]) -> str:
    """Return the SHA-256 (hex) of weights by name, type, shape and content."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name]
        tensor = torch.from_numpy(value) if isinstance(value, np.ndarray) else value.detach().cpu()
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _entry(name: str, values: np.ndarray) -> tuple[Any, ...]:
    variable = definition(name)
    words = {"units": variable.units, "long_name": variable.long_name}
    return variable.dims, values, words


def _fresh(writer: RecordWriter, run: Run) -> int:
    """Count the record's steps that agree with the run's snapshots, from the first on."""
    recorded = zip(
        writer.column(names.STEP).tolist(), writer.column(names.WEIGHTS).tolist(), strict=True
    )
    fresh = 0
    for (step, digest), snapshot in zip(recorded, run.steps, strict=False):
        if step != snapshot or weights_hash(run.weights(step)) != digest:
            break
        fresh += 1
    return fresh


def _is_done(writer: RecordWriter, step: int, digest: str) -> bool:
    """Say whether a record holds this step of these weights; cut off what it is to replace."""
    steps = writer.column(names.STEP).tolist()
    if step in steps and writer.column(names.WEIGHTS)[steps.index(step)] == digest:
        return True
    writer.truncate(sum(earlier < step for earlier in steps))
    return False


def _variables(observation: Observation) -> dict[str, np.ndarray]:
    """Return what was observed by the record's names."""
    found = {name: getattr(observation, name, None) for name in names.VARIABLES}
    return {name: values for name, values in found.items() if values is not None}


def _scores(model: nn.Module, shown: Exemplars, observation: Observation) -> dict[str, np.ndarray]:
    """Return loss, accuracy and token accuracy on both splits; NaN where unknown."""
    loss = np.full(2, np.nan)
    if shown.token is None:
        return {names.LOSS: loss}
    n_tokens = observation.logit.shape[1]
    accuracy, per_token = np.full(2, np.nan), np.full((2, n_tokens), np.nan)
    loss[1], accuracy[1], per_token[1] = score(observation.logit, shown.token)
    if shown.train is not None and shown.train_token is not None:
        logit = network_logits(model, shown.train)
        loss[0], accuracy[0], per_token[0] = score(logit, shown.train_token)
    return {names.LOSS: loss, names.ACCURACY: accuracy, names.TOKEN_ACCURACY: per_token}


def _clone_scores(model: nn.Module, shown: Exemplars) -> dict[str, np.ndarray]:
    """Return loss, accuracy and token accuracy on Gaussian clones; nothing where none are known."""
    if shown.clones is None or shown.tokens is None:
        return {}
    loss, accuracy, per_token = np.nan, np.nan, np.full(len(shown.tokens), np.nan)
    if len(shown.clones.token):
        logit = network_logits(model, shown.clones.probe)
        loss, accuracy, per_token = score(logit, shown.clones.token)
    return {
        names.CLONE_LOSS: np.asarray(loss),
        names.CLONE_ACCURACY: np.asarray(accuracy),
        names.CLONE_TOKEN_ACCURACY: per_token,
    }


def score(logit: np.ndarray, token: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Return mean cross-entropy in nat, accuracy, and accuracy by token (NaN without exemplars)."""
    logit = logit.astype(np.float64)
    own = logit[np.arange(len(token)), token]
    is_right = logit.argmax(axis=1) == token
    by_token = [is_right[token == c] for c in range(logit.shape[1])]
    per_token = np.array([right.mean() if len(right) else np.nan for right in by_token])
    return float(np.mean(logsumexp(logit, axis=1) - own)), float(is_right.mean()), per_token


def _training_part(task: Task, seed: int) -> np.ndarray:
    """Draw up to `TRAIN_EXEMPLARS` training exemplars of each token, ascending."""
    rng = np.random.default_rng(seed)
    chosen = []
    for c in range(task.n_tokens):
        mine = task.train[task.token[task.train] == c]
        chosen.append(rng.permutation(mine)[:TRAIN_EXEMPLARS])
    return np.sort(np.concatenate(chosen))


def _with_outputs(shown: Exemplars, model: nn.Module) -> Exemplars:
    """Name the network's outputs by number if they have no names; refuse another number of them."""
    n_outputs = network_logits(model, Probe(shown.images[:1])).shape[1]
    if shown.tokens is None:
        return replace(shown, tokens=tuple(map(str, range(n_outputs))))
    if len(shown.tokens) != n_outputs:
        msg = (
            f"expected a network with a logit for each of {len(shown.tokens)} tokens, "
            f"got {n_outputs}: give tokens as the outputs' indices, or mend the network"
        )
        raise InputError(msg)
    return shown


def _own_exemplars(
    images: np.ndarray | Tensor, tokens: Sequence[Any] | np.ndarray | None
) -> Exemplars:
    """Return the exemplars of somebody's own loop; names of tokens are sorted."""
    if isinstance(images, Tensor) and images.dtype == torch.uint8:
        images = images.numpy()
    if tokens is None:
        return Exemplars(images)
    values = np.asarray(tokens)
    if values.shape != (len(images),):
        msg = (
            f"expected one token for each of {len(images)} exemplars, got {values.shape}: "
            "mend tokens"
        )
        raise InputError(msg)
    if values.dtype.kind in "iu":
        return Exemplars(images, token=values.astype(np.int64))
    kinds, token = np.unique(values.astype(str), return_inverse=True)
    return Exemplars(images, tuple(kinds.tolist()), token.astype(np.int64))
