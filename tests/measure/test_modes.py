import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.measure import Chance
from ontogeny.measure.categories.layers import draws_of, layers_of
from ontogeny.measure.categories.modes import modes, modes_of
from ontogeny.stats.differentiation import deep_linear_mode
from oracles.structure import naive_mode_strength
from records import make_record

FEW = Chance(n_shuffles=19, n_resamples=10)
STEPS = tuple(range(0, 2400, 80))
DISTINCTIONS = np.array([[2, -1, -1], [0, 1, -1]]) / np.sqrt([[6], [2]])


def linear_record(strengths, *, rate=0.002, start=0.01, noise=0.02, exemplars=20):
    """Logits of a two-layer linear network, trained on whitened inputs by gradient descent.

    Inputs are one per token, so that the map is W = W2 W1 and the target has two modes.
    """
    record = make_record(steps=STEPS, rises={}, exemplars=exemplars)
    wanted = DISTINCTIONS.T @ np.diag(strengths) @ DISTINCTIONS
    first = second = np.sqrt(start) * np.eye(3)
    rng = np.random.default_rng(0)
    token = np.repeat(np.arange(3), exemplars)
    jitter = noise * rng.standard_normal((len(token), 3))
    maps = []
    for step in range(STEPS[-1] + 1):
        if step in STEPS:
            maps.append(second @ first)
        error = wanted - second @ first
        first, second = first + rate * second.T @ error, second + rate * error @ first.T
    place = np.flatnonzero(record["layer"].values == "logits")
    values = np.stack([m[token] for m in maps]) + jitter
    record["activation"][:, :, place] = values.astype(np.float32)
    record["logit"].values = values.astype(np.float32)
    return record


def test_a_linear_networks_modes_follow_the_closed_form():
    found = modes(linear_record((2.0, 1.0)), chance=FEW).sel(layer="logits")
    # of three equally frequent tokens the covariance with indicators is a third of the map
    for mode, strength in enumerate((2.0, 1.0)):
        curve = deep_linear_mode(np.array(STEPS), strength=strength, initial=0.01, tau=500.0)
        assert_allclose(3 * found["mode_strength"].sel(mode=mode), curve, atol=0.02)
        assert abs(np.abs(found["mode_token"].values[mode] @ DISTINCTIONS[mode]) - 1) < 1e-3
    assert (found["mode_r2"] > 0.999).all()
    assert_allclose(3 * found["mode_final"], [2.0, 1.0], rtol=0.02)
    assert_allclose(3 * found["mode_tau"], 500.0, rtol=0.05)


def test_of_a_linear_network_the_order_is_that_of_the_baseline():
    found = modes(linear_record((2.0, 1.0)), chance=FEW).sel(layer="logits")
    at = found["mode_linear"].values
    assert (found["mode_after"].values - 20 < at).all()
    assert (at < found["mode_by"].values + 20).all()
    assert at[1] > 1.7 * at[0]


def test_strength_equals_the_naive_twin():
    record = make_record(strength=3.0, exemplars=12)
    layer = next(each for each in layers_of(record, draws_of(record, FEW)) if each.name == "fc1")
    found, draws = modes_of(layer), layer.draws
    for step in (0, 5, 11):
        twin = naive_mode_strength(layer.patterns[step].astype(float), draws.probe.token,
                                   draws.fold, found["mode_token"])  # fmt: skip
        assert_allclose(found["mode_strength"][step], twin, rtol=1e-6)  # float32 patterns


def test_strength_turns_and_shifts_with_the_layer():
    record, moved = make_record(strength=3.0), make_record(strength=3.0)
    place = np.flatnonzero(record["layer"].values == "fc1")
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((len(place),) * 2))[0]
    values = record["activation"].values[:, :, place] @ turn * 5 + 7
    moved["activation"][:, :, place] = values.astype(np.float32)
    one, other = (modes(r, chance=FEW).sel(layer="fc1")["mode_strength"] for r in (record, moved))
    assert_allclose(other, 5 * one, atol=1e-3 * float(other.max()))


def test_without_token_structure_strengths_stay_far_below_planted_ones():
    null = modes(make_record(rises={}, exemplars=60), chance=FEW).sel(layer="fc1")
    planted = modes(make_record(exemplars=60), chance=FEW).sel(layer="fc1")
    assert null["mode_strength"].max() < 0.2 * planted["mode_strength"].isel(step=-1).max()


@pytest.mark.parametrize("fault", ["nan", "token", "groups"])
def test_what_cannot_be_followed_is_nan_with_a_reason(fault):
    record = make_record(exemplars=5, group_size=5 if fault == "groups" else 1)
    if fault == "nan":
        record["activation"][-1, 3, :] = np.nan
    if fault == "token":
        record = record.isel(exemplar=slice(0, 10))
    found = modes(record, chance=FEW)
    assert np.isnan(found["mode_strength"]).all()
    assert "absent token" in found["mode_strength"].attrs["missing"]
