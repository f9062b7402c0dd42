"""Which units come to carry which tokens, against the network before training.

A unit carries a token at a snapshot if more of what distinguishes the token passes through it than
passed through units of its layer before training, at most a share `FALSE` of such finds being
chance. May import numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.categories.signals import Chance
from ontogeny.measure.couplings.ancestry import FALSE
from ontogeny.measure.quantity import Quantity, label
from ontogeny.stats.finds import chance_finds, dealt_counts

LATEST = 3
"""Snapshots at the end at which a unit has to carry a token."""
N_DRAWS = 999
"""Draws of owners, whatever `Chance` says of exemplars: they cost little."""

_UNTRAINED = "the flows through units of the layer before training, all tokens together"
_UNKNOWN = "the record does not begin at step 0, or ends there"
_OWNERS = "the units of each token drawn at random from the layer"
_WORDS = {
    "carried_q": Quantity(("late_step", "node", "token"), "1", "share of chance finds among the "
                          "units of the layer and tokens with as much flow (Benjamini-Hochberg)",
                          f"{_UNKNOWN}; channels of the image", _UNTRAINED),
    "carrier": Quantity(("token",), "1", "position on the node axis of the unit of the upper "
                        "hidden layers that carries the token at each of the last snapshots and "
                        "whose flow is most times the largest of its layer before training; -1: "
                        "none", null=_UNTRAINED),
    "carrier_flow": Quantity(("token",), "1", "share of what distinguishes the token that passes "
                             "through carrier at the end", "no unit carries it", _UNTRAINED),
    "carrying_several": Quantity(("late_step", "layer"), "units", "units that carry several "
                                 "tokens", _UNKNOWN, _OWNERS),
    "carrying_one": Quantity(("late_step", "layer"), "units", "units that carry one token",
                             _UNKNOWN, _OWNERS),
    "carrying_several_chance": Quantity(("layer",), "units", "mean of carrying_several at the end "
                                        f"with {_OWNERS}", _UNKNOWN),
    "carrying_one_chance": Quantity(("layer",), "units", "mean of carrying_one at the end with "
                                    f"{_OWNERS}", _UNKNOWN),
    "carrying_several_bound": Quantity(("layer",), "units", "carrying_several that chance passes "
                                       "in no layer, nor carrying_one its own, with 95 %",
                                       _UNKNOWN, _OWNERS),
    "carrying_one_bound": Quantity(("layer",), "units", "carrying_one that chance passes in no "
                                   "layer, nor carrying_several its own, with 95 %", _UNKNOWN,
                                   _OWNERS),
}  # fmt: skip


def carrying(nodes: xr.Dataset, chance: Chance) -> xr.Dataset:
    """Find the units that carry tokens at each of the last snapshots.

    Parameters
    ----------
    nodes
        `graph_nodes`: the flow of each token through each node.
    chance
        Seed.
    """
    flow = nodes["flow"].transpose("step", "node", "token").values.astype(np.float64)
    layers, steps = nodes["layer"].values.astype(str), nodes["step"].values
    of_node = nodes["node_layer"].values.astype(str)
    members = [np.flatnonzero(of_node == name) for name in layers]
    late = max(len(steps) - LATEST, 1) if len(steps) > 1 else 0
    q = np.full((len(steps) - late, *flow.shape[1:]), np.nan)
    if int(steps[0]) == 0 and late:
        for own in members:
            before = np.nan_to_num(flow[0, own])
            q[:, own] = [chance_finds(np.nan_to_num(table[own]), before) for table in flow[late:]]
    values = {"carried_q": q} | _strongest(flow, q, members) | _shared(q, members, chance)
    where = {"late_step": steps[late:], "token": nodes["token"].values, "layer": layers}
    return label(values, _WORDS, where)


def _strongest(flow: np.ndarray, q: np.ndarray, members: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Return each token's strongest unit of the upper hidden layers.

    Layers are compared by the ratio to the largest untrained flow: the units of narrow layers
    have more each.
    """
    hidden, always = members[:-1], np.all(q <= FALSE, axis=0)
    ratio = np.zeros(flow.shape[1:])
    for own in hidden[len(hidden) // 2 :]:
        before = max(float(np.nan_to_num(flow[0, own]).max(initial=0)), 1e-12)
        ratio[own] = np.where(always[own], flow[-1, own] / before, 0)
    best = ratio.argmax(axis=0)
    token = np.arange(flow.shape[2])
    there = ratio[best, token] > 0
    return {"carrier": np.where(there, best, -1),
            "carrier_flow": np.where(there, flow[-1, best, token], np.nan)}  # fmt: skip


def _shared(q: np.ndarray, members: list[np.ndarray], chance: Chance) -> dict[str, np.ndarray]:
    """Count the units of each layer that carry several tokens, or one, at the end by chance, too.

    The bounds are corrected over layers and both kinds.
    """
    count = np.full((2, len(q), len(members)), np.nan)
    mean, bound = np.full((2, len(members)), np.nan), np.full((2, len(members)), np.nan)
    for k, own in enumerate(members):
        if np.isnan(q[:, own]).any():
            continue
        finds = q[:, own] <= FALSE
        tokens = finds.sum(axis=2)
        count[:, :, k] = (tokens > 1).sum(axis=1), (tokens == 1).sum(axis=1)
        rng = np.random.default_rng(chance.seed)
        drawn = np.stack(dealt_counts(finds[-1], n_draws=N_DRAWS, rng=rng))
        mean[:, k] = drawn.mean(axis=1)
        bound[:, k] = np.quantile(drawn, 1 - 0.05 / (2 * len(members)), axis=1)
    return {f"carrying_{name}{end}": values[j]
            for j, name in enumerate(("several", "one"))
            for end, values in (("", count), ("_chance", mean), ("_bound", bound))}  # fmt: skip
