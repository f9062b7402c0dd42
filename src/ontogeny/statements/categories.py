"""Rules on learning curves, layers and tokens. May import numpy, scipy, ontogeny.measure, stats."""

import math
from itertools import combinations

import numpy as np
import xarray as xr
from scipy.special import logsumexp
from scipy.stats import binom

from ontogeny.measure.compactness import APART
from ontogeny.measure.layers import last_hidden
from ontogeny.measure.probe import held_out
from ontogeny.statements.claims import RARELY, confused_pairs, has_phases, separating_layers
from ontogeny.statements.findings import Findings, Rule, percent, span
from ontogeny.statements.onsets import earliest
from ontogeny.statements.statement import Statement, Where
from ontogeny.stats.permutation import group_resamples

N_RESAMPLES = 999
SEED = 0


def _onset_rows(measures: xr.Dataset, kind: str) -> list[xr.Dataset]:
    """Return the onsets of a kind that lie between two snapshots."""
    rows = [measures.isel(onset=k) for k in np.flatnonzero(measures["kind"].values == kind)]
    return [r for r in rows if math.isfinite(float(r["after"])) and math.isfinite(float(r["by"]))]


def layers_that_stand_out(findings: Findings) -> list[Statement]:
    """Say of each layer when its token signal rose beyond shuffled tokens and untrained weights."""
    if findings.measures is None:
        return []
    found = []
    for row in _onset_rows(findings.measures, "layer rise"):
        layer = str(row["name"].values)
        at = findings.measures.sel(layer=layer).isel(step=-1)
        bound = max(float(at["layer_threshold"]), float(at["untrained_threshold"]))
        effect = float(at["layer_token_signal"])
        found.append(Statement(
            "a layer stands out", layer,
            f"The units of {layer} begin to discriminate tokens {span(row['after'], row['by'])}: "
            "the token signal rises beyond that of shuffled tokens and of untrained weights, to "
            f"{effect:.2f} at the end.",
            effect, "token signal", float(row["confidence_after"]), float(row["confidence_by"]),
            "steps of the onset, 95 %, groups of exemplars resampled",
            "shuffled tokens, corrected over layers and steps, and untrained weights", bound,
            Where("timeline", int(row["by"]), layer),
        ))  # fmt: skip
    return found


def classified_tokens(findings: Findings) -> list[Statement]:
    """Say of each token from when on it is classified better than chance."""
    if findings.measures is None:
        return []
    found = []
    for row in _onset_rows(findings.measures, "token"):
        token = str(row["name"].values)
        at = findings.measures.sel(token=token).isel(step=-1)
        accuracy = float(at["token_accuracy"].sel(split="probe"))
        when = span(row["after"], row["by"])
        found.append(Statement(
            "a token is classified", token,
            f"The network begins to classify {token} better than chance {when}; at the end it "
            f"classifies {percent(accuracy)} of the held-out exemplars of {token} correctly.",
            float(at["token_margin"]), "accuracy less the token's share of all classifications",
            float(row["confidence_after"]), float(row["confidence_by"]),
            "steps of the onset, 95 %, groups of exemplars resampled",
            "shuffled tokens, corrected over tokens and steps", float(at["margin_threshold"]),
            Where("timeline", int(row["by"]), token=token),
        ))  # fmt: skip
    return found


def order_of_tokens(findings: Findings) -> list[Statement]:
    """Say which tokens are classified before which, where confidence intervals do not overlap."""
    if findings.measures is None:
        return []
    rows, found = _onset_rows(findings.measures, "token"), []
    for first, second in [*combinations(rows, 2), *((b, a) for a, b in combinations(rows, 2))]:
        end, start = float(first["confidence_by"]), float(second["confidence_after"])
        if not (math.isfinite(end) and end <= start):
            continue
        a, b = str(first["name"].values), str(second["name"].values)
        late = [(1 + float(second[s])) / (1 + float(first[f]))
                for s, f in (("by", "by"), ("confidence_after", "confidence_by"),
                             ("confidence_by", "confidence_after"))]  # fmt: skip
        found.append(Statement(
            "one token before another", f"{a} before {b}",
            f"The network begins to classify {a} better than chance "
            f"{span(first['after'], first['by'])}, and {b} "
            f"{span(second['after'], second['by'])}, after {late[0]:.1f} times as many steps.",
            late[0], "ratio of steps", late[1], late[2],
            "from the ends of both 95 % intervals",
            "intervals that overlap are not ordered", 1.0,
            Where("timeline", int(second["by"]), token=b),
        ))  # fmt: skip
    return found


