"""Recombinations: equal to a copy of the network that has the other weights, run by itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from oracles.gains import (
    building_left_out_twin,
    edge_gain_twin,
    left_out_twin,
    linear_modules,
    on_dealt_twin,
    readout_twin,
    recombinations_twin,
    responses_twin,
    spread_twin,
)

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from ontogeny.coupling import ConvolutionMap  # noqa: E402
from ontogeny.errors import InputError  # noqa: E402
from ontogeny.hooks import Probe, Recombination, Scoring, observe_network, parents  # noqa: E402
from ontogeny.hooks.blueprint import linear_maps  # noqa: E402
from ontogeny.hooks.deals import N_DEALS, ROWS, SLICES, TAPS, Deals  # noqa: E402
from ontogeny.hooks.parents import new_slices  # noqa: E402
from ontogeny.hooks.recombination import ANCESTORS, DEPTHS  # noqa: E402
from ontogeny.hooks.scoring import RIDGE  # noqa: E402
from ontogeny.model import stages, vgg  # noqa: E402
from ontogeny.stats.selectivity import eta_squared  # noqa: E402
from test_hooks import seasoned  # noqa: E402

pytestmark = pytest.mark.torch
N, TOKENS, SEED = 18, 3, 5
# responses are kept in single precision
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def modules(network):
    """The network's parts as one Sequential, as the twins read it."""
    return nn.Sequential(*[m for m in network.modules() if not list(m.children())])


def grouped():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1, padding_mode="reflect"), nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, padding=1, groups=2), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
        nn.Flatten(), nn.Linear(96, 5), nn.ReLU(inplace=True), nn.Linear(5, TOKENS),
    )  # fmt: skip


def tiny(**options):
    return vgg(tokens=TOKENS, widths=(4, 6), dense=8, depth=1, seed=1, **options)


NETWORKS = {
    "vgg": tiny,
    "batch norm": lambda: tiny(batch_norm=True),
    "grouped, in place": grouped,
}


