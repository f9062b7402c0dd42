"""What leads from pixels to a unit, and what becomes of units when others are silenced.

Expanded weights are structural, the weights between pixels and unit, weighed by which paths are
open: functional so far. Ablation effects are causal for the network as it is, on these exemplars;
they do not say what training without a unit would give. May import torch, xarray, hooks, model,
measure.quantity, pictures.fields and errors.

References
----------
Olah et al. 2020, Zoom In; Voss et al. 2021, Visualizing Weights (expanded weights).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ontogeny.errors import InputError
from ontogeny.hooks import listening, undisturbed
from ontogeny.measure.quantity import Quantity, label
from ontogeny.model import Stage, prepare, stages
from ontogeny.pictures.fields import Column, columns, unit_index

__all__ = ["HOWS", "ablation_effects", "expanded_weights"]

HOWS = ("zero", "mean", "resample")
"""What a silenced unit gives: nothing; its mean map; its map of another exemplar."""
BLOCK = 50
"""Exemplars in one pass."""
_NORMAL = 1.959964
"""97.5 % quantile of the normal distribution."""
_ENDS = ("", "_low", "_high")
EFFECTS = {
    f"{name}{end}": Quantity(
        dims, "sd of the unablated response", "causal: change of the mean response when the source "
        "is ablated", "no variance, fewer than two exemplars, or not above the source")
    for name, dims in (("effect", ("source", "target")),
                       ("token_effect", ("source", "target", "token")),
                       ("logit_effect", ("source", "logit")))
    for end in _ENDS
} | {
    name: Quantity(dims, "1", "share of the token's exemplars that are classified correctly",
                   "a token without exemplars")
    for name, dims in (("token_accuracy", ("token",)),
                       ("token_accuracy_without", ("source", "token")))
}  # fmt: skip
Effects = dict[str, np.ndarray]


def expanded_weights(
    model: nn.Module,
    images: np.ndarray | Tensor,
    unit: str,
    *,
    place: tuple[int, int] | None = None,
) -> xr.DataArray:
    """Return a unit's weights expanded down to the pixels: the mean Jacobian of its pre-activation.

    E = mean over exemplars of dz/dx: the product of weights from the pixels up, with each
    nonlinearity and pooling replaced by its slope at the exemplar. In a linear network it is the
    product of the weights, whatever the exemplars. Structural, weighed by use; it says neither
    how often the pixels vary, nor what follows where paths open that are shut.

    Parameters
    ----------
    model
        A network of `ontogeny.model.stages`.
    images
        uint8 [exemplar, y, x, channel], or the network's input itself [exemplar, channel, y, x].
    unit
        "layer:channel".
    place
        Row and column of the unit's map; None is its middle.

    Returns
    -------
    xr.DataArray
        (channel, y, x), pre-activation per unit of the network's input; zero outside the receptive
        field, whose `top`, `bottom`, `left`, `right` (within the image, ends excluded) are
        attributes, as are `unit`, `place` and `exemplars`.

    Raises
    ------
    InputError
        If the network has no such unit (what exists is told), or its map no such place.

    Examples
    --------
    Of a unit of the first layer they are its filter, wherever the map is looked at:

    >>> model = ont.vgg(tokens=3, widths=(4, 8), dense=8, seed=0)
    >>> images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    >>> found = ont.expanded_weights(model, images, "conv1:2")
    >>> field = found[:, found.top : found.bottom, found.left : found.right].values
    >>> bool(np.allclose(field, model.conv1.weight[2].detach(), atol=1e-6))
    True
    """
    x = _network_input(images)
    found = columns(model, x[:1])
    [(layer, channel)] = unit_index([unit], [column.stage for column in found.values()])
    column = found[layer]
    at = column.centre if place is None else place
    field = column.field(*at).within(column.image)
    total = torch.zeros(x.shape[1:], dtype=torch.float64)
    with undisturbed(model), torch.inference_mode(False), torch.enable_grad():
        for block in x.split(BLOCK):
            total += _slopes(model, column, block, channel, at).double().sum(0)
    return xr.DataArray(
        (total / len(x)).numpy(), dims=("channel", "y", "x"), name="expanded_weight",
        attrs={"units": "pre-activation per network input",
               "long_name": "mean Jacobian of the unit at its place: structural, weighed by use",
               "unit": unit, "place": at, "exemplars": len(x), "top": field.top,
               "bottom": field.bottom, "left": field.left, "right": field.right},
    )  # fmt: skip


def ablation_effects(  # noqa: PLR0913  (what, whom and how)
    model: nn.Module,
    images: np.ndarray | Tensor,
    token: np.ndarray,
    sources: Sequence[str],
    targets: Sequence[str],
    *,
    how: str = "zero",
    tokens: Sequence[str] | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Return what silencing units one at a time does to other units and to logits, over any depth.

    effect = (mean response without the source - mean response) / sd of the response, over the
    exemplars of each token; responses are pre-activations, meaned over the map. For neighbouring
    layers, how="zero" changes each by exactly -z_ij. Causal, for this network and these exemplars.

    Parameters
    ----------
    model
        A network of `ontogeny.model.stages`.
    images
        uint8 [exemplar, y, x, channel], or the network's input itself [exemplar, channel, y, x].
    token
        int [exemplar].
    sources, targets
        Units "layer:channel".
    how
        "zero": the source's activation is 0; "mean": its mean map over exemplars; "resample": its
        map of another exemplar, dealt by `seed`, which leaves the source's own spread.
    tokens
        Names of the network's outputs; None: "0", "1", ...
    seed
        Of the resampling.

    Returns
    -------
    xr.Dataset
        `effect`, `effect_low`, `effect_high` (source, target) over all exemplars, `token_effect`,
        `token_effect_low`, `token_effect_high` (source, target, token) over a token's exemplars;
        `logit_effect`, `logit_effect_low`, `logit_effect_high` (source, logit). In standard
        deviations of the unablated response over all exemplars; `token_accuracy` (token) and
        `token_accuracy_without` (source, token), shares of a token's exemplars that are
        classified correctly with the source and without it. Low and high: 95 % normal
        interval of the mean over exemplars. NaN where a response does not vary, fewer than two
        exemplars are there, or the target does not lie above the source. Attribute `how`.

    Raises
    ------
    InputError
        If a unit or a way of ablation does not exist (what exists is told), or exemplars and
        tokens do not fit each other.

    Examples
    --------
    A unit whose outgoing weights are 0 can be silenced without anything happening above:

    >>> model = ont.vgg(tokens=3, widths=(4, 8), dense=8, seed=0)
    >>> images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    >>> _ = model.logits.weight.data[:, 5].zero_()
    >>> found = ont.ablation_effects(model, images, np.arange(6) % 3, ["fc1:5"], [])
    >>> float(abs(found.logit_effect).max())
    0.0
    """
    x = _network_input(images)
    token = _checked(token, how, len(x))
    pass_ = _Pass(model, x, stages(model, x[:1]))
    layers = [stage.name for stage in pass_.found]
    units = [unit_index(names, pass_.found) for names in (sources, targets)]
    at = [[(layers.index(layer), channel) for layer, channel in part] for part in units]
    order = np.random.default_rng(seed).permutation(len(x))
    plain, logits = pass_.responses(at[1])
    changes = [pass_.responses(at[1], _Silence(*source, how, order)) for source in at[0]]
    change = np.stack([y - plain for y, _ in changes], axis=1)
    for i, (layer, _) in enumerate(at[0]):
        change[:, i, [k for k, (above, _) in enumerate(at[1]) if above <= layer]] = np.nan
    shift = np.stack([y - logits for _, y in changes], axis=1)
    names = _output_names(tokens, logits.shape[1])
    effects = _effects(change / _spread(plain), shift / _spread(logits), token, len(names))
    effects |= _accuracies(logits, [y for _, y in changes], token, len(names))
    where = {
        "source": list(sources), "target": list(targets), "token": names, "logit": names,
    }  # fmt: skip
    about = {"how": how, "seed": seed, "exemplars": len(x)}
    return label(effects, EFFECTS, where, attributes=about, always_missing=True)


