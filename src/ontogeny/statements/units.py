"""Rules on units: which tokens they come to discriminate and to carry, when they change or end.

Units differ from run to run, so that a subject names layer and tokens, never an index; which unit
it was is in the text and in `where`. Rules select what is stored, compare it with its bound and put
it into words. May import numpy, xarray and ontogeny.measure.
"""

from typing import cast

import numpy as np
import xarray as xr

from ontogeny.measure.couplings.carrying import FALSE, LATEST
from ontogeny.measure.units.tuning import DORMANT
from ontogeny.statements.findings import Findings
from ontogeny.statements.onsets import between
from ontogeny.statements.rule import Rule, Said, Unsaid
from ontogeny.statements.statement import Statement, Where
from ontogeny.statements.words import listed, percent, spans

SURE = 0.95
"""Share of resamples that have to show a change of role."""
SINGLES = 2
"""Single units that are named for each kind, besides the summary of their layers."""
RARELY = 0.05


def scores(findings: Findings) -> Said | Unsaid:
    """Say of each layer how many units come to discriminate a token from the others."""
    data = _of(findings.detectors)
    said = [one for layer, units in _layers(data) for one in _become_tuned(data, layer, units)]
    if not said:
        return Unsaid("In no layer is the number of units that discriminate a token shown to rise.")
    ends = {one.subject: _tuned_shares(data, one.subject) for one in said}
    most = max(ends, key=lambda layer: ends[layer][1] - ends[layer][0])
    first = int(data["step"][0])
    start = "before training" if first == 0 else f"at step {first:,}"
    return Said(
        "The share of units that discriminate a token, of those that respond at all, rises most in "
        f"{most}, from {100 * ends[most][0]:.1f} % {start} to {100 * ends[most][1]:.1f} %.",
        tuple(said),
    )  # fmt: skip


def _become_tuned(data: xr.Dataset, layer: str, units: np.ndarray) -> list[Statement]:
    steps, bound = data["step"].values, float(data["score_threshold"].sel(layer=layer))
    now, before = ({end: int((data[f"score{end}"].values[k, units] > bound).sum())
                    for end in ("", "_low", "_high")} for k in (-1, 0))  # fmt: skip
    gain, low = now[""] - before[""], now["_low"] - before["_high"]
    if not low > 0:
        return []
    return [Statement(
        "units become tuned", layer,
        f"{now['']} of the {len(units)} units of {layer} discriminate a token from the others "
        f"at step {steps[-1]:,}; {before[''] or 'none'} did at step {steps[0]:,}.",
        gain, "units more", low, now["_high"] - before["_low"],
        "units whose own 95 % intervals (groups of exemplars resampled) lie beyond the bound",
        "shuffled tokens: with 95 % no unit of the layer passes the bound at any step",
        float(gain - low),
        Where("detectors", int(steps[-1]), layer),
    )]  # fmt: skip


def _tuned_shares(data: xr.Dataset, layer: str) -> tuple[float, float]:
    """Return the share of a layer's varying units that are tuned, first and last."""
    score = data["score"].values[:, dict(_layers(data))[layer]]
    beyond = score > float(data["score_threshold"].sel(layer=layer))
    first, last = ((beyond[k].sum() / max(np.isfinite(score[k]).sum(), 1)) for k in (0, -1))
    return float(first), float(last)


def unit_lives(findings: Findings) -> Said | Unsaid:
    """Say how many units change their token, become inactive or become active again."""
    data = _of(findings.detectors)
    sure = _sure_changes(data)
    ends = {event: _surely(data, event) for event in _EVENTS}
    said = [one for layer, rows in sure.items() for one in _roles(data, layer, rows)]
    said += _surest_changes(data, np.array([k for rows in sure.values() for k in rows], dtype=int))
    for event, words in _EVENTS.items():
        said += _ending(data, ends[event], event, words)
        said += _tuned_ones(data, ends[event], event, (words[1], words[3]))
    if not said:
        return Unsaid("No unit is shown to change its token, to become inactive or to become "
                      "active again.")  # fmt: skip
    unit = data["changed_unit"].values
    counts = [
        (sum(len(set(unit[rows].tolist())) for rows in sure.values()),
         "change their token", "changes its token"),
        *((int(ends[event].sum()), *words[2:]) for event, words in _EVENTS.items()),
    ]  # fmt: skip
    parts = [f"{n:,} {one if n == 1 else many}" for n, many, one in counts if n]
    hidden = np.concatenate([units for _, units in _layers(data)])
    tuned = int(np.isposinf(data["untuned_by"].values[hidden]).sum())
    return Said(
        f"At the end {tuned:,} of {len(hidden):,} units are tuned to a token; on the way "
        f"{listed(parts)}.", tuple(said),
    )  # fmt: skip


