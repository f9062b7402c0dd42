"""The coupling graph over all steps: nodes, births and deaths, assemblies, paths, in graph.zarr.

May import numpy, xarray, ontogeny.stats.graphs and the measures of graphs only.
"""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from ontogeny.measure.couplings.assemblies import assemblies
from ontogeny.measure.couplings.edges import edge_lives
from ontogeny.measure.couplings.export import strength
from ontogeny.measure.couplings.flow import token_flow
from ontogeny.measure.couplings.standing import standing
from ontogeny.measure.couplings.wiring import (
    COUPLING_NULL,
    LEVEL,
    Wiring,
    null_bound,
    per_edge,
    wiring_of,
)
from ontogeny.measure.probe import require
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.progress import Parts, Progress
from ontogeny.stats.graphs import (
    concentration,
    hub_p,
    mean_sharing,
    permuted_sharing,
    reuse_by_chance,
    sharing,
)

HUB = 0.01
"""Chance of naming any unit of a layer a hub where there is none."""
_N_SHUFFLES = 99

_CELL = ("step", "layer")
_NO_TARGETS = "a layer without targets, or without edges beyond the null"
_FLOW = "each token's flow shuffled over units"
NODES = {
    "flow": Quantity(
        ("step", "node", "token"), "1", "share of what distinguishes the token that is traced back "
        "to the node"),
}  # fmt: skip
MORE_NODES = {
    "in_concentration": Quantity(
        ("step", "node"), "edges", "effective number of sources, 1 / sum of squared shares",
        "the image's channels, inactive units"),
    "out_concentration": Quantity(
        ("step", "node"), "edges", "effective number of targets, 1 / sum of squared shares",
        "logits, and units without couplings"),
    "out_strength": Quantity(
        ("step", "node"), "1", "sum of |coupling| over its targets", "logits",
        "couplings of each target shuffled over its sources: is_hub"),
    "is_hub": Quantity(
        ("step", "node"), "1", "out-strength beyond what shuffled couplings of the targets give",
        null="couplings of each target shuffled over its sources, corrected within the layer"),
    "reuse": Quantity(
        ("step", "node"), "edges", "targets that it is coupled to beyond permuted weights",
        null="permuted weights"),
    "sharing": Quantity(
        ("step", "node"), "1", "entropy of the flow over tokens / ln of their number",
        "units without flow", "layer_sharing, between sharing_low and sharing_high"),
}  # fmt: skip
LAYERS = {
    "layer_sharing": Quantity(
        _CELL, "1", "mean sharing index of the layer's units, weighed by flow", "no flow",
        f"sharing_low to sharing_high: {_FLOW}"),
    "sharing_low": Quantity(
        _CELL, "1", "2.5 % quantile of the same where each token's flow changes units", "no flow"),
    "sharing_high": Quantity(_CELL, "1", "97.5 % quantile of the same", "no flow"),
}  # fmt: skip
MORE_LAYERS = {
    "hubs": Quantity(
        _CELL, "units", "units with an out-strength beyond chance, corrected within the layer",
        null=f"in at most {HUB:.0%} of layers any: couplings of each target shuffled"),
    "layer_reuse": Quantity(
        _CELL, "edges", "edges beyond permuted weights per unit that is a source of any",
        _NO_TARGETS, "reuse_chance: each target draws its sources at random"),
    "reuse_chance": Quantity(
        _CELL, "edges", "the same where each target draws its sources at random", _NO_TARGETS),
}  # fmt: skip


def graph_nodes(
    record: xr.Dataset, *, everything: bool = False, chance: Chance | None = None
) -> xr.Dataset:
    """Follow the nodes of the coupling graph over steps.

    Parameters
    ----------
    record
        With couplings and contrasts.
    everything
        Whether to add what nothing of the report or the page shows, see Returns; it needs the
        couplings' null.
    chance
        Seed.

    Returns
    -------
    xr.Dataset
        `flow` (step, node, token), as `graph`. Over (step, layer): `layer_sharing`, the flow's
        mean sharing index, with `sharing_low` and `sharing_high`, between which it lies with 95 %
        where each token's flow is shuffled over units. With `everything` also, over (step, node),
        `in_concentration`, `out_concentration`, `out_strength`, `is_hub`, `reuse`, `sharing`; over
        (step, layer) `hubs`; `layer_reuse`, edges per recruited source (sources in this layer),
        and `reuse_chance`, NaN where a layer has no targets, or no edge beyond the null.

    Raises
    ------
    InputError
        If the record lacks couplings, contrasts or, for `everything`, the couplings' null.

    Examples
    --------
    How far the tokens share the units of each layer (1: all alike), and what chance gives:

    >>> found = ont.measure.graph_nodes(record).isel(step=-1)
    >>> print(found.layer.values, found.layer_sharing.values.round(2))
    ['conv1' 'conv2' 'fc1' 'logits'] [0.9  0.88 0.76 0.  ]
    >>> print(found.sharing_low.values.round(2), found.sharing_high.values.round(2))
    [0.82 0.79 0.59 0.  ] [0.92 0.87 0.74 1.  ]
    """
    require(record, "coupling", "coupling_contrast")
    wiring, chance = wiring_of(record), chance or Chance()
    rng = np.random.default_rng(chance.seed)
    nodes, layers = [], []
    for k in range(record.sizes["step"]):
        flow, _ = token_flow(record["coupling_contrast"].isel(step=k).values, wiring)
        nodes.append({"flow": flow})
        layers.append(_sharing_row(flow, wiring, rng))
    if everything:
        for k, (size, present) in enumerate(_beyond(record, wiring)):
            nodes[k] |= _node_row(size, present, nodes[k]["flow"], wiring)
            layers[k] |= _reuse_row(nodes[k], present, wiring)
    return _labelled(record, wiring, nodes, layers)


