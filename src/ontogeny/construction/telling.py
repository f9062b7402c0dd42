"""A detector's life in sentences: each with its number and with what chance gives.

A sentence is left out where what it would say is not supported; what could not be looked at is said
last, and why. May import numpy, xarray, ontogeny.measure and ontogeny.statements.
"""

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr

from ontogeny.measure.gains.kinds import KINDS, LEVEL, UNKNOWN, is_beyond
from ontogeny.statements.onsets import Onset
from ontogeny.statements.words import count, listed, percent

_ENDS = ("after", "by", "confidence_after", "confidence_by")


SURE = 0.95
"""A change of role that a smaller share of resamples shows is not told of."""
LEAST_GAIN = 0.001
"""A smaller gain of an edge is not told of."""


def tell(data: xr.Dataset, missing: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the sentences that a life supports.

    Parameters
    ----------
    data
        `life` of a unit, with `token_life` and `roll_back` as far as there are any.
    missing
        What could not be looked at: sentences, told last.
    """
    made = [rule(data) for rule in _RULES]
    return (*(sentence for sentence in made if sentence), *missing)


def what_it_is(data: xr.Dataset) -> str:
    """Say where the unit lies, and how selective it is at the end."""
    unit, layers = data.attrs["unit"], data.attrs["layers"]
    place = layers.index(data.attrs["layer"]) + 1
    step, own = int(data["step"][-1]), float(data["selectivity"][-1])
    where = f"{unit} is a unit of layer {place} of {len(layers)}"
    if data.attrs.get("token"):
        where = f"{unit} is the logit of {data.attrs['token']}, in layer {place} of {len(layers)}"
    if math.isnan(own):
        return f"{where}; at step {step:,} it is inactive: it discriminates nothing."
    first = float(data["selectivity"][0])
    before = "" if math.isnan(first) else f", {first:.2f} at step {int(data['step'][0]):,}"
    share = f"{where}; at step {step:,} tokens make up {own:.2f} of the variance of its response"
    return f"{share}{before}{_preferred(data)}."


def _preferred(data: xr.Dataset) -> str:
    """Say to which token it responds most, where it is tuned to the end."""
    if "preferred" not in data or not math.isinf(float(data["untuned_by"])):
        return ""
    return f"; it responds most to {data['preferred'].values[-1]}"


def accuracy(data: xr.Dataset) -> str:
    """Say when the token is classified better than by chance."""
    onset = data.attrs.get("accuracy_onset")
    if onset is None:
        return ""
    found, token = Onset("", *onset), data.attrs["token"]
    if found.is_missing:
        return f"{token} is not classified better than by chance by the end."
    return f"{token} is classified better than by chance {found.words()}."


def feature(data: xr.Dataset) -> str:
    """Say which feature it tells best, and whether recombinations tell it as well."""
    if "selectivity_feature" not in data:
        return ""
    score = data["selectivity_feature"].values
    if not np.isfinite(score).any():
        return ""
    best = int(np.nanargmax(score))
    name, also = str(data["feature"].values[best]), str(data["feature_also"].values[best])
    p, dealt = float(data["p_feature"][best]), float(data["inherited_feature"][best])
    alike = f" (which goes with {_few(also)})" if also else ""
    chance = f"that of its recombinations {dealt:.2f} on average ({_reached(p, data)})"
    head = f"Of {len(score)} features it discriminates {name}{alike} best"
    return f"{head}: {score[best]:.2f} of the variance of its response, {chance}."


def _few(names: str, most: int = 3) -> str:
    """Return the first of names that are joined by commas."""
    each = names.split(", ")
    return listed([*each[:most], *([f"{len(each) - most} more"] if len(each) > most else [])])


def _reached(p: float, data: xr.Dataset) -> str:
    """Say how many recombinations reach the unit, of how many."""
    deals = int(data.attrs["deals"])
    reached = round(p * (deals + 1)) - 1
    who = "none" if not reached else count(reached) if reached < 11 else f"{reached}"
    return f"{who} of {deals} {'reach' if reached > 1 else 'reaches'} it, p = {p:.2f}"


def tuned(data: xr.Dataset) -> str:
    """Say when it became tuned, and whether it stayed so, or fell silent."""
    if "tuned_after" not in data:
        return ""
    begun = _onset(data, "tuned")
    if begun.is_missing:
        return "It is never tuned to a token beyond shuffled tokens." + _inactive(data)
    text = f"It is tuned to a token, beyond shuffled tokens, {begun.words()}"
    ended = _onset(data, "untuned")
    if math.isfinite(ended.by) and not begun.from_start:
        text += f", and no longer so {ended.words()}"
    return f"{text}.{_inactive(data)}"


def _inactive(data: xr.Dataset) -> str:
    asleep, awake = _onset(data, "dormant"), _onset(data, "revived")
    if not asleep.is_missing:
        return f" It falls inactive {asleep.words()}, to the end."
    return (
        f" It responds again, after having been inactive, {awake.words()}."
        if awake.is_found
        else ""
    )


def _onset(data: xr.Dataset, event: str) -> Onset:
    return Onset(event, *(float(data[f"{event}_{end}"]) for end in _ENDS))


def constructed(data: xr.Dataset) -> str:
    """Say from when on no recombination reaches it, to the end."""
    if "construction_by" not in data or math.isnan(float(data["construction_by"])):
        return ""
    after, by, deals = (float(data["construction_after"]), float(data["construction_by"]),
                        data.attrs["deals"])  # fmt: skip
    chance = f"{deals} recombinations, one unit in {round(1 / LEVEL)} by chance"
    if math.isinf(by):
        if math.isnan(float(data["selectivity"][-1])):
            return ""
        return (
            "At the end its wiring is not beyond its recombinations for three snapshots on end "
            f"({chance}): it is not counted as constructed."
        )
    since = "from the first snapshot on" if math.isinf(after) else _between(after, by)
    return f"It is constructed {since}: to the end no recombination reaches it ({chance})."


def _between(after: float, by: float) -> str:
    return f"between steps {after:,.0f} and {by:,.0f}"


def kinds(data: xr.Dataset) -> str:
    """Say, stretch by stretch over the observed steps, whether it inherits, selects, combines."""
    if "kind" not in data:
        return ""
    known = np.flatnonzero(data["kind"].values != UNKNOWN)
    if not len(known):
        return ""
    kind, step = data["kind"].values[known], data["step"].values[known]
    cuts = np.flatnonzero(np.diff(kind)) + 1
    parts = [_stretch(int(kind[run[0]]), step[run]) for run in np.split(np.arange(len(kind)), cuts)]
    rest = "" if len(parts) <= 6 else f", then changes {len(parts) - 6} times more"
    what = f"At the {len(kind)} steps at which recombinations were observed it "
    return f"{what}{', then '.join(parts[:6])}{rest} (selecting or combining by chance: 1 in 20)."


def _stretch(kind: int, steps: np.ndarray) -> str:
    when = f"at {steps[0]:,}" if len(steps) == 1 else f"from {steps[0]:,} to {steps[-1]:,}"
    return f"{KINDS[kind]} {when}"


def added(data: xr.Dataset) -> str:
    """Say what it was given and what it added, before and behind the nonlinearity."""
    place = _last_known(data)
    if place is None:
        return ""
    at = data.isel(step=place)
    dealt, gain = float(at["inherited"]), float(at["gain"])
    verb = "adds" if gain >= 0 else "lacks"
    text = (
        f"At step {int(at['step']):,} its recombinations have a selectivity of {dealt:.2f} on "
        f"average; to that it {verb} {abs(gain):.2f} ({_reached(float(at['p']), data)})"
    )
    linear, rest = float(at["gain_linear"]), float(at["gain_rectified"])
    if not is_beyond(at["p"].values) or math.isnan(rest):
        return f"{text}."
    return f"{text}: {linear:+.2f} by the weights and {rest:+.2f} by the nonlinearity behind them."


def _last_known(data: xr.Dataset) -> int | None:
    """Return the place of the last step at which its kind is known."""
    if "kind" not in data:
        return None
    known = np.flatnonzero(data["kind"].values != UNKNOWN)
    return int(known[-1]) if len(known) else None


def best_parent(data: xr.Dataset) -> str:
    """Say how it stands beside its best parent."""
    place = _last_known(data)
    if place is None or math.isnan(float(data["emergent"][place])):
        return ""
    at = data.isel(step=place)
    more, low, high = (float(at[f"emergent{end}"]) for end in ("", "_low", "_high"))
    who, theirs = str(at["best_parent"].values), float(at["best_parent_selectivity"])
    what = "more" if more >= 0 else "less"
    beyond = "which is no sure difference"
    if low > 0 or high < 0:
        beyond = "so it does more than any parent" if low > 0 else "so that parent does more"
    interval = f"95 %: {low:+.2f} to {high:+.2f}"
    return (
        f"Its best parent, {who}, has a selectivity of {theirs:.2f}; it has {abs(more):.2f} {what} "
        f"({interval}), {beyond}."
    )


def parents(data: xr.Dataset) -> str:
    """Say which parents add most to it, and how many do so beyond parents of like amplitude."""
    return _relatives(data, "parent", "its {} parents add more to it than parents of "
                      "like amplitude do")  # fmt: skip


def children(data: xr.Dataset) -> str:
    """Say what was built on it."""
    return _relatives(data, "child", "the {} units that read it gain more from it than "
                      "from units of like amplitude")  # fmt: skip


def _relatives(data: xr.Dataset, side: str, words: str) -> str:
    if side not in data or not data.sizes[side]:
        return ""
    at = data.isel(edge_step=-1)
    compared, beyond = int(at[f"{side}_compared"]), int(at[f"{side}_beyond"])
    if not compared or math.isnan(float(data["selectivity"][-1])):
        return ""
    expected = LEVEL * compared
    head = f"{_number(beyond)} of {words.format(compared)} ({_expected(expected)} by chance)"
    best = ", most of all" if beyond > expected else ", no more than chance gives; the largest are"
    gain, p = (at[f"{side}_edge_gain{end}"].values for end in ("", "_p"))
    sure = np.flatnonzero(is_beyond(p) & (gain >= LEAST_GAIN))
    if not len(sure):
        return f"{head}{'' if beyond > expected else ', no more than chance gives'}."
    return f"{head}{best} {listed([_relative(at, side, int(k)) for k in sure])}."


def _expected(number: float) -> str:
    return f"{number:.0f}" if number >= 1 else "fewer than one"


def _number(n: int) -> str:
    """Write a number that begins a sentence."""
    return count(n).capitalize() if n else "None"


def _relative(at: xr.Dataset, side: str, k: int) -> str:
    """Name a relative, what it tells and what it is, and what the edge is worth."""
    gain, kind = float(at[f"{side}_edge_gain"][k]), int(at[f"{side}_kind"][k])
    about = [f"{gain:+.3f}"]
    if feature := str(at[f"{side}_feature"].values[k]):
        about.append(feature)
    if kind != UNKNOWN:
        about.append(KINDS[kind])
    return f"{at[side].values[k]} ({', '.join(about)})"


def roles(data: xr.Dataset) -> str:
    """Say when its preferred token changed."""
    if not data.sizes.get("role_change"):
        return ""
    # a change that fewer resamples show may be two tokens that it responds to alike
    data = data.isel(role_change=np.flatnonzero(data["change_share"].values >= SURE))
    each = [
        f"from {a} to {b} {_between(float(after), float(by))} (in {percent(float(share))} of "
        "resamples)"
        for a, b, after, by, share in zip(
            data["token_before"].values, data["token_after"].values, data["changed_after"].values,
            data["changed_by"].values, data["change_share"].values, strict=True)
    ]  # fmt: skip
    return f"Its preferred token changed {listed(each)}." if each else ""


def rolled_back(data: xr.Dataset) -> str:
    """Say what the network loses when it alone is rolled back, beside units of like amplitude."""
    if "margin_change" not in data:
        return ""
    at = data.isel(rolled_step=0)
    change, low, high = (float(at[f"margin_change{end}"]) for end in ("", "_low", "_high"))
    head = (
        f"Rolled back alone to step {int(at['rolled_step']):,} in the network of step "
        f"{int(data.attrs['last']):,}, it changes the mean logit margin of "
        f"{float(data['margin']):.1f} by {change:+.3f} (95 %: {low:+.3f} to {high:+.3f}) and "
        f"accuracy by {100 * float(at['accuracy_change']):+.1f} points"
    )
    return f"{head}{_beside_controls(at)}."


def _beside_controls(at: xr.Dataset) -> str:
    controls = at["control_margin_change"].values
    if not len(controls):
        return ""
    n, reached = len(controls), int((controls <= float(at["margin_change"]) + 1e-12).sum())
    cost = f"{count(reached)} of them cost as much" if reached else "none of them costs as much"
    return (
        f"; {count(n)} units of the layer with like amplitude change it by {controls.min():+.3f} "
        f"to {controls.max():+.3f} (p = {float(at['margin_p']):.2f}: {cost})"
    )


def harmless(data: xr.Dataset) -> str:
    """Say from which step on rolling it back costs nothing."""
    if "harmless_by" not in data or math.isnan(float(data["harmless_by"])):
        return ""
    after, by = float(data["harmless_after"]), float(data["harmless_by"])
    if math.isinf(after):
        return "Whatever step it is rolled back to, it costs no margin within the interval."
    worst = data.isel(rolled_step=int(data["margin_change"].values.argmin()))
    most = f"most at step {int(worst['rolled_step']):,} ({float(worst['margin_change']):+.3f})"
    if by >= data.attrs["last"]:
        return f"It costs margin up to step {after:,.0f}, the last one before the end; {most}."
    return (
        f"Rolled back to step {by:,.0f} or later it costs no margin within the interval, to step "
        f"{after:,.0f} it still does; {most}."
    )


def by_layer(data: xr.Dataset) -> str:
    """Say in which layers the token's feature is constructed."""
    if "feature_construction_by" not in data:
        return ""
    by, after = (data[f"feature_construction_{end}"].values for end in ("by", "after"))
    layers = data["layer"].values.astype(str)
    found = [
        f"{layer} ({'from the first snapshot on' if math.isinf(a) else _between(a, b)})"
        for layer, a, b in zip(layers, after, by, strict=True) if math.isfinite(b)
    ]  # fmt: skip
    token, null = data.attrs["token"], "than through the same layer recombined, to the end"
    corrected = "corrected over layers and features"
    if not found:
        return f"In no layer is {token} read out better {null} ({corrected})."
    return f"{token} is read out better {null}, in {listed(found)} ({corrected})."


def detectors(data: xr.Dataset) -> str:
    """Name the hidden units that add most to telling the token."""
    if not data.sizes.get("detector"):
        return ""
    named = [
        f"{name} ({own:.2f}, recombinations {dealt:.2f})"
        for name, own, dealt in zip(
            data["detector"].values, data["detector_selectivity_feature"].values,
            data["detector_inherited_feature"].values, strict=True)
    ]  # fmt: skip
    head = f"The hidden units that add most to discriminating {data.attrs['token']} are"
    return f"{head} {listed(named)}."


_RULES = (what_it_is, accuracy, by_layer, detectors, feature, tuned, constructed, kinds, added,
          best_parent, parents, children, roles, rolled_back, harmless)  # fmt: skip