def separated_tokens(findings: Findings) -> list[Statement]:
    """Say in which layer all tokens were separated first, if that layer is sure to be the first."""
    data = findings.structure
    if data is None:
        return []
    onsets = [one for one in separating_layers(data) if not one.is_missing]
    if not onsets:
        return []
    one = min(onsets, key=lambda onset: onset.by)
    is_first = one.from_start or earliest(onsets) == [one]
    at = data.sel(layer=one.name).isel(step=-1)
    low, high = float(at["separation_low"]), float(at["separation_high"])
    return [Statement(
        "all tokens are separated", one.name,
        f"All {data.sizes['token']} tokens are separated {'first ' if is_first else ''}in "
        f"{one.name}, {one.when()}: the centres of every two tokens lie further apart than their "
        "exemplars spread.",
        float(at["separation_worst"]), "spreads between the closest two tokens at the end",
        low, high, "95 %, groups of exemplars resampled",
        "a separation of one spread", APART, Where("categories", int(one.by), one.name),
    )]  # fmt: skip


def branches_of_the_tree(findings: Findings) -> list[Statement]:
    """Say which branches of the tokens' tree split before which, in the last hidden layer."""
    data = findings.structure
    if data is None or "split_by" not in data:
        return []
    layer = last_hidden(data)
    at, found = data.sel(layer=layer), []
    bound = float(at["split_bound"]) if "split_bound" in at else math.inf
    nodes = [
        k for k in range(at.sizes["split_node"])
        if math.isfinite(float(at["split_by"][k]))
        and float(at["split_separation"].isel(step=-1, split_node=k)) > bound
    ]  # fmt: skip
    for a in nodes:
        for b in nodes:
            end, start = (float(at["split_confidence_by"][a]),
                          float(at["split_confidence_after"][b]))  # fmt: skip
            if a == b or not end <= start:
                continue
            ratio = (1 + float(at["split_by"][b])) / (1 + float(at["split_by"][a]))
            found.append(Statement(
                "one branch before another", f"{_sides(at, a)} before {_sides(at, b)}",
                f"The tree of the tokens in {layer} separates {_sides(at, a)} "
                f"{span(at['split_after'][a], at['split_by'][a])}, before it separates "
                f"{_sides(at, b)} "
                f"({span(at['split_after'][b], at['split_by'][b])}).",
                ratio, "ratio of steps", (1 + start) / (1 + end),
                (1 + float(at["split_confidence_by"][b]))
                / (1 + max(0.0, float(at["split_confidence_after"][a]))),
                "from the ends of both 95 % intervals",
                "branches within chance are left out; branches whose intervals overlap are not "
                "ordered", 1.0,
                Where("categories", int(at["split_by"][b]), layer),
            ))  # fmt: skip
    return found


def _sides(at: xr.Dataset, node: int) -> str:
    """Name the two sides of a split."""
    side, names = at["split_side"].values[node], at["token"].values.astype(str)
    few, many = sorted((names[side == s].tolist() for s in (1, -1)), key=len)
    others = "the rest" if len(few) + len(many) == len(names) > 2 else ", ".join(many)
    return f"{', '.join(few)} from {others}"


def tokens_confused(findings: Findings) -> list[Statement]:
    """Say which two tokens are taken for each other more than evenly spread errors would be."""
    if findings.structure is None:
        return []
    names, found = findings.tokens, []
    for pair in confused_pairs(findings.structure):
        a, b = names[pair.first], names[pair.second]
        low, high = (float(binom.ppf(q, pair.of, pair.share)) / pair.of for q in (0.025, 0.975))
        found.append(Statement(
            "two tokens stay confused", f"{a} and {b}",
            f"The network still confuses {a} with {b} at the end: {percent(pair.share)} of their "
            "held-out exemplars are classified as the other token, where evenly spread errors "
            f"would give {percent(pair.evenly)}.",
            pair.share, "share of exemplars", low, high, "95 %, binomial",
            "errors spread evenly over the other tokens, corrected over pairs", pair.bound,
            Where("categories", int(findings.record["step"][-1]), token=a),
        ))  # fmt: skip
    return found


