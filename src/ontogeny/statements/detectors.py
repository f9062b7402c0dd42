"""Rules on units: which tokens they come to discriminate, and when they change or end.

Units differ from run to run, so that a subject names layer and tokens, never an index; which unit
it was is in the text and in `where`. May import numpy, scipy, xarray, ontogeny.measure, stats.
"""

import numpy as np
import xarray as xr
from scipy.stats import binom, binomtest

from ontogeny.measure.probe import layer_names
from ontogeny.measure.tuning import DORMANT
from ontogeny.statements.findings import Findings, Rule, percent, span
from ontogeny.statements.statement import Statement, Where
from ontogeny.stats.onset import onset_index

SURE = 0.95
"""Share of resamples that have to show a change of role."""
SINGLES = 2
"""Single units that are named for each kind, besides the summary of their layers."""
RARELY = 0.05
N_SHUFFLES = 999
SEED = 0


def layers_become_tuned(findings: Findings) -> list[Statement]:
    """Say of each layer how many units come to discriminate a token from the others."""
    data = findings.detectors
    if data is None:
        return []
    steps, found = data["step"].values, []
    for layer, units in _layers(data):
        bound = float(data["score_threshold"].sel(layer=layer))
        now, before = ({end: int((data[f"score{end}"].values[k, units] > bound).sum())
                        for end in ("", "_low", "_high")} for k in (-1, 0))  # fmt: skip
        gain, low = now[""] - before[""], now["_low"] - before["_high"]
        if not low > 0:
            continue
        found.append(Statement(
            "units become tuned", layer,
            f"{now['']} of the {len(units)} units of {layer} discriminate a token from the others "
            f"at step {steps[-1]:,}; {before[''] or 'none'} did at step {steps[0]:,}.",
            gain, "units more", low, now["_high"] - before["_low"],
            "units whose own 95 % intervals (groups of exemplars resampled) lie beyond the bound",
            "shuffled tokens: with 95 % no unit of the layer passes the bound at any step",
            float(gain - low),
            Where("detectors", int(steps[-1]), layer),
        ))  # fmt: skip
    return found


def roles_change(findings: Findings) -> list[Statement]:
    """Say in which layers units change from one token to another, and name the surest."""
    data = findings.detectors
    if data is None or not data.sizes.get("role_change", 0):
        return []
    share, unit = data["change_share"].values, data["changed_unit"].values
    of_unit = data["layer_of_unit"].values.astype(str)
    found = []
    for layer, _ in _layers(data):
        rows = np.flatnonzero(of_unit[unit] == layer)
        sure = rows[share[rows] >= SURE]
        doubtful = RARELY * len(rows)
        if len(sure) < max(2, doubtful):
            continue
        pairs = [_change(data, k) for k in sure]
        most = max(sorted(set(pairs)), key=pairs.count)
        count = len(set(unit[sure].tolist()))
        found.append(Statement(
            "units change their role", layer,
            f"{count} units of {layer} are tuned to one token for a while and then to "
            f"another, most often from {most}.",
            len(sure), "changes", int((share[rows] == 1).sum()), len(rows),
            "changes that all resamples show, and changes seen at all",
            "units that are tuned to both tokens beyond shuffled tokens; at most 5 % of the "
            "changes that are counted are none",
            max(1.0, doubtful), Where("detectors", _step(data["changed_by"][sure].min()), layer),
        ))  # fmt: skip
    return [*found, *_surest_changes(data, share)]


