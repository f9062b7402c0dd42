import itertools

import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose

from ontogeny.errors import InputError
from ontogeny.measure import measure_record
from ontogeny.measure.couplings.ancestry import (
    construction,
    describe,
    flows_at,
    serving_units,
    shown_units,
)
from ontogeny.stats.finds import chance_finds
from oracles import ancestry as naive
from records import make_record

PATH = ("logits:1", "fc1:2", "conv2:5", "conv1:3")


def plain_record(**changes):
    """Return a small record without the nulls and interactions that are tested on their own."""
    record = make_record(**changes)
    names = [n for n in record.variables if "null" in str(n) or str(n).startswith("interaction")]
    return record.drop_vars(names).drop_dims(["level", "pair"], errors="ignore")


def shares(record):
    """Make contrast shares such: magnitudes into a target sum to 1."""
    values = record["coupling_contrast"].values.astype(float)
    target = record["target"].values
    for name in np.unique(target):
        into = values[:, target == name]
        values[:, target == name] = into / np.abs(into).sum(axis=1, keepdims=True)
    record["coupling_contrast"] = record["coupling_contrast"].copy(data=values)
    return record


def planted(strength=0.9, seed=0):
    """A record in which token 1 comes through one unit of each layer at the last step."""
    record = shares(plain_record(seed=seed))
    source, target = record["source"].values, record["target"].values
    for name in ("coupling", "coupling_contrast"):
        values = record[name].values.astype(float)
        flat = np.where(np.arange(len(source)) % 2, 0.1, -0.1)
        values = np.broadcast_to(flat.reshape(1, -1, *[1] * (values.ndim - 2)), values.shape).copy()
        for above, below in itertools.pairwise(PATH):
            into = target == above
            values[-1, into] = (1 - strength) / into.sum()
            values[-1, into & (source == below)] = strength
        record[name] = (record[name].dims, values)
    return record


def with_null(record, limit):
    """Add the null of permuted weights, the same for all units."""
    shape = (record.sizes["step"], record.sizes["unit"], 3)
    null = (("step", "unit", "level"), np.full(shape, limit))
    added = record.assign(coupling_null=null, coupling_contrast_null=null)
    return added.assign_coords(level=[0.95, 0.99, 0.999])


@pytest.mark.parametrize("token", [0, 2])
@pytest.mark.parametrize("breadth", [1, 3])
def test_a_token_is_followed_as_by_loops_over_edges(token, breadth):
    record = shares(plain_record(seed=3))
    tree = construction(record, str(record["token"].values[token]), 30, breadth=breadth)
    flow, links = naive.followed(record, 30, token, breadth)
    found = dict(zip(tree["node"].values.tolist(), tree["flow"].values, strict=True))
    assert set(found) == set(flow)
    assert_allclose([found[n] for n in flow], list(flow.values()), rtol=1e-10)
    drawn = {(s, t): v for s, t, v in zip(tree["source"].values, tree["target"].values,
                                         tree["share"].values, strict=True)}  # fmt: skip
    assert set(drawn) == {(s, t) for s, t, _ in links}
    assert_allclose([drawn[s, t] for s, t, _ in links], [v for *_, v in links], rtol=1e-10)


def test_what_units_serve_is_the_flow_along_all_paths():
    record = plain_record(seed=5)  # shares of every scale
    tree = construction(record, "fc1:3", 42)
    for token in range(3):
        every = naive.served(record, 42, token)
        for node in tree["node"].values.tolist():
            size, net = every.get(node, (0, 0))
            one = tree.sel(node=node).isel(token=token)
            assert_allclose([one["serves"], one["serves_net"]], [size, net], rtol=1e-9, atol=1e-14)


def test_flows_made_once_serve_all_constructions_at_their_step():
    record = plain_record()
    flows = flows_at(record, 30)
    for name in ("bo", "conv2:5"):
        alone, together = construction(record, name, 30), construction(record, name, flows)
        xr.testing.assert_identical(alone, together)


def test_chance_finds_are_those_of_benjamini_and_hochberg():
    rng = np.random.default_rng(0)
    values, null = rng.exponential(2, 40), rng.exponential(1, 60)
    assert_allclose(chance_finds(values, null), naive.chance_finds(values, null), rtol=1e-10)


def test_a_planted_path_is_found_down_to_the_pixels():
    tree = construction(planted(), "bo", breadth=1)
    assert tree["node"].values.tolist()[:4] == list(PATH)
    assert tree["node_layer"].values[-1] == "pixels"
    assert tree["level"].values.tolist() == [0, -1, -2, -3, -4]
    assert_allclose(tree["share"].values[:3], 0.9)
    assert tree["beyond_null"].values[:3].all()


