"""The exact graph of one picture: what its channels, units and biases give to a token's logit.

No part of the logit is left over, so the graph has no error nodes, as the graphs of language models
must have, whose units stand in for what they replace. It is exact for the network as it is at this
picture, with its gates fixed; it does not say what the network would do were a unit silenced, which
moves gates: `ontogeny.ablation_effects` does. May import torch, xarray, construction, pictures,
measure.quantity, stats, model, passes, run and errors.

References
----------
Ameisen et al. 2025, Circuit Tracing (attribution graphs, influence and pruning); Syed, Rager &
Conmy 2023, arXiv:2310.10348 (edge attribution); `ontogeny.construction.attribution` for exactness.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ontogeny.construction.attribution import Attributions, LayerAttribution, attributions
from ontogeny.errors import InputError
from ontogeny.measure.quantity import Quantity, label
from ontogeny.model import prepare
from ontogeny.passes import bare, in_precision, refuse_uninitialised
from ontogeny.pictures.asked import Asked
from ontogeny.run import RunFolder
from ontogeny.stats.graphs import fewest_holding, flow_down, portions

__all__ = ["AGAINST", "BIAS", "OF", "picture_graph", "picture_graph_of", "picture_graphs"]

BIAS = "bias"
"""A layer's biases are one node, such as "bias:conv3"."""
OF = ("contrast", "logit")
"""What is explained: a token's logit less the mean of all logits, or the logit alone."""
AGAINST = ("zero", "mean")
"""What the picture is held against: an input of 0, where biases add, or the mean exemplar."""
_NOT_FLOWED_INTO = "pixels and biases, which nothing flows into"
GRAPH = {
    "explained": Quantity((), "logit", "what is explained: the token's logit, less the mean of all "
                          "logits where the graph is of the contrast"),
    "reference": Quantity((), "logit", "of what is explained, what the mean exemplar gives at this "
                          "picture's gates; 0 where the graph is held against zero"),
    "completeness_error": Quantity((), "logit", "attribution of all pixels and biases less what "
                                   "it adds up to, explained - reference, in size; rounding"),
    "kept_share": Quantity((), "1", "share of the absolute attribution that comes along kept "
                           "nodes all the way from pixels or biases"),
    "attribution": Quantity(("node",), "logit", "what comes through the node into what is "
                            "explained: the sum over its map of value times gradient"),
    "influence": Quantity(("node",), "1", "share of the absolute attribution that comes through "
                          "the node: each node divides its own among what flows into it"),
    "activation": Quantity(("node",), "activation", "mean over the map of what flows out of the "
                           "node; of a channel, its input; a bias is 1"),
    "preactivation": Quantity(("node",), "pre-activation", "mean over the map before the "
                              "nonlinearity, behind the batch norm", _NOT_FLOWED_INTO),
    "rest": Quantity(("node",), "logit", "attribution into the node from nodes that are left out",
                     _NOT_FLOWED_INTO),
    "is_kept": Quantity(("node",), "", "among the fewest of the layer that hold the share to be "
                        "kept, at this step"),
    "edge_attribution": Quantity(("edge",), "logit", "what comes along the edge into what is "
                                 "explained: the sum over places and taps of weight times input "
                                 "times gradient"),
    "contribution": Quantity(("edge",), "pre-activation of the target", "what the source adds to "
                             "the target's pre-activation, mean over the map"),
    "edge_influence": Quantity(("edge",), "1", "share of the absolute attribution that comes along "
                               "the edge"),
}  # fmt: skip