_EVENTS = {
    "dormant": ("units become inactive", "a tuned unit becomes inactive",
                "become inactive and stay so", "becomes inactive and stays so"),
    "revived": ("units revive", "a unit revives",
                "become active again", "becomes active again"),
}  # fmt: skip
"""Event of the measures -> kinds of statements on many units and on one, verbs of many, of one."""


def _sure_changes(data: xr.Dataset) -> dict[str, np.ndarray]:
    """Return, of each layer with more sure changes of role than doubtful ones, the sure ones."""
    found: dict[str, np.ndarray] = {}
    share, unit = data["change_share"].values, data["changed_unit"].values
    for layer, units in _layers(data):
        rows = np.flatnonzero(np.isin(unit, units))
        sure = rows[share[rows] >= SURE]
        if len(sure) >= max(2, RARELY * len(rows)):
            found[layer] = sure
    return found


def _roles(data: xr.Dataset, layer: str, sure: np.ndarray) -> list[Statement]:
    share, unit = data["change_share"].values, data["changed_unit"].values
    rows = np.flatnonzero(np.isin(unit, dict(_layers(data))[layer]))
    pairs = [_change(data, k) for k in sure]
    most = max(sorted(set(pairs)), key=pairs.count)
    count = len(set(unit[sure].tolist()))
    return [Statement(
        "units change their role", layer,
        f"{count} units of {layer} are tuned to one token for a while and then to "
        f"another, most often from {most}.",
        len(sure), "changes", int((share[rows] == 1).sum()), len(rows),
        "changes that all resamples show, and changes seen at all",
        "units that are tuned to both tokens beyond shuffled tokens; at most 5 % of the "
        "changes that are counted are none",
        max(1.0, RARELY * len(rows)),
        Where("detectors", _step(data["changed_by"][sure].min()), layer),
    )]  # fmt: skip


def _surest_changes(data: xr.Dataset, sure: np.ndarray) -> list[Statement]:
    """Name the units that were tuned best both before and after they changed."""
    share, unit = data["change_share"].values, data["changed_unit"].values
    steps = data["step"].values
    by = np.clip(np.searchsorted(steps, data["changed_by"].values), 1, len(steps) - 1)
    columns = [data["score"].values[:, u] for u in unit]
    weaker = np.array([min(np.nanmax(c[:k]), np.nanmax(c[k:]))
                       for c, k in zip(columns, by, strict=True)])  # fmt: skip
    found = []
    for k in sure[np.argsort(-weaker[sure], kind="stable")][:SINGLES]:
        at = data.isel(role_change=k)
        name, layer = _unit(data, int(unit[k]))
        low, high = float(at["changed_confidence_after"]), float(at["changed_confidence_by"])
        found.append(Statement(
            "a unit changes its role", f"{layer}: {_change(data, k)}",
            f"The unit {name} changes its token from {_change(data, k)} "
            f"{between(at['changed_after'], at['changed_by'])}.",
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


def _surely(data: xr.Dataset, event: str) -> np.ndarray:
    """Mark hidden units to which something happens, with 95 %, between two snapshots.

    None of a layer with no more of them than there may be doubtful ones.
    """
    sure = np.isfinite(data[f"{event}_by"].values) & np.isfinite(data[f"{event}_after"].values)
    sure &= np.isfinite(data[f"{event}_confidence_by"].values)
    kept = np.zeros_like(sure)
    for _, units in _layers(data):
        kept[units] = sure[units] & (sure[units].sum() >= _doubtful(units))
    return kept


def _doubtful(units: np.ndarray) -> float:
    """Return how many of some units may be no finds: one side of 95 % intervals misses them."""
    return max(1.0, RARELY / 2 * len(units))


def _ending(
    data: xr.Dataset, sure: np.ndarray, event: str, words: tuple[str, str, str, str]
) -> list[Statement]:
    """Say of each layer to how many units something happens."""
    by, after = data[f"{event}_by"].values, data[f"{event}_after"].values
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
            words[0], layer,
            f"{len(mine)} of the {len(units)} units of {layer} {words[2]}, {when}.",
            len(mine), "units", len(mine), seen,
            "units whose 95 % interval ends before the last snapshot, and all that are seen to",
            f"inactive: a mean response of at most {100 * DORMANT:.1f} % of the layer's, for 3 "
            "snapshots at least; one side of 95 % intervals misses 2.5 % of units",
            _doubtful(units),
            Where("detectors", _step(first), layer),
        ))  # fmt: skip
    return found


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
        when = between(at[f"{event}_after"], at[f"{event}_by"])
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