def test_a_detector_is_followed_up_to_the_tokens_that_draw_from_it():
    tree = construction(planted(), "conv2:5", breadth=1)
    assert set(tree["node"].values.tolist()) >= {"conv2:5", "fc1:2", "logits:1", "conv1:3"}
    level = dict(zip(tree["node"].values.tolist(), tree["level"].values, strict=True))
    assert (level["logits:1"], level["fc1:2"], level["conv1:3"]) == (2, 1, -1)


def test_depth_ends_the_way_down():
    tree = construction(plain_record(), "ada", depth=2)
    assert set(tree["node_layer"].values.tolist()) == {"logits", "fc1", "conv2"}


def test_what_reverses_the_target_reverses_direction_but_not_the_tree():
    record = shares(plain_record(seed=2))
    flipped = record.copy()
    sign = np.where(record["target"].values == "fc1:1", -1.0, 1.0)
    values = record["coupling_contrast"].values * sign[None, :, None]
    flipped["coupling_contrast"] = (record["coupling_contrast"].dims, values)
    before, after = (construction(r, "cy", breadth=8) for r in (record, flipped))
    assert_allclose(before["share"], after["share"])
    one, two = (t["direction"].sel(node="fc1:1").item() for t in (before, after))
    assert one == -two


def test_the_null_of_permuted_weights_is_preferred_and_flags_edges():
    tree = construction(with_null(planted(), 0.5), "bo", breadth=2)
    assert "permuting" in tree.attrs["null"]
    assert_allclose(tree["null_share"], 0.5)
    beyond = np.abs(tree["share"].values) > 0.5
    assert (tree["beyond_null"].values == beyond).all()
    assert (tree["false_share"].values[~beyond] == 1).all()
    into = tree["target"].values == "fc1:2"  # 1 of 64 shares is beyond each level, .999 the last
    assert_allclose(tree["false_share"].values[into & beyond], 0.001 * 64, rtol=1e-9)


def test_without_an_untrained_step_nothing_is_beyond():
    tree = construction(plain_record(steps=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)), "bo")
    assert tree.attrs["null"].startswith("no null")
    assert not tree["beyond_null"].any()
    assert np.isnan(tree["serves_q"]).all()


def test_interactions_and_onsets_are_told_where_they_are_recorded():
    record = planted()
    shape = (record.sizes["step"], record.sizes["unit"], 3)
    first = np.full(shape, -1)
    value = np.full(shape, np.nan)
    row = record["unit"].values.tolist().index("fc1:2")
    value[-1, row, 1], first[-1, row, 1] = 0.34, 5
    second = np.where(first >= 0, 2, -1)
    dims = ("step", "unit", "pair")
    record = record.assign(interaction=(dims, value), interaction_first=(dims, first),
                           interaction_second=(dims, second))  # fmt: skip
    tree = construction(record, "fc1:2", measures=measure_record(record))
    one = tree.sel(node="fc1:2")
    assert (one["interaction_first"].item(), one["interaction_second"].item()) == (
        "conv2:5", "conv2:2",
    )  # fmt: skip
    assert (one["onset_after"].item(), one["onset_by"].item()) == (3, 4)
    assert one["preferred_token"].item() in record["token"].values


def test_units_that_views_show_are_of_every_layer_and_limited():
    record = plain_record()
    units = shown_units(record, breadth=2)
    assert {u.rpartition(":")[0] for u in units} == {"logits", "fc1", "conv2", "conv1"}
    assert {"logits:0", "logits:1", "logits:2"} <= set(units)
    assert len(shown_units(record, limit=5)) == 5


def test_shown_units_are_the_ancestors_that_trees_show():
    record = planted()
    trees = [construction(record, token, breadth=2) for token in record["token"].values.tolist()]
    nodes = {str(n) for tree in trees for n in tree["node"].values if "pixels" not in str(n)}
    assert nodes <= set(shown_units(record, breadth=2))


