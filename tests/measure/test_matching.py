import numpy as np
import pytest

from ontogeny.errors import InputError
from ontogeny.measure import Chance
from ontogeny.measure.units.matching import match_units
from records import described, make_record


def twins(shared, seed=0):
    """Two records; the second holds the first's units in another order, or only their tokens."""
    first = make_record(layers={"conv1": 6}, rises={"conv1": 0}, exemplars=60, seed=seed)
    second = first.copy(deep=True)
    order = np.random.default_rng(seed).permutation(6)
    values = first["activation"].values[:, :, order]
    if not shared:
        rng = np.random.default_rng(seed + 1)
        token = np.repeat(np.arange(3), 60)
        for name in range(3):
            own = np.flatnonzero(token == name)
            values[:, own] = values[:, rng.permutation(own)]
    second["activation"][:, :, :6] = values
    return first, described(second), order


def test_units_that_changed_places_are_found():
    first, second, order = twins(shared=True)
    found = match_units(first, second, "conv1")
    partners = [f"conv1:{k}" for k in np.argsort(order)]
    for suffix in ("", "_within"):
        assert found[f"partner{suffix}"].values.tolist() == partners
        assert (found[f"correlation{suffix}"] > 0.999).all()
        assert (found[f"correlation{suffix}"] > found[f"threshold{suffix}"]).all()


def test_what_comes_through_tokens_alone_is_within_the_null():
    passed, alike = [], []
    for seed in range(8):
        first, second, _ = twins(shared=False, seed=seed)
        found = match_units(first, second, "conv1")
        alike.append(float(np.abs(found["correlation"]).mean()))
        within = np.abs(found["correlation_within"])
        passed += (within > found["threshold_within"]).values.tolist()
        assert float(found["null_mean_within"].mean()) < float(found["null_mean"].mean())
    assert np.mean(alike) > 0.5
    assert np.mean(passed) < 0.12  # 48 units at .01


def test_silent_units_have_no_partner():
    first, second, _ = twins(shared=True)
    first["activation"][:, :, 2] = 0
    found = match_units(first, second, "conv1", step=42).sel(unit="conv1:2")
    assert str(found["partner"].values) == ""
    assert np.isnan(found["correlation"])


def test_layers_of_different_widths_leave_units_without_partner():
    first, second, _ = twins(shared=True)
    keep = [u for u in second["unit"].values if u != "conv1:0"]
    found = match_units(first, second.sel(unit=keep), "conv1")
    assert int(np.isnan(found["correlation"]).sum()) == 1


def test_other_data_exemplars_layers_and_steps_are_refused():
    first, second, _ = twins(shared=True)
    with pytest.raises(InputError, match="expected two records of the same data, got data 0000"):
        match_units(first, second.assign_attrs(data_hash="1" * 64), "conv1")
    with pytest.raises(InputError, match="expected two records of the same exemplars, got 180"):
        match_units(first, second.isel(exemplar=slice(90)), "conv1")
    with pytest.raises(InputError, match="expected a layer of conv1, logits, got conv9"):
        match_units(first, second, "conv9")
    with pytest.raises(InputError, match="expected a recorded step, got 5"):
        match_units(first, second, "conv1", step=5)
    chance = Chance(n_shuffles=19)
    with pytest.raises(InputError, match="expected at least 99 shuffles"):
        match_units(first, second, "conv1", chance=chance)