def probe_of(chunk=None, dtype=torch.float64):
    """Exemplars in mixed order whose tokens differ, and which of them score."""
    rng = np.random.default_rng(2)
    token = rng.permutation(np.repeat(np.arange(TOKENS), N // TOKENS))
    x = rng.standard_normal((N, 3, 8, 8)) + 0.3 * token[:, None, None, None]
    chosen = np.zeros(N, bool)
    for c in range(TOKENS):
        chosen[np.flatnonzero(token == c)[:5]] = True
    fold, mine = np.zeros(N, np.int64), np.flatnonzero(chosen)
    for c in range(TOKENS):
        fold[mine[token[mine] == c]] = np.arange(5) % 3
    order = mine[np.argsort(token[mine], kind="stable")]
    member = np.stack([token == 0, np.arange(N) % 2 == 0])
    x = torch.as_tensor(x).to(dtype)
    scoring = Scoring(*(torch.as_tensor(v[..., order]) for v in (token, fold, member)))
    some = Probe(x[mine], token[mine], n_tokens=TOKENS, chunk=chunk)
    whole = Probe(x, token, n_tokens=TOKENS, chunk=chunk)
    return whole, Recombination(chosen, some, scoring, SEED), x[order]


def observed(network, extras=True, **options):
    whole, how, images = probe_of(**options)
    seen = observe_network(network, whole, extras=extras, recombination=how)
    return seen.recombined, how, images


def layers_of(network):
    found = stages(network, torch.randn(2, 3, 8, 8, dtype=next(network.parameters()).dtype))
    return linear_maps(found, 3)


def deals_of(network, kind=ROWS):
    """The deals' weights of each layer: permutations are taken as they are."""
    return [Deals(layer, (SEED, k)).weights(layer.weight(), kind).numpy()
            for k, layer in enumerate(layers_of(network))]  # fmt: skip


@pytest.fixture(scope="module", params=NETWORKS)
def case(request):
    network = seasoned(NETWORKS[request.param]()).double().eval()
    seen, how, images = observed(network)
    return network, modules(network), seen, how, images


def spans(network):
    ends = np.cumsum([m.weight.shape[0] for m in linear_modules(modules(network))])
    return [slice(int(end - m.weight.shape[0]), int(end))
            for end, m in zip(ends, linear_modules(modules(network)), strict=True)]  # fmt: skip


def test_own_and_dealt_selectivities_equal_the_twin(case):
    network, twin, seen, how, images = case
    token, fold = how.scoring.token.tolist(), how.scoring.fold.tolist()
    plain, given = responses_twin(twin, images)
    for k, units in enumerate(spans(network)):
        own = [spread_twin(v, token) for v in plain[k].T]
        assert_allclose(seen["selectivity_linear"][units], own, **CLOSE)
        for kind in (SLICES, TAPS):
            (linear, _), _ = recombinations_twin(twin, images, token, deals_of(network, kind)[k], k)
            assert_allclose(seen[f"recombined_linear_{kind}"][units], linear, **CLOSE)
        (linear, response), each = recombinations_twin(twin, images, token, deals_of(network)[k], k)
        assert_allclose(seen["recombined_linear_rows"][units], linear, **CLOSE)
        assert_allclose(seen["recombined"][units], response, **CLOSE)
        for f, member in enumerate(how.scoring.member.tolist()):
            by_deal = np.array([[spread_twin(v, member) for v in deal.T] for deal in each])
            mine = np.array([spread_twin(v, member) for v in given[k].T])
            assert_allclose(seen["recombined_feature"][units, f], by_deal.mean(0), **CLOSE)
            reached = (by_deal >= mine - 1e-6).sum(0)
            assert_allclose(seen["reached_feature"][units, f], reached)
        for gone in range(3):
            by_deal = np.array([[left_out_twin(v, token, fold, gone) for v in deal.T]
                                for deal in each])  # fmt: skip
            mine = np.array([left_out_twin(v, token, fold, gone) for v in given[k].T])
            reached = (by_deal >= mine - 1e-6).sum(0)
            assert_allclose(seen["reached_left_out"][units, gone], reached)


def test_dealt_ancestors_equal_the_twin(case):
    network, twin, seen, how, images = case
    token, fold = how.scoring.token.tolist(), how.scoring.fold.tolist()
    deals = [dealt[:ANCESTORS] for dealt in deals_of(network)]
    names = ("on_recombined", "recombined_on_recombined")
    for k, units in enumerate(spans(network)):
        for place, depth in enumerate(DEPTHS):
            found = on_dealt_twin(twin, images, token, deals, k, depth)
            if found is None:
                for name in (*names, "building_left_out"):
                    assert np.isnan(seen[name][units, place]).all()
                continue
            for name, value in zip(names, found, strict=True):
                assert_allclose(seen[name][units, place], value, **CLOSE)
            built = building_left_out_twin(twin, images, token, fold, deals, k, depth)
            assert_allclose(seen["building_left_out"][units, place], built, rtol=1e-4, atol=5e-5)


def test_edge_gain_equals_the_twin(case, monkeypatch):
    monkeypatch.setattr(parents, "MOST", 9)  # the first three exemplars of each token
    monkeypatch.setattr(parents, "ROWS", 40)  # more than one part
    network, twin, _, _, _ = case
    seen, how, images = observed(network)
    token, start = how.scoring.token.numpy(), 0
    first = np.concatenate([np.flatnonzero(token == c)[:3] for c in range(TOKENS)])
    for k, layer in enumerate(layers_of(network)):
        drawn = new_slices(layer.weight().numpy(), (SEED, k))
        gain = edge_gain_twin(twin, images[first], token[first].tolist(), drawn, k)
        mine = seen["edge_gain"][start : start + gain.size].astype(float)
        assert_allclose(mine, gain.flatten(), rtol=2e-3, atol=1e-3)  # kept in half precision
        start += gain.size
    assert start == len(seen["edge_gain"])


def test_chunks_change_nothing_but_rounding(case):
    network, _, seen, _, _ = case
    again = observed(network, chunk=4)[0]
    for name, values in seen.items():
        loose = {"atol": 2e-3} if name == "edge_gain" else {"atol": 1e-6}
        assert_allclose(again[name], values, rtol=1e-5, **loose)


def test_single_precision_gives_the_same(case):
    network, _, seen, _, _ = case
    again = observed(network, dtype=torch.float32)[0]
    for name in ("recombined", "recombined_linear_rows", "on_recombined", "selectivity_linear"):
        assert_allclose(again[name], seen[name], rtol=1e-3, atol=1e-4)


def test_what_is_not_asked_for_is_nan_of_the_same_shape(case):
    network, _, seen, _, _ = case
    little = observed(network, extras=("nulls", "linear"))[0]
    more = observed(network, extras=("linear", "rectified"))[0]
    known = {"selectivity_linear", "recombined_linear_rows"}
    above = {"on_recombined", "recombined_on_recombined", "building_left_out", "edge_gain"}
    for name, values in seen.items():
        for part, there in ((little, known), (more, set(seen) - above)):
            assert part[name].shape == values.shape, name
            assert part[name].dtype == values.dtype, name
            if name in there:
                assert_allclose(part[name], values)
            else:
                assert np.isnan(part[name]).all(), name


def test_network_and_random_state_are_left_as_they_were(case):
    network = case[0]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    observed(network)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(m._forward_hooks for m in network.modules())


def test_unknown_extras_are_refused():
    with pytest.raises(InputError, match=r"expected extras of .*above dealt, got noise"):
        observed(tiny().double(), extras=("noise",))


def test_a_dead_unit_and_dead_recombinations_score_0_and_count():
    network = tiny().double().eval()
    convolution = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
    with torch.no_grad():
        convolution.weight[0] = 0
        convolution.bias[0] = 1.0  # constant
        convolution.bias[1] = -1e3  # never positive
    seen, how, _ = observed(network)
    assert (seen["recombined"][:2] == 0).all()
    assert (seen["recombined_linear_rows"][0] == 0).all()
    assert (seen["recombined_linear_rows"][1] > 0).any()  # its pre-activation still varies
    assert (seen["reached_left_out"][:2] == N_DEALS).all()
    assert (seen["reached_feature"][:2] == N_DEALS).all()
    assert (seen["edge_gain"][: 2 * 3] == 0).all()
    assert how.scoring.n_folds == seen["reached_left_out"].shape[1]


def test_recombinations_that_change_nothing_reach_the_unit():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 1, 3), nn.ReLU(), nn.Conv2d(1, 5, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, TOKENS),
    ).double()  # fmt: skip
    seen = observed(network)[0]
    assert (seen["reached_left_out"][1:6] == N_DEALS).all()  # one entry: every deal is the unit
    assert np.isnan(seen["edge_gain"][3:8]).all()  # and no other entry to draw from
    assert not np.isnan(seen["edge_gain"][:3]).any()


