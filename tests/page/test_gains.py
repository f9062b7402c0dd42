"""Gains in the bundle: of the steps at which they were observed, of the edges that matter."""

import numpy as np
import pytest
import xarray as xr

from ontogeny import statements
from ontogeny.measure.couplings.wiring import wiring_of
from ontogeny.page import bundle as packing_module
from ontogeny.page import edges
from ontogeny.page.bundle import best_features, bundle_run
from ontogeny.page.sources import Sources
from ontogeny.page.table import BEST_FEATURES, EDGE_GAINS, GAIN_ENDS, GAINS
from page.test_bundle import values
from records import make_record, make_run

OBSERVED, AT_EDGES = (0, 3, 6), (0, 6)
"""Places of the steps at which gains of units, and of edges, are known."""


@pytest.fixture(scope="module")
def gains():
    """Gains as the set keeps them, drawn at random."""
    record, draw = make_record(), np.random.default_rng(3)
    names = list(dict.fromkeys(record["layer"].values.astype(str).tolist()))
    sizes = {
        "step": record.sizes["step"], "unit": record.sizes["unit"], "layer": len(names),
        "feature": 5, "edge_step": len(AT_EDGES), "edge": record.sizes["edge"],
    }  # fmt: skip
    found = {}
    for entry in GAINS:
        own = tuple({"gain_step": "step"}.get(dim, dim) for dim in entry.dims)
        found[entry.variable] = (own, draw.random([sizes[dim] for dim in own]))
    for name in ("gain_feature", "p_feature"):
        own = ("step", "unit", "feature")
        drawn = draw.normal(size=[sizes[dim] for dim in own])
        found[name] = (own, np.where(drawn > 0, 0.05, 0.4) if name == "p_feature" else drawn)
    drawn = draw.normal(size=(len(AT_EDGES), sizes["edge"]))
    found["edge_gain"] = (("edge_step", "edge"), drawn)
    found["edge_gain_matched"] = (("edge_step", "edge"), drawn * 0.3)
    share = draw.integers(1, 21, drawn.shape) / 20
    found["edge_gain_p"] = (("edge_step", "edge"), share)
    steps = record["step"].values
    coords = {
        "step": steps, "unit": record["unit"].values.astype(str), "layer": names,
        "feature": [f"feature {k}" for k in range(5)],
        "feature_also": ("feature", ["", "another", "", "", ""]),
        "edge_step": steps[list(AT_EDGES)], "edge": np.arange(sizes["edge"]),
    }  # fmt: skip
    made = xr.Dataset(found, coords, {"deals": 19})
    unseen = ~np.isin(np.arange(sizes["step"]), OBSERVED)
    for name in ("constructed_share", "gain", "p_feature", "gain_feature"):
        made[name].values[unseen] = np.nan
    return made


@pytest.fixture(scope="module")
def packed(gains, tmp_path_factory):
    run = make_run(tmp_path_factory.mktemp("gains") / "run", make_record())
    sources = Sources(run)
    sources._found["gains"] = gains
    packing = packing_module._Packing(sources)
    packing.gains(make_record())
    return packing.bundle()


def test_only_steps_with_gains_are_packed(packed, gains):
    steps = make_record()["step"].values
    assert packed.manifest["coordinates"]["gain_step"] == steps[list(OBSERVED)].tolist()
    assert packed.manifest["coordinates"]["edge_step"] == steps[list(AT_EDGES)].tolist()
    assert "gain_edge" not in packed.manifest["coordinates"]
    every = (*GAINS, *BEST_FEATURES, *GAIN_ENDS, *EDGE_GAINS)
    assert {entry.name for entry in every} == set(packed.manifest["arrays"])
    error = packed.manifest["arrays"]["gain"]["error"] + 1e-6
    np.testing.assert_allclose(
        values(packed, "gain"), gains["gain"].values[list(OBSERVED)], atol=error
    )