def bases(findings: Findings) -> Said | Unsaid:
    """Say whether channels, or random mixtures of them, discriminate tokens better.

    A layer counts where the share of tuned channels lies outside that of all rotations; the layers
    on either side are counted against chance.
    """
    data = _of(findings.detectors).isel(direction_step=-1)
    names, parts, said = data["layer"].values.astype(str).tolist(), [], []
    for side, (kind, more, words) in _SIDES.items():
        at = data.sel(side=side)
        if not float(at["layers_outside"]) >= float(at["layers_outside_bound"]):
            continue
        layers = [name for name in names if bool(at["is_outside"].sel(layer=name))]
        said.append(_outside(at, layers, kind, words))
        start = "" if parts else "Channels discriminate tokens "
        rest = "" if parts else " than random mixtures of them"
        parts.append(f"{start}{more} often{rest} in {spans(layers, names)}")
    if said:
        return Said(f"{'; '.join(parts)}.", tuple(said))
    return Unsaid(
        "Channels are not shown to discriminate tokens more, or less, often than random mixtures "
        "of them do."
    )


_SIDES = {
    "above": ("channels discriminate better than mixtures", "more",
              "channels discriminate tokens more often than random mixtures of them do"),
    "below": ("mixtures discriminate better than channels", "less",
              "random mixtures of channels discriminate tokens more often than the channels do"),
}  # fmt: skip
"""Side of the rotations' range -> kind of statement, words of the sentence and the statement."""


def _outside(at: xr.Dataset, layers: list[str], kind: str, words: str) -> Statement:
    own, mixed = at["tuned_share"].sel(basis="units"), at["tuned_share_rotated"]
    most = max(layers, key=lambda name: abs(float((own - mixed).sel(layer=name))))
    count, n = int(at["layers_outside"]), sum(at["layer"].values.astype(str) != "logits")
    return Statement(
        kind, "layers",
        f"In {count} of {n} layers {words}, most so in {most}: "
        f"{percent(float(own.sel(layer=most)))} of its channels are tuned to a token, and "
        f"{percent(float(mixed.sel(layer=most)))} of the mixtures.",
        count, "layers", float(at["layers_outside_low"]), float(at["layers_outside_high"]),
        "95 %, exact binomial",
        "19 random rotations of each layer: outside their range in 1 layer of 20 by chance",
        float(at["layers_outside_bound"]),
        Where("detectors", int(at["direction_step"]), most),
    )  # fmt: skip