def picture_graph(  # noqa: PLR0913  (which picture, and how its graph is drawn up)
    run: Asked | RunFolder | str | os.PathLike[str],
    exemplar: int,
    *,
    step: int | None = None,
    token: str | None = None,
    of: str = "contrast",
    against: str = "zero",
    keep: float = 0.8,
) -> xr.Dataset:
    """Return the exact graph of one exemplar at any step that was trained.

    Parameters
    ----------
    run
        The run or its folder, or what answers questions about it and keeps networks at hand.
    exemplar
        Its index in the task; in a loop of one's own, its name in the record.
    step
        Any step; between snapshots the network is trained again. None: the last snapshot.
    token
        Whose logit; None: the exemplar's own token.
    of, keep
        See `picture_graph_of`.
    against
        "zero": the picture as it is, biases and all; "mean": the picture less the mean of all
        exemplars that the snapshots were shown.

    Returns
    -------
    xr.Dataset
        See `picture_graph_of`; coordinate `step`, attributes `exemplar`, `against`.

    Raises
    ------
    InputError
        If the exemplar, the token or the step does not exist, a choice is unknown, or the network
        is not linear between its gates.

    Examples
    --------
    What pixels and biases give adds up to the contrast of the exemplar's token:

    >>> graph = ont.picture_graph(run, 3, keep=1)
    >>> ends = [name.startswith(("pixels", "bias")) for name in graph.node.values]
    >>> bool(np.isclose(graph.attribution[ends].sum(), graph.explained, rtol=1e-12))
    True
    """
    steps = None if step is None else [step]
    found = _graphs(run, exemplar, steps, token=token, of=of, against=against, keep=keep)
    return found.isel(step=0)


def picture_graphs(  # noqa: PLR0913
    run: Asked | RunFolder | str | os.PathLike[str],
    exemplar: int,
    *,
    steps: Sequence[int],
    token: str | None = None,
    of: str = "contrast",
    against: str = "zero",
    keep: float = 0.8,
) -> xr.Dataset:
    """Return the exact graph of one exemplar at several steps, over all nodes kept at one of them.

    Parameters
    ----------
    run, exemplar, token, of, against, keep
        See `picture_graph`.
    steps
        Any that were trained.

    Returns
    -------
    xr.Dataset
        `picture_graph` along `step`; `is_kept` says at which steps a node is kept for its own
        influence, `kept_share` is that of all nodes here.

    Raises
    ------
    InputError
        As `picture_graph` does, or if there are no steps.

    Examples
    --------
    >>> graphs = ont.picture_graphs(run, 3, steps=[0, 300])
    >>> graphs.attribution.dims, bool((graphs.is_kept.any("step")).all())
    (('step', 'node'), True)
    """
    return _graphs(run, exemplar, steps, token=token, of=of, against=against, keep=keep)