@pytest.mark.parametrize("shape", [(5, 3, 9), (4, 6, 1), (3, 1, 4)])
def test_deals_permute_rows(shape):
    layer = ConvolutionMap(nn.Conv2d(shape[1], shape[0], (1, shape[2])))
    weight = torch.arange(np.prod(shape)).view(shape)
    deals = Deals(layer, (7, 2))
    for kind in (ROWS, SLICES, TAPS):
        found = deals.weights(weight, kind)
        assert found.shape == (N_DEALS, *shape)
        assert torch.equal(found.flatten(2).sort(-1).values,
                           weight.flatten(1).expand(N_DEALS, -1, -1))  # fmt: skip
    whole = {tuple(row) for row in weight.flatten(0, 1).tolist()}
    slices = deals.weights(weight, SLICES).flatten(0, 2).tolist()
    assert {tuple(row) for row in slices} <= whole
    within = deals.weights(weight, TAPS)
    assert torch.equal(within.sort(-1).values, weight.expand(N_DEALS, -1, -1, -1))
    rows = deals.weights(weight).flatten(2)
    if shape[1] * shape[2] > 8:
        assert len({tuple(row) for row in rows[:, 0].tolist()}) == N_DEALS  # deals differ
        assert rows[0, 0].tolist() != (rows[0, 1] - weight[1].min()).tolist()  # so do units


def test_deals_are_the_same_at_all_steps_and_of_one_layer_alone():
    layer, other = (ConvolutionMap(nn.Conv2d(3, 4, 3)) for _ in range(2))
    first = Deals(layer, (0, 1))
    places = torch.arange(4 * 27).view(4, 3, 9)
    found = first.weights(places)
    with torch.no_grad():
        layer.module.weight.normal_()
    assert torch.equal(first.weights(places), found)
    assert torch.equal(Deals(other, (0, 1)).weights(places), found)
    assert not torch.equal(Deals(other, (0, 2)).weights(places), found)
    assert not torch.equal(Deals(other, (1, 1)).weights(places), found)
    narrow = ConvolutionMap(nn.Conv2d(3, 2, 3))
    assert torch.equal(Deals(narrow, (0, 1)).weights(places[:2]), found[:, :2])  # units alone


