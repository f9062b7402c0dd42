"""Nulls, attribution and interaction: equal to naive twins on random networks."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from oracles.couplings import naive_contrast, naive_coupling, naive_source_contributions
from oracles.hooks import (
    attribution_twin,
    interaction_twin,
    lattice_twin,
    loss_of_edge_twin,
    on_lattice,
    permuted_twin,
)

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from ontogeny.coupling import ConvolutionMap, DenseMap, GroupMaps, InputMoments  # noqa: E402
from ontogeny.errors import InputError  # noqa: E402
from ontogeny.hooks import Probe, nulls, observe_network, undisturbed  # noqa: E402
from ontogeny.hooks.attribution import Attribution  # noqa: E402
from ontogeny.hooks.blueprint import linear_maps  # noqa: E402
from ontogeny.hooks.interaction import Interaction  # noqa: E402
from ontogeny.hooks.listening import listening  # noqa: E402
from ontogeny.hooks.nulls import NullMoments, PermutedMap, quantiles  # noqa: E402
from ontogeny.model import prepare, stages, vgg  # noqa: E402
from ontogeny.record import LEVELS, PAIRS  # noqa: E402
from test_coupling import LAYERS, convolution, exemplars, own_sources, segments  # noqa: E402
from test_hooks import (  # noqa: E402
    NETWORKS,
    TOKENS,
    assert_same,
    images,
    layer_inputs,
    odd_network,
    seasoned,
    small_vgg,
    tokens,
    trace,
)

pytestmark = pytest.mark.torch
EXTRAS = {
    "coupling_null", "coupling_contrast_null", "edge_attribution", "interaction",
    "interaction_first", "interaction_second",
}  # fmt: skip


@pytest.fixture(autouse=True)
def few_edges(monkeypatch):
    """Permute small layers twice or so, not a hundred times."""
    monkeypatch.setattr(nulls, "EDGES", 40)


def doubled(name):
    return seasoned(NETWORKS[name]()).double().eval()


def sorted_probe(n=13):
    token = np.sort(tokens(n))
    return Probe(prepare(images(n)).double(), token, n_tokens=TOKENS, chunk=5)


# --- nulls ----------------------------------------------------------------------------------------


def null_couplings(layer, x, token, *, chunk=8, first=False):
    """Return the couplings of permuted weights, fed in chunks."""
    permuted = PermutedMap(layer, (7, 1))
    moments = InputMoments(layer, TOKENS) if first else NullMoments(permuted)
    maps = GroupMaps(TOKENS)
    for start in range(0, len(x), chunk):
        rows = slice(start, start + chunk)
        maps.add(x[rows], segments(token[rows]))
        if first:
            moments.add(layer, x[rows], segments(token[rows]))
        else:
            moments.add(x[rows])
    if first:
        return moments.result(permuted)
    return moments.result((layer.tap_means(maps.means()), maps.counts))


def twin_couplings(module, x, token, n_sources, *, times, first=False):
    """Return share and contrast of each permuted layer, one under the other, as far as followed."""
    found = []
    for twin in permuted_twin(module, (7, 1), times):
        parts = naive_source_contributions(twin, x, n_sources)
        some = parts if first or parts.ndim != 5 else on_lattice(parts)
        some = some if first else some[:, :: nulls.THINNED]
        found.append((naive_coupling(some), naive_contrast(parts, token)))
    return [
        np.concatenate(pair)[: followed(module, n_sources)] for pair in zip(*found, strict=True)
    ]


def followed(module, n_sources):
    """How many permuted targets there are, one permutation after the other."""
    groups = getattr(module, "groups", 1)
    return None if groups > 1 else math.ceil(nulls.EDGES / n_sources)


@pytest.mark.parametrize("first", [False, True], ids=["lattice", "gram"])
@pytest.mark.parametrize("case", LAYERS)
def test_null_equals_ablation_of_a_permuted_layer(case, first, monkeypatch):
    module, (x, token) = convolution(case), exemplars((4, 9, 14))
    if module.groups > 1:
        monkeypatch.setattr(nulls, "EDGES", 1)  # permutations are stacked within groups
    times = math.ceil(nulls.EDGES / (6 * 4 / module.groups))
    null = null_couplings(ConvolutionMap(module), x, token, first=first)
    share, contrast = twin_couplings(module, x, token, 4, times=times, first=first)
    groups = module.groups
    assert_allclose(null.share, own_sources(share, groups), rtol=1e-9, atol=1e-12)
    assert_allclose(null.contrast, own_sources(contrast, groups), rtol=1e-9, atol=1e-12)


def test_null_keeps_its_digits_where_means_are_large():
    module, (x, token) = convolution("stride"), exemplars()
    with torch.no_grad():
        module.weight.abs_()  # so that means add up
    exact = null_couplings(ConvolutionMap(module), x + 300, token).share
    rough = null_couplings(ConvolutionMap(module.float()), (x + 300).float(), token).share
    assert_allclose(rough, exact, atol=1e-4)  # float32; without a shift: 5e-2


@pytest.mark.parametrize("shape", [(12,), (5, 12)], ids=["flat", "with positions"])
@pytest.mark.parametrize("n_sources", [12, 4])
def test_null_of_a_dense_layer_equals_ablation(n_sources, shape):
    torch.manual_seed(0)
    module, (x, token) = torch.nn.Linear(12, 5).double(), exemplars(shape)
    null = null_couplings(DenseMap(module, n_sources), x, token)
    times = math.ceil(40 / (5 * n_sources))
    share, contrast = twin_couplings(module, x, token, n_sources, times=times)
    assert_allclose(null.share, share, rtol=1e-9, atol=1e-12)
    assert_allclose(null.contrast, contrast, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [1, 3, 4, 5, 7, 8, 12, 13, 28, 32, 57])
def test_lattice_is_spread_over_the_map(size):
    z = torch.arange(float(size * size)).view(1, 1, size, size)
    kept = ConvolutionMap.sparse(z).flatten().tolist()
    rows = lattice_twin(size)
    assert kept == [float(y * size + x) for y in rows for x in rows]
    assert len(rows) <= 4


def test_quantiles_leave_out_what_is_not_defined():
    values = torch.tensor([-3.0, np.nan, 1.0, 2.0, np.inf])
    assert_allclose(quantiles(values, (0.5, 1.0)), [2, 3])
    assert np.isnan(quantiles(torch.full((3,), np.nan), LEVELS)).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_levels_are_quantiles_of_the_permuted_layers(name):
    model, token = seasoned(NETWORKS[name]()).double().eval(), tokens()
    x, sources, start = prepare(images()).double(), 3, 0
    seen = observe_network(model, Probe(x, token, n_tokens=TOKENS), extras=True, seed=7)
    found = stages(model, x[:2])
    inputs = layer_inputs(model, found, x)
    order = np.argsort(token, kind="stable")
    for k, stage in enumerate(found):
        module, n_sources = stage.module, sources
        sources = stage.n_units
        units = slice(start, start + stage.n_units)
        start = units.stop
        for null in (seen.coupling_null, seen.coupling_contrast_null):
            assert np.array_equal(null[units], np.repeat(null[units][:1], stage.n_units, 0))
        groups = getattr(module, "groups", 1)
        times = math.ceil(40 / (stage.n_units * n_sources / groups))
        if times > 1 and groups > 1:
            continue
        share, contrast = [], []
        for twin in permuted_twin(module, (7, k), times):
            parts = naive_source_contributions(twin, inputs[stage.name], n_sources)
            some = parts if k == 0 or parts.ndim != 5 else on_lattice(parts)
            some = some if k == 0 else some[:, order][:, :: nulls.THINNED]
            share.append(own_sources(naive_coupling(some), groups))
            contrast.append(own_sources(naive_contrast(parts, token), groups))
        kept = followed(module, n_sources)
        for null, values in ((seen.coupling_null, share), (seen.coupling_contrast_null, contrast)):
            known = np.abs(np.concatenate(values)[:kept])
            levels = np.quantile(known[np.isfinite(known)], LEVELS)
            assert_allclose(null[units][0], levels, rtol=1e-5)


def test_permutations_are_the_same_at_all_snapshots_and_others_by_seed_and_layer():
    layer = ConvolutionMap(convolution("plain"))
    weight = PermutedMap(layer, (0, 1)).weight()
    with torch.no_grad():
        layer.module.weight *= 3
    assert torch.equal(PermutedMap(layer, (0, 1)).weight(), 3 * weight)
    for seed in ((1, 1), (0, 2)):
        assert not torch.equal(PermutedMap(layer, seed).weight(), 3 * weight)


def test_half_of_random_weights_are_above_their_nulls_as_often_as_the_levels_say():
    model = vgg(tokens=TOKENS, widths=(12, 24), dense=20, seed=3)
    seen = observe_network(model, images(40), np.arange(40) % TOKENS, extras=True)
    _, target = seen.blueprint.edges()
    null = dict(zip(seen.blueprint.units, seen.coupling_null[:, 0], strict=True))
    above = np.abs(seen.coupling) > [null[unit] for unit in target]
    assert 0.02 < above.mean() < 0.09


# --- attribution ----------------------------------------------------------------------------------


def attributed(model, probe):
    """Return each layer's attribution in the network's own precision."""
    found = stages(model, probe.x[:2])
    with undisturbed(model), torch.inference_mode(False):
        attribution = Attribution(linear_maps(found, probe.x.shape[1]), TOKENS)
        with listening(found, attribution.at_layer, lambda *_: None):
            for rows, parts in probe.chunks():
                y = model(probe.x[rows].clone().requires_grad_().clone())
                attribution.add(y, torch.as_tensor(probe.groups[rows]), parts)
    return found, attribution.result()


def edges_of(stage, n_sources, some):
    """Yield ((target, taps), (target, place)) of some edges; place: the source within its group."""
    module = stage.module
    groups = getattr(module, "groups", 1)
    per_group = n_sources // groups
    taps = module.weight[0].numel() // per_group
    rng = np.random.default_rng(0)
    for _ in range(some):
        j, i = rng.integers(stage.n_units), rng.integers(per_group)
        yield (int(j), slice(int(i) * taps, int(i + 1) * taps)), (int(j), int(i))


@pytest.mark.parametrize("name", NETWORKS)
def test_attribution_equals_the_slope_of_each_edge(name):
    model, probe = doubled(name), sorted_probe()
    found, result = attributed(model, probe)
    sources = 3
    for stage, values in zip(found, result, strict=True):
        for edge, place in edges_of(stage, sources, 3):
            twin = attribution_twin(model, stage.module, edge, probe.x, probe.groups, TOKENS)
            assert_allclose(values[place], twin, rtol=1e-9, atol=1e-12, err_msg=stage.name)
        sources = stage.n_units


def linear_network():
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.Conv2d(4, 6, 3, padding=1, groups=2),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(24, 5), nn.Linear(5, TOKENS),
    )  # fmt: skip


def test_attribution_is_exact_in_linear_networks():
    model, probe = seasoned(linear_network()).double().eval(), sorted_probe()
    found, result = attributed(model, probe)
    sources = 3
    for stage, values in zip(found, result, strict=True):
        for edge, place in edges_of(stage, sources, 8):
            twin = loss_of_edge_twin(model, stage.module, edge, probe.x, probe.groups, TOKENS)
            assert_allclose(values[place], twin, rtol=1e-9, atol=1e-12)
        sources = stage.n_units


def test_attribution_of_all_edges_of_a_layer_is_what_the_logits_are_without_biases():
    model = small_vgg().double().eval()  # its biases are 0, and relu(x) = x relu'(x)
    probe = sorted_probe()
    _, result = attributed(model, probe)
    y = model(probe.x).detach().numpy()
    centred = y - y.mean(1, keepdims=True)
    own = [centred[probe.groups == c, c].mean() for c in range(TOKENS)]
    for values in result:
        assert_allclose(values.sum((0, 1)), own, rtol=1e-9)


def test_token_without_exemplars_has_no_attribution():
    model = small_vgg().double().eval()
    probe = Probe(prepare(images(6)).double(), np.zeros(6, dtype=int), n_tokens=TOKENS)
    for values in attributed(model, probe)[1]:
        assert torch.isfinite(values[..., 0]).all()
        assert torch.isnan(values[..., 1:]).all()


# --- interaction ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_interaction_equals_four_ablated_passes(name):
    model, probe = doubled(name), sorted_probe()
    found = stages(model, probe.x[:2])
    maps, inputs = linear_maps(found, 3), layer_inputs(model, found, probe.x)
    for stage, layer in zip(found, maps, strict=True):
        rng = np.random.default_rng(1)
        share = torch.as_tensor(rng.normal(size=tuple(layer.weight().shape[:2])))
        x = inputs[stage.name]
        with torch.no_grad():
            gathered = Interaction(stage, layer, share)
            for rows, _ in probe.chunks():
                gathered.add(x[rows], stage.module(x[rows]))
        ones = torch.ones(stage.n_units, dtype=torch.float64)
        effect, first, second = gathered.result(0 * ones, ones)
        per_group, taps = share.shape[1], layer.weight().shape[2]
        for j in range(stage.n_units):
            ranked = np.argsort(-np.abs(share[j].numpy()))[:3]
            shift = (j // (stage.n_units // layer.groups)) * per_group
            for k, (a, b) in enumerate(PAIRS):
                if b >= len(ranked):
                    assert (first[j, k], second[j, k]) == (-1, -1)
                    assert np.isnan(effect[j, k])
                    continue
                i, m = ranked[a], ranked[b]
                assert (first[j, k], second[j, k]) == (i + shift, m + shift)
                parts = [slice(s * taps, (s + 1) * taps) for s in (i, m)]
                twin = interaction_twin(stage, x, j, *parts)
                assert_allclose(effect[j, k], twin, rtol=1e-9, atol=1e-12, err_msg=stage.name)


def test_interaction_is_exactly_0_without_nonlinearity_and_nan_for_dead_units():
    model = seasoned(linear_network())
    seen = observe_network(model, images(), tokens(), extras=True)
    assert np.all(seen.interaction[:4] == 0)
    model = small_vgg()
    with torch.no_grad():
        model.conv2.weight[1] = 0  # no couplings
        model.conv2.bias[2] = -1e4  # varies, but is silent
    seen = observe_network(model, images(), tokens(), extras=True)
    dead, silent = (seen.blueprint.units.index(f"conv2:{j}") for j in (1, 2))
    assert np.isnan(seen.interaction[[dead, silent]]).all()
    assert (seen.interaction_first[dead] == -1).all()
    assert (seen.interaction_first[silent] >= 0).all()
    assert np.isfinite(seen.interaction[seen.blueprint.units.index("conv2:0")]).all()
    assert np.all(seen.interaction[-TOKENS:] == 0)  # logits


def test_a_planted_conjunction_interacts_and_a_sum_does_not():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))
    with torch.no_grad():
        model[0].weight[:] = torch.tensor([[2.0, 2.0, 0.0], [2.0, 2.0, 0.0]])
        model[0].bias[:] = torch.tensor([-3.0, 5.0])  # on for both only; always on
    x = torch.tensor([[a, b, 0.1 * a] for a in (0.0, 1.0) for b in (0.0, 1.0)] * 2)
    x = x.repeat_interleave(2, dim=0)  # all of them in either half
    seen = observe_network(model, x, np.arange(16) // 8, extras=True)
    a = np.array([0, 0, 0, 1])  # of the conjunction: relu(2 a + 2 b - 3)
    assert_allclose(seen.interaction[0, 0], a.mean() / a.std(), rtol=1e-5)
    assert {seen.interaction_first[0, 0], seen.interaction_second[0, 0]} == {0, 1}
    assert_allclose(seen.interaction[1, 0], 0, atol=1e-6)


# --- all of them ----------------------------------------------------------------------------------


def test_extras_come_from_the_records_half_0_and_the_parents_of_the_recorded_coupling():
    from ontogeny.observe import halves

    token = tokens()
    half = halves(token) == 0
    probe = Probe(images(), token, n_tokens=TOKENS, chunk=4)
    inside = np.sort(probe.order[np.isin(np.arange(len(probe)), _half_rows(probe))])
    assert inside.tolist() == np.flatnonzero(half).tolist()
    model = seasoned(odd_network()).double()
    x = prepare(images()).double()
    seen = observe_network(model, Probe(x, token, n_tokens=TOKENS, chunk=4), extras=True)
    alone = sorted(np.flatnonzero(half), key=lambda n: (token[n], n))
    result = attributed(
        model.eval(), Probe(x[torch.as_tensor(alone)], token[alone], n_tokens=TOKENS)
    )[1]
    flat = torch.cat([values.flatten(0, 1) for values in result]).numpy()
    assert_allclose(seen.edge_attribution.astype(float), flat, rtol=1e-3, atol=1e-6)
    source, target = seen.blueprint.edges()
    for j, unit in enumerate(seen.blueprint.units):
        mine = target == unit
        strongest = np.argsort(-np.abs(seen.coupling[mine]))[:3]
        names = [int(s.split(":")[1]) for s in source[mine][strongest]]
        expected = [[names[a], names[b]] for a, b in PAIRS if b < len(names)]
        pairs = np.stack([seen.interaction_first[j], seen.interaction_second[j]], axis=1)
        assert pairs[: len(expected)].tolist() == expected, unit


def _half_rows(probe):
    """Rows of a probe that are in its half, found by their content."""
    held = {row.numpy().tobytes() for row in probe.half.x}
    return [k for k, row in enumerate(probe.x) if row.numpy().tobytes() in held]


@pytest.mark.parametrize("make", [odd_network, lambda: small_vgg(batch_norm=True)])
def test_extras_leave_no_trace_and_change_nothing_else(make):
    model = seasoned(make()).train()
    model[-1].eval()
    next(model.parameters()).requires_grad_(False)
    model(prepare(images())).square().sum().backward()
    before = trace(model)
    seen = observe_network(model, images(), tokens(), extras=True)
    assert_same(before, trace(model))
    bare = observe_network(model, images(), tokens())
    for name in ("activation", "logit", "coupling", "coupling_contrast"):
        assert np.array_equal(getattr(seen, name), getattr(bare, name), equal_nan=True)
    assert all(getattr(bare, name) is None for name in EXTRAS)
    assert all(getattr(seen, name) is not None for name in EXTRAS)


class Whitening(nn.Sequential):
    def forward(self, x):
        return super().forward(x.mul_(1.0))


def test_network_that_changes_its_input_in_place_has_extras_too():
    model = small_vgg()
    a, b = (
        observe_network(m, Probe(images(), tokens(), n_tokens=TOKENS), extras=True)
        for m in (model, Whitening(*model))
    )
    assert np.array_equal(a.edge_attribution, b.edge_attribution, equal_nan=True)


def test_frozen_networks_have_extras_too():
    a, b = odd_network(), odd_network().requires_grad_(False)
    a, b = (observe_network(m, images(), tokens(), extras=True) for m in (a, b))
    assert np.array_equal(a.edge_attribution, b.edge_attribution, equal_nan=True)


def test_without_couplings_or_tokens_there_are_no_extras():
    for token, couplings in ((None, True), (tokens(), False)):
        seen = observe_network(small_vgg(), images(), token, couplings=couplings, extras=True)
        assert all(getattr(seen, name) is None for name in EXTRAS)


class Closed(nn.Sequential):
    def forward(self, x):
        with torch.no_grad():
            return super().forward(x)


def test_network_without_gradients_is_told():
    model = Closed(*small_vgg())
    with pytest.raises(InputError, match=r"gradients pass through, .* observe it with extras=Fa"):
        observe_network(model, images(), tokens(), extras=True)
    observe_network(model, images(), tokens())