def _surest_changes(data: xr.Dataset, share: np.ndarray) -> list[Statement]:
    """Name the units that were tuned best both before and after they changed."""
    unit, steps = data["changed_unit"].values, data["step"].values
    by = np.clip(np.searchsorted(steps, data["changed_by"].values), 1, len(steps) - 1)
    columns = [data["score"].values[:, u] for u in unit]
    weaker = np.array([min(np.nanmax(c[:k]), np.nanmax(c[k:]))
                       for c, k in zip(columns, by, strict=True)])  # fmt: skip
    sure = np.flatnonzero(share >= SURE)
    found = []
    for k in sure[np.argsort(-weaker[sure], kind="stable")][:SINGLES]:
        at = data.isel(role_change=k)
        name, layer = _unit(data, int(unit[k]))
        low, high = float(at["changed_confidence_after"]), float(at["changed_confidence_by"])
        found.append(Statement(
            "a unit changes its role", f"{layer}: {_change(data, k)}",
            f"The unit {name} changes its token from {_change(data, k)} "
            f"{span(at['changed_after'], at['changed_by'])}.",
            float(share[k]), "share of resamples", low, high,
            "steps of the change, 95 %, groups of exemplars resampled",
            "a change that fewer resamples show may be two tokens to which it responds "
            "equally", SURE,
            Where("detectors", _step(at["changed_by"]), layer, name,
                  str(data["token"].values[int(at["token_after"])])),
        ))  # fmt: skip
    return found


def _change(data: xr.Dataset, row: int) -> str:
    """Name the tokens of a change: ada to bo."""
    names = data["token"].values.astype(str)
    before, after = (names[int(data[f"token_{end}"].values[row])] for end in ("before", "after"))
    return f"{before} to {after}"


def units_become_inactive(findings: Findings) -> list[Statement]:
    """Say how many units of a layer become inactive, and which of them had been tuned best."""
    return _ending(
        findings, "dormant", "units become inactive", "a tuned unit becomes inactive",
        ("become inactive and stay so", "becomes inactive and stays so"),
    )  # fmt: skip


def units_revive(findings: Findings) -> list[Statement]:
    """Say how many units of a layer become active again, and which is tuned best after."""
    return _ending(
        findings, "revived", "units revive", "a unit revives",
        ("become active again", "becomes active again"),
    )  # fmt: skip


def _ending(
    findings: Findings, event: str, many: str, single: str, verbs: tuple[str, str]
) -> list[Statement]:  # fmt: skip
    data = findings.detectors
    if data is None:
        return []
    by, after = data[f"{event}_by"].values, data[f"{event}_after"].values
    sure = np.isfinite(by) & np.isfinite(after)
    sure &= np.isfinite(data[f"{event}_confidence_by"].values)
    found = []
    for layer, units in _layers(data):
        mine = units[sure[units]]
        if not len(mine):
            continue
        seen = int((np.isfinite(by[units]) & np.isfinite(after[units])).sum())
        first, last = by[mine].min(), by[mine].max()
        when = f"at step {first:,.0f}"
        if first < last:
            when = f"the first at step {first:,.0f}, the last at {last:,.0f}"
        found.append(Statement(
            many, layer,
            f"{len(mine)} of the {len(units)} units of {layer} {verbs[0]}, {when}.",
            len(mine), "units", len(mine), seen,
            "units whose 95 % interval ends before the last snapshot, and all that are seen to",
            f"inactive: a mean response of at most {100 * DORMANT:.1f} % of the layer's, for 3 "
            "snapshots at least; one side of 95 % intervals misses 2.5 % of units",
            max(1.0, RARELY / 2 * len(units)),
            Where("detectors", _step(first), layer),
        ))  # fmt: skip
    return [*found, *_tuned_ones(data, sure, event, (single, verbs[1]))]


def _tuned_ones(
    data: xr.Dataset, sure: np.ndarray, event: str, words: tuple[str, str]
) -> list[Statement]:
    """Name the units that were tuned best before they became inactive, or after they revived."""
    rows, steps = [], data["step"].values
    for u in np.flatnonzero(sure):
        k = int(np.searchsorted(steps, data[f"{event}_by"].values[u]))
        side = slice(None, k) if event == "dormant" else slice(k, None)
        score = data["score"].values[side, u]
        name, layer = _unit(data, int(u))
        bound = float(data["score_threshold"].sel(layer=layer))
        if not np.isfinite(score).any() or not np.nanmax(score) > bound:
            continue
        best = int(np.nanargmax(score)) + (0 if event == "dormant" else k)
        token = str(data["token"].values[int(data["preferred"].values[best, u])])
        rows.append((float(np.nanmax(score)), int(u), best, token, name, layer, bound))
    found = []
    for score, u, best, token, name, layer, bound in sorted(rows, reverse=True)[:SINGLES]:
        at = data.isel(unit=u)
        when = span(at[f"{event}_after"], at[f"{event}_by"])
        verb = "had discriminated" if event == "dormant" else "then discriminates"
        found.append(Statement(
            words[0], f"{layer}: {token}",
            f"The unit {name}, which {verb} {token} from the other tokens (AUROC {score:.2f} at "
            f"step {steps[best]:,}), {words[1]} {when}.",
            score - 0.5, "AUROC beyond one half",
            float(data["score_low"].values[best, u]) - 0.5,
            float(data["score_high"].values[best, u]) - 0.5,
            "95 %, groups of exemplars resampled",
            "shuffled tokens: with 95 % no unit of the layer passes the bound at any step",
            bound - 0.5, Where("detectors", _step(at[f"{event}_by"]), layer, name, token),
        ))  # fmt: skip
    return found


