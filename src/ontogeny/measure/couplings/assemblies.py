"""Assemblies: groups of units coupled more with each other than their loudness explains.

Units and couplings beyond permuted weights form an undirected graph; Leiden finds communities, a
null that shuffles each source's couplings over its targets says how much of their quality comes
from loud sources and from the order of layers alone. May import numpy, scipy, xarray,
ontogeny.schedule, ontogeny.stats and ontogeny.measure.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import sparse

from ontogeny.measure.couplings.wiring import COUPLING_NULL, Wiring, null_bound, per_edge, wiring_of
from ontogeny.measure.probe import chosen_step, require
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.schedule import detailed_steps
from ontogeny.stats.assemblies import (
    NONE,
    adjusted_rand,
    leiden,
    modularity,
    named_over_time,
    normalised_information,
    source_shuffles,
    symmetric_graph,
)

LEVEL = 0.95
"""Couplings beyond this level of permuted weights are the graph's edges: at .99 it falls apart."""
RESOLUTION = 2.0
"""Finer than 1, at which communities of a layered graph are blocks of layers."""
RESOLUTIONS = (0.5, 1.0, 2.0, 4.0)
SMALLEST = 5
"""Units of the smallest community that is an assembly."""
N_SHUFFLES = 19
_MODULARITY = "modularity of assemblies"
_SHUFFLED = "each source's couplings are shuffled over its targets"
ASSEMBLIES = {
    "assembly": Quantity(
        ("step", "unit"), "1", "lasting name of the unit's assembly; -1: in none"),
    "assemblies": Quantity(("step",), "1", "number of assemblies"),
    "quality": Quantity(
        ("quality_step",), "1", _MODULARITY, "no couplings beyond the null",
        f"quality_null: {_SHUFFLED}"),
    "quality_null": Quantity(
        ("quality_step", "shuffle"), "1", f"{_MODULARITY} where {_SHUFFLED}",
        "no couplings beyond the null"),
    "quality_excess": Quantity(
        ("quality_step",), "1", f"{_MODULARITY}, less the mean of the null",
        "no couplings beyond the null", "0 on average; quality_p"),
    "quality_p": Quantity(
        ("quality_step",), "1", "share of the null's graphs of at least this quality",
        "no couplings beyond the null"),
    "event_step": Quantity(("event",), "steps", "snapshot of a change of assemblies"),
    "event_kind": Quantity(("event",), "1", "what changes: born, split, merged or died"),
    "event_name": Quantity(("event",), "1", "lasting name of the assembly that changes"),
    "event_other": Quantity(
        ("event",), "1", "lasting name of the other assembly of the change; -1: none"),
}  # fmt: skip
SCAN = {
    "assemblies": Quantity(("resolution", "seed"), "1", "number of assemblies"),
    "quality": Quantity(
        ("resolution", "seed"), "1", _MODULARITY, null=f"quality_null: {_SHUFFLED}"),
    "quality_null": Quantity(
        ("resolution", "seed"), "1", f"{_MODULARITY} where {_SHUFFLED}"),
    "rand": Quantity(("resolution",), "1", "mean adjusted Rand index of assemblies of two seeds"),
    "layer_information": Quantity(
        ("resolution",), "1", "information of assemblies about layers, normalised; 1: they are "
        "layers"),
    "information": Quantity(
        ("resolution", "resolution_b"), "1", "information of assemblies about those at another "
        "resolution, normalised; the first seed's"),
}  # fmt: skip


