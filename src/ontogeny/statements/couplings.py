"""Rules on the coupling graph: edges, assemblies, and units that carry tokens.

No single edge is reported, only how many there are beyond permuted weights. May import numpy,
scipy, xarray, ontogeny.measure, ontogeny.stats.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from ontogeny.measure.wiring import COUPLING_NULL, LEVEL, null_bound, per_edge, wiring_of
from ontogeny.statements.claims import FALSE, LATEST, RARELY, carried
from ontogeny.statements.findings import Findings, Rule, percent, span
from ontogeny.statements.statement import Statement, Where
from ontogeny.stats.onset import HOLD, onset_interval

N_RESAMPLES = 999
SEED = 0


def single_edges(findings: Findings) -> list[Statement]:
    """Say whether more edges, or no more, stand out from permuted weights than chance gives."""
    record = findings.record
    if "coupling" not in record or COUPLING_NULL not in record:
        return []
    wiring = wiring_of(record)
    bound = per_edge(null_bound(record, COUPLING_NULL, LEVEL)[-1], wiring)
    size = np.abs(record["coupling"].isel(step=-1).values.astype(np.float64))
    inner = np.isfinite(size) & (wiring.node_layer[wiring.source] > 0)
    inner &= wiring.node_layer[wiring.target] < len(wiring.layers) - 1
    targets, place = np.unique(wiring.target[inner], return_inverse=True)
    if len(targets) < 2:
        return []
    beyond = np.bincount(place, size[inner] > bound[inner], len(targets))
    count = np.bincount(place, minlength=len(targets))
    share, (low, high) = float(beyond.sum() / count.sum()), _resampled(beyond, count)
    chance, step = 1 - LEVEL, int(record["step"][-1])
    start = f"Of the couplings between hidden layers {100 * share:.2g} % exceed a bound that"
    null = f"each layer's weights permuted: {percent(chance)} of couplings exceed the bound"
    how, where = "95 %, target units resampled", Where("construction", step)
    if low > chance:
        return [Statement(
            "couplings stand out", "couplings", f"{start} {percent(chance)} exceed when weights "
            "are permuted: some units depend on single units below them.",
            share, "share of couplings", low, high, how, null, chance, where,
        )]  # fmt: skip
    if high <= chance and share > 0:
        return [Statement(
            "no single coupling stands out", "couplings", f"{start} "
            f"{percent(chance)} exceed when weights are permuted: no single coupling stands out, "
            "so that any structure lies in many weak couplings together.",
            chance / share, "times fewer than by chance", chance / high,
            chance / low if low > 0 else np.inf, how, null, 1.0, where,
        )]  # fmt: skip
    return []


def _resampled(part: np.ndarray, whole: np.ndarray) -> tuple[float, float]:
    """Return the middle 95 % of the ratio of two sums, rows resampled."""
    rng = np.random.default_rng(SEED)
    weight = rng.multinomial(len(part), np.full(len(part), 1 / len(part)), N_RESAMPLES)
    low, high = np.quantile((weight @ part) / np.maximum(weight @ whole, 1), [0.025, 0.975])
    return float(low), float(high)


def bursts_of_births(findings: Findings) -> list[Statement]:
    """Say of each layer at which snapshot more edges into it are born than chance gives."""
    data = findings.graph
    if data is None or "edge_births" not in data:
        return []
    dated = data.isel(step=slice(1, data.sizes["step"] - int(data.attrs.get("hold", HOLD)) + 1))
    of_unit = findings.record["layer"].values.astype(str)
    found = []
    for layer in map(str, data["layer"].values):
        at = dated.sel(layer=layer)
        births, bound = at["edge_births"].values, np.broadcast_to(
            at["burst_bound"].values, at["edge_births"].shape)  # fmt: skip
        ratio = np.where(bound > 0, births / np.maximum(bound, 1), 0)
        if not len(ratio) or not (ratio > 1).any():
            continue
        k = int(ratio.argmax())
        step, mine = int(at["step"][k]), at["unit_births"].values[k, of_unit == layer]
        low, high = _resampled(mine, np.ones(len(mine)))
        found.append(Statement(
            "a burst of new couplings", layer,
            f"At step {step:,} {births[k]:,} couplings into {layer} exceed those of permuted "
            f"weights for the first time, where chance gives {float(at['births_chance'][k]):,.0f}.",
            float(births[k]), "couplings", low * len(mine), high * len(mine),
            "95 %, target units resampled",
            "chance births of whole sources, and the births of each target shifted in "
            "time", float(bound[k]),
            Where("construction", step, layer),
        ))  # fmt: skip
    return found


def assemblies_leave_their_null(findings: Findings) -> list[Statement]:
    """Say from when on couplings form more, or fewer, groups than loud sources alone give."""
    data = findings.graph
    if data is None or "quality_null" not in data:
        return []
    quality, null = data["quality"].values, data["quality_null"].values
    low, high, mean = null.min(axis=1), null.max(axis=1), null.mean(axis=1)
    found, steps = [], data["quality_step"].values
    for kind, excess, reach, words in (
        ("couplings form assemblies", quality - mean, high - mean,
         "link units into groups (assemblies) more than strong sources alone do"),
        ("couplings form no assemblies of their own", mean - quality, mean - low,
         "link units into groups less than strong sources alone do: targets share their sources"),
    ):  # fmt: skip
        after, by = onset_interval(excess, reach, steps)
        if not np.isfinite(by):
            continue
        when = "From the first snapshot on" if np.isinf(after) else f"Beginning {span(after, by)},"
        up = kind == "couplings form assemblies"
        ends = (quality[-1] - null[-1]) * (1 if up else -1)
        found.append(Statement(
            kind, "assemblies",
            f"{when} couplings {words}; the modularity at the end is {quality[-1]:.2f}, and that "
            f"of the null {mean[-1]:.2f}.",
            float(excess[-1]), "modularity", float(ends.min()), float(ends.max()),
            f"from the nearest to the farthest of {null.shape[1]} graphs of the null",
            "each source's couplings shuffled over its targets: outside all such graphs at every "
            "snapshot to the end", float(reach[-1]),
            Where("construction", int(by)),
        ))  # fmt: skip
    return found


def sharing_turns(findings: Findings) -> list[Statement]:
    """Say in which layers tokens share units more for a while, or less, than before and after."""
    data = findings.graph
    if data is None or "layer_sharing" not in data:
        return []
    found, steps = [], data["step"].values
    for layer in map(str, data["layer"].values[:-1]):
        at = data.sel(layer=layer)
        value = at["layer_sharing"].values
        half = (at["sharing_high"].values - at["sharing_low"].values) / 2
        if not np.isfinite(value + half).all() or len(value) < 3 * HOLD:
            continue
        n_tests = 2 * len(value) * data.sizes["layer"]
        turns = [(_turn(sign * value, half, n_tests), sign) for sign in (1, -1)]
        (turn, sign) = max(turns, key=lambda pair: pair[0].effect - pair[0].bound)
        if not turn.effect > turn.bound:
            continue
        ways = ("rises", "falls") if sign > 0 else ("falls", "rises")
        found.append(Statement(
            f"sharing {ways[0]} and {ways[1]}", layer,
            f"The sharing index of {layer} {ways[0]} from {value[0]:.2f} to "
            f"{value[turn.place]:.2f} at step {steps[turn.place]:,} and {ways[1]} to "
            f"{value[-1]:.2f} by the end (0: every token has units of its own; 1: all tokens use "
            "the same units).",
            turn.effect, "sharing index, the smaller of both changes", turn.effect - turn.reach,
            turn.effect + turn.reach, "95 % of shuffles of each token's flow over units",
            "each token's flow shuffled over units, corrected over layers and snapshots",
            turn.bound,
            Where("construction", int(steps[turn.place]), layer),
        ))  # fmt: skip
    return found


class _Turn(NamedTuple):
    """A rise followed by a fall."""

    place: int
    effect: float
    reach: float
    """Half width of the effect's 95 % interval."""
    bound: float