def channels_beside_rotations(findings: Findings) -> list[Statement]:
    """Say whether channels, or random mixtures of them, discriminate tokens better.

    A layer counts where the share of tuned channels lies outside that of all 19 rotations; with
    no difference that happens on one given side in 1 layer of 20.
    """
    data = findings.detectors
    if data is None or "tuned_share_rotated_low" not in data:
        return []
    last = data.isel(direction_step=-1)
    names = [str(n) for n in data["layer"].values if str(n) != "logits"]
    last = last.sel(layer=names)
    own = last["tuned_share"].sel(basis="units").values
    mean = last["tuned_share_rotated"].values
    found = []
    for kind, outside, words in (
        ("mixtures discriminate better than channels", own < last["tuned_share_rotated_low"].values,
         "random mixtures of channels discriminate tokens more often than the channels do"),
        ("channels discriminate better than mixtures",
         own > last["tuned_share_rotated_high"].values,
         "channels discriminate tokens more often than random mixtures of them do"),
    ):  # fmt: skip
        n, k = len(names), int(outside.sum())
        bound = float(binom.ppf(1 - RARELY, n, 1 / 20)) + 1
        if k < bound:
            continue
        ci = binomtest(k, n).proportion_ci()
        where = int(np.nanargmax(np.where(outside, np.abs(own - mean), np.nan)))
        found.append(Statement(
            kind, "layers",
            f"In {k} of {n} layers {words}, most so in {names[where]}: {percent(own[where])} of "
            f"its channels are tuned to a token, and {percent(mean[where])} of the mixtures.",
            k, "layers", n * float(ci.low), n * float(ci.high), "95 %, exact binomial",
            "19 random rotations of each layer: outside their range in 1 layer of 20 by chance",
            bound, Where("detectors", int(last["direction_step"]), names[where]),
        ))  # fmt: skip
    return found


def conjunctions_before_tokens(findings: Findings) -> list[Statement]:
    """Say for which tokens conjunctions of their units come before the token is classified.

    A unit's conjunction is its largest |interaction| of two parents; it begins where it stays
    beyond what 99 % of the layer's units have before training. Compared are the units tuned to the
    token at the end with those tuned to others, by the share whose conjunction had begun by the
    last snapshot before the token was classified. The null: the units' tokens shuffled within
    layers.
    """
    data, record = findings.detectors, findings.record
    if data is None or findings.measures is None or "interaction" not in record:
        return []
    begun, tuned = _conjunctions(record), _tuned_token(data)
    kept = (tuned >= 0) & np.isfinite(begun)
    of_layer = record["layer"].values.astype(str)
    rng, n_tokens = np.random.default_rng(SEED), len(findings.tokens)
    found, steps = [], record["step"].values
    for token, name in enumerate(findings.tokens):
        after = _classified_after(findings.measures, name)
        if after is None or (tuned[kept] == token).sum() < 5:
            continue
        early = begun[kept] <= after
        seen = _lead(early, tuned[kept] == token)
        null = [_lead(early, _shuffled(tuned[kept], of_layer[kept], rng) == token)
                for _ in range(N_SHUFFLES)]  # fmt: skip
        bound = float(np.quantile(null, 1 - RARELY / n_tokens))
        if not seen[0] > bound:
            continue
        low, high = _lead_interval(early, tuned[kept] == token, rng)
        found.append(Statement(
            "conjunctions come before a token is classified", name,
            f"Conjunctions come before the network classifies {name}: at step {after:,.0f} "
            f"{percent(seen[1])} of the units that come to respond to {name} already combine two "
            f"parents more than untrained units do, against {percent(seen[2])} of the units that "
            "respond to other tokens.",
            seen[0], "difference of shares", low, high, "95 %, units resampled",
            "units' tokens shuffled within layers, corrected over tokens", max(bound, 1e-3),
            Where("construction", int(steps[np.searchsorted(steps, after)]), token=name),
        ))  # fmt: skip
    return found


