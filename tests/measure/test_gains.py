"""Construction gain, building and edges' gains, against loops over the record's variables."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom

from example_run import unpack
from ontogeny.errors import InputError
from ontogeny.measure import building_on, construction_gain, edge_gains, readout_gain
from ontogeny.measure.gains.gain import GAIN
from ontogeny.record import open_record
from oracles import gains as naive
from records import make_record

# folds are left out in single precision
CLOSE = {"rtol": 1e-5, "atol": 2e-6}
LOOSE = {"rtol": 1e-3, "atol": 2e-4}
EVERY = (construction_gain, building_on, edge_gains)


def quiet(record):
    """One unit that is inactive, one that is constant, and parents that all are."""
    values = record["activation"].values
    values[:, :, 7] *= 1e-3
    values[:, :, 8] = 2.0
    return record


RECORDS = {
    "observed": lambda folder: open_record(unpack(folder)).load(),
    "made": lambda folder: make_record(),
    "inactive": lambda folder: quiet(make_record(seed=3)),
    "groups": lambda folder: make_record(group_size=2, seed=1),
    "no images": lambda folder: make_record().drop_vars("image"),
}


@pytest.fixture(scope="module", params=RECORDS)
def record(request, tmp_path_factory):
    return RECORDS[request.param](tmp_path_factory.mktemp("gains"))


@pytest.fixture(scope="module")
def found(record):
    return construction_gain(record)


def some_steps(record):
    return sorted({0, 1, record.sizes["step"] // 2, record.sizes["step"] - 1})


@pytest.fixture(scope="module")
def twins(record):
    return {(step, unit): naive.construction_twin(record, step, unit)
            for step in some_steps(record) for unit in range(record.sizes["unit"])}  # fmt: skip


def test_units_equal_the_twin(found, twins):
    names = [name for name, value in GAIN.items()
             if value.dims == ("step", "unit") and name not in {"kind", "best_parent"}]  # fmt: skip
    for (step, unit), twin in twins.items():
        twin = twin or {}
        for name in set(names) - {"gain_rectified"}:
            near = LOOSE if name.startswith("emergent_") else CLOSE
            desired = twin.get(name, np.nan)
            assert_allclose(found[name].values[step, unit], desired, **near, err_msg=name)
        assert found["kind"].values[step, unit] == twin.get("kind", -1)
        assert found["best_parent"].values[step, unit] == twin.get("best_parent", -1)


def test_what_the_nonlinearity_adds_is_known_behind_one(found, record, twins):
    for (step, unit), twin in twins.items():
        is_logit = str(record["layer"].values[unit]) == "logits"
        known = twin is not None and "gain" in twin and not is_logit
        desired = twin["gain"] - twin["gain_linear"] if known else np.nan
        assert_allclose(found["gain_rectified"].values[step, unit], desired, **CLOSE)


def test_features_equal_the_twin(found, record, twins):
    for (step, unit), twin in twins.items():
        for feature in range(record.sizes["feature"]):
            reached = float(record["reached_feature"].values[step, unit, feature])
            inherited = float(record["recombined_feature"].values[step, unit, feature])
            score = naive.feature_twin(record, step, unit, feature)
            if twin is None or "p" not in twin:
                score = reached = inherited = np.nan
            at = (step, unit, feature)
            assert_allclose(found["selectivity_feature"].values[at], score, **CLOSE)
            assert_allclose(found["gain_feature"].values[at], score - inherited, **CLOSE)
            assert_allclose(found["p_feature"].values[at], (1 + reached) / 20, **CLOSE)


def shares_twin(record, twins, step, layer):
    """[whole or fold gone][constructed, combining] shares of a layer, by counting units."""
    units = [u for u in np.flatnonzero(record["layer"].values == layer)
             if twins[step, u] is not None and "p" in twins[step, u]]  # fmt: skip
    if not np.isfinite(record["recombined"].values[step]).any():
        return None
    n = (record["layer"].values == layer).sum()  # of all units, inactive ones too
    kinds = [twins[step, u]["kind"] for u in units]
    rows = [(sum(k >= 1 for k in kinds) / n, sum(k == 2 for k in kinds) / n)]
    for gone in range(record.sizes["fold"]):
        constructed = combining = 0
        for u in units:
            twin, reached = twins[step, u], record["reached_left_out"].values[step, u, gone]
            is_constructed = (1 + reached) / 20 <= 0.05 + 1e-9
            reach = twin.get("emergent", np.nan) - twin.get("emergent_low", np.nan)
            constructed += is_constructed
            combining += is_constructed and twin.get("left_out", {gone: np.nan})[gone] - reach > 0
        rows.append((constructed / n, combining / n))
    return rows


def test_shares_of_layers_equal_the_twin(found, record, twins):
    for step in some_steps(record):
        for layer in record.attrs["layers"]:
            rows = shares_twin(record, twins, step, layer)
            here = found.isel(step=step).sel(layer=layer)
            for place, name in enumerate(("constructed_share", "combining_share")):
                if rows is None:
                    assert np.isnan(here[name])
                    continue
                value, left_out = rows[0][place], [row[place] for row in rows[1:]]
                low, high = naive.jackknife_twin(value, left_out)
                assert_allclose(here[name], value, rtol=1e-9)
                assert_allclose(here[f"{name}_low"], min(max(low, 0), 1), atol=1e-6)
                assert_allclose(here[f"{name}_high"], min(max(high, 0), 1), atol=1e-6)


def test_bounds_of_layers_equal_the_twin(found, record):
    for step in some_steps(record):
        for layer in record.attrs["layers"]:
            units = [u for u in np.flatnonzero(record["layer"].values == layer)
                     if np.isfinite(record["recombined"].values[step, u]).all()]  # fmt: skip
            rows = record["recombined"].values[step, units].astype(float).tolist()
            desired = naive.best_gain_bound_twin(rows) if rows else np.nan
            actual = found["gain_bound"].sel(layer=layer).values[step]
            assert_allclose(actual, desired, rtol=1e-6)


def onset_by_loop(flags, steps):
    """From which step on all flags are set, for three snapshots at least."""
    for k in range(len(flags) - 2):
        if all(flags[k:]):
            return (steps[k - 1] if k else -np.inf), steps[k]
    return steps[-1], np.inf


def test_onsets_equal_the_twin(found, record):
    p, steps = found["p"].values, record["step"].values
    seen = np.flatnonzero(np.isfinite(record["recombined"].values).any(axis=(1, 2)))
    for unit in range(record.sizes["unit"]):
        for name, at, values in (("construction", seen, p),
                                 ("construction_linear", range(len(steps)),
                                  found["p_linear"].values)):  # fmt: skip
            flags = [values[k, unit] <= 0.05 + 1e-9 for k in at]
            after, by = onset_by_loop(flags, [steps[k] for k in at])
            assert found[f"{name}_after"].values[unit] == after
            assert found[f"{name}_by"].values[unit] == by


def test_a_layers_onset_is_when_its_share_is_beyond_chance_and_beyond_step_0():
    found = construction_gain(make_record())
    low = found["constructed_share_low"].values
    for place in range(found.sizes["layer"]):
        by = found["layer_construction_by"].values[place]
        after = found["layer_construction_after"].values[place]
        assert by > after > 0
        from_then = np.isfinite(low[:, place]) & (found["step"].values >= by)
        assert (low[from_then, place] > 0.05).all()
    late = construction_gain(make_record(steps=tuple(range(1, 13))))  # step 0 is not known
    assert (late["layer_construction_by"] == np.inf).all()


def test_building_equals_the_twin(record):
    found = building_on(record)
    names = ("own_on_own", "recombined_on_own", "own_on_recombined", "recombined_on_recombined",
             "building")  # fmt: skip
    for step in some_steps(record):
        for unit in range(record.sizes["unit"]):
            for depth in range(2):
                twin = naive.building_twin(record, step, unit, depth, 4) or [np.nan] * 5
                for name, value in zip(names, twin, strict=True):
                    values = found[name].isel(step=step, unit=unit)
                    if "depth" in values.dims:
                        assert_allclose(values[depth], value, **CLOSE, err_msg=name)
                    elif np.isfinite(value):
                        assert_allclose(values, value, **CLOSE, err_msg=name)


def mean_of(values):
    known = [v for v in values if np.isfinite(v)]
    return sum(known) / len(known) if known else np.nan


def test_building_of_layers_equals_the_twin(record):
    found = building_on(record)
    building, seen = found["building"].values, record["building_left_out"].values
    for step in (0, record.sizes["step"] - 1):
        for layer in record.attrs["layers"]:
            units = np.flatnonzero(record["layer"].values == layer)
            for depth in range(2):
                here = found.isel(step=step, depth=depth).sel(layer=layer)
                mine = building[step, units, depth].tolist()
                assert_allclose(here["building_mean"], mean_of(mine), **CLOSE)
                known = [u for u, b in zip(units, mine, strict=True) if np.isfinite(b)]
                if not known:
                    assert np.isnan(here["building_share"])
                    assert np.isnan(here["building_mean_low"])
                    continue
                share = sum(b > 0 for b in mine) / len(known)
                assert_allclose(here["building_share"], share)
                left_out = [mean_of([seen[step, u, depth, f] for u in known])
                            for f in range(record.sizes["fold"])]  # fmt: skip
                low, high = naive.jackknife_twin(mean_of(mine), left_out)
                assert_allclose([here["building_mean_low"], here["building_mean_high"]],
                                [low, high], **LOOSE)  # fmt: skip


def test_building_rises_from_step_0():
    record = make_record()
    found, last = building_on(record), record.sizes["step"] - 1
    assert (found["building_rise_low"].isel(step=0, layer=slice(1, None)) == 0).all()
    units = np.flatnonzero(record["layer"].values == "fc1")
    mean = found["building"].values[:, units, 0].mean(axis=1)
    left_out = record["building_left_out"].values[:, units, 0].mean(axis=1)
    low, _ = naive.jackknife_twin(mean[last] - mean[0], (left_out[last] - left_out[0]).tolist())
    rise = found["building_rise_low"].sel(layer="fc1", depth=1).values[last]
    assert_allclose(rise, low, rtol=1e-4)
    assert np.isnan(building_on(make_record(steps=range(1, 13)))["building_rise_low"]).all()


def test_readouts_equal_the_twin(record):
    found = readout_gain(record)
    own, dealt = record["readout"].values.astype(float), record["readout_recombined"].values
    seen = [k for k in range(len(own)) if np.isfinite(own[k]).all()]
    for k in seen:
        best = -np.inf
        for place in np.ndindex(own.shape[1:]):
            deals = dealt[k][place].astype(float).tolist()
            score, each = naive.gain_scores_twin(own[k][place], deals)
            best = max(best, *each)
            assert_allclose(found["readout_score"].values[k][place], score, rtol=1e-6)
            gain = own[k][place] - sum(deals) / len(deals)
            assert_allclose(found["readout_gain"].values[k][place], gain, rtol=1e-6, atol=1e-9)
            reached = sum(d >= own[k][place] - 1e-6 for d in deals)
            assert_allclose(found["readout_p"].values[k][place], (1 + reached) / 20)
        assert_allclose(found["readout_score_bound"].values[k], best, rtol=1e-6)
    others = [k for k in range(len(own)) if k not in seen]
    assert np.isnan(found["readout_gain"].values[others]).all()
    by = found["feature_construction_by"].values
    assert (np.isin(by, [*record["step"].values[seen], np.inf])).all()
    score = found["readout_score"].values[seen]
    above = score > found["readout_score_bound"].values[seen][:, None, None]
    for place in np.ndindex(by.shape):
        first = len(seen)
        while first > 0 and above[(first - 1, *place)]:
            first -= 1
        enough = len(seen) - first >= 3
        assert by[place] == (record["step"].values[seen][first] if enough else np.inf)


def test_gains_of_edges_equal_the_twin():
    record = make_record(layers={"conv1": 24, "conv2": 3, "logits": 3})
    found = edge_gains(record)
    target, source = record["target"].values, record["source"].values
    units = record["unit"].values.tolist()
    assert found["edge_step"].values[[0, -1]].tolist() == record["step"].values[[0, -1]].tolist()
    for step in (0, -1):
        values = record["activation"].values[step].astype(float)
        for unit in units:
            here = np.flatnonzero(target == unit)
            gain = record["edge_gain"].values[step, here].astype(float).tolist()
            size = [np.sqrt((values[:, units.index(s)] ** 2).mean()) if s in units else 0.0
                    for s in source[here]]  # fmt: skip
            mean, p = naive.matched_twin([gain], size, 19)
            assert_allclose(found["edge_gain"].values[step, here], gain)
            assert_allclose(found["edge_gain_matched"].values[step, here], mean[0], rtol=1e-9)
            assert_allclose(found["edge_gain_p"].values[step, here], p[0], rtol=1e-9)
    known = np.isfinite(found["edge_gain_p"].values)
    assert known[0, np.char.startswith(target.astype(str), "conv2")].all()
    assert not known[:, np.char.startswith(target.astype(str), "conv1")].any()  # three colours
    assert found.sizes["edge_step"] < record.sizes["step"]  # slices were not always shuffled
    for k, unit in enumerate(units):
        p = found["edge_gain_p"].values[-1, target == unit]
        beyond, n = sum(one <= 0.05 + 1e-6 for one in p), len(p)
        count = [found[f"parents_{end}"].values[-1, k] for end in ("beyond", "chance", "bound")]
        if not unit.startswith("conv2"):
            assert n <= 19 and np.isnan(count).all()
            continue
        bound = next(b for b in range(n + 1) if binom.cdf(b, n, 1 / 20) >= 0.95)
        assert_allclose(count, [beyond, n / 20, bound])


def test_snapshots_without_recombinations_are_nan_and_said():
    record = make_record()
    found = construction_gain(record)
    seen = np.isfinite(record["recombined"].values).any(axis=(1, 2))
    assert not seen.all()
    for name in ("gain", "p", "inherited", "gain_rectified", "constructed_share", "gain_bound",
                 "p_linear_slices", "p_linear_taps", "gain_feature", "p_feature"):  # fmt: skip
        values = found[name].values
        assert np.isnan(values[~seen]).all(), name
        assert np.isfinite(values[seen]).any(), name
        assert "missing" in found[name].attrs
    assert np.isfinite(found["p_linear"].values[~seen]).any()
    assert (found["kind"].values[~seen] == -1).all()


def test_everything_has_a_definition(record):
    for measure in EVERY:
        for name, values in measure(record).data_vars.items():
            assert {"units", "long_name"} <= set(values.attrs), name


def test_inactive_and_constant_units_are_nan():
    found = construction_gain(quiet(make_record()))
    for name in ("selectivity", "gain", "p", "emergent", "p_linear"):
        assert np.isnan(found[name].values[:, 7:9]).all()
        assert np.isfinite(found[name].values[0, 9:]).all()
    assert (found["kind"].values[:, 7:9] == -1).all()
    assert np.isnan(building_on(quiet(make_record()))["building"].values[:, 7:9]).all()


def test_planted_kinds_are_found():
    """Constructed where no recombination reaches; combining where it passes the best parent."""
    record = make_record(
        layers={"conv1": 6, "fc1": 8}, rises={"fc1": 0, "logits": 0}, strength=4, size=2,
    )  # fmt: skip
    found = construction_gain(record).isel(step=-1)
    kind = found["kind"].values
    assert (kind[6:14] == 2).mean() >= 0.8  # fc1 is selective and conv1 is not
    assert (kind[:6] != 2).mean() >= 0.8
    assert (found["emergent"].values[6:14] > 0.2).mean() >= 0.8
    parents = construction_gain(make_record(rises={"conv1": 0, "conv2": 0, "fc1": 0})).isel(step=-1)
    assert (parents["emergent"].values[14:] < 0.3).all()  # nor are they beyond selective parents


@pytest.mark.parametrize("options", [{"exemplars": 2}, {"group_size": 20}, {"exemplars": 4}])
def test_few_exemplars_and_single_groups_give_what_they_can(options):
    record = make_record(**options)
    found = construction_gain(record)
    assert np.isfinite(found["gain"].values[0]).all()
    assert (found.sizes["feature"] == 0) == (options.get("exemplars") == 2)
    if record.sizes["fold"] == 1:
        for name in ("constructed_share_low", "combining_share_high", "emergent_low"):
            assert np.isnan(found[name].values).all()
        assert np.isnan(building_on(record)["building_mean_low"].values).all()
        assert (found["kind"].values < 2).all()  # nothing is known to be beyond its parent
    if not (record["exemplar_fold"].values < 0).any():
        assert (found["best_parent"].values == -1).all()  # none chooses


def test_two_snapshots_have_no_onset():
    found = construction_gain(make_record(steps=(0, 5)))
    for name in ("construction_by", "construction_after", "layer_construction_by",
                 "construction_linear_by"):  # fmt: skip
        assert np.isnan(found[name].values).all()


def test_grouped_convolutions_are_read():
    record = make_record()
    odd = record.isel(edge=~(
        np.char.startswith(record["target"].values, "conv2")
        & (np.char.rpartition(record["source"].values, ":")[:, 2].astype(int) % 2 == 1)
    ))  # fmt: skip
    found = construction_gain(odd)
    conv2 = slice(6, 14)
    assert set(np.unique(found["best_parent"].values[:, conv2])) <= {-1, 0, 2, 4}
    assert np.isnan(edge_gains(odd)["edge_gain_p"].values).all()


NO_TOKENS = ("exemplar_token", "exemplar_fold")


@pytest.mark.parametrize("measure", EVERY)
def test_records_without_recombinations_are_refused_with_the_reason(measure):
    record = make_record().drop_vars("recombined")
    with pytest.raises(InputError, match="without extras or by an earlier version; observe the"):
        measure(record)
    with pytest.raises(InputError, match=r"whose exemplars have no tokens: .* give tokens"):
        measure(record.drop_vars(NO_TOKENS))
    record.attrs["without_couplings"] = "layers are no chain"
    with pytest.raises(InputError, match="of which layers are no chain"):
        measure(record)


def test_measures_leave_the_record_as_it_was():
    record = make_record()
    before = record.copy(deep=True)
    for measure in EVERY:
        measure(record)
    assert_array_equal(record["recombined"].values, before["recombined"].values)
    assert record.identical(before)
