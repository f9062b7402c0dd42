"""The 95 % intervals of the step at which tokens become things hold the planted step."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binom

from ontogeny.measure import Chance
from ontogeny.measure.categories.collapse import COLLAPSE, collapse_of
from ontogeny.measure.categories.layers import over_layers

pytestmark = pytest.mark.slow
RUNS, STEPS, TOKENS, EXEMPLARS, UNITS = 80, np.arange(0, 160, 10), 3, 30, 6


def planted(seed):
    """A layer whose closest two tokens lie one spread apart, in truth, between steps 70 and 80.

    The separation of each pair grows by the same factor from step to step. An exemplar's own
    deviation stays for the most part, as that of a network that hardly moves between snapshots.
    """
    rng = np.random.default_rng(seed)
    token = np.repeat(np.arange(TOKENS), EXEMPLARS)
    truth = np.exp(0.12 * (STEPS - 75) / 10)
    pattern = np.zeros((TOKENS, UNITS))
    pattern[:, 0] = np.arange(TOKENS) * np.sqrt(UNITS)  # neighbours lie one spread apart
    kept = rng.standard_normal((len(token), UNITS))
    fresh = rng.standard_normal((len(STEPS), len(token), UNITS))
    noise = np.sqrt(0.95) * kept + np.sqrt(0.05) * fresh
    values = truth[:, None, None] * pattern[token] + noise
    names = np.array(["a", "b", "c"])
    return xr.Dataset(
        {"activation": (("step", "exemplar", "unit"), values.astype(np.float32)),
         "logit": (("step", "exemplar", "token"), values[:, :, :TOKENS].astype(np.float32))},
        {"step": STEPS, "exemplar": np.arange(len(token)), "token": names,
         "exemplar_token": ("exemplar", names[token]),
         "exemplar_split": ("exemplar", np.full(len(token), "probe")),
         "group": ("exemplar", np.arange(len(token))),
         "unit": [f"fc1:{k}" for k in range(UNITS)], "layer": ("unit", ["fc1"] * UNITS)},
    )  # fmt: skip


def test_intervals_hold_the_planted_step_in_nine_of_ten_runs():
    chance, held, pairs, wide = Chance(n_shuffles=19, n_resamples=200), 0, 0, []
    for seed in range(RUNS):
        record = planted(seed)
        found = over_layers(record, [(collapse_of, COLLAPSE)], chance=chance).sel(layer="fc1")
        low, high = (float(found[f"things_confidence_{end}"]) for end in ("after", "by"))
        held += low <= 70 and high >= 80
        wide.append(high - low)
        near = found.sel(token="a", token_b="b")
        pairs += (float(near["apart_confidence_after"]) <= 70
                  and float(near["apart_confidence_by"]) >= 80)  # fmt: skip
    # below this, coverage is under 90 %: 1 % quantile of the binomial
    least = binom.ppf(0.01, RUNS, 0.9)
    assert held >= least, (held, RUNS)
    assert pairs >= least, (pairs, RUNS)
    assert np.median(wide) < 100  # and they say something
