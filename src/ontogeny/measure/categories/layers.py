"""Measures of whole layers: one layer's held-out activations in memory at a time.

The first layer is always "pixels": the images themselves, the same at every step, as their
principal component scores, all of them, so that distances between exemplars are kept. May import
numpy, xarray, ontogeny.stats, ontogeny.record.layers and ontogeny.measure.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.categories.signals import answers
from ontogeny.measure.probe import held_out, layer_names, require, units_of_layers
from ontogeny.measure.quantity import Chance, Draws, Quantity, label
from ontogeny.progress import Progress, silent
from ontogeny.record import layers
from ontogeny.record.layers import PIXELS
from ontogeny.stats.groups import grouped_folds
from ontogeny.stats.permutation import group_resamples, shuffled_tokens

N_FOLDS = 5
FACTOR = "factor_"


@dataclass(frozen=True)
class Layer:
    """One layer's responses to the held-out exemplars."""

    name: str
    patterns: np.ndarray
    """[step, exemplar, unit]; one step only for pixels"""
    draws: Draws

    @property
    def is_pixels(self) -> bool:
        """Whether these are the images themselves."""
        return self.name == PIXELS


Kernel = Callable[[Layer], dict[str, np.ndarray]]
Part = tuple[Kernel, Mapping[str, Quantity]]


def draws_of(record: xr.Dataset, chance: Chance) -> Draws:
    """Draw shuffles, resamples and folds.

    Raises
    ------
    InputError
        If the record lacks logits, or held-out exemplars of two tokens.
    """
    require(record, "logit")
    probe = held_out(record)
    rng = np.random.default_rng(chance.seed)
    token, group = probe.token, probe.group
    dealt = shuffled_tokens(token, group, n_shuffles=chance.n_shuffles, rng=rng)
    weights = group_resamples(token, group, n_resamples=chance.n_resamples, rng=rng)
    codes = np.unique(group, return_inverse=True)[1]
    # a token with a single group cannot be learnt and tested on different groups
    fewest = min(len(np.unique(codes[token == c])) for c in np.unique(token))
    fold = np.zeros(len(token), dtype=np.int64)
    if fewest >= 2:
        fold = grouped_folds(token, codes, n_folds=min(N_FOLDS, fewest), rng=rng)
    steps, exemplar = record["step"].values, record["exemplar"].values[probe.position]
    return Draws(probe, exemplar, steps, dealt, weights, fold, answers(record, probe), chance.seed)


def layers_of(record: xr.Dataset, draws: Draws) -> Iterator[Layer]:
    """Yield pixels (where the record holds the images), then its layers in forward order.

    Raises
    ------
    InputError
        If the record lacks activations.
    """
    require(record, "activation", "layer")
    if "image" in record:
        yield Layer(PIXELS, pixel_scores(record, draws)[None], draws)
    for name, units in units_of_layers(record).items():
        columns = slice(int(units[0]), int(units[-1]) + 1)
        if len(units) != columns.stop - columns.start:
            msg = (
                f"expected the units of {name} side by side, got others between: observe the "
                "run again"
            )
            raise InputError(msg)
        # by a slice of units, which zarr reads without touching the chunks of other layers
        values = record["activation"][:, :, columns].values[:, draws.probe.position]
        yield Layer(name, values, draws)


def pixel_scores(record: xr.Dataset, draws: Draws) -> np.ndarray:
    """Return the images' principal component scores [exemplar, component]; distances are kept."""
    images = record["image"].values[draws.probe.position]
    flat = images.reshape(len(images), -1).astype(np.float64)
    centred = flat - flat.mean(axis=0)
    value, vector = np.linalg.eigh(centred @ centred.T)
    # what remains is rounding of a rank that cannot exceed the exemplars less one
    kept = value > 1e-10 * max(value[-1], 1e-300)
    return (vector[:, kept] * np.sqrt(value[kept]))[:, ::-1]


def over_layers(
    record: xr.Dataset,
    kernels: Sequence[Part],
    *,
    chance: Chance | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Apply kernels to every layer in turn and label what they return.

    What a kernel leaves out for a layer is NaN there.

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.
    """
    draws = draws_of(record, chance or Chance())
    names, found = [], []
    say, total = progress or silent, 1 + len(layer_names(record))  # the pixels come first
    for layer in layers_of(record, draws):
        say(f"category structure of {layer.name}", len(names), total)
        names.append(layer.name)
        found.append({k: v for kernel, _ in kernels for k, v in kernel(layer).items()})
    say("category structure", total, total)
    quantities = {k: q for _, table in kernels for k, q in table.items()}
    values = {k: _stacked(q, [each.get(k) for each in found], draws) for k, q in quantities.items()}
    table = {k: replace(q, dims=_over_layers(q.dims)) for k, q in quantities.items()}
    return label(values, table, _coordinates(names, draws))


def _coordinates(names: list[str], draws: Draws) -> dict[str, list | np.ndarray]:
    tokens = list(draws.probe.tokens)
    return {
        "step": draws.steps, "step_b": draws.steps, "layer": names, "token": tokens,
        "token_b": tokens, "exemplar": draws.exemplar,
    }  # fmt: skip


def _over_layers(dims: tuple[str, ...]) -> tuple[str, ...]:
    """Return the axes of all layers side by side: that of the layers after the step's."""
    axis = int(dims[:1] == ("step",))
    return (*dims[:axis], "layer", *dims[axis:])


def _stacked(quantity: Quantity, parts: list[np.ndarray | None], draws: Draws) -> np.ndarray:
    """Stack layers after the step, pixels repeated over steps, NaN for what is left out."""
    n, n_steps = draws.n_tokens, len(draws.steps)
    sizes = {"step": n_steps, "step_b": n_steps, "token": n, "token_b": n, "split_node": n - 1}
    nothing = tuple(sizes.get(dim, 0) for dim in quantity.dims)
    # from the last layer backwards: pixels have one step where the others have all
    shape = next((p.shape for p in reversed(parts) if p is not None), nothing)
    of_steps = quantity.dims[:1] == ("step",)
    if of_steps:
        shape = (n_steps, *shape[1:])
    full = [np.broadcast_to(np.array(np.nan) if p is None else p, shape) for p in parts]
    return np.stack(full, axis=int(of_steps)).astype(np.float32)


def last_hidden(data: xr.Dataset | xr.DataArray) -> str:
    """Return the layer below the logits, or the last there is."""
    return layers.last_hidden(data["layer"].values)