def _conjunctions(record: xr.Dataset) -> np.ndarray:
    """Return per unit the step from which its interaction stays beyond the untrained layer's."""
    size = np.abs(record["interaction"].values)
    observed = np.isfinite(size).any(axis=(1, 2))
    size, steps = size[observed], record["step"].values[observed]
    largest = np.where(np.isfinite(size).any(axis=2), np.nan_to_num(size, nan=-1).max(axis=2), -1)
    of_layer = record["layer"].values.astype(str)
    begun = np.full(largest.shape[1], np.nan)
    for layer in layer_names(record):
        units = np.flatnonzero(of_layer == layer)
        before = largest[0, units][largest[0, units] >= 0]
        if not len(before) or not before.max() > 0:
            continue
        limit = np.quantile(before, 0.99)
        index = onset_index(largest[:, units].T, np.full(len(steps), limit), hold=3)
        begun[units] = np.append(steps.astype(float), np.inf)[index]
    return begun


def _tuned_token(data: xr.Dataset) -> np.ndarray:
    """Return the token that each unit discriminates at the end; -1 where none."""
    bound = data["score_threshold"].sel(layer=data["layer_of_unit"].astype(str)).values
    is_tuned = data["score"].values[-1] > bound
    return np.where(is_tuned, data["preferred"].values[-1], -1)


def _classified_after(measures: xr.Dataset, token: str) -> float | None:
    rows = (measures["kind"].values == "token") & (measures["name"].values == token)
    after, by = (measures[end].values[rows] for end in ("after", "by"))
    found = len(after) == 1 and np.isfinite(after[0]) and np.isfinite(by[0])
    return float(after[0]) if found else None


def _lead(early: np.ndarray, own: np.ndarray) -> tuple[float, float, float]:
    """Return how much more of the token's own units are early, and both shares."""
    if own.all() or not own.any():
        return 0.0, 0.0, 0.0
    mine, others = float(early[own].mean()), float(early[~own].mean())
    return mine - others, mine, others


def _shuffled(tuned: np.ndarray, layer: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shuffled = tuned.copy()
    for name in np.unique(layer):
        shuffled[layer == name] = rng.permutation(tuned[layer == name])
    return shuffled


def _lead_interval(
    early: np.ndarray, own: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    mine, others = early[own], early[~own]
    again = [rng.choice(mine, len(mine)).mean() - rng.choice(others, len(others)).mean()
             for _ in range(N_SHUFFLES)]  # fmt: skip
    low, high = np.quantile(again, [0.025, 0.975])
    return float(low), float(high)


def _layers(data: xr.Dataset) -> list[tuple[str, np.ndarray]]:
    """Return the hidden layers with the positions of their units."""
    of_unit = data["layer_of_unit"].values.astype(str)
    return [(str(n), np.flatnonzero(of_unit == str(n)))
            for n in data["layer"].values if str(n) != "logits"]  # fmt: skip


def _unit(data: xr.Dataset, place: int) -> tuple[str, str]:
    return str(data["unit"].values[place]), str(data["layer_of_unit"].values[place])


def _step(value: xr.DataArray | float) -> int:
    return int(float(value))


RULES: tuple[Rule, ...] = (
    layers_become_tuned, roles_change, units_become_inactive, units_revive,
    channels_beside_rotations, conjunctions_before_tokens,
)  # fmt: skip