def picture_graph_of(
    model: nn.Module,
    image: np.ndarray | Tensor,
    token: int,
    *,
    of: str = "contrast",
    reference: np.ndarray | Tensor | None = None,
    keep: float = 0.8,
) -> xr.Dataset:
    """Return the exact graph of one picture: how its token's logit comes about, edge by edge.

    attribution(i -> j) = sum over places p and taps t of dy/dz_j(p) w_ij(t) x_i(p + t), where y is
    what is explained, z_j(p) a pre-activation behind the batch norm, and x_i the source's input to
    the layer. A network of convolutions, batch norms, rectifiers and poolings is linear in its
    input with its gates fixed, so attributions into a unit add up to those out of it, and those of
    pixels and biases to y. Computed in float64, from one pass there and back. Its mean over a
    token's exemplars is the record's `edge_attribution`.

    With a reference r, the same network between the picture's gates is given x - r: attributions
    add up to y less what r gives there, biases drop out, and activations are differences as well.

    The influence of the output is 1; each node divides its own among what flows into it, by the
    absolute attribution. In each layer the fewest units that hold `keep` of the layer's influence
    are kept, and every edge between kept nodes; biases are always kept. Over all layers at once,
    wide layers, whose units have little each, would be left empty.

    Parameters
    ----------
    model
        A network whose layers form a chain, with ReLU, LeakyReLU or PReLU as nonlinearities.
    image
        uint8 [y, x, channel], or the network's input itself [channel, y, x].
    token
        Index of the logit.
    of
        "contrast": the logit less the mean of all logits, since a shift that all logits have in
        common moves no probability; "logit": the logit alone.
    reference
        Another picture, as `image`, or the mean of several (0 to 255, [y, x, channel], of any kind
        of numbers where `image` is uint8); None: zero.
    keep
        More than 0, at most 1.

    Returns
    -------
    xr.Dataset
        Over `node` ("pixels:0", "bias:conv3", "conv3:17", "logits:2", with `node_layer`):
        `attribution`, `influence`, `activation`, `preactivation`, `rest`, `is_kept`. Over `edge`
        (`source`, `target`): `edge_attribution`, `contribution`, `edge_influence`. `explained`,
        `reference`, `kept_share`, `completeness_error`. Edges into a node and its `rest` add up to
        its attribution. With `keep=1`, the contributions into a unit add up to its pre-activation.
        Attributes: `layers` from bottom to top, `token`, `of`, `keep`, `nodes_left_out`,
        `edges_left_out`.

    Raises
    ------
    InputError
        If the network is not linear through 0 between its gates or no chain (what is in the way is
        named), its logits are not finite, or an argument is none of those above.

    Examples
    --------
    >>> model = ont.vgg(tokens=3, widths=(4, 8), dense=8, depth=1, batch_norm=True)
    >>> image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    >>> graph = ont.picture_graph_of(model, image, 2)
    >>> graph.attrs["layers"], bool(graph.completeness_error < 1e-12)
    (['pixels', 'conv1', 'conv2', 'fc1', 'logits'], True)
    """
    _check(of, keep)
    found = _attributions(model, image, token, of == OF[0], reference)
    kept = _kept(found, keep)
    about = {"token": token, "of": of, "keep": keep}
    return _dataset(found, kept, kept, about)


def _graphs(
    run: Asked | RunFolder | str | os.PathLike[str],
    exemplar: int,
    steps: Sequence[int] | None,
    **given: Any,
) -> xr.Dataset:
    """Return graphs along `step`, over the nodes that one of them keeps."""
    asked = run if isinstance(run, Asked) else Asked(run)
    of, against, keep = given["of"], given["against"], given["keep"]
    _check(of, keep, against)
    steps = [max(asked.run.steps, default=0)] if steps is None else list(steps)
    if not steps:
        msg = "expected one step or more, got none: name some that were trained"
        raise InputError(msg)
    image, own = asked.exemplar(exemplar)
    token = _index_of(asked.tokens, own if given["token"] is None else given["token"])
    reference = asked.mean_exemplar[0] if against == "mean" else None
    found = []
    for step in steps:
        with asked.network(step) as model:
            found.append(_attributions(model, image[0], token, of == OF[0], reference))
    each = [_kept(one, keep) for one in found]
    all_kept = reduce(_Kept.union, each)
    about = {"token": asked.tokens[token], "of": of, "against": against, "keep": keep,
             "exemplar": exemplar}  # fmt: skip
    graphs = [_dataset(one, all_kept, own, about) for one, own in zip(found, each, strict=True)]
    return xr.concat(
        graphs, xr.DataArray(steps, dims="step", name="step"), combine_attrs="override"
    )


def _attributions(
    model: nn.Module,
    image: np.ndarray | Tensor,
    token: int,
    contrast: bool,
    reference: np.ndarray | Tensor | None,
) -> Attributions:
    """Return what flows in one picture, in float64."""
    model = bare(model)
    refuse_uninitialised(model)
    x = _network_input(image)
    is_picture = image.dtype in (np.uint8, torch.uint8)
    other = None if reference is None else _network_input(reference, is_picture=is_picture)
    if other is not None and other.shape != x.shape:
        msg = (
            f"expected a reference of the picture's shape {tuple(x.shape[1:])}, got "
            f"{tuple(other.shape[1:])}: give one of the same size"
        )
        raise InputError(msg)
    found = attributions(
        in_precision(model, torch.float64), x, token, contrast=contrast, reference=other
    )
    if not np.isfinite(found.explained):
        msg = (
            f"expected finite logits, got {found.explained}: training has diverged; choose an "
            "earlier step"
        )
        raise InputError(msg)
    return found


