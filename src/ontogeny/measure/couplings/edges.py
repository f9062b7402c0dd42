"""When edges are born and when they die, beyond what permuted weights and chance give.

An edge is present at a snapshot if its magnitude exceeds what a share `level` of the couplings into
its layer stay below when that layer's weights are permuted. Births and deaths are held against two
nulls: how many an edge that means nothing would have, and how many would fall on one snapshot if
each target's births came at times of their own and by whole sources: a source that becomes loud is
present at many targets at once, in permuted weights too. May import numpy, scipy, xarray,
ontogeny.stats and ontogeny.measure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from scipy.stats import nbinom

from ontogeny.measure.couplings.wiring import (
    CONTRAST_NULL,
    COUPLING_NULL,
    LEVEL,
    Wiring,
    null_bound,
    per_edge,
    wiring_of,
)
from ontogeny.measure.probe import require
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.stats.graphs import HOLD, Transitions, chance_births, score_correlation
from ontogeny.stats.permutation import upper_quantile

_SAMPLE = 4_000
"""Edges per layer by which the likeness of consecutive snapshots is judged."""
_CELL, _PERMUTED = ("step", "layer", "token_b"), "permuted weights"
_LIKE = "by as many edges that mean nothing and are as like from snapshot to snapshot"
OVER_LAYERS = {
    "edges_present": Quantity(
        _CELL, "edges", "edges beyond permuted weights", null=f"{_PERMUTED}, at the level chosen"),
    "edge_births": Quantity(
        _CELL, "edges", "edges of which this is the first of so many snapshots in a row beyond "
        "permuted weights", null=f"births_chance; at one snapshot burst_bound; {_PERMUTED}"),
    "edge_deaths": Quantity(
        _CELL, "edges", "born edges of which this is the first of so many snapshots in a row not "
        "beyond", null=f"deaths_chance; {_PERMUTED}"),
    "births_chance": Quantity(_CELL, "edges", f"births expected {_LIKE}"),
    "deaths_chance": Quantity(_CELL, "edges", f"deaths expected {_LIKE}"),
    "burst_bound": Quantity(
        _CELL, "edges", "births on one snapshot that chance, by whole sources or with targets "
        "shifted in time, does not pass anywhere", "fewer than 2 snapshots with dated births"),
    "unit_births": Quantity(
        ("step", "unit", "token_b"), "edges", "births of edges into the unit", null=_PERMUTED),
}  # fmt: skip
OVER_EDGES = {
    "born_after": Quantity(
        ("edge",), "steps", "last snapshot before the edge's first birth", null=_PERMUTED),
    "born_by": Quantity(
        ("edge",), "steps", "first snapshot of its first life; inf: never born", null=_PERMUTED),
    "died_after": Quantity(("edge",), "steps", "last snapshot of its last life", null=_PERMUTED),
    "died_by": Quantity(
        ("edge",), "steps", "snapshot from which it is dead to the end; inf: is not",
        null=_PERMUTED),
    "n_births": Quantity(("edge",), "1", "times the edge was born", null=_PERMUTED),
}  # fmt: skip


def edge_lives(
    record: xr.Dataset, *, level: float = LEVEL, hold: int = HOLD, chance: Chance | None = None
) -> xr.Dataset:
    """Find when each edge is born and dies, by its coupling, and how many by chance.

    Functional: says where a source's share of a target's variance stands out, not what ablating it
    would do.

    Parameters
    ----------
    record
        With couplings and their null.
    level
        Share of the null's couplings that a present edge exceeds.
    hold
        Snapshots in a row for which it must be present (absent).
    chance
        Seed, shuffles and level of the nulls.

    Returns
    -------
    xr.Dataset
        Over (step, layer), layer being the targets': `edges_present`; `edge_births` and
        `edge_deaths`, dated to the first snapshot of a new state; `births_chance` and
        `deaths_chance`, expected of as many edges that mean nothing and have the same likeness
        between snapshots; `burst_bound`, births on one snapshot that chance passes anywhere with
        1 - `chance.level`: the larger of a bound for targets that shift in time and one for
        chance births that come by whole sources. Births at the first snapshot are
        left-censored: edges were there before. Over (step, unit): `unit_births`, of edges into it.
        Over edge: `born_after`, `born_by` (its first birth lies between these steps; inf: none),
        `died_after`, `died_by` (its last death, if it is absent at the end) and `n_births`.

    Raises
    ------
    InputError
        If the record lacks couplings or their null.

    Examples
    --------
    Edges that are beyond their null at the end, edges born on the way, and births by chance:

    >>> found = ont.measure.edge_lives(record)
    >>> print(found.layer.values, found.edges_present.isel(step=-1).values)
    ['conv1' 'conv2' 'fc1' 'logits'] [0 7 1 0]
    >>> print(found.edge_births.sum("step").values, found.births_chance.sum("step").values.round(1))
    [0 6 2 0] [0.2 1.2 2.3 0.5]
    """
    require(record, "coupling")
    wiring, chance = wiring_of(record), chance or Chance()
    bound = null_bound(record, COUPLING_NULL, level)
    steps = record["step"].values
    # one path through the snapshots: couplings of all steps at once would not fit for large
    # networks
    tally = _Tally(wiring, len(steps), 1, hold)
    for k, size in _snapshots(record, "coupling"):
        tally.add(k, size[:, None], bound[k])
    data = _over_layers(record, wiring, tally, (level, hold), chance)
    data = data.squeeze("token_b", drop=True)
    return data.merge(_over_edges(tally, steps)).assign_attrs(level_of_null=level, hold=hold)


def token_edge_lives(
    record: xr.Dataset, *, level: float = LEVEL, hold: int = HOLD, chance: Chance | None = None
) -> xr.Dataset:
    """Find when edges begin to carry what distinguishes a token, by contrast share.

    Returns
    -------
    xr.Dataset
        As `edge_lives`, all names with the prefix `contrast_` and one more axis, token.

    Raises
    ------
    InputError
        If the record lacks contrasts or their null.

    Examples
    --------
    Edges that carry a token beyond the null, in all layers:

    >>> found = ont.measure.token_edge_lives(record)
    >>> found.contrast_edges_present.isel(step=[0, -1]).sum("layer").to_pandas()
    token  ada  bo  cleo
    step
    0        3   1     2
    300      7   6     2
    """
    require(record, "coupling_contrast")
    wiring, chance = wiring_of(record), chance or Chance()
    bound = null_bound(record, CONTRAST_NULL, level)
    steps, tokens = record["step"].values, record["token"].values.astype(str)
    tally = _Tally(wiring, len(steps), len(tokens), hold)
    for k, size in _snapshots(record, "coupling_contrast"):
        tally.add(k, size, bound[k])
    data = _over_layers(record, wiring, tally, (level, hold), chance).rename(token_b="token")
    lives = _over_edges(tally, steps, "token")
    data = data.assign_coords(token=tokens).merge(lives)
    data = data.rename({name: f"contrast_{name}" for name in data.data_vars})
    return data.assign_attrs(level_of_null=level, hold=hold)


def _snapshots(record: xr.Dataset, name: str) -> Iterator[tuple[int, np.ndarray]]:
    """Yield one snapshot's values after the other, so that one is in memory at a time."""
    for k in range(record.sizes["step"]):
        yield k, record[name].isel(step=k).values.astype(np.float32)