def assemblies(
    record: xr.Dataset,
    *,
    resolution: float = RESOLUTION,
    level: float = LEVEL,
    n_shuffles: int = N_SHUFFLES,
    everything: bool = False,
    chance: Chance | None = None,
) -> xr.Dataset:
    """Find the assemblies of every step, with names that last, and their quality against chance.

    Parameters
    ----------
    record
        With couplings and their null.
    resolution
        Larger values give more, smaller assemblies (see `assembly_scan`).
    level
        Couplings beyond this level of permuted weights are the graph's edges.
    n_shuffles
        Graphs of the null per step.
    everything
        Whether to list the changes of assemblies, too, which nothing of the report or the page
        shows.
    chance
        Seed.

    Returns
    -------
    xr.Dataset
        `assembly` (step, unit), a name that lasts, -1 in none: each step's search is tied to the
        assemblies before, and names of fewer than 3 snapshots are left out; `assemblies`
        (step), how many. Over `quality_step`, the record's detailed snapshots: `quality`,
        modularity of assemblies found from scratch; `quality_null` (quality_step, shuffle), of
        graphs in which each source's couplings are shuffled over its targets; `quality_excess`,
        quality less the null's mean; `quality_p`. With `everything` also over `event`:
        `event_step`, `event_kind` (born, split, merged, died), `event_name`, `event_other` (-1:
        none).

    Raises
    ------
    InputError
        If the record lacks couplings or their null.

    Examples
    --------
    How many there are at each step, and whether units hold together beyond chance at the end:

    >>> found = ont.measure.assemblies(record)
    >>> print(found.assemblies.values, found.quality_p.values[-1])
    [0 2 2 2 0 0 0 0 0 0 0] 0.2
    """
    require(record, "coupling")
    wiring, chance = wiring_of(record), chance or Chance()
    bound = null_bound(record, COUPLING_NULL, level)
    rng = np.random.default_rng(chance.seed)
    shuffles = source_shuffles(wiring.source, n_shuffles=n_shuffles, rng=rng)
    steps = record["step"].values
    tried = detailed_steps(steps.tolist())
    labels, quality, null = [], [], []
    for k in range(record.sizes["step"]):
        size, limit = _sizes(record, k), per_edge(bound[k], wiring)
        graph, start = _graph(size, limit, wiring), labels[-1] if labels else None
        # tied to the labels of this search, not to the lasting names, which are given afterwards
        labels.append(leiden(graph, resolution=resolution, seed=chance.seed, start=start))
        if int(steps[k]) not in tried:
            continue
        # from scratch, as in the null: a search with a start is not comparable with one without
        quality.append(_quality(graph, resolution, chance.seed))
        # dealt over all couplings before the limit is applied, so that degrees vary as they
        # would by chance
        others = (_graph(values, limit, wiring) for values in size[shuffles])
        null.append([_quality(other, resolution, chance.seed) for other in others])
    named = named_over_time(np.array(labels)[:, wiring.n_pixels :], smallest=SMALLEST)
    data = _labelled(record, named.name, np.array(quality), np.array(null), wiring)
    if everything:
        data = data.merge(_events(named.events, steps))
    return data.assign_attrs(assembly_resolution=resolution, assembly_level=level)


