"""Which unit of one run corresponds to which of another, how well, and beyond their tokens.

May import numpy, xarray, ontogeny.stats, ontogeny.errors and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.probe import Probe, chosen_step, held_out, layer_names, require
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.measure.units.complexity import token_orders, within_tokens
from ontogeny.stats.matching import best_pairs, shuffled_matches, standard_scores
from ontogeny.stats.permutation import upper_quantile

CHANCE = Chance(n_shuffles=99)
LEVEL = 0.99
_ALL = "correlation of the two units' responses over the held-out exemplars"
_WITHIN = "the same of responses within tokens: what they share beyond answering tokens alike"
_ALONE = "a unit that does not vary, or without a partner"


def _quantities(suffix: str, words: str, n_shuffles: int) -> dict[str, Quantity]:
    drawn = f"with exemplars of the second run shuffled within tokens {n_shuffles} times"
    return {
        f"partner{suffix}": Quantity(("unit",), "", f"unit of the other run, by {words}"),
        f"correlation{suffix}": Quantity(
            ("unit",), "1", words, _ALONE, f"threshold{suffix}: exemplars shuffled within tokens"),
        f"threshold{suffix}": Quantity(
            ("unit",), "1", f"|correlation| that the unit passes with 1 %, {drawn}"),
        f"null_mean{suffix}": Quantity(
            ("unit",), "1", f"mean |correlation| of the unit, {drawn}"),
    }  # fmt: skip


def match_units(
    record_a: xr.Dataset,
    record_b: xr.Dataset,
    layer: str,
    *,
    step: int | None = None,
    chance: Chance | None = None,
) -> xr.Dataset:
    """Pair the units of a layer of two runs so that |correlation| is largest in sum.

    Pairs are sought twice: on responses, where units that answer the same token correlate, and
    within tokens, where only what they see beyond the token counts. The null shuffles the second
    run's exemplars within tokens.

    Parameters
    ----------
    record_a, record_b
        Records of the same data.
    layer
        A layer of both.
    step
        A recorded step of both; None is the last of each.
    chance
        How many shuffles (99 at least), and their seed.

    Returns
    -------
    xr.Dataset
        Over `unit` of the first run: `partner` and `correlation`, `partner_within` and
        `correlation_within`; `threshold` and `threshold_within`, which a unit's |correlation|
        passes with 1 % if exemplars of a token are exchangeable; `null_mean` and
        `null_mean_within`, its mean over shuffles.

    Raises
    ------
    InputError
        If the records are of different data or exemplars, or lack the layer or step, or
        the shuffles are too few.

    Examples
    --------
    A run beside itself: each unit finds itself, and correlates more than chance would have it.

    >>> found = ont.measure.match_units(record, record, "logits")
    >>> found[["partner", "correlation", "threshold"]].to_dataframe().round(2)
               partner  correlation  threshold
    unit
    logits:0  logits:0          1.0       0.80
    logits:1  logits:1          1.0       0.77
    logits:2  logits:2          1.0       0.87
    """
    chance = chance or CHANCE
    if chance.n_shuffles < CHANCE.n_shuffles:
        msg = (
            f"expected at least {CHANCE.n_shuffles} shuffles, got {chance.n_shuffles}: fewer "
            "cannot tell what passes with 1 %"
        )
        raise InputError(msg)
    _comparable(record_a, record_b)
    probe = held_out(record_a)
    sides = [_responses(r, layer, step, probe) for r in (record_a, record_b)]
    rng = np.random.default_rng(chance.seed)
    orders = token_orders(probe.token, probe.group, chance.n_shuffles, rng)[1:]
    names, partners = (r["unit"].values[r["layer"].values == layer] for r in (record_a, record_b))
    values, table = {}, {}
    for suffix, words in (("", _ALL), ("_within", _WITHIN)):
        seen = [within_tokens(s, probe.token) for s in sides] if suffix else sides
        scores = [standard_scores(side) for side in seen]
        first, second, correlation = best_pairs(scores[0], scores[1])
        null = shuffled_matches(scores[0], scores[1], orders)
        partner = np.full(len(names), "", dtype=partners.dtype)
        value = np.full(len(names), np.nan)
        partner[first], value[first] = partners[second], correlation
        silent = (np.abs(scores[0]).max(axis=0) == 0) | (value == 0)
        partner[silent], value[silent] = "", np.nan
        values |= {
            f"partner{suffix}": partner, f"correlation{suffix}": value,
            f"threshold{suffix}": upper_quantile(null, LEVEL),
            f"null_mean{suffix}": null.mean(axis=0),
        }  # fmt: skip
        table |= _quantities(suffix, words, len(null))
    return label(values, table, {"unit": names}, attributes={"layer": layer}, always_missing=True)


def _comparable(record_a: xr.Dataset, record_b: xr.Dataset) -> None:
    hashes = [str(r.attrs.get("data_hash", "none")) for r in (record_a, record_b)]
    exemplars = [r["exemplar"].values for r in (record_a, record_b)]
    if hashes[0] != hashes[1]:
        msg = (f"expected two records of the same data, got data {hashes[0][:12]} and "
               f"{hashes[1][:12]}: train both runs on one task")  # fmt: skip
        raise InputError(msg)
    if not np.array_equal(exemplars[0], exemplars[1]):
        msg = (f"expected two records of the same exemplars, got {len(exemplars[0])} and "
               f"{len(exemplars[1])} or others: observe both with one probe")  # fmt: skip
        raise InputError(msg)


def _responses(record: xr.Dataset, layer: str, step: int | None, probe: Probe) -> np.ndarray:
    require(record, "activation", "layer")
    if layer not in layer_names(record):
        msg = f"expected a layer of {', '.join(layer_names(record))}, got {layer}"
        raise InputError(msg)
    at = record["activation"].sel(step=chosen_step(record, step))
    return at.values[probe.position][:, record["layer"].values == layer]