def _turn(value: np.ndarray, half: np.ndarray, n_tests: int) -> _Turn:
    """Return where a course turns most, and how far beyond chance.

    What is compared has held for `HOLD` snapshots: the least of the peak, the largest of the ends.
    """
    held = np.lib.stride_tricks.sliding_window_view(value, HOLD).min(axis=1)
    ends = value[:HOLD].max(), value[-HOLD:].max()
    low = held - max(ends)
    place = int(low.argmax())
    reach = float(np.hypot(half[place : place + HOLD].max(), max(half[0], half[-1])))
    wide = float(ndtri(1 - RARELY / 2 / n_tests) / ndtri(1 - RARELY / 2))
    peak = place + int(value[place : place + HOLD].argmax())
    return _Turn(peak, float(low[place]), reach, reach * wide)


def tokens_have_own_units(findings: Findings) -> list[Statement]:
    """Say in which layers tokens come to use units of their own, or the same ones, at the end."""
    data = findings.graph
    if data is None or "layer_sharing" not in data:
        return []
    last, found = data.isel(step=slice(-LATEST, None)), []
    for layer in map(str, data["layer"].values[:-1]):
        at = last.sel(layer=layer)
        value, low, high = (at[n].values for n in ("layer_sharing", "sharing_low", "sharing_high"))
        middle, now = (low + high) / 2, float(value[-1])
        wide = float(ndtri(1 - RARELY / 2 / data.sizes["layer"]) / ndtri(1 - RARELY / 2))
        reach = wide * (high - low) / 2
        for kind, off, words in (
            ("tokens have units of their own", middle - value, "units of their own"),
            ("tokens share units", value - middle, "the same units"),
        ):
            if not (off > reach).all():
                continue
            half = float(high[-1] - low[-1]) / 2
            found.append(Statement(
                kind, layer,
                f"What distinguishes the tokens passes through {words} in {layer}: the sharing "
                f"index is {now:.2f}, where shuffled units give {float(middle[-1]):.2f}; it was "
                f"{float(data['layer_sharing'].sel(layer=layer)[0]):.2f} at step "
                f"{int(data['step'][0])}.",
                float(off[-1]), "sharing index", float(off[-1]) - half, float(off[-1]) + half,
                "95 % of shuffles", "each token's flow shuffled over units, corrected over "
                f"layers, at the last {LATEST} snapshots", float(reach[-1]),
                Where("construction", int(data["step"][-1]), layer),
            ))  # fmt: skip
    return found