def test_serving_units_are_those_that_a_planted_token_comes_through():
    record = planted()
    one = serving_units(record, limit=1)
    assert set(PATH[1:]) <= set(one)
    assert len(one) == 4  # one of each layer
    every = serving_units(record, limit=999)
    assert every == record["unit"].values.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "dan"}, r"expected a token \(ada, bo, cy\) or a unit \(conv1:0 \.\.\. conv1:5"),
        ({"name": "fc1:99"}, "got fc1:99"),
        ({"name": "bo", "step": 5}, "expected a recorded step, got 5: the nearest are 3, 4, 6"),
        ({"name": "bo", "breadth": 0}, "expected depth and breadth of at least 1, got None and 0"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(change, message):
    with pytest.raises(InputError, match=message):
        construction(plain_record(), **change)


def test_a_record_without_couplings_is_refused():
    with pytest.raises(InputError, match="expected a record with coupling"):
        construction(plain_record().drop_vars("coupling"), "bo")


def test_edges_out_of_order_are_refused():
    dealt = plain_record().isel(edge=slice(None, None, -1))
    for ask in (shown_units, serving_units, lambda record: construction(record, "bo")):
        with pytest.raises(InputError, match="edges by target and source"):
            ask(dealt)


# In words -------------------------------------------------------------------------------------


def told(**changes):
    """Describe a tree whose values are written by hand."""
    one = {"onset_after": 118.0, "onset_by": 124.0, "preferred_token": "tulips", "sources": 64,
           "sources_beyond": 3, "interaction": 0.34, "q": (0.01, 0.02, 0.9),
           "net": (0.2, 0.1, 0.3), "false": 0.05, "beyond": True} | changes  # fmt: skip
    nodes = ["conv5:17", "conv4:3", "conv4:40"]
    first = lambda value, rest: ("node", np.array([value, rest, rest]))  # noqa: E731
    none = np.full((3, 3), np.nan)
    q, net = none.copy(), none.copy()
    q[0], net[0] = one["q"], one["net"]
    data = {
        "onset_after": first(one["onset_after"], np.nan),
        "onset_by": first(one["onset_by"], np.nan),
        "preferred_token": first(one["preferred_token"], ""),
        "sources": first(one["sources"], 0), "sources_beyond": first(one["sources_beyond"], 0),
        "interaction": first(one["interaction"], np.nan),
        "interaction_first": first("conv4:3", ""), "interaction_second": first("conv4:40", ""),
        "serves_q": (("node", "token"), q), "serves_net": (("node", "token"), net),
        "share": ("edge", np.array([0.4, 0.21])), "beyond_null": ("edge", [one["beyond"]] * 2),
        "false_share": ("edge", [one["false"]] * 2),
        "net": first(0.0, 0.0), "net_null": first(0.0, 0.0),
    }  # fmt: skip
    coordinates = {
        "node": nodes, "token": ["roses", "tulips", "daisy"],
        "source": ("edge", nodes[1:]), "target": ("edge", [nodes[0]] * 2),
    }  # fmt: skip
    attributes = {"start": "conv5:17", "token": "", "step": 600, "null": "permuted weights"}
    return describe(xr.Dataset(data, coordinates, attributes))


def test_a_detector_is_told_with_rise_sources_interaction_and_uses():
    assert told() == (
        "conv5:17 responds to tulips most; it begins to discriminate tokens between steps 118 and "
        "124. 61 % of its variance comes through conv4:3 (40 %) and conv4:40 (21 %). conv4:3 and "
        "conv4:40 together give more than each alone, interaction 0.34. It carries roses and "
        "tulips, more than units did before training. Step 600; 3 of its 64 sources are beyond the "
        "null (permuted weights), 0.6 would be by chance."
    )


def test_sources_that_the_null_gives_as_well_are_no_finding():
    for change in ({"beyond": False}, {"false": 0.5}):
        said = told(**change)
        assert "(21 %), which is no more than the null gives." in said
        assert "interaction" not in said


def test_what_does_not_survive_its_null_is_not_claimed():
    said = told(onset_by=np.inf, preferred_token="", q=(0.5, np.nan, 0.11))
    assert "does not discriminate tokens beyond chance at the end" in said
    assert "It carries no token more than units did before training." in said
    assert "tulips" not in said


def test_evidence_against_is_told_apart():
    assert "It carries roses and counts against tulips" in told(net=(0.2, -0.1, 0.3))


def test_a_planted_token_is_told_and_its_permuted_twin_is_not():
    record = with_null(planted(), 0.5)
    said = describe(construction(record, "bo", breadth=1))
    assert "fc1:2" in said
    assert "no more than the null gives" not in said
    rng = np.random.default_rng(0)
    weak = with_null(shares(plain_record(seed=int(rng.integers(99)))), 0.9)
    assert "no more than the null gives" in describe(construction(weak, "bo", breadth=1))


def test_the_lowest_detectors_of_a_shallow_ancestry_are_named():
    record = planted()
    for depth in (1, 2):
        tree = construction(record, "bo", breadth=1, depth=depth)
        tree["serves_q"] = tree["serves_q"] * 0
        lowest = tree["node"].values[tree["level"].values == -depth].astype(str).tolist()
        assert lowest and all(
            name in describe(tree).split("before training: ")[1] for name in lowest
        )
