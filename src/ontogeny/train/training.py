"""A network while it learns, and the order in which it meets its exemplars.

May import torch, config, model, run, tasks and errors.
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.config import Config
from ontogeny.errors import DivergedError, RunError
from ontogeny.model import prepare
from ontogeny.run import Row
from ontogeny.tasks.task import Task

_FLIPS = 2**31
_WEIGHTS, _OPTIMISER, _RANDOM = "weights/", "optimiser/", "random"


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
        # the layout in which convolutions are fastest on a CPU; bits depend on it, so it is
        # always this one
        self.model = model.to(memory_format=torch.channels_last).train()  # pyright: ignore[reportCallIssue]
        self.optimiser = _optimiser(self.model, config)
        self.images = torch.tensor(task.images[task.train])
        self.token = torch.tensor(task.token[task.train])
        self.n_tokens = task.n_tokens
        assert config.batch is not None, "a config is settled before a training begins"
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
            # by seed and step, not from a running generator: a resume draws the same flips
            # without a state
            images = _flip(images, np.random.default_rng([config.seed, _FLIPS, step]))
        with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bfloat16"):
            logits = self.model(prepare(images))
        loss = nn.functional.cross_entropy(logits.float(), token)
        # before the weights are touched, so that what was recorded before is still finite
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
        # by the parameter's number: an optimiser knows its parameters by their order, not by name
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
        load(self.model, _below(_WEIGHTS, state), source)
        # cleared, or moments of parameters that had none at that step would stay
        self.optimiser.state.clear()
        owners = self._parameters()
        for path, array in _below(_OPTIMISER, state).items():
            index, _, name = path.partition("/")
            owner, value = owners[int(index)], torch.tensor(array)
            if value.shape == owner.shape:
                value = torch.empty_like(owner, dtype=value.dtype).copy_(value)
            self.optimiser.state[owner][name] = value
        # last: restoring the rest draws nothing, but whatever it did must not count
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
        # places in the endless stream, so that a batch may begin in one epoch and end in the next
        place = np.arange((step - 1) * self.batch, step * self.batch)
        first, last = int(place[0]) // self.n, int(place[-1]) // self.n
        self._epochs = {e: self._permutation(e) for e in range(first, last + 1)}
        stream = np.concatenate(list(self._epochs.values()))
        return stream[place - first * self.n]

    def _permutation(self, epoch: int) -> np.ndarray:
        if epoch in self._epochs:
            return self._epochs[epoch]
        # a generator for each epoch: any step is reached without drawing those before it
        return np.random.default_rng([self.seed, epoch]).permutation(self.n)


def arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Return tensors as arrays in C order; numpy reorders them on one thread, torch on all."""
    return {name: np.asarray(tensor.numpy(), order="C") for name, tensor in tensors.items()}


def load(network: nn.Module, weights: Mapping[str, np.ndarray], source: str) -> None:
    """Give a network weights; `source` says whose they are.

    Raises
    ------
    RunError
        If they are of another network.
    """
    try:
        network.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        msg = f"expected the network that {source} was trained with, got another: {reason}"
        raise RunError(msg) from error


def refuse_nan(state: Mapping[str, Tensor], step: int, config: Config) -> None:
    """Let no checkpoint hold weights that are not numbers: the last step has no loss after it."""
    weights = (value for name, value in state.items() if name.startswith(_WEIGHTS))
    if not all(bool(torch.isfinite(value).all()) for value in weights):
        raise DivergedError(_divergence(math.nan, step + 1, config))


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


def _below(prefix: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {n.removeprefix(prefix): a for n, a in state.items() if n.startswith(prefix)}


def _divergence(value: float, step: int, config: Config) -> str:
    return (
        f"expected a finite loss, got {value} at step {step}: lower the learning rate "
        f"({config.learning_rate:g}) or the initial weights; what was recorded before is kept"
    )