@dataclass(eq=False)
class _Tally:
    """What is counted while snapshots pass; tokens' edges are counted side by side."""

    wiring: Wiring
    n_steps: int
    n_tokens: int
    hold: int
    present: np.ndarray = field(init=False)
    """[step, layer, token]"""
    births: np.ndarray = field(init=False)
    """[step, node, token] of edges into the node"""
    deaths: np.ndarray = field(init=False)
    cluster: np.ndarray = field(init=False)
    """[step, layer, token] births that a birth has beside it at its source, itself included"""
    likeness: np.ndarray = field(init=False)
    """[step, layer, token] correlation with the snapshot before; NaN at the first"""

    def __post_init__(self) -> None:
        wiring, shape = self.wiring, (self.n_steps, len(self.wiring.above), self.n_tokens)
        n_edges = len(wiring.source)
        self.present, self.likeness = np.zeros(shape, dtype=np.int64), np.full(shape, np.nan)
        self.cluster = np.ones(shape)
        self.births = np.zeros((self.n_steps, wiring.n_nodes, self.n_tokens), dtype=np.int32)
        self.deaths = np.zeros_like(self.births)
        self.first = np.full((n_edges, self.n_tokens), self.n_steps, dtype=np.int32)
        self.last = np.full((n_edges, self.n_tokens), self.n_steps, dtype=np.int32)
        self.count = np.zeros((n_edges, self.n_tokens), dtype=np.int16)
        self._state = Transitions(n_edges * self.n_tokens, self.hold)
        # a fixed seed: the same edges are compared at all steps, and in all runs of this wiring
        rng = np.random.default_rng(0)
        self._sample = [
            np.sort(rng.choice(np.arange(b.start, b.stop), min(_SAMPLE, b.stop - b.start), False))
            for b in wiring.blocks
        ]
        self._before: list[np.ndarray] = []

    def add(self, k: int, values: np.ndarray, bound: np.ndarray) -> None:
        """Take snapshot k, [edge, token], with each layer's bound."""
        present = np.abs(values) > per_edge(bound, self.wiring)[:, None].astype(np.float32)
        self.present[k] = [present[b].sum(axis=0) for b in self.wiring.blocks]
        born, died = (f.reshape(present.shape) for f in self._state.add(present.ravel()))
        at = k - self.hold + 1
        if at >= 0:
            self._count(at, born, died)
        now = [values[chosen].astype(np.float64) for chosen in self._sample]
        for layer, (a, b) in enumerate(zip(self._before, now, strict=False)):
            self.likeness[k, layer] = [
                score_correlation(a[:, c], b[:, c]) for c in range(a.shape[1])
            ]
        self._before = now

    def _count(self, at: int, born: np.ndarray, died: np.ndarray) -> None:
        self.births[at] = self._by_node(born, self.wiring.target)
        self.deaths[at] = self._by_node(died, self.wiring.target)
        by_source = self._by_node(born, self.wiring.source).astype(np.float64)
        for layer, block in enumerate(self.wiring.blocks):
            # as seen by a birth, not by a source: large bursts weigh by their size
            mine = by_source[np.unique(self.wiring.source[block])]
            total = np.maximum(mine.sum(axis=0), 1)
            self.cluster[at, layer] = np.maximum((mine**2).sum(axis=0) / total, 1)
        self.first[born & (self.count == 0)] = at
        self.last[born], self.last[died] = self.n_steps, at
        self.count += born

    def _by_node(self, flags: np.ndarray, node: np.ndarray) -> np.ndarray:
        """Count flags [edge, token] by node, [node, token]."""
        n_nodes = self.wiring.n_nodes
        edge, token = np.nonzero(flags)
        place = node[edge] * self.n_tokens + token
        return np.bincount(place, minlength=n_nodes * self.n_tokens).reshape(n_nodes, -1)

    def by_layer(self, counts: np.ndarray) -> np.ndarray:
        """Return counts by node as counts by layer, [step, layer, token]."""
        return np.stack(
            [counts[:, self.wiring.members(k + 1)].sum(1) for k in range(len(self.wiring.above))], 1
        )


