"""Ancestry: what a token or a detector is built from, down to the pixels, and what it carries.

A token is followed by contrast share, what distinguishes it; a detector by coupling, what drives it
at all. Both are descriptive: they say through which sources a difference or a variance comes, not
what would happen without them; only the interaction ablates. May import numpy, xarray,
ontogeny.record, ontogeny.stats, ontogeny.measure and ontogeny.errors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.couplings.flow import directions, token_flow
from ontogeny.measure.couplings.wiring import LEVEL, Wiring, null_bound, token_index, wiring_of
from ontogeny.measure.probe import chosen_step, held_out, layer_names, require
from ontogeny.measure.quantity import Quantity, label
from ontogeny.record import LEVELS
from ontogeny.stats.finds import chance_finds
from ontogeny.stats.graphs import flow_down, largest, portions
from ontogeny.stats.onset import onset_interval

__all__ = ["construction", "describe", "flows_at", "serving_units", "shown_units"]

FALSE = 0.1
"""Largest share of chance finds among what is reported."""
_SIGNS = 2.576
"""99 % of sums with random signs lie within so many roots of the sum of squares."""
_TELL = 3
"""Sources that are named in a text."""
_PASSES = "share of what distinguishes the token that passes through the unit"
NODES = {
    "net": Quantity(
        ("node",), "1", "what sources add less what they take away, of all", "not followed by "
        "token", "net_null: random signs of the same shares"),
    "net_null": Quantity(
        ("node",), "1", "net that random signs of the same shares pass with 1 %",
        "not followed by token"),
    "flow": Quantity(("node",), "1", "share of the start's couplings followed to here"),
    "level": Quantity(
        ("node",), "1", "layers from the start: 0 the start, -1 the layer below, 1 above"),
    "evidence": Quantity(
        ("node",), "1", "1: speaks for the token, -1: against, 0: not followed by token"),
    "direction": Quantity(("node",), "1", "1: more active for the token, -1: less"),
    "sources": Quantity(("node",), "units", "units that are coupled to it from the layer below"),
    "sources_beyond": Quantity(
        ("node",), "units", "sources whose share is beyond the null", null="null_share"),
    "serves": Quantity(
        ("node", "token"), "1", _PASSES, null="serves_q: the network before training"),
    "serves_net": Quantity(
        ("node", "token"), "1", f"{_PASSES}, what takes away being negative"),
    "serves_q": Quantity(
        ("node", "token"), "1", "share of chance finds among the units of the layer that carry a "
        "token as much, by the network before training", "step 0 is not recorded"),
    "preferred_token": Quantity(
        ("node",), "1", "token of the largest mean activation; empty where the unit has no token "
        "signal", null="token_signal_upper"),
    "onset_after": Quantity(
        ("node",), "steps", "last snapshot before token signal stays beyond its bound",
        "not measured", "token_signal_upper"),
    "onset_by": Quantity(
        ("node",), "steps", "snapshot from which token signal stays beyond its bound",
        "not measured", "token_signal_upper"),
    "interaction": Quantity(
        ("node",), "1", "E[a(11) - a(10) - a(01) + a(00)] / sd(a), two sources ablated to 0 or not",
        "not recorded, or no such pair"),
    "interaction_first": Quantity(("node",), "1", "the stronger one of these two sources"),
    "interaction_second": Quantity(("node",), "1", "the other one"),
}  # fmt: skip


def _edge_quantities(null: str, *, is_token: bool) -> dict[str, Quantity]:
    share = "coupling: share of the target's variance"
    if is_token:
        share = "contrast share, positive: adds to what distinguishes the token"
    return {
        "share": Quantity(("edge",), "1", share, null=f"null_share: {null}"),
        "null_share": Quantity(("edge",), "1", null),
        "beyond_null": Quantity(("edge",), "1", "share larger than null_share"),
        "false_share": Quantity(
            ("edge",), "1", "share of chance finds in the layer at the strictest level of the null "
            "that is passed"),
    }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Flows:
    """What all constructions at a step share: the wiring, and what flows through each unit."""

    step: int
    wiring: Wiring
    size: np.ndarray
    """[node, token] share of what distinguishes the token that passes through the node"""
    net: np.ndarray
    """[node, token] the same, what takes away counted as negative"""
    chance: np.ndarray
    """[node, token] share of chance finds, by the untrained network; NaN where it is not known"""


def flows_at(record: xr.Dataset, step: int | None = None) -> Flows:
    """Return how much of each token passes through each unit at a step; None is the last.

    Raises
    ------
    InputError
        If the record lacks contrasts or the step.
    """
    require(record, "coupling_contrast", "source", "target", "layer", "token")
    at, wiring, contrast = chosen_step(record, step), wiring_of(record), record["coupling_contrast"]
    size, net = token_flow(contrast.sel(step=at).values, wiring)
    chance = np.full(size.shape, np.nan)
    # the untrained network is a null only where it was recorded, and not for itself
    if int(record["step"][0]) == 0 and at > 0:
        untrained, _ = token_flow(contrast.sel(step=0).values, wiring)
        for own in map(wiring.members, range(len(wiring.layers))):
            chance[own] = chance_finds(size[own], untrained[own])
    return Flows(at, wiring, size, net, chance)


def construction(
    record: xr.Dataset,
    name: str,
    step: int | Flows | None = None,
    *,
    depth: int | None = None,
    breadth: int = 3,
    measures: xr.Dataset | None = None,
) -> xr.Dataset:
    """Return what a token or a detector is built from at a step, and what a detector carries.

    From the start down, each unit passes its flow to its sources in proportion to the magnitude of
    their shares; the `breadth` units with most flow are kept in each layer. A detector is followed
    upwards likewise, to the units that draw most of their variance from it.

    Parameters
    ----------
    record
        With couplings.
    name
        A token, or a unit "layer:channel".
    step
        A recorded step; None is the last. Whoever asks for several constructions at a step gives
        the record's `flows_at` there, which are otherwise made for each of them.
    depth
        Layers downwards; None: to the pixels.
    breadth
        Units kept in each layer.
    measures
        `measure_run`'s, for onsets and for whether a unit is tuned at all.

    Returns
    -------
    xr.Dataset
        Over `edge`: `source`, `target`, `share` (token: contrast share, positive where it adds to
        what distinguishes the token at the target, whether the target is then more active or less;
        detector: coupling), `null_share` (magnitude that the null passes with 1 %), `beyond_null`
        and `false_share` (chance finds among the layer's shares at the strictest level of the null
        that it passes). Over `node`: `node_layer`, `level` (0 the start, -1 the layer below, 1
        above), `flow` (share of the start's), `evidence` (token: 1 for, -1 against), `direction`
        (token: 1 more active for it than for others, -1 less), `sources` and `sources_beyond`,
        `preferred_token` ("" where tokens do not matter to it or nothing is known), `onset_after`
        and `onset_by` of its token signal, `net` (token: what its sources add less what they take
        away, of all) and `net_null` (that random signs pass with 1 %), `interaction` with
        `interaction_first` and `interaction_second`. Over (node, token): `serves` (share of the
        token's flow that passes through the node), `serves_net` (the same, what takes away counted
        as negative), and `serves_q` (share of chance finds among units of the layer that serve a
        token as much, by the untrained network; NaN where step 0 is not recorded). Attributes:
        `start`, `token`, `step`, `null`, `layers`.

    Raises
    ------
    InputError
        If the record lacks couplings, the token, the unit or the step.

    Examples
    --------
    The two strongest sources of cleo's logit, and what a permuted network would give:

    >>> tree = ont.measure.construction(record, "cleo", breadth=2)
    >>> names = ["source", "target", "share", "null_share", "beyond_null"]
    >>> tree[names].to_dataframe().head(2).round(2)
          source    target  share  null_share  beyond_null
    edge
    0      fc1:4  logits:2   0.24        0.29        False
    1     fc1:14  logits:2   0.16        0.29        False
    """
    require(record, "coupling", "coupling_contrast", "source", "target", "layer", "token")
    if breadth < 1 or (depth is not None and depth < 1):
        msg = (
            f"expected depth and breadth of at least 1, got {depth} and {breadth}: give larger ones"
        )
        raise InputError(msg)
    flows = step if isinstance(step, Flows) else flows_at(record, step)
    at, wiring = flows.step, flows.wiring
    start, token = _start(record, wiring, name)
    variable = "coupling" if token is None else "coupling_contrast"
    walk = _Walk(wiring, _shares(record, variable, at, token), token is not None)
    walk.down([start], breadth, depth if depth is not None else len(wiring.blocks))
    if token is None:
        walk.up(start, breadth)
    limits, words = _null(record, wiring, variable, at)
    nodes = np.array(list(walk.flow))
    names = wiring.nodes[nodes]
    values = walk.values(limits) | _histories(record, at, names, measures)
    values |= _interactions(record, at, names)
    values |= {
        "serves": flows.size[nodes], "serves_net": flows.net[nodes],
        "serves_q": flows.chance[nodes],
    }  # fmt: skip
    where = walk.coordinates() | {"token": record["token"].values.astype(str)}
    about = {"null": words, "null_level": LEVEL, "start": str(wiring.nodes[start]),
             "token": token or "", "step": at, "layers": list(wiring.layers)}  # fmt: skip
    table = NODES | _edge_quantities(words, is_token=token is not None)
    return label(values, table, where, attributes=about, always_missing=True)


def shown_units(
    record: xr.Dataset, *, step: int | None = None, breadth: int = 3, limit: int = 120
) -> list[str]:
    """Return the units that matter most to the tokens: those whose history views show.

    For each token the logit and the detectors of its ancestry, then the detectors of the strongest
    couplings back from all logits; pixels are left out. At most `limit`, the upper layers first.

    Examples
    --------
    >>> ont.measure.shown_units(record, breadth=1, limit=7)
    ['logits:0', 'logits:1', 'logits:2', 'fc1:10', 'fc1:3', 'fc1:4', 'fc1:14']
    """
    require(record, "coupling", "coupling_contrast", "source", "target", "layer", "token")
    at, wiring = chosen_step(record, step), wiring_of(record)
    tokens, depth = record["token"].values.astype(str).tolist(), len(wiring.blocks)
    tops = [_start(record, wiring, token)[0] for token in tokens]
    nodes: dict[int, None] = {}
    for token, top in zip(tokens, tops, strict=True):
        walk = _Walk(wiring, _shares(record, "coupling_contrast", at, token), is_token=True)
        walk.down([top], breadth, depth)
        nodes |= dict.fromkeys(walk.flow)
    every = _Walk(wiring, _shares(record, "coupling", at, None), is_token=False)
    every.down(tops, breadth, depth)
    nodes |= dict.fromkeys(every.flow)
    units = sorted((n for n in nodes if n >= wiring.n_pixels), key=lambda n: -wiring.node_layer[n])
    return wiring.nodes[units].tolist()[:limit]


def serving_units(record: xr.Dataset, *, step: int | None = None, limit: int = 64) -> list[str]:
    """Return the units of each layer through which most of what distinguishes a token passes.

    Ranked by the largest share of any token's flow (`serves` of `construction`), at most `limit`
    of each layer, in the record's order.
    """
    require(record, "coupling", "coupling_contrast", "source", "target", "layer", "token")
    wiring = wiring_of(record)
    contrast = record["coupling_contrast"].sel(step=chosen_step(record, step)).values
    most = token_flow(contrast, wiring)[0].max(axis=1)
    chosen = [np.argsort(-most[own], kind="stable")[:limit] + own[0]
              for own in map(wiring.members, range(1, len(wiring.layers)))]  # fmt: skip
    return wiring.nodes[np.sort(np.concatenate(chosen))].tolist()


class _Walk:
    """The nodes and edges that are met on the way down and up."""

    def __init__(self, wiring: Wiring, shares: np.ndarray, is_token: bool) -> None:
        self.wiring, self.is_token = wiring, is_token
        self.share: list[np.ndarray] = []
        """[target, source] of the edges into each layer; of a token, positive: adds to it."""
        self.direction = np.zeros(wiring.n_nodes)
        """[node] -1 where what its sources give together is less for the token than for others."""
        for block in range(len(wiring.blocks)):
            share = np.nan_to_num(wiring.matrix(shares, block))
            sign = directions(share) if is_token else np.ones(len(share))
            self.direction[wiring.members(block + 1)] = sign
            self.share.append(share * sign[:, None])
        self.flow: dict[int, float] = {}
        self.net: dict[int, float] = {}
        self.level: dict[int, int] = {}
        self.edges: list[tuple[int, int, float]] = []

    def down(self, start: Sequence[int], breadth: int, depth: int) -> None:
        """Follow flow from the start, nodes of one layer, to its sources."""
        top = int(self.wiring.node_layer[start[0]])
        # as portions: magnitudes of couplings sum to more than 1, and flow would grow on
        # its way down
        down = (portions(share) for share in self.share[max(top - depth, 0) : top][::-1])
        found = flow_down(down, self._vector(top, start) / len(start), breadth=breadth)
        for level, (flow, net) in enumerate(found):
            if level:
                self._link(top - level, found[level - 1][0], flow)
            self._note(top - level, flow, net, -level)

    def up(self, start: int, breadth: int) -> None:
        """Follow what draws its variance from the start, to the last layer.

        Upwards couplings are not scaled: they are the shares that targets draw of their variance.
        """
        at = int(self.wiring.node_layer[start])
        flow = self._vector(at, [start])
        for layer in range(at + 1, len(self.wiring.layers)):
            # magnitudes: whether a target is raised or lowered, it draws its variance from here
            drawn = np.abs(self.share[layer - 1]) @ flow
            above = drawn * largest(drawn, breadth)
            self._link(layer - 1, above, flow)
            self._note(layer, above, above, layer - at)
            flow = above

    def values(self, limits: dict[float, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what was met, with what the null passes."""
        nodes = list(self.flow)
        _, target, share = self._columns()
        net, net_null = self._nets(nodes)
        signs = np.sign(list(self.net.values())).astype(int) * self.is_token
        count = np.bincount(self.wiring.target, minlength=self.wiring.n_nodes)
        return {
            "share": share, "null_share": limits[LEVEL][target],
            "beyond_null": np.abs(share) > limits[LEVEL][target],
            "false_share": self._false(target, share, limits),
            "net": net, "net_null": net_null, "flow": np.array(list(self.flow.values())),
            "level": np.array(list(self.level.values())), "evidence": signs,
            "direction": self.direction[nodes].astype(int), "sources": count[nodes],
            "sources_beyond": self._beyond(limits[LEVEL])[nodes],
        }  # fmt: skip

    def coordinates(self) -> dict[str, object]:
        """Return the names of nodes and of the ends of edges."""
        nodes, names, layers = list(self.flow), self.wiring.nodes, np.array(self.wiring.layers)
        source, target, _ = self._columns()
        return {
            "node": names[nodes], "node_layer": ("node", layers[self.wiring.node_layer[nodes]]),
            "source": ("edge", names[source]), "target": ("edge", names[target]),
        }  # fmt: skip

    def _columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return source, target and share of the edges."""
        source, target = (np.array([edge[k] for edge in self.edges], dtype=int) for k in (0, 1))
        return source, target, np.array([value for _, _, value in self.edges])

    def _nets(self, nodes: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return what units' sources add less what they take, and what random signs give."""
        net, null = (np.full(self.wiring.n_nodes, np.nan) for _ in range(2))
        for block, share in enumerate(self.share if self.is_token else []):
            own = self.wiring.members(block + 1)
            net[own] = np.abs(share.sum(axis=1))
            null[own] = _SIGNS * np.sqrt(np.square(share).sum(axis=1))
        return net[nodes], null[nodes]

    def _false(
        self, target: np.ndarray, share: np.ndarray, limits: dict[float, np.ndarray]
    ) -> np.ndarray:
        """Return the share of chance finds at the strictest level that an edge passes; else 1."""
        result = np.ones(len(share))
        # of all levels that are passed, the one at which the fewest finds are chance
        for level, limit in limits.items():
            chance = self._chance(level, limit)[self.wiring.node_layer[target] - 1]
            passes = np.abs(share) > limit[target]
            result = np.where(passes, np.minimum(result, chance), result)
        return result

    def _chance(self, level: float, limit: np.ndarray) -> np.ndarray:
        """Return how many of each layer's shares beyond a level of the null chance gives."""
        beyond, found = self._beyond(limit), []
        count = np.bincount(self.wiring.target, minlength=self.wiring.n_nodes)
        for block, share in enumerate(self.share):
            own = self.wiring.members(block + 1)
            n = int(count[own][share.any(axis=1)].sum())
            found.append((1 - level) * n / max(int(beyond[own].sum()), 1))
        return np.array(found)

    def _beyond(self, limit: np.ndarray) -> np.ndarray:
        """Return how many shares into each node are larger than its limit."""
        count = np.zeros(self.wiring.n_nodes, dtype=int)
        for block, share in enumerate(self.share):
            own = self.wiring.members(block + 1)
            count[own] = (np.abs(share) > limit[own][:, None]).sum(axis=1)
        return count

    def _vector(self, layer: int, nodes: Sequence[int]) -> np.ndarray:
        return np.isin(self.wiring.members(layer), nodes).astype(float)

    def _note(self, layer: int, flow: np.ndarray, net: np.ndarray, level: int) -> None:
        first = self.wiring.first[layer]
        for k in np.flatnonzero(flow).tolist():
            self.flow[first + k], self.net[first + k] = float(flow[k]), float(net[k])
            self.level[first + k] = level

    def _link(self, block: int, above_flow: np.ndarray, below_flow: np.ndarray) -> None:
        """Note the edges into a layer between units that have flow."""
        targets, sources = np.flatnonzero(above_flow), np.flatnonzero(below_flow)
        share, (below, above) = self.share[block], self.wiring.first[block : block + 2]
        self.edges += [(int(below + i), int(above + j), float(share[j, i]))
                       for j in targets for i in sources if share[j, i] != 0]  # fmt: skip


def _layer(unit: str) -> str:
    return unit.rpartition(":")[0]


def _start(record: xr.Dataset, wiring: Wiring, name: str) -> tuple[int, str | None]:
    """Return the unit to start from, and the token where one was named."""
    tokens = record["token"].values.astype(str).tolist()
    if name in tokens:
        return int(wiring.members(len(wiring.layers) - 1)[tokens.index(name)]), name
    units = wiring.nodes[wiring.n_pixels :].tolist()
    if name in units:
        return wiring.n_pixels + units.index(name), None
    sizes = ", ".join(f"{layer}:0 ... {layer}:{len(wiring.members(k)) - 1}"
                      for k, layer in enumerate(wiring.layers) if k)  # fmt: skip
    msg = f"expected a token ({', '.join(tokens)}) or a unit ({sizes}), got {name}"
    raise InputError(msg)


def _shares(record: xr.Dataset, variable: str, step: int, token: str | None) -> np.ndarray:
    chosen = record[variable].sel(step=step)
    chosen = chosen if token is None else chosen.isel(token=token_index(record, token))
    return chosen.values.astype(np.float64)


def _null(
    record: xr.Dataset, wiring: Wiring, variable: str, step: int
) -> tuple[dict[float, np.ndarray], str]:
    """Return magnitudes that the null passes at each level, [node], and its words."""
    name, limits = f"{variable}_null", {v: np.full(wiring.n_nodes, np.inf) for v in LEVELS}
    if name in record:
        here = record.sel(step=[step])
        for level, limit in limits.items():
            limit[wiring.n_pixels :] = null_bound(here, name, level)[0]
        return limits, "99 % of shares after permuting the layer's weights"
    if int(record["step"][0]) == 0 and step > 0:
        untrained = np.abs(record[variable].sel(step=0).values.astype(np.float64))
        for block, edges in enumerate(wiring.blocks):
            # by layer, since contrast and fan-in differ from layer to layer
            found = np.nanquantile(untrained[edges], LEVELS)
            for limit, value in zip(limits.values(), found, strict=True):
                limit[wiring.members(block + 1)] = value
        return limits, "99 % of the layer's shares in the untrained network"
    return limits, "no null: neither permuted weights nor an earlier, untrained step are recorded"


def _histories(
    record: xr.Dataset, step: int, nodes: np.ndarray, measures: xr.Dataset | None
) -> dict[str, np.ndarray]:
    """Return preferred tokens and onsets of token signal; "" and NaN where not measured."""
    units = {str(u): k for k, u in enumerate(record["unit"].values)}
    preferred = np.full(len(nodes), "", dtype=object)
    onset = np.full((len(nodes), 2), np.nan)
    inside = [(k, units[n]) for k, n in enumerate(nodes.tolist()) if n in units]
    if measures is not None and "token_signal" in measures and inside and step in measures["step"]:
        columns = [column for _, column in inside]
        best = _preferred(record, step, columns)
        signal = measures["token_signal"].isel(unit=columns).values
        upper = measures["token_signal_upper"].isel(unit=columns).values
        steps = measures["step"].values
        now = int(np.flatnonzero(steps == step)[0])
        for i, (k, _) in enumerate(inside):
            onset[k] = onset_interval(signal[:, i], upper[:, i], steps)
            preferred[k] = best[i] if signal[now, i] > upper[now, i] else ""
    return {
        "preferred_token": preferred.astype(str),
        "onset_after": onset[:, 0], "onset_by": onset[:, 1],
    }  # fmt: skip


def _preferred(record: xr.Dataset, step: int, columns: list[int]) -> list[str]:
    """Return the token of the largest mean activation over held-out exemplars."""
    probe = held_out(record)
    values = record["activation"].sel(step=step).values[probe.position][:, columns]
    present = np.unique(probe.token)
    means = np.stack([values[probe.token == c].mean(axis=0) for c in present])
    return [probe.tokens[int(present[k])] for k in means.argmax(axis=0)]


def _interactions(record: xr.Dataset, step: int, nodes: np.ndarray) -> dict[str, np.ndarray]:
    """Return each node's largest recorded interaction of two sources; NaN where there is none."""
    size = np.full(len(nodes), np.nan)
    pair = np.full((len(nodes), 2), "", dtype=object)
    if "interaction" in record:
        units = {str(u): k for k, u in enumerate(record["unit"].values)}
        names = ("interaction", "interaction_first", "interaction_second")
        value, first, second = (record[n].sel(step=step).values for n in names)
        below = dict(zip(layer_names(record)[1:], layer_names(record)[:-1], strict=True))
        for k, node in enumerate(nodes.tolist()):
            row = units.get(node)
            if row is None or not np.isfinite(value[row]).any() or _layer(node) not in below:
                continue
            best = int(np.nanargmax(np.abs(value[row])))
            size[k] = value[row, best]
            channels = (int(first[row, best]), int(second[row, best]))
            pair[k] = [f"{below[_layer(node)]}:{c}" for c in channels]
    return {
        "interaction": size, "interaction_first": pair[:, 0].astype(str),
        "interaction_second": pair[:, 1].astype(str),
    }  # fmt: skip


# In words -------------------------------------------------------------------------------------


def describe(tree: xr.Dataset) -> str:
    """Say what a token or a detector is built from and what it carries, in plain words.

    What is claimed passes its null: sources that are beyond theirs where at most a tenth of such
    finds in the layer is chance; tokens that a unit carries by the same rule against the untrained
    network; sources of a token that favour it more than random signs; a preferred token and an
    onset where token signal is beyond shuffled tokens. Where the strongest sources are no stronger
    than the null gives, that is said beside them. A coordinate `part` (node), the part that a
    unit's places mark, is named where it is known.

    Parameters
    ----------
    tree
        What `construction` returned.

    Examples
    --------
    >>> import textwrap
    >>> tree = ont.measure.construction(record, "cleo", breadth=2)
    >>> print(textwrap.fill(ont.measure.describe(tree), 90))
    cleo: the evidence at its logit favours it by 100 % net (random signs give up to 91 %).
    Its strongest 2 sources, fc1:4 [responds less to it] and fc1:14, give 39 %, which is no
    more than the null gives. None of the detectors shown carries it more than units did
    before training. Step 300; 0 of its 16 sources are beyond the null (99 % of shares after
    permuting the layer's weights), 0.2 would be by chance.
    """
    start, token = str(tree.attrs["start"]), str(tree.attrs["token"])
    if token:
        said = [_evidence(tree, token), _chain(tree), _null_words(tree, start)]
    else:
        said = [_life(tree, start), _drawn(tree, start), _together(tree, start),
                _uses(tree, start), _null_words(tree, start)]  # fmt: skip
    return " ".join(sentence for sentence in said if sentence)


def _name(tree: xr.Dataset, node: str) -> str:
    """Return a unit's name with its part, where known."""
    part = str(tree["part"].sel(node=node).item()) if "part" in tree.coords else ""
    return f"{node} ({part})" if part else node


def _life(tree: xr.Dataset, start: str) -> str:
    one = tree.sel(node=start)
    after, by = float(one["onset_after"]), float(one["onset_by"])
    prefers = str(one["preferred_token"].item())
    words = f"{_name(tree, start)} responds to {prefers} most" if prefers else _name(tree, start)
    if np.isinf(after) and np.isfinite(by):
        return f"{words}; it discriminates tokens from the first snapshot on."
    if np.isfinite(after) and np.isfinite(by):
        when = f"between steps {after:,.0f} and {by:,.0f}"
        return f"{words}; it begins to discriminate tokens {when}."
    if np.isnan(after):
        return f"{words}: its onset is not measured."
    return f"{words} does not discriminate tokens beyond chance at the end."


def _sources(tree: xr.Dataset, start: str, *, sure: bool) -> list[tuple[str, float]]:
    """Return a node's strongest sources; `sure`: those that pass the null alone."""
    here = tree["target"].values == start
    if sure:
        here &= tree["beyond_null"].values & (tree["false_share"].values <= FALSE)
    pairs = zip(tree["source"].values[here], tree["share"].values[here], strict=True)
    return sorted(((str(s), float(v)) for s, v in pairs), key=lambda p: -abs(p[1]))[:_TELL]


def _drawn(tree: xr.Dataset, start: str) -> str:
    """Say through which sources a detector's variance comes."""
    sure = bool(_sources(tree, start, sure=True))
    found = _sources(tree, start, sure=sure)
    adds, takes = [p for p in found if p[1] > 0], [p for p in found if p[1] < 0]
    if not found:
        return ""
    words = []
    if adds:
        total = 100 * sum(value for _, value in adds)
        words.append(f"{total:.0f} % of its variance comes through {_listed(tree, adds)}")
    if takes:
        words.append(f"{_listed(tree, takes)} lower{'s' * (len(takes) == 1)} it")
    return f"{'; '.join(words)}{'' if sure else ', which is no more than the null gives'}."


def _together(tree: xr.Dataset, start: str) -> str:
    """Say the interaction of two sources that both pass the null."""
    one = tree.sel(node=start)
    value = float(one["interaction"])
    pair = [str(one[f"interaction_{n}"].item()) for n in ("first", "second")]
    known = {source for source, _ in _sources(tree, start, sure=True)}
    if not np.isfinite(value) or not set(pair) <= known:
        return ""
    how = "more" if value > 0 else "less"
    return f"{pair[0]} and {pair[1]} together give {how} than each alone, interaction {value:.2f}."


def _uses(tree: xr.Dataset, start: str) -> str:
    """Say which tokens a detector carries."""
    one = tree.sel(node=start)
    served = one["serves_q"].values <= FALSE
    names = tree["token"].values.astype(str)
    words = []
    for verb, mine in (("carries", one["serves_net"].values > 0),
                       ("counts against", one["serves_net"].values < 0)):  # fmt: skip
        if (served & mine).any():
            words.append(f"{verb} {_and(names[served & mine].tolist())}")
    if not words:
        return "It carries no token more than units did before training."
    return f"It {' and '.join(words)}, more than units did before training."


def _evidence(tree: xr.Dataset, token: str) -> str:
    """Say whether the evidence that reaches a token's logit favours it, and its sources."""
    start = str(tree.attrs["start"])
    one = tree.sel(node=start)
    net, null = float(one["net"]), float(one["net_null"])
    sure = bool(_sources(tree, start, sure=True))
    found = _sources(tree, start, sure=sure)
    words = f"{token}: the evidence at its logit favours it by {100 * net:.0f} % net"
    if net > null:
        words += f" (random signs give up to {100 * null:.0f} %)"
    else:
        words = f"{token}: the evidence at its logit favours it no more than random signs would"
    share = 100 * sum(abs(v) for _, v in found)
    tail = "" if sure else ", which is no more than the null gives"
    names = _and([_with_role(tree, s) for s, _ in found])
    return f"{words}. Its strongest {len(found)} sources, {names}, give {share:.0f} %{tail}."


def _chain(tree: xr.Dataset) -> str:
    """Name, layer by layer, the detectors that carry the token beyond the untrained network."""
    token = str(tree.attrs["token"])
    sure = tree["serves_q"].sel(token=token).values <= FALSE
    sure &= (
        tree["node_layer"].values.astype(str) != tree.attrs["layers"][0]
    )  # pixels detect nothing
    words = []
    for level in range(-1, int(tree["level"].min()) - 1, -1):
        here = tree["node"].values[sure & (tree["level"].values == level)].astype(str).tolist()
        words += [_and([_with_role(tree, n) for n in here])] if here else []
    if not words:
        return "None of the detectors shown carries it more than units did before training."
    return f"These detectors carry more of it than before training: {'; '.join(words)}."


def _with_role(tree: xr.Dataset, node: str) -> str:
    one = tree.sel(node=node)
    roles = [] if int(one["evidence"]) >= 0 else ["against"]
    roles += [] if int(one["direction"]) >= 0 else ["responds less to it"]
    words = f" [{', '.join(roles)}]" if roles else ""
    return f"{_name(tree, node)}{words}"


def _null_words(tree: xr.Dataset, start: str) -> str:
    one = tree.sel(node=start)
    n, beyond = int(one["sources"]), int(one["sources_beyond"])
    return (
        f"Step {tree.attrs['step']:,}; {beyond} of its {n} sources are beyond the null "
        f"({tree.attrs['null']}), {n * (1 - LEVEL):.1f} would be by chance."
    )


def _listed(tree: xr.Dataset, found: list[tuple[str, float]]) -> str:
    if len(found) == 1:
        return _name(tree, found[0][0])
    return _and([f"{_name(tree, node)} ({100 * abs(share):.0f} %)" for node, share in found])


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