def graphs(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure the coupling graph over all steps.

    The union of `graph_nodes`, `edge_lives` and `assemblies`, with what of them stands beyond
    chance (`ontogeny.measure.standing`). What nothing shows is left to calls
    of their own: `token_edge_lives`, `token_paths`, `noise_likeness`.

    Parameters
    ----------
    record
        With couplings, contrasts and the couplings' null.
    chance
        How nulls and intervals are drawn.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Raises
    ------
    InputError
        If the record lacks any of them.

    Examples
    --------
    All measures of the coupling graph at once, such as the edges that are beyond their null:

    >>> found = ont.measure.graphs(record)
    >>> found.edges_present.isel(step=[0, -1]).to_pandas()
    layer  conv1  conv2  fc1  logits
    step
    0          0      0    3       0
    300        0      7    1       0
    """
    kinds = {
        "nodes": (graph_nodes, 5), "births and deaths of edges": (edge_lives, 2),
        "assemblies": (assemblies, 12),
    }  # fmt: skip
    parts = Parts(progress, {words: seconds for words, (_, seconds) in kinds.items()})
    found: list[xr.Dataset] = []
    for words, (kind, _) in kinds.items():
        say = parts.of(words)
        say(words, 0, 1)
        found.append(kind(record, chance=chance))
        say(words, 1, 1)
    data = xr.merge(found, compat="override", join="exact", combine_attrs="drop_conflicts")
    return data.merge(standing(record, data, chance or Chance()))


def _beyond(record: xr.Dataset, wiring: Wiring) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield each step's couplings without their sign, and whether they are beyond the null."""
    bound = null_bound(record, COUPLING_NULL, LEVEL)
    for k in range(record.sizes["step"]):
        size = np.abs(record["coupling"].isel(step=k).values.astype(np.float64))
        yield size, size > per_edge(bound[k], wiring)


def _node_row(
    size: np.ndarray, present: np.ndarray, flow: np.ndarray, wiring: Wiring
) -> dict[str, np.ndarray]:
    s, t, n = wiring.source, wiring.target, wiring.n_nodes
    p, count = hub_p(size, s, t, n), np.bincount(wiring.node_layer)
    return {
        "in_concentration": concentration(size, t, n),
        "out_concentration": concentration(size, s, n),
        "out_strength": strength(size, wiring),
        "is_hub": p < HUB / count[wiring.node_layer],
        "reuse": np.bincount(s, present, n),
        "sharing": sharing(flow),
    }


def _sharing_row(
    flow: np.ndarray, wiring: Wiring, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return how far the tokens share each layer above the image's, and what chance gives."""
    rows = []
    for layer in range(1, len(wiring.layers)):
        own = flow[wiring.members(layer)]
        # each layer on its own, as layers differ in width and in how unequally they are used
        null = permuted_sharing(own, n_shuffles=_N_SHUFFLES, rng=rng)
        low, high = np.quantile(null, [0.025, 0.975]) if np.isfinite(null).all() else (np.nan,) * 2
        rows.append((float(mean_sharing(own)), low, high))
    return dict(zip(LAYERS, np.array(rows, dtype=np.float64).T, strict=True))


def _reuse_row(
    node: dict[str, np.ndarray], present: np.ndarray, wiring: Wiring
) -> dict[str, np.ndarray]:
    """Count hubs and targets per source in each layer above the image's."""
    rows = []
    for layer in range(1, len(wiring.layers)):
        own = wiring.members(layer)
        reuse = by_chance = np.nan
        if layer < len(wiring.layers) - 1:
            # the edges above: a unit is used by its targets, which lie in the next layer
            block = wiring.blocks[layer]
            used = (node["reuse"][own] > 0).sum()
            reuse = node["reuse"][own].sum() / used if used else np.nan
            by_chance = reuse_by_chance(
                present[block], wiring.source[block], wiring.target[block], wiring.n_nodes
            )
        rows.append((node["is_hub"][own].sum(), reuse, by_chance))
    return dict(zip(MORE_LAYERS, np.array(rows, dtype=np.float64).T, strict=True))


def _labelled(
    record: xr.Dataset, wiring: Wiring, nodes: list[dict[str, np.ndarray]],
    layers: list[dict[str, np.ndarray]],
) -> xr.Dataset:  # fmt: skip
    values: dict[str, np.ndarray] = {}
    for name in nodes[0]:
        over_steps = np.array([row[name] for row in nodes])
        is_float = over_steps.dtype.kind == "f"
        values[name] = over_steps.astype(np.float32) if is_float else over_steps
    values |= {name: np.array([row[name] for row in layers]) for name in layers[0]}
    where = {
        "step": record["step"].values, "node": wiring.nodes, "layer": np.array(wiring.above),
        "node_layer": ("node", np.array(wiring.layers)[wiring.node_layer]),
        "token": record["token"].values.astype(str),
    }  # fmt: skip
    return label(values, NODES | MORE_NODES | LAYERS | MORE_LAYERS, where)