def assembly_scan(
    record: xr.Dataset,
    step: int | None = None,
    *,
    resolutions: Sequence[float] = RESOLUTIONS,
    level: float = LEVEL,
    n_seeds: int = 10,
    chance: Chance | None = None,
) -> xr.Dataset:
    """Find how assemblies at a step depend on the resolution, and how stable they are.

    Returns
    -------
    xr.Dataset
        Over (resolution, seed): `assemblies`, `quality`; over (resolution): `rand`, the mean
        adjusted Rand index between seeds, `quality_null` (resolution, seed), `layer_information`,
        how much assemblies tell of layers (normalised; 1: they are layers);
        `information` (resolution, resolution_b), between assemblies of the first seed.

    Raises
    ------
    InputError
        If the record lacks the step, couplings or their null.

    Examples
    --------
    How many assemblies there are at each resolution, and their modularity beside chance:

    >>> found = ont.measure.assembly_scan(record).mean("seed")
    >>> print(found.resolution.values, found.assemblies.values.round(1))
    [0.5 1.  2.  4. ] [2. 2. 1. 1.]
    >>> print(found.quality.values.round(2), found.quality_null.values.round(2))
    [0.78 0.66 0.47 0.18] [0.75 0.61 0.41 0.08]
    """
    require(record, "coupling")
    wiring, chance = wiring_of(record), chance or Chance()
    k = record["step"].values.tolist().index(chosen_step(record, step))
    limit = per_edge(null_bound(record, COUPLING_NULL, level)[k], wiring)
    size, rng = _sizes(record, k), np.random.default_rng(chance.seed)
    shuffles = source_shuffles(wiring.source, n_shuffles=n_seeds, rng=rng)
    graph, *dealt = [_graph(values, limit, wiring) for values in (size, *size[shuffles])]
    null = [[_quality(other, r, 0) for other in dealt] for r in resolutions]
    labels = [[leiden(graph, resolution=r, seed=seed) for seed in range(n_seeds)]
              for r in resolutions]  # fmt: skip
    quality = [[modularity(graph, groups, resolution=r) for groups in row]
               for r, row in zip(resolutions, labels, strict=True)]  # fmt: skip
    inside = [labels[i][0] != NONE for i in range(len(resolutions))]
    pairs = [(a, b) for a in range(n_seeds) for b in range(a)]
    values = {
        "assemblies": [[_large(v) for v in row] for row in labels],
        "quality": quality, "quality_null": null,
        "rand": [np.mean([adjusted_rand(row[a], row[b]) for a, b in pairs]) for row in labels],
        "layer_information": [
            normalised_information(row[0][kept], wiring.node_layer[kept])
            for row, kept in zip(labels, inside, strict=True)],
        "information": [[normalised_information(a[0], b[0]) for b in labels] for a in labels],
    }  # fmt: skip
    where = {"resolution": list(resolutions), "resolution_b": list(resolutions)}
    about = {"step": int(record["step"][k]), "level": level}
    return label(values, SCAN, where, attributes=about)


def _sizes(record: xr.Dataset, k: int) -> np.ndarray:
    return np.nan_to_num(np.abs(record["coupling"].isel(step=k).values.astype(np.float64)))


def _graph(size: np.ndarray, limit: np.ndarray, wiring: Wiring) -> sparse.csr_matrix:
    """Return the graph of couplings beyond a limit; the image's channels take no part."""
    # the channels of an image are coupled to all of the first layer and would tie it together
    kept = (size > limit) & (wiring.node_layer[wiring.source] > 0)
    return symmetric_graph(np.where(kept, size, 0), wiring.source, wiring.target, wiring.n_nodes)


def _quality(graph: sparse.csr_matrix, resolution: float, seed: int) -> float:
    """Return the quality of the communities that are found from scratch."""
    return modularity(graph, leiden(graph, resolution=resolution, seed=seed), resolution=resolution)


def _large(groups: np.ndarray) -> int:
    return int((np.unique(groups[groups != NONE], return_counts=True)[1] >= SMALLEST).sum())


def _labelled(
    record: xr.Dataset, name: np.ndarray, quality: np.ndarray, null: np.ndarray, wiring: Wiring
) -> xr.Dataset:
    count = [len(np.unique(row[row != NONE])) for row in name]
    reached = 1 + (null >= quality[:, None]).sum(axis=1)
    steps = record["step"].values
    p = np.where(np.isnan(quality), np.nan, reached / (1 + null.shape[1]))
    values = {
        "assembly": name, "assemblies": count, "quality": quality, "quality_null": null,
        "quality_excess": quality - null.mean(axis=1), "quality_p": p,
    }  # fmt: skip
    units = wiring.nodes[wiring.n_pixels :]
    tried = sorted(detailed_steps(steps.tolist()))
    return label(values, ASSEMBLIES, {"step": steps, "unit": units, "quality_step": tried})


def _events(
    events: Sequence[tuple[int, str, int, tuple[int, ...]]], steps: np.ndarray
) -> xr.Dataset:
    columns = {
        "event_step": [int(steps[k]) for k, *_ in events],
        "event_kind": np.array([what for _, what, *_ in events], dtype=str),
        "event_name": [name for *_, name, _ in events],
        "event_other": [others[0] if others else NONE for *_, others in events],
    }
    return label(columns, ASSEMBLIES)