# What is kept -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Kept:
    """Which units and edges a graph holds; a layer's bias is its last source."""

    units: list[np.ndarray]
    """Of each layer from the pixels up, bool [unit]."""
    wired: list[np.ndarray]
    """Of each layer above, bool [target, source + 1]: anything comes along the edge."""

    @property
    def edges(self) -> list[np.ndarray]:
        """Of each layer above the pixels, bool [target, source + 1]: between kept nodes."""
        return [wired & self.units[k + 1][:, None] & np.append(self.units[k], True)
                for k, wired in enumerate(self.wired)]  # fmt: skip

    @property
    def biases(self) -> list[bool]:
        """Of each layer above the pixels: it has biases."""
        return [bool(wired[:, -1].any()) for wired in self.wired]

    def union(self, other: "_Kept") -> "_Kept":
        """Return what one or the other keeps."""
        units = [a | b for a, b in zip(self.units, other.units, strict=True)]
        return _Kept(units, [a | b for a, b in zip(self.wired, other.wired, strict=True)])


def _into(layer: LayerAttribution) -> np.ndarray:
    """Return what flows into a layer's units, [target, source + 1], the bias last."""
    return np.column_stack([layer.attribution, layer.bias_attribution])


def _influence(parts: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[float]]:
    """Return the influence of each layer's units, from the pixels up, and of its biases.

    `parts` are the portions [target, source + 1] of what flows into each layer above the pixels.
    """
    down = flow_down((part[:, :-1] for part in reversed(parts)), np.ones(1))
    units = [passed for passed, _ in reversed(down)]
    return units, [float(units[k + 1] @ np.abs(p[:, -1])) for k, p in enumerate(parts)]


def _kept(found: Attributions, keep: float) -> _Kept:
    """Return the fewest units of each layer that hold a share of its influence."""
    units, _ = _influence([portions(_into(layer)) for layer in found.layers])
    kept = [fewest_holding(influence, float(keep)) for influence in units[:-1]]
    wired = [(_into(layer) != 0) | (np.column_stack([layer.contribution, layer.bias]) != 0)
             for layer in found.layers]  # fmt: skip
    return _Kept([*kept, np.ones(1, dtype=bool)], wired)


# The dataset --------------------------------------------------------------------------------------


def _dataset(found: Attributions, kept: _Kept, own: _Kept, about: dict[str, Any]) -> xr.Dataset:
    """Return the graph of `kept` nodes; `own` are those that are kept for this graph's own sake."""
    parts = [portions(_into(layer)) for layer in found.layers]
    within, ends = _influence([p * e for p, e in zip(parts, kept.edges, strict=True)])
    influence = _influence(parts)
    nodes = _joined(_node_blocks(found, kept, own, influence))
    edges = _joined(_edge_blocks(found, kept, influence[0]))
    at = nodes.pop("is_here").astype(bool)
    n_edges = sum(int(wired.sum()) for wired in kept.wired)
    values = {
        "explained": found.explained, "reference": found.reference,
        "completeness_error": found.completeness_error,
        "kept_share": within[0].sum() + sum(ends),
    }  # fmt: skip
    values |= {name: nodes[name][at] for name in GRAPH if name in nodes}
    values |= {name: edges[name] for name in GRAPH if name in edges}
    where = {
        "node": nodes["name"][at], "node_layer": ("node", nodes["layer"][at]),
        "source": ("edge", edges["source"]), "target": ("edge", edges["target"]),
    }  # fmt: skip
    about = {
        **about, "layers": found.names, "nodes_left_out": int((~at).sum()),
        "edges_left_out": n_edges - len(edges["source"]),
    }  # fmt: skip
    return label(values, GRAPH, where, attributes=about, always_missing=True)


