"""Expanded weights and ablation, against autograd, the definition and loops."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ontogeny.errors import InputError  # noqa: E402
from ontogeny.model import prepare, vgg  # noqa: E402
from ontogeny.pictures.ablation import HOWS, ablation_effects, expanded_weights  # noqa: E402
from oracles_planted import (  # noqa: E402
    TOKENS,
    exemplars,
    naive_ablation,
    naive_expanded_weights,
    network,
)

pytestmark = pytest.mark.torch


def small(*, linear=False, seed=0):
    """A double-precision network; `linear`: without nonlinearity and with mean pooling."""
    net = vgg(channels=2, tokens=3, widths=(3, 4, 5), dense=6, depth=1, seed=seed).double().eval()
    if linear:
        for name, module in list(net.named_children()):
            if isinstance(module, torch.nn.ReLU):
                setattr(net, name, torch.nn.Identity())
            if isinstance(module, torch.nn.MaxPool2d):
                setattr(net, name, torch.nn.AvgPool2d(2))
    return net


def inputs(count=12, seed=0):
    rng = np.random.default_rng(seed)
    return torch.as_tensor(rng.standard_normal((count, 2, 16, 16))), np.arange(count) % 3


UNITS = ["conv1:2", "conv2:1", "conv3:4", "fc1:5", "logits:0"]


@pytest.mark.parametrize("unit", UNITS)
def test_expanded_weights_are_the_jacobian_of_a_linear_network(unit):
    net, (x, _) = small(linear=True), inputs()
    found = expanded_weights(net, x, unit)
    exact = naive_expanded_weights(net, x[:1], unit, found.attrs["place"])
    np.testing.assert_allclose(found.values, exact, rtol=1e-10, atol=1e-14)
    assert np.abs(exact).max() > 0


@pytest.mark.parametrize("unit", UNITS)
def test_expanded_weights_are_the_mean_jacobian_of_any_network(unit):
    net, (x, _) = small(), inputs(60)
    found = expanded_weights(net, x, unit)
    naive = naive_expanded_weights(net, x, unit, found.attrs["place"])
    np.testing.assert_allclose(found.values, naive, rtol=1e-10, atol=1e-14)


def test_expanded_weights_of_the_first_layer_are_its_filter():
    net, (x, _) = small(), inputs()
    found = expanded_weights(net, x, "conv1:1", place=(5, 7))
    a = found.attrs
    inside = found.values[:, a["top"] : a["bottom"], a["left"] : a["right"]]
    np.testing.assert_allclose(inside, net.conv1.weight[1].detach().numpy())
    assert np.count_nonzero(found.values) == inside.size


def test_expanded_weights_of_a_planted_pair_show_its_glyphs_side_by_side():
    images, token = exemplars(20)
    found = expanded_weights(network(), images[(token == 0) | (token == 3)], "conv2:0")
    assert found.dims == ("channel", "y", "x")
    half = (found.attrs["left"] + found.attrs["right"]) // 2
    left, right = np.abs(found.values[0, :, :half]), np.abs(found.values[0, :, half:])
    assert min(left.sum(), right.sum()) > 0.3 * max(left.sum(), right.sum())


@pytest.mark.parametrize("how", HOWS)
def test_ablation_is_the_loop(how):
    net, (x, token) = small(), inputs(60)
    sources, targets = ["conv1:0", "conv2:3", "fc1:1"], ["conv2:1", "conv3:0", "logits:2"]
    found = ablation_effects(net, x, token, sources, targets, how=how, seed=3)
    effect, logit = naive_ablation(net, x, sources, targets, how=how, seed=3)
    np.testing.assert_allclose(found["effect"].values, effect, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["logit_effect"].values, logit, rtol=1e-9, atol=1e-12)
    by_token = found["token_effect"].mean("token").values  # as many exemplars of each
    np.testing.assert_allclose(by_token, effect, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("source", "target"), [("conv1:1", "conv2:2"), ("fc1:3", "logits:1")])
def test_zero_ablation_takes_what_comes_through_a_neighbour(source, target):
    """The change is -z_ij: the target's weights on the source, times the source's response."""
    net, (x, token) = small(), inputs()
    found = ablation_effects(net, x, token, [source], [target])
    layer, (i, j) = target.partition(":")[0], (int(n[-1]) for n in (source, target))
    seen = {}
    handle = net.get_submodule(layer).register_forward_hook(
        lambda _, args, z: seen.update(x=args[0].detach(), z=z.detach())
    )
    net(x)
    handle.remove()
    weight = net.get_submodule(layer).weight.detach()[j : j + 1, i : i + 1]
    if layer == "logits":
        through, z = seen["x"][:, i] * weight[0, 0], seen["z"][:, j]
    else:
        through = torch.nn.functional.conv2d(seen["x"][:, i : i + 1], weight, padding=1)
        through, z = through.mean((1, 2, 3)), seen["z"][:, j].mean((1, 2))
    expected = -through.mean() / z.std(correction=0)
    np.testing.assert_allclose(found["effect"].item(), expected.item(), rtol=1e-10)


def test_intervals_hold_the_mean_and_narrow_with_exemplars():
    net, (x, token) = small(), inputs(120)
    few, many = (ablation_effects(net, x[:n], token[:n], ["conv1:0"], ["conv3:1"])
                 for n in (12, 120))  # fmt: skip
    for found in (few, many):
        assert found["effect_low"].item() < found["effect"].item() < found["effect_high"].item()
    width = [(f["effect_high"] - f["effect_low"]).item() for f in (few, many)]
    assert width[1] < 0.5 * width[0]


def test_planted_parents_matter_to_child_and_token_and_others_do_not():
    images, token = exemplars(20)
    sources = [f"conv2:{k}" for k in range(8)]
    found = ablation_effects(network(), images, token, sources, ["conv3:1", "fc1:1"], tokens=TOKENS)
    size = np.abs(found["token_effect"].sel(token="bo").values)
    assert size[[1, 2], 0].min() > 5 * size[[0, 3], 0].max()
    assert found["logit_effect"].sel(source="conv2:1", logit="bo").item() < -0.05
    assert found["token_effect_high"].sel(source="conv2:1", target="fc1:1", token="bo").item() < 0


def test_what_does_not_lie_above_or_does_not_vary_is_nan():
    net, (x, token) = small(), inputs()
    with torch.no_grad():
        net.conv3.weight[0] = 0
    found = ablation_effects(net, x, token, ["conv2:0"], ["conv1:0", "conv2:1", "conv3:0"])
    assert np.isnan(found["effect"].values).all()
    alone = ablation_effects(net, x[:1], token[:1], ["conv1:0"], ["conv2:0"])
    assert np.isnan(alone["effect"].values).all()


def test_network_is_left_as_it_was():
    net, (x, token) = small(), inputs()
    net.train()
    before = x.clone()
    weights = {k: v.clone() for k, v in net.state_dict().items()}
    expanded_weights(net, x, "conv3:0")
    ablation_effects(net, x, token, ["conv1:0"], ["conv3:1"], how="resample")
    assert net.training
    assert torch.equal(x, before)
    assert all(torch.equal(v, weights[k]) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks for m in net.modules())


@pytest.mark.parametrize("name", ["conv9:0", "conv1:3", "conv1"])
def test_unknown_units_list_what_exists(name):
    net, (x, token) = small(), inputs()
    with pytest.raises(InputError, match=rf"got {name}; it has conv1:0 ... conv1:2, conv2:0"):
        expanded_weights(net, x, name)
    with pytest.raises(InputError, match=rf"got {name}; it has conv1:0"):
        ablation_effects(net, x, token, ["conv1:0"], [name])


def test_unknown_ways_places_and_exemplars_are_refused():
    net, (x, token) = small(), inputs()
    with pytest.raises(InputError, match=r"\(zero, mean, resample\), got noise"):
        ablation_effects(net, x, token, ["conv1:0"], ["conv2:0"], how="noise")
    with pytest.raises(InputError, match=r"16 x 16 map of conv1, got \(16, 0\)"):
        expanded_weights(net, x, "conv1:0", place=(16, 0))
    with pytest.raises(InputError, match="each of 12 exemplars"):
        ablation_effects(net, x, token[:5], ["conv1:0"], ["conv2:0"])
    with pytest.raises(InputError, match="floating network input"):
        expanded_weights(net, x[0], "conv1:0")
    with pytest.raises(InputError, match="3 outputs, got 2"):
        ablation_effects(net, x, token, ["conv1:0"], ["conv2:0"], tokens=["a", "b"])


def test_bytes_are_prepared():
    net = network()
    images, _ = exemplars(2)
    a = expanded_weights(net, images, "conv3:1")
    b = expanded_weights(net, prepare(images), "conv3:1")
    np.testing.assert_array_equal(a.values, b.values)


def test_accuracies_without_a_unit_are_those_of_the_network_whose_unit_is_zero():
    net, (x, token) = small(seed=3), inputs(60)
    found = ablation_effects(net, x, token, ["conv1:0", "fc1:2"], [], tokens=["a", "b", "c"])
    with torch.no_grad():
        plain = net(x).argmax(1).numpy() == token
        net.logits.weight[:, 2] = 0
        without = net(x).argmax(1).numpy() == token
    for k, name in enumerate("abc"):
        at = found.sel(token=name)
        assert at["token_accuracy"].item() == plain[token == k].mean()
        mine = at["token_accuracy_without"].sel(source="fc1:2").item()
        assert mine == without[token == k].mean()


def test_a_token_without_exemplars_has_no_accuracy():
    net, (x, token) = small(), inputs()
    found = ablation_effects(net, x[token < 2], token[token < 2], ["conv1:0"], [])
    assert np.isnan(found["token_accuracy"].values).tolist() == [False, False, True]