@dataclass(frozen=True)
class _Silence:
    """One unit, and what stands in its place."""

    layer: int
    channel: int
    how: str
    order: np.ndarray


@dataclass(frozen=True)
class _Pass:
    """A network, its exemplars and its stages."""

    model: nn.Module
    x: Tensor
    found: list[Stage]

    def responses(
        self, targets: Sequence[tuple[int, int]], silence: _Silence | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return pre-activations [exemplar, target], meaned over the map, and logits."""
        other = None if silence is None else self._instead(silence)
        kept: list[np.ndarray] = []
        outputs: list[np.ndarray] = []
        rows, row = slice(0, 0), np.zeros((0, len(targets)))

        def at_layer(index: int, _: Tensor, z: Tensor) -> None:
            for k, (layer, channel) in enumerate(targets):
                if layer == index:
                    own = _of_unit(self.found[index], z, channel).double()
                    row[:, k] = own.reshape(len(own), -1).mean(1)

        def at_response(index: int, a: Tensor) -> Tensor | None:
            if silence is None or other is None or index != silence.layer:
                return None
            changed = a.clone()
            instead = other[rows] if silence.how == "resample" else other
            _of_unit(self.found[index], changed, silence.channel)[:] = instead
            return changed

        with undisturbed(self.model), listening(self.found, at_layer, at_response):
            for first in range(0, len(self.x), BLOCK):
                rows = slice(first, min(first + BLOCK, len(self.x)))
                row = np.zeros((rows.stop - first, len(targets)))
                outputs.append(self.model(self.x[rows].clone()).double().numpy())
                kept.append(row)
        return np.concatenate(kept), np.concatenate(outputs)

    def _instead(self, silence: _Silence) -> Tensor:
        """Return what stands in the place of a unit's own maps [exemplar, ...]."""
        if silence.how == "zero":
            return torch.zeros(())
        seen: list[Tensor] = []

        def at_response(index: int, a: Tensor) -> None:
            if index == silence.layer:
                seen.append(_of_unit(self.found[index], a, silence.channel).clone())

        with undisturbed(self.model), listening(self.found, lambda *_: None, at_response):
            for block in self.x.split(BLOCK):
                self.model(block.clone())
        maps = torch.cat(seen)
        if silence.how == "mean":
            return maps.mean(0, keepdim=True)
        return maps[torch.as_tensor(silence.order)]


def _slopes(
    model: nn.Module, column: Column, x: Tensor, channel: int, at: tuple[int, int]
) -> Tensor:
    """Return d z / d x of one unit at one place, [exemplar, channel, y, x]."""
    given, seen = x.clone().requires_grad_(), []

    def at_layer(_: int, __: Tensor, z: Tensor) -> None:
        mine = _of_unit(column.stage, z, channel)
        seen.append(mine[:, at[0], at[1]] if column.stage.kind == "conv" else mine)

    with listening([column.stage], at_layer, lambda *_: None):
        model(given.clone())  # a network may change its input in place
    return torch.autograd.grad(seen[0].sum(), given)[0]


def _of_unit(stage: Stage, values: Tensor, channel: int) -> Tensor:
    """Return a view of a unit's own values, [exemplar, ...]."""
    return values.select(1 if stage.kind == "conv" else values.dim() - 1, channel)


def _network_input(images: np.ndarray | Tensor) -> Tensor:
    x = torch.as_tensor(images)
    x = prepare(x.clone()) if x.dtype == torch.uint8 else x
    if x.dim() != 4 or not x.is_floating_point() or len(x) == 0:
        msg = (
            "expected exemplars as uint8 [exemplar, y, x, channel] or as a floating network input "
            f"[exemplar, channel, y, x], got {x.dtype} of shape {tuple(x.shape)}: give such"
        )
        raise InputError(msg)
    return x.contiguous(memory_format=torch.channels_last)


def _checked(token: np.ndarray, how: str, count: int) -> np.ndarray:
    if how not in HOWS:
        msg = f"expected a way of ablation ({', '.join(HOWS)}), got {how}: choose one of these"
        raise InputError(msg)
    token = np.asarray(token)
    if token.shape != (count,) or token.dtype.kind not in "iu":
        msg = (
            f"expected a token's index for each of {count} exemplars, got {token.dtype} of shape "
            f"{token.shape}: give one an exemplar"
        )
        raise InputError(msg)
    return token


def _output_names(tokens: Sequence[str] | None, count: int) -> list[str]:
    names = [str(k) for k in range(count)] if tokens is None else list(tokens)
    if len(names) != count:
        msg = f"expected a token's name for each of {count} outputs, got {len(names)}: name them"
        raise InputError(msg)
    return names


def _accuracies(
    logits: np.ndarray, without: list[np.ndarray], token: np.ndarray, n_tokens: int
) -> Effects:
    """Return the shares of each token's exemplars that are classified correctly."""
    counts = np.bincount(token, minlength=n_tokens)
    of = np.where(counts, counts, np.nan)
    each = [np.bincount(token[y.argmax(axis=1) == token], minlength=n_tokens) / of
            for y in (logits, *without)]  # fmt: skip
    return {"token_accuracy": each[0], "token_accuracy_without": np.stack(each[1:])}


def _spread(values: np.ndarray) -> np.ndarray:
    """Return the standard deviation over exemplars; NaN where there is none."""
    spread = values.std(axis=0)
    return np.where(spread > 1e-6 * np.abs(values).max(axis=0), spread, np.nan)


def _mean_and_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean over exemplars and its 95 % interval; NaN for fewer than two exemplars."""
    if len(values) < 2:
        missing = np.full(values.shape[1:], np.nan)
        return missing, missing, missing
    mean, reach = values.mean(0), _NORMAL * values.std(0, ddof=1) / np.sqrt(len(values))
    return mean, mean - reach, mean + reach


def _effects(change: np.ndarray, shift: np.ndarray, token: np.ndarray, n_tokens: int) -> Effects:
    """Return means and intervals of changes [exemplar, source, target] and of logits' ones."""
    by_token = [_mean_and_interval(change[token == c]) for c in range(n_tokens)]
    parts = {
        "effect": _mean_and_interval(change),
        "token_effect": [np.stack(each, axis=-1) for each in zip(*by_token, strict=True)],
        "logit_effect": _mean_and_interval(shift),
    }
    return {
        f"{name}{end}": value
        for name, each in parts.items()
        for end, value in zip(_ENDS, each, strict=True)
    }