def carriers(findings: Findings) -> Said | Unsaid:
    """Say which units carry more of a token than units did before training, and how many."""
    data = _of(findings.graph)
    if np.isnan(data["carried_q"].values).all():
        return Unsaid("Which units come to carry tokens is not known: the record does not hold "
                      "the network both before and after training.")  # fmt: skip
    said = [one for layer in data["layer"].values.astype(str)[:-1].tolist()
            for one in _carrying(data, layer)]  # fmt: skip
    if not said:
        return Unsaid(_NONE)
    tokens, nodes = findings.tokens, data["node"].values.astype(str)
    shares = [f"{nodes[place]} for {token} ({100 * flow:.1f} %)" for place, token, flow in
              zip(data["carrier"].values.tolist(), tokens, data["carrier_flow"].values.tolist(),
                  strict=True) if place >= 0]  # fmt: skip
    if shares:
        return Said(
            "What distinguishes a token passes through many units; the strongest detectors of the "
            f"upper layers are {listed(shares)}, each with a larger share than units of its "
            "layer had before training.", tuple(said),
        )  # fmt: skip
    layers = [one.subject for one in said if one.kind == "units come to carry tokens"]
    return Said(
        f"{_NONE[:-1]} at each of the last {LATEST} snapshots; some units of "
        f"{spans(layers, data['layer'].values.tolist())} do at the end.", tuple(said),
    )  # fmt: skip


_NONE = (
    "No unit of the upper layers carries more of what distinguishes a token than units of "
    "its layer did before training."
)


def _carrying(data: xr.Dataset, layer: str) -> list[Statement]:
    """Say of a layer how many units carry tokens, and how many carry several or one."""
    own = np.flatnonzero(data["node_layer"].values.astype(str) == layer)
    at = data[["carried_q", "flow"]].isel(node=own)
    finds = at["carried_q"].transpose("late_step", "node", "token").values <= FALSE
    each = finds.sum(axis=(1, 2)).tolist()
    if not min(each) > 0:
        return []
    now, count, tokens = finds[-1], each[-1], data["token"].values.astype(str)
    flow = at["flow"].transpose("step", "node", "token").values[-1]
    best = np.unravel_index(np.where(now, flow, -1).argmax(), now.shape)
    unit, token = str(at["node"].values[best[0]]), str(tokens[best[1]])
    by_token = ", ".join(f"{name} {n}" for name, n in zip(tokens, now.sum(axis=0), strict=True)
                         if n)  # fmt: skip
    carrying = int(now.any(axis=1).sum())
    one = Statement(
        "units come to carry tokens", layer,
        f"{carrying} of the {len(own)} units of {layer} carry more of what "
        f"distinguishes a token than units did before training ({by_token}). {unit} carries "
        f"most: {100 * float(flow[best]):.1f} % of what distinguishes {token}.",
        float(count), "units times tokens", min(each), max(each),
        f"least and most over the last {LATEST} snapshots",
        "the untrained network: at most a share of 0.1 of such finds is chance "
        "(Benjamini-Hochberg)", max(FALSE * count, 1.0),
        Where("detectors", int(data["step"][-1]), layer, unit, token),
    )  # fmt: skip
    return [one, *_shared(data.sel(layer=layer), layer, carrying)]


def _shared(at: xr.Dataset, layer: str, carrying: int) -> list[Statement]:
    """Say whether more units than chance carry several tokens, or only one."""
    said = []
    for name, words in (("several", "several tokens"), ("one", "one token")):
        counts = at[f"carrying_{name}"].values
        bound = float(at[f"carrying_{name}_bound"])
        if not counts.min() > bound:
            continue
        said.append(Statement(
            f"detectors carry {words}", layer,
            f"Of the {carrying} units of {layer} that come to carry tokens {int(counts[-1])} "
            f"carry {words}; chance would give {float(at[f'carrying_{name}_chance']):.0f}.",
            float(counts[-1]), "units", int(counts.min()), int(counts.max()),
            f"least and most over the last {LATEST} snapshots",
            "the units of each token drawn at random from the layer, corrected over layers and "
            "both kinds",
            max(bound, 1.0), Where("detectors", int(at["step"][-1]), layer),
        ))  # fmt: skip
    return said