def _over_layers(
    record: xr.Dataset, wiring: Wiring, tally: _Tally, rule: tuple[float, int], chance: Chance
) -> xr.Dataset:
    """Label the counts over layers, with both nulls."""
    rng = np.random.default_rng(chance.seed)
    born, died = _expected(wiring, tally, rule, rng)
    shifted = _shift_bound(wiring, tally, chance, rng)
    # neither null holds for all data: the larger of the two is passed by less than either
    bound = np.maximum(_cluster_bound(born, tally.cluster, chance), shifted)
    values = {
        "edges_present": tally.present,
        "edge_births": tally.by_layer(tally.births), "edge_deaths": tally.by_layer(tally.deaths),
        "births_chance": born, "deaths_chance": died, "burst_bound": bound,
        "unit_births": tally.births[:, wiring.n_pixels :],
    }  # fmt: skip
    where = {
        "step": record["step"].values,
        "layer": np.array(wiring.above),
        "unit": wiring.nodes[wiring.n_pixels :],
    }
    return label(values, OVER_LAYERS, where)


def _expected(
    wiring: Wiring, tally: _Tally, rule: tuple[float, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return births and deaths expected by chance, [step, layer, token]."""
    born, died = (np.zeros(tally.present.shape) for _ in range(2))
    for layer, block in enumerate(wiring.blocks):
        for token in range(tally.n_tokens):
            rates = chance_births(
                tally.likeness[1:, layer, token], level=rule[0], hold=rule[1], rng=rng
            )
            n_edges = block.stop - block.start
            born[:, layer, token], died[:, layer, token] = (n_edges * rate for rate in rates)
    return born, died


def _cluster_bound(expected: np.ndarray, cluster: np.ndarray, chance: Chance) -> np.ndarray:
    """Return births that chance does not pass in any cell, [step, layer, token].

    Negative binomial: the expected births as mean, times their size of clusters as variance.
    """
    # Bonferroni over cells: their tails are far too thin to simulate
    level = 1 - (1 - chance.level) / max(expected[..., 0].size, 1)
    mean = np.maximum(expected, 1e-9)
    # a negative binomial needs more variance than mean; at equality it is Poisson's
    spread = np.maximum(cluster, 1 + 1e-6)
    return nbinom.ppf(level, mean / (spread - 1), 1 / spread)


def _shift_bound(
    wiring: Wiring, tally: _Tally, chance: Chance, rng: np.random.Generator
) -> np.ndarray:
    """Return what the largest count of births stays below when targets shift, [layer, token].

    Each target's births are shifted along the snapshots, cyclically and at random; births at the
    first snapshot (left-censored) and the last ones (undecided) are left out. Corrected over
    layers.
    """
    dated = tally.births[1 : tally.n_steps - tally.hold + 1]
    n_dated, n_layers = len(dated), len(wiring.above)
    bound = np.full((n_layers, tally.n_tokens), np.nan)
    if n_dated < 2:
        return bound
    level = 1 - (1 - chance.level) / n_layers
    n_shuffles = max(chance.n_shuffles, int(np.ceil(1 / (1 - level))))
    for layer in range(n_layers):
        for token in range(tally.n_tokens):
            train = dated[:, wiring.members(layer + 1), token]
            when, who = np.nonzero(train)
            # shifted and not shuffled: a target's own rhythm of births is kept, only its
            # place is lost
            shift = rng.integers(0, n_dated, (n_shuffles, train.shape[1]))
            # one bincount for all shuffles, each with numbers of its own
            place = (when + shift[:, who]) % n_dated + n_dated * np.arange(n_shuffles)[:, None]
            weight = np.broadcast_to(train[when, who], place.shape)
            total = np.bincount(
                place.ravel(), weight.ravel().astype(np.float64), n_shuffles * n_dated
            ).astype(np.float64)
            # the largest over snapshots, so that a burst is judged wherever it falls
            largest = total.reshape(n_shuffles, n_dated).max(axis=1)
            bound[layer, token] = upper_quantile(largest[:, None], level)[0]
    return bound


def _over_edges(tally: _Tally, steps: np.ndarray, *axis: str) -> xr.Dataset:
    """Label each edge's first birth and last death as intervals of steps."""
    after = np.concatenate([[-np.inf], steps[:-1], [steps[-1]]]).astype(np.float32)
    by = np.concatenate([steps, [np.inf]]).astype(np.float32)
    values = {
        "born_after": after[tally.first], "born_by": by[tally.first],
        "died_after": after[tally.last], "died_by": by[tally.last], "n_births": tally.count,
    }  # fmt: skip
    if not axis:
        return label({name: each[:, 0] for name, each in values.items()}, OVER_EDGES)
    table = {name: replace(q, dims=(*q.dims, *axis)) for name, q in OVER_EDGES.items()}
    return label(values, table)
