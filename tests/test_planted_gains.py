"""Units that are known to combine, to select and to inherit are told from one another by gain.

Two features, A and B, are drawn independently; the token is whether an image has both. Each image
also has nuisances: levels of its other channels, which vary more and say nothing of the token. In
the second layer some units respond to A and B together, some copy the detector of one of them, and
the others have random weights.
"""

import functools

import numpy as np
import pytest
from scipy.stats import binom

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from ontogeny.measure import building_on, construction_gain, edge_gains  # noqa: E402
from oracles_planted import record_of  # noqa: E402

pytestmark = pytest.mark.torch
TOKENS = ("other", "both")
CHANNELS, DETECTORS, EACH, UNITS = 6, 12, 8, 48
CONJUNCTIONS, COPIES, RANDOM = slice(EACH), slice(EACH, 2 * EACH), slice(2 * EACH, UNITS)
LAYER = "2"


@functools.cache
def scenes(n=240, size=6):
    """Images [exemplar, channel, y, x]: channel 0 has A, 1 has B, the others have nuisances."""
    rng = np.random.default_rng(0)
    features = np.tile([[0, 0], [0, 1], [1, 0], [1, 1], [1, 1], [1, 1]], (n // 6, 1))
    levels = np.concatenate([features, rng.standard_normal((n, CHANNELS - 2))], axis=1)
    images = levels[:, :, None, None] + 0.2 * rng.standard_normal((n, CHANNELS, size, size))
    return torch.as_tensor(images).float(), features.prod(axis=1)


def detectors(rng):
    """The first layer: a detector of A, one of B, and detectors of nuisances."""
    layer = nn.Conv2d(CHANNELS, DETECTORS, 3, padding=1)
    weight = np.zeros((DETECTORS, CHANNELS, 3, 3))
    weight[0, 0] = weight[1, 1] = 1 / 9
    weight[2:, 2:] = 0.3 * rng.standard_normal((DETECTORS - 2, CHANNELS - 2, 3, 3))
    return planted(layer, weight, 0.0)


def second(rng):
    """The second layer: conjunctions of A and B, copies of either, random weights."""
    layer = nn.Conv2d(DETECTORS, UNITS, 3, padding=1)
    weight = 0.01 * rng.standard_normal((UNITS, DETECTORS, 3, 3))
    taps = rng.dirichlet(np.full(9, 5.0), (EACH, 2)).reshape(EACH, 2, 3, 3)
    # over all taps: a single entry would meet a detector again in one of six recombinations
    weight[CONJUNCTIONS, :2] = taps
    for k in range(EACH):
        weight[EACH + k, k % 2] = taps[k, k % 2]
    weight[RANDOM] = 0.15 * rng.standard_normal((UNITS - 2 * EACH, DETECTORS, 3, 3))
    bias = np.zeros(UNITS)
    bias[CONJUNCTIONS] = -1.0  # together they pass it, alone neither does
    return planted(layer, weight, bias)


def planted(layer, weight, bias):
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weight))
        layer.bias.copy_(torch.as_tensor(np.broadcast_to(bias, layer.bias.shape).copy()))
    return layer


def network():
    rng = np.random.default_rng(1)
    torch.manual_seed(1)
    return nn.Sequential(
        detectors(rng), nn.ReLU(), second(rng), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(UNITS, len(TOKENS)),
    ).eval()  # fmt: skip


@functools.cache
def record():
    images, token = scenes()
    return record_of([network()], images, token, TOKENS, recombined=True)


@functools.cache
def found():
    """What is said of the second layer's units."""
    data = construction_gain(record()).isel(step=0)
    return data.isel(unit=data["layer_of_unit"].values == LAYER)


def auc(higher, lower):
    """Share of pairs in which a unit of the first kind has the larger value."""
    higher = higher[:, None]
    return float(np.mean((higher > lower) + 0.5 * (higher == lower)))


def test_gain_and_emergence_tell_the_three_kinds_from_one_another():
    gain, emergent = found()["gain"].values, found()["emergent"].values
    assert np.isfinite(gain).all()
    assert auc(gain[CONJUNCTIONS], gain[RANDOM]) >= 0.95
    assert auc(gain[COPIES], gain[RANDOM]) >= 0.95
    assert auc(gain[CONJUNCTIONS], gain[COPIES]) >= 0.95
    assert auc(emergent[CONJUNCTIONS], emergent[COPIES]) >= 0.95
    assert auc(emergent[CONJUNCTIONS], emergent[RANDOM]) >= 0.95


def test_conjunctions_combine_copies_select_and_random_units_inherit():
    kind = found()["kind"].values
    assert (kind[CONJUNCTIONS] == 2).all()
    assert (kind[COPIES] != 0).all()
    # the lower end of a 95 % interval lies above the truth of one in forty
    assert (kind[COPIES] == 2).sum() <= binom.ppf(0.99, EACH, 0.025)
    # at p <= .05 one of twenty is no longer said to inherit, by chance
    assert (kind[RANDOM] != 0).sum() <= binom.ppf(0.99, UNITS - 2 * EACH, 0.05)


def test_a_conjunction_is_made_by_the_nonlinearity_and_a_copy_is_not():
    more = found()["gain_rectified"].values
    assert auc(more[CONJUNCTIONS], more[COPIES]) >= 0.95


def test_parents_are_the_detectors():
    best = found()["best_parent"].values
    assert set(best[CONJUNCTIONS].tolist()) | set(best[COPIES].tolist()) <= {0, 1}
    here = record()["edge_gain"].isel(step=0)
    gain = here.values[np.char.startswith(record()["target"].values.astype(str), f"{LAYER}:")]
    gain = gain.reshape(UNITS, DETECTORS).astype(float)
    for k in range(EACH):
        assert set(np.argsort(-gain[k])[:2]) == {0, 1}
        assert gain[EACH + k].argmax() == k % 2


def test_copies_and_conjunctions_build_on_their_detectors():
    data = building_on(record()).isel(step=0).sel(depth=1)
    built = data["building"].values[record()["layer"].values == LAYER]
    assert auc(built[CONJUNCTIONS], built[RANDOM]) >= 0.95
    assert auc(built[COPIES], built[RANDOM]) >= 0.95
    assert float(data["building_mean_low"].sel(layer=LAYER)) > 0


def test_twelve_sources_are_too_few_to_match_by_amplitude():
    p = edge_gains(record())["edge_gain_p"].isel(edge_step=0).values
    layer = np.char.partition(record()["target"].values.astype(str), ":")[:, 0]
    assert np.isnan(p[layer == LAYER]).all()
    assert np.isfinite(p[layer == layer[-1]]).all()  # 48 are not