def test_every_place_is_dealt_alike():
    layer = ConvolutionMap(nn.Conv2d(2, 400, (1, 2)))
    places = torch.arange(4).view(1, 2, 2).expand(400, 2, 2)
    found = Deals(layer, (3,)).weights(places).flatten(0, 1).flatten(1).numpy()
    share = np.array([[(found[:, at] == entry).mean() for at in range(4)] for entry in range(4)])
    assert_allclose(share, 0.25, atol=4 * np.sqrt(0.25 * 0.75 / len(found)))


def test_new_slices_come_from_the_row_without_the_slice():
    weight = np.arange(4 * 3 * 2).reshape(4, 3, 2)
    drawn = new_slices(weight, (1, 0))
    for deal in drawn:
        for unit in range(4):
            for source in range(3):
                others = set(weight[unit].ravel()) - set(weight[unit, source])
                assert set(deal[unit, source]) <= others
    assert len({drawn[:, u].tobytes() for u in range(4)}) == 4


def scoring_of(n_folds=4):
    rng = np.random.default_rng(0)
    token = np.sort(rng.integers(0, 3, 24))
    fold, member = np.arange(24) % n_folds, rng.random((5, 24)) < 0.4
    return token, fold, member, Scoring(*map(torch.as_tensor, (token, fold, member)))


def test_scoring_equals_eta_squared_and_the_twins():
    token, fold, member, scoring = scoring_of()
    response = np.random.default_rng(1).standard_normal((24, 2, 3)) + 100
    given = torch.as_tensor(response)
    flat = response.reshape(24, -1)
    assert_allclose(scoring.selectivity(given).flatten(), eta_squared(flat, token), rtol=1e-9)
    for f in range(5):
        twin = [spread_twin(v, member[f].tolist()) for v in flat.T]
        assert_allclose(scoring.by_feature(given)[f].flatten(), twin, rtol=1e-9)
    for gone in range(4):
        twin = [left_out_twin(v, token.tolist(), fold, gone) for v in flat.T]
        assert_allclose(scoring.left_out(given)[gone].flatten(), twin, rtol=1e-8)


def test_readout_equals_the_twin():
    _, fold, member, scoring = scoring_of()
    response = np.random.default_rng(2).standard_normal((24, 2, 3, 7))
    response[..., 0] += 2 * member[1][:, None, None]
    found = scoring.readout(torch.as_tensor(response))
    for f in range(5):
        twin = [readout_twin(response[:, a, b], member[f].astype(float), fold % 4, RIDGE)
                for a in range(2) for b in range(3)]  # fmt: skip
        assert_allclose(found[f].flatten(), twin, rtol=1e-8)
    assert (found[1] > found[0]).all()


def test_what_does_not_vary_scores_0():
    *_, scoring = scoring_of()
    constant = torch.stack([torch.zeros(24), torch.full((24,), 3.3)], 1)
    constant = torch.cat([constant, 5 + 1e-7 * torch.randn(24, 1)], 1)
    for score in (scoring.selectivity, scoring.by_feature, scoring.left_out):
        assert (score(constant) == 0).all()


def test_a_token_that_one_fold_holds_whole_and_a_feature_of_all():
    token, fold = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 2, 0, 1, 2])
    member = np.array([[True] * 6, [False] * 6])
    scoring = Scoring(*map(torch.as_tensor, (token, fold, member)))
    values = np.array([1.0, 2.0, 4.0, 5.0, 3.0, 9.0])
    found = scoring.left_out(torch.as_tensor(values)[:, None])[:, 0]
    assert_allclose(found, [left_out_twin(values, token.tolist(), fold, f) for f in range(3)])
    assert_allclose(scoring.by_feature(torch.as_tensor(values)[:, None])[:, 0], 0, atol=1e-12)


def test_first_exemplars_of_each_token():
    token = torch.tensor([0] * 5 + [2] * 2 + [3] * 6)
    scoring = Scoring(
        token, torch.zeros(13, dtype=torch.long), torch.zeros(1, 13, dtype=torch.bool)
    )
    places = scoring.first(9)
    assert places.tolist() == [0, 1, 2, 5, 6, 7, 8, 9]
    some = scoring.at(places)
    assert some.token.tolist() == [0, 0, 0, 2, 2, 3, 3, 3]
    assert some.member.shape == (1, 8)