def memorising(findings: Findings) -> list[Statement]:
    """Say whether held-out loss rises again after its lowest step.

    The lowest step is chosen on every other group of exemplars, the rise measured on the rest.
    """
    record = findings.record
    if "logit" not in record:
        return []
    probe = held_out(record)
    logit = record["logit"].values.astype(np.float64)[:, probe.position]
    own = np.take_along_axis(logit, probe.token[None, :, None], axis=2)[..., 0]
    loss = np.asarray(logsumexp(logit, axis=2)) - own
    chooses = np.isin(probe.group, np.unique(probe.group)[::2])
    lowest = int(np.argmin(loss[:, chooses].mean(axis=1)))
    rise = (loss[-1] - loss[lowest])[~chooses]
    token, group = probe.token[~chooses], probe.group[~chooses]
    weights = group_resamples(
        token, group, n_resamples=N_RESAMPLES, rng=np.random.default_rng(SEED)
    )
    again = weights @ rise / weights.sum(axis=1)
    low, high = np.quantile(again, [0.025, 0.975])
    if not low > 0:
        return []
    step = int(record["step"][lowest])
    return [Statement(
        "memorising", "held-out loss",
        f"The network memorises its training exemplars from step {step:,} on: the loss of held-out "
        f"exemplars rises by {rise.mean():.2f} nat per exemplar until the end.",
        float(rise.mean()), "nat", float(low), float(high),
        "95 %, groups of exemplars resampled",
        "no rise on exemplars that did not choose the step",
        float(np.quantile(again - rise.mean(), 0.95)), Where("timeline", step),
    )]  # fmt: skip


def stages(findings: Findings) -> list[Statement]:
    """Say where phases of the whole development begin, if it has phases at all."""
    data = findings.structure
    if data is None or not has_phases(data):
        return []
    p, n = float(data["phase_p"]), data.sizes["phase_measure"]
    return [Statement(
        "a phase begins", f"phase {place + 2}",
        f"A phase of the development begins at about step {int(data['step'][k]):,}: {n} measures "
        "change their course together there.",
        RARELY / p, "times below a p value of 5 %",
        float(data["phase_first"][k]), float(data["phase_last"][k]),
        "steps to which the beginning moves when one measure is left out",
        "the increments of all measures together, shuffled over the snapshots", 1.0,
        Where("timeline", int(data["step"][k])),
    ) for place, k in enumerate(np.flatnonzero(data["phase"].values == 1))]  # fmt: skip


def beyond_clones(findings: Findings) -> list[Statement]:
    """Say from when on more than means and covariances of the images is used."""
    data = findings.structure
    if data is None or "clone_gap_by" not in data:
        return []
    after, by = float(data["clone_gap_after"]), float(data["clone_gap_by"])
    last = data.isel(step=-1)
    gap, low, high = (float(last[f"clone_gap{end}"]) for end in ("", "_low", "_high"))
    if not (math.isfinite(by) and low > 0):
        return []
    begins = "classifies" if math.isinf(after) else "begins to classify"
    since = "from the first snapshot on" if math.isinf(after) else span(after, by)
    return [Statement(
        "more than means and covariances", "Gaussian clones",
        f"The network {begins} exemplars better than their Gaussian clones {since}, at the end by "
        f"{100 * gap:.0f} points: it uses more than the means and covariances of pixels.",
        gap, "share of exemplars", low, high, "95 % (Newcombe)",
        "no difference: it stays above 0 to the end", gap - low, Where("timeline", int(by)),
    )]  # fmt: skip


def what_distances_resemble(findings: Findings) -> list[Statement]:
    """Say of each model what layer's distances resemble it most, beyond the other models."""
    data = findings.structure
    if data is None or "model_beyond" not in data:
        return []
    names = {"token": "the tokens", "parts": "the parts", "pixels": "the pixels"}
    last = data.isel(step=-1)
    hidden = [str(n) for n in data["layer"].values if str(n) not in {"pixels", "logits"}]
    found = []
    for model, words in names.items():
        if model not in data["model"].values:
            continue
        at = last.sel(model=model, layer=hidden)
        margin = at["model_beyond"].values - at["model_beyond_threshold"].values
        surely = (margin > 0) & (at["model_low"].values > at["model_threshold"].values)
        if not surely.any():
            continue
        k = int(np.where(surely, at["model_rsa"].values, -np.inf).argmax())
        value, low, high, bound = (
            float(at[f"model_{n}"][k]) for n in ("rsa", "low", "high", "threshold")
        )
        others = " and ".join(w for m, w in names.items()
                              if m != model and m in data["model"].values)  # fmt: skip
        found.append(Statement(
            "distances resemble", f"{model} in {hidden[k]}",
            f"The distances between exemplars resemble {words} most in {hidden[k]} at the end: "
            f"their rank correlation is {value:.2f}"
            + (f", and it stays beyond chance once {others} are accounted for." if others else "."),
            value, "Spearman correlation", low, high, "95 %, groups of exemplars resampled",
            "groups of exemplars exchanged, corrected over steps", bound,
            Where("categories", int(data["step"][-1]), hidden[k]),
        ))  # fmt: skip
    return found


RULES: tuple[Rule, ...] = (
    separated_tokens, classified_tokens, order_of_tokens, branches_of_the_tree,
    layers_that_stand_out, stages, what_distances_resemble, beyond_clones, tokens_confused,
    memorising,
)  # fmt: skip