def _node_blocks(
    found: Attributions, kept: _Kept, own: _Kept, influence: tuple[list[np.ndarray], list[float]]
) -> Iterator[dict[str, Any]]:
    """Yield all pixels, then each layer's biases and units, kept or not, with their values."""
    (units, biases), names = influence, found.units
    yield {
        "name": names[0], "layer": found.names[0], "is_here": kept.units[0],
        "attribution": found.layers[0].attribution.sum(0), "influence": units[0],
        "activation": found.pixels, "preactivation": np.nan, "rest": np.nan,
        "is_kept": own.units[0],
    }  # fmt: skip
    for k, layer in enumerate(found.layers):
        if kept.biases[k]:
            yield {
                "name": np.array([f"{BIAS}:{layer.name}"]), "layer": layer.name, "is_here": True,
                "attribution": layer.bias_attribution.sum(), "influence": biases[k],
                "activation": 1.0, "preactivation": np.nan, "rest": np.nan,
                "is_kept": own.biases[k],
            }  # fmt: skip
        into = _into(layer)
        yield {
            "name": names[k + 1], "layer": layer.name, "is_here": kept.units[k + 1],
            "attribution": into.sum(1), "influence": units[k + 1], "activation": layer.activation,
            "preactivation": layer.preactivation, "rest": (into * ~kept.edges[k]).sum(1),
            "is_kept": own.units[k + 1],
        }  # fmt: skip


def _edge_blocks(
    found: Attributions, kept: _Kept, units: Sequence[np.ndarray]
) -> Iterator[dict[str, Any]]:
    """Yield the edges into each layer, from kept nodes and biases to kept units."""
    names = found.units
    for k, layer in enumerate(found.layers):
        targets, sources = np.nonzero(kept.edges[k])
        at, into = (targets, sources), _into(layer)
        influence = units[k + 1][:, None] * np.abs(portions(into))
        yield {
            "source": np.append(names[k], f"{BIAS}:{layer.name}")[sources],
            "target": names[k + 1][targets],
            "edge_attribution": into[at], "edge_influence": influence[at],
            "contribution": np.column_stack([layer.contribution, layer.bias])[at],
        }  # fmt: skip


def _joined(blocks: Iterable[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Return the blocks' columns end to end; a value alone is that of its whole block."""
    tables = [dict(zip(block, np.broadcast_arrays(*block.values()), strict=True))
              for block in blocks]  # fmt: skip
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


# What is asked for --------------------------------------------------------------------------------


def _network_input(image: np.ndarray | Tensor, *, is_picture: bool = False) -> Tensor:
    """Return one picture as float64 [1, channel, y, x]; a uint8 one is prepared."""
    x = torch.as_tensor(np.array(image) if isinstance(image, np.ndarray) else image)
    if x.dim() != 3 or not (x.dtype == torch.uint8 or x.is_floating_point()):
        msg = (
            "expected one picture as uint8 [y, x, channel] or as a floating network input "
            f"[channel, y, x], got {x.dtype} of shape {tuple(x.shape)}: give such"
        )
        raise InputError(msg)
    if x.dtype == torch.uint8 or is_picture:
        return prepare(x[None]).double()
    return x[None].double()


def _check(of: str, keep: float, against: str = AGAINST[0]) -> None:
    for name, given, known in (("of", of, OF), ("against", against, AGAINST)):
        if given not in known:
            msg = f"expected {name} to be one of {', '.join(known)}, got {given}: choose one"
            raise InputError(msg)
    if not 0 < keep <= 1:
        msg = f"expected a share to keep of more than 0 and at most 1, got {keep}: such as 0.8"
        raise InputError(msg)


def _index_of(tokens: Sequence[str], token: str) -> int:
    if token not in tokens:
        msg = f"expected a token of the run ({', '.join(tokens)}), got {token}: choose one of these"
        raise InputError(msg)
    return tokens.index(token)