def units_that_carry(findings: Findings) -> list[Statement]:
    """Say of each layer how many units carry more of a token than units did before training."""
    data = findings.graph
    if data is None or "flow" not in data or int(data["step"][0]) != 0 or data.sizes["step"] < 2:
        return []
    found, step = [], int(data["step"][-1])
    for layer in map(str, data["layer"].values[:-1]):
        at = data["flow"].isel(node=np.flatnonzero(data["node_layer"].values.astype(str) == layer))
        finds = carried(at)
        count = int(finds[-1].sum())
        each = [int(table.sum()) for table in finds]
        if not min(each) > 0:
            continue
        units = int(finds[-1].any(axis=1).sum())
        by_token = ", ".join(
            f"{name} {n}"
            for name, n in zip(findings.tokens, finds[-1].sum(axis=0), strict=True)
            if n
        )
        best = np.unravel_index(np.where(finds[-1], at.values[-1], -1).argmax(), finds[-1].shape)
        unit, token = str(at["node"].values[best[0]]), findings.tokens[int(best[1])]
        found.append(Statement(
            "units come to carry tokens", layer,
            f"{units} of the {finds[-1].shape[0]} units of {layer} carry more of what "
            f"distinguishes a token than units did before training ({by_token}). {unit} carries "
            f"most: {100 * float(at.values[-1][best]):.1f} % of what distinguishes {token}.",
            float(count), "units times tokens", min(each), max(each),
            f"least and most over the last {LATEST} snapshots",
            "the untrained network: at most a share of 0.1 of such finds is chance "
            "(Benjamini-Hochberg)", max(FALSE * count, 1.0),
            Where("detectors", step, layer, unit, token),
        ))  # fmt: skip
        found += _shared(findings, layer, finds)
    return found


def _shared(findings: Findings, layer: str, finds: list[np.ndarray]) -> list[Statement]:
    """Say whether more units than chance carry several tokens, or only one."""
    rng, said = np.random.default_rng(SEED), []
    several = [int((table.sum(axis=1) > 1).sum()) for table in finds]
    alone = [int((table.sum(axis=1) == 1).sum()) for table in finds]
    drawn = [rng.permuted(finds[-1], axis=0).sum(axis=1) for _ in range(N_RESAMPLES)]
    for kind, counts, by_chance, words in (
        ("detectors carry several tokens", several, [(d > 1).sum() for d in drawn],
         "carry several tokens"),
        ("detectors carry one token", alone, [(d == 1).sum() for d in drawn], "carry one token"),
    ):  # fmt: skip
        bound = float(np.quantile(by_chance, 1 - RARELY / 20))
        if not min(counts) > bound:
            continue
        carrying = int(finds[-1].any(axis=1).sum())
        said.append(Statement(
            kind, layer,
            f"Of the {carrying} units of {layer} that come to carry tokens {counts[-1]} {words}; "
            f"chance would give {np.mean(by_chance):.0f}.",
            float(counts[-1]), "units", min(counts), max(counts),
            f"least and most over the last {LATEST} snapshots",
            "the units of each token drawn at random from the layer, corrected over layers and "
            "both kinds",
            max(bound, 1.0), Where("detectors", int(findings.record["step"][-1]), layer),
        ))  # fmt: skip
    return said


RULES: tuple[Rule, ...] = (
    units_that_carry, tokens_have_own_units, sharing_turns, single_edges, bursts_of_births,
    assemblies_leave_their_null,
)  # fmt: skip