def test_features_are_those_of_a_loop(packed, gains):
    which, size = values(packed, "best_feature"), values(packed, "best_feature_gain")
    assert packed.manifest["coordinates"]["feature"][:2] == ["feature 0", "feature 1 (another)"]
    error = packed.manifest["arrays"]["best_feature_gain"]["error"] + 1e-6
    for row, step in enumerate(OBSERVED):
        for unit in range(gains.sizes["unit"]):
            rows = []
            for k in range(gains.sizes["feature"]):
                gain = float(gains["gain_feature"][step, unit, k])
                if float(gains["p_feature"][step, unit, k]) <= 1 / 20 and gain > 0:
                    rows.append((-gain, k))
            best = [(k, -gain) for gain, k in sorted(rows)][:3]
            best += [(-1, np.nan)] * (3 - len(best))
            assert which[row, unit].tolist() == [k for k, _ in best]
            np.testing.assert_allclose(size[row, unit], [gain for _, gain in best], atol=error)


def test_a_unit_without_features_has_none(gains):
    none = gains.assign(p_feature=gains["p_feature"] * 0 + 0.4)
    which, size = best_features(none)
    assert (which.values == -1).all() and np.isnan(size.values).all()


def test_edges_are_those_of_a_loop(gains, monkeypatch):
    monkeypatch.setattr(edges, "GAINED", 1)
    monkeypatch.setattr(edges, "LAST_GAINED", 2)  # few, so that it matters which come first
    record = make_record()
    wanted, target = set(), record["target"].values
    for row, count in enumerate((edges.GAINED, edges.LAST_GAINED)):
        gain, matched, p = (
            gains[name].values[row] for name in ("edge_gain", "edge_gain_matched", "edge_gain_p")
        )
        for name in np.unique(target):
            own = [e for e in np.flatnonzero(target == name) if gain[e] > 0]
            own.sort(key=lambda e: (p[e] > 1 / 20, -max(gain[e] - matched[e], 0)))
            wanted |= set(own[:count])
    chosen = edges.gaining_edges(gains, wiring_of(record))
    assert set(chosen.tolist()) == wanted


def test_chosen_edges_are_packed_with_their_ends(packed, gains):
    record = make_record()
    target = record["target"].values
    chosen = edges.gaining_edges(gains, wiring_of(record))
    units = record["unit"].values.tolist()
    ends = values(packed, "gain_target").astype(int)
    assert [units[k] for k in ends] == target[chosen].tolist()
    error = packed.manifest["arrays"]["edge_gain"]["error"] + 1e-6
    np.testing.assert_allclose(
        values(packed, "edge_gain"), gains["edge_gain"].values[:, chosen], atol=error
    )


def test_where_parents_are_too_few_to_compare_the_largest_gains_are_packed(gains):
    record = make_record()
    unknown = gains["edge_gain"] * np.nan
    alone = gains.assign(edge_gain_matched=unknown, edge_gain_p=unknown)
    chosen = set(edges.gaining_edges(alone, wiring_of(record)).tolist())
    last, target = gains["edge_gain"].values[-1], record["target"].values
    for name in np.unique(target):
        own = np.flatnonzero(target == name)
        best = own[np.argmax(last[own])]
        assert last[best] <= 0 or best in chosen


def test_a_record_without_recombinations_says_why_there_are_no_gains(tmp_path):
    record = make_record().drop_vars("recombined", errors="ignore")
    manifest = bundle_run(make_run(tmp_path / "run", record)).manifest
    assert "gain" not in manifest["arrays"]
    why = {entry["what"]: entry["why"] for entry in manifest["missing"]}
    assert "expected a record with recombinations" in why["what units add to what they are given"]


def test_what_is_said_of_construction_is_that_of_its_rules(tmp_path, monkeypatch):
    run = make_run(tmp_path / "run", make_record())
    assert isinstance(bundle_run(run).manifest["texts"]["construction"], str)
    said = {name: statements.Said(f"Said of {name}.") for name in ("constructed", "learning")}
    said["construction order"] = statements.Unsaid("Not known.", is_measured=False)
    monkeypatch.setattr(statements, "say_all", lambda _: said)
    texts = bundle_run(run).manifest["texts"]
    assert texts["construction"] == "Said of constructed."