def conjunctions(findings: Findings) -> Said | Unsaid:
    """Say for which tokens conjunctions of their units come before the token is classified.

    Compared are the units tuned to the token at the end with those tuned to others, by the share
    whose conjunction had begun by the last snapshot before the token was classified.
    """
    data, said = _of(findings.detectors), []
    for name in findings.tokens:
        after = _classified_after(_of(findings.measures), name)
        if after is not None:
            said += _conjoined(data.sel(token=name, step=int(after)), name)
    if not said:
        return Unsaid("For no token are conjunctions shown to begin in more of its own units than "
                      "of others before it is classified.")  # fmt: skip
    names = [one.subject for one in said]
    return Said(
        f"Before the network classifies {listed(names)}, conjunctions begin in more of the units "
        f"that come to respond to {'it' if len(names) == 1 else 'each'} than of the units that "
        "respond to other tokens.", tuple(said),
    )  # fmt: skip


def _conjoined(at: xr.Dataset, token: str) -> list[Statement]:
    mine, others, low, high, bound = (
        float(at[f"conjoined{end}"]) for end in ("", "_others", "_low", "_high", "_bound")
    )
    if not mine - others > bound:
        return []
    step = int(at["step"])
    return [Statement(
        "conjunctions come before a token is classified", token,
        f"Conjunctions come before the network classifies {token}: at step {step:,} "
        f"{percent(mine)} of the units that come to respond to {token} already combine two "
        f"parents more than untrained units do, against {percent(others)} of the units that "
        "respond to other tokens.",
        mine - others, "difference of shares", low, high, "95 %, units resampled",
        "units' tokens shuffled within layers, corrected over tokens", max(bound, 1e-3),
        Where("construction", step, token=token),
    )]  # fmt: skip


def _classified_after(measures: xr.Dataset, token: str) -> float | None:
    """Return the last snapshot before a token is classified; None where that is not dated."""
    rows = (measures["kind"].values == "token") & (measures["name"].values == token)
    after, by = (measures[end].values[rows] for end in ("after", "by"))
    found = len(after) == 1 and np.isfinite(after[0]) and np.isfinite(by[0])
    return float(after[0]) if found else None


def _of(measured: xr.Dataset | None) -> xr.Dataset:
    """Return measures that the rule needs, so that they are there."""
    return cast(xr.Dataset, measured)


def _layers(data: xr.Dataset) -> list[tuple[str, np.ndarray]]:
    """Return the hidden layers with the positions of their units."""
    of_unit = data["layer_of_unit"].values.astype(str)
    return [(str(n), np.flatnonzero(of_unit == str(n)))
            for n in data["layer"].values if str(n) != "logits"]  # fmt: skip


def _unit(data: xr.Dataset, place: int) -> tuple[str, str]:
    return str(data["unit"].values[place]), str(data["layer_of_unit"].values[place])


def _step(value: xr.DataArray | float) -> int:
    return int(float(value))


_SCORES = ("score", "score_low", "score_high", "score_threshold", "preferred")
RULES: tuple[Rule, ...] = (
    Rule(
        "scores", "how well units discriminate tokens", scores, ("units become tuned",),
        needs={"detectors": _SCORES},
    ),
    Rule(
        "unit_lives", "how units change their token, and when they become inactive", unit_lives,
        ("units change their role", "a unit changes its role", "units become inactive",
         "a tuned unit becomes inactive", "units revive", "a unit revives"),
        needs={"detectors": (*_SCORES, "dormant_by", "revived_by", "untuned_by",
                             "change_share")},
    ),
    Rule(
        "bases", "whether channels discriminate tokens better than mixtures of them", bases,
        tuple(kind for kind, *_ in _SIDES.values()),
        needs={"detectors": ("tuned_share", "layers_outside")},
    ),
    Rule(
        "carriers", "which units come to carry tokens", carriers,
        ("units come to carry tokens", "detectors carry several tokens",
         "detectors carry one token"),
        needs={"graph": ("flow", "carried_q", "carrier", "carrying_several")},
    ),
    Rule(
        "conjunctions", "whether units combine parents before a token is classified",
        conjunctions, ("conjunctions come before a token is classified",), "carriers",
        needs={"detectors": ("conjoined",), "measures": ("after", "by")},
    ),
)  # fmt: skip
