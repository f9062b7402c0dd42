"""Observing one network: equal to naive twins on random networks, and without a trace."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from oracles.couplings import (
    naive_activations,
    naive_contrast,
    naive_coupling,
    naive_source_contributions,
    naive_token_signal,
)

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from ontogeny.errors import InputError  # noqa: E402
from ontogeny.hooks import Probe, network_logits, observe_network  # noqa: E402
from ontogeny.model import prepare, stages, vgg  # noqa: E402

pytestmark = pytest.mark.torch
N, TOKENS = 13, 3


def images(n=N, size=12, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


def tokens(n=N, seed=1):
    return np.random.default_rng(seed).permutation(np.arange(n) % TOKENS)


def small_vgg(**options):
    return vgg(tokens=TOKENS, widths=(4, 6), dense=5, **options)


def odd_network():
    """Stride, dilation, groups, flattening, dropout, average pooling, tanh, in-place ReLU."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 6, 5, stride=2), nn.ReLU(inplace=True), nn.Dropout2d(),
        nn.Conv2d(6, 8, 3, padding=2, dilation=2, groups=2), nn.BatchNorm2d(8), nn.Tanh(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 7), nn.BatchNorm1d(7),
        nn.LeakyReLU(inplace=True), nn.Dropout(), nn.Linear(7, TOKENS),
    )  # fmt: skip


def dense_network():
    torch.manual_seed(4)
    return nn.Sequential(nn.Flatten(), nn.Linear(432, 6), nn.ReLU(), nn.Linear(6, TOKENS))


NETWORKS = {
    "vgg": small_vgg,
    "batch norm": lambda: small_vgg(batch_norm=True),
    "odd": odd_network,
    "dense": dense_network,
    "scaled": lambda: small_vgg(output_scale=9.0),
}


def seasoned(model, seed=0):
    """Give batch norms statistics and scales of either sign."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            with torch.no_grad():
                module.weight.normal_()
                module.bias.normal_()
    return model


def layer_inputs(model, found, x):
    """Return each layer's input in float64, from a pass of their own."""
    seen, handles = {}, []
    for stage in found:

        def keep(_module, args, name=stage.name):
            seen[name] = args[0].detach().double().clone()

        handles.append(stage.module.register_forward_pre_hook(keep))
    model(x)
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("chunk", [5, 100])
@pytest.mark.parametrize("name", NETWORKS)
def test_equals_naive_twins(name, chunk, dtype):
    model = seasoned(NETWORKS[name]()).to(dtype)
    x, token = prepare(images()).to(dtype), tokens()
    seen = observe_network(model, Probe(x, token, n_tokens=TOKENS, chunk=chunk))
    found, paths = stages(model, x[:2]), {m: n for n, m in model.named_modules()}
    # each layer is compared on the input that it had, so that errors do not add up over layers
    inputs, start, sources = layer_inputs(model.eval(), found, x), 0, 3
    twin, x = model.double(), x.double()
    maps = naive_activations(
        twin, [paths[s.activation or s.norm or s.module] for s in found], x
    )  # fmt: skip
    assert_allclose(seen.logit, twin(x).detach(), rtol=1e-4, atol=1e-5)
    edges = 0
    for stage in found:
        kept = maps[paths[stage.activation or stage.norm or stage.module]]
        units = slice(start, start + stage.n_units)
        # activations and statistics are stored in float32
        assert_allclose(seen.activation[:, units], kept.mean(2), rtol=1e-5, atol=1e-6)
        assert_allclose(seen.activation_maximum[:, units], kept.max(2), rtol=1e-5, atol=1e-6)
        assert_allclose(seen.unit_mean[units], kept.mean((0, 2)), rtol=1e-5, atol=1e-6)
        assert_allclose(seen.unit_variance[units], kept.var((0, 2)), rtol=1e-5, atol=1e-6)
        assert_allclose(seen.unit_maximum[units], kept.max((0, 2)), rtol=1e-5, atol=1e-6)
        parts = naive_source_contributions(stage.module, inputs[stage.name], sources)
        if stage.norm is not None:  # z is what comes out of the batch norm
            scale = (stage.norm.weight / (stage.norm.running_var + stage.norm.eps).sqrt()).detach()
            parts = parts * scale.numpy().reshape(1, 1, -1, *[1] * (parts.ndim - 3))
        share = naive_coupling(parts)
        wired = wiring_of(stage, share.shape)
        span = slice(edges, edges + wired.sum())
        signal, contrast = naive_token_signal(parts, token), naive_contrast(parts, token)
        assert_allclose(seen.coupling[span], share[wired], rtol=1e-5, atol=1e-5)
        assert_allclose(seen.coupling_token_signal[span], signal[wired], rtol=1e-5, atol=1e-5)
        assert_allclose(  # stored in half precision
            seen.coupling_contrast[span].astype(float), contrast[wired], rtol=1e-3, atol=1e-4
        )
        start, edges, sources = units.stop, span.stop, stage.n_units
    assert (start, edges) == (seen.activation.shape[1], len(seen.coupling))
    assert len(seen.blueprint.units) == start


def wiring_of(stage, shape):
    """Say which [target, source] pairs of a grouped convolution are wired."""
    groups = getattr(stage.module, "groups", 1)
    target = np.arange(shape[0]) // (shape[0] // groups)
    source = np.arange(shape[1]) // (shape[1] // groups)
    return target[:, None] == source[None]


def test_edges_are_named_by_layer_target_and_source():
    seen = observe_network(odd_network(), images(), tokens())
    source, target = seen.blueprint.edges()
    assert len(source) == len(target) == len(seen.coupling) == 6 * 3 + 8 * 3 + 7 * 8 + 3 * 7
    assert source[:4].tolist() == ["pixels:0", "pixels:1", "pixels:2", "pixels:0"]
    assert target[:4].tolist() == ["0:0", "0:0", "0:0", "0:1"]
    second = slice(18, 42)
    expected = [(f"0:{i + 3 * (j // 4)}", f"3:{j}") for j in range(8) for i in range(3)]
    assert list(zip(source[second], target[second], strict=True)) == expected
    assert (source[-1], target[-1]) == ("8:6", "logits:2")


def test_rows_sum_to_one_and_dead_units_are_nan():
    model = small_vgg()
    with torch.no_grad():
        model.conv2.weight[1] = 0
        model.conv2.bias[1] = -1.0
    seen = observe_network(model, images(), tokens())
    _, target = seen.blueprint.edges()
    for unit in seen.blueprint.units:
        row = seen.coupling[target == unit]
        if unit == "conv2:1":
            assert np.isnan(row).all()
            assert np.isnan(seen.coupling_token_signal[target == unit]).all()
            assert np.isnan(seen.coupling_contrast[target == unit]).all()
        else:
            assert_allclose(row.sum(), 1, rtol=1e-4)
    at = seen.blueprint.units.index("conv2:1")
    assert (seen.unit_variance[at], seen.unit_maximum[at]) == (0, 0)


def test_input_moments_are_kept_for_the_next_snapshot():
    probe = Probe(images(), tokens(), n_tokens=TOKENS, chunk=4)
    observe_network(small_vgg(seed=1), probe)
    assert len(probe.moments) == 1
    again = observe_network(small_vgg(seed=2), probe)
    fresh = observe_network(small_vgg(seed=2), images(), tokens())
    assert_allclose(again.coupling, fresh.coupling, rtol=1e-4, atol=1e-6)


class Whitened(nn.Module):
    """Standardises images before the first layer, by a factor that may change."""

    def __init__(self, factor):
        super().__init__()
        self.factor, self.network = factor, small_vgg()

    def forward(self, x):
        return self.network(x * self.factor)


def test_images_changed_before_the_first_layer_are_not_taken_from_the_cache():
    probe = Probe(images(), tokens(), n_tokens=TOKENS)
    scale = torch.tensor([1.0, 5.0, 0.2]).view(3, 1, 1)
    for factor in (1.0, scale, scale.flip(0)):
        seen = observe_network(Whitened(factor), probe)
        plain = observe_network(small_vgg(), Probe(probe.x * factor, probe.groups))
        assert_allclose(seen.coupling, plain.coupling, rtol=1e-4, atol=1e-6)


def test_without_tokens_there_is_no_signal_and_no_contrast():
    seen = observe_network(small_vgg(), images())
    assert seen.coupling is not None
    assert seen.coupling_token_signal is None
    assert seen.coupling_contrast is None


def test_read_only_images_are_taken_without_a_warning():
    still = images()
    still.flags.writeable = False
    observe_network(small_vgg(), still, tokens(), couplings=False)


def test_exemplars_keep_their_order():
    token = tokens()
    seen = observe_network(small_vgg(), images(), token)
    for k in range(N):
        alone = observe_network(small_vgg(), images()[k : k + 1], couplings=False)
        assert_allclose(seen.logit[k], alone.logit[0], rtol=1e-4, atol=1e-6)
        assert_allclose(seen.activation[k], alone.activation[0], rtol=1e-4, atol=1e-6)
    logit = network_logits(small_vgg(), Probe(images(), token, chunk=4))
    assert_allclose(logit, seen.logit, rtol=1e-4, atol=1e-6)


# --- without a trace ----------------------------------------------------------------------------


class Failing(nn.Sequential):
    """Raises at its second pass, in the midst of the layers."""

    calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls > 1:
            self[0](x)
            raise KeyboardInterrupt
        return super().forward(x)


def noisy_network():
    """Draws random numbers even in evaluation mode."""

    class Noise(nn.Module):
        def forward(self, x):
            return x + torch.rand(1) * 0

    return nn.Sequential(Noise(), *odd_network())


def trace(model):
    """Return all that observing might change."""
    return {
        "state": {k: v.clone() for k, v in model.state_dict().items()},
        "gradients": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
        "requires": [p.requires_grad for p in model.parameters()],
        "training": [m.training for m in model.modules()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()],
        "random": torch.get_rng_state(),
        "numpy": np.random.get_state()[1].copy(),  # noqa: NPY002
        "inference": torch.is_inference_mode_enabled(),
        "grad": torch.is_grad_enabled(),
    }


def assert_same(before, after):
    for name, value in before.items():
        if isinstance(value, dict):
            assert all(torch.equal(value[k], after[name][k]) for k in value), name
        elif name == "gradients":
            pairs = zip(value, after[name], strict=True)
            assert all(a is b or torch.equal(a, b) for a, b in pairs), name
        else:
            assert np.array_equal(value, after[name]), name


@pytest.mark.parametrize("make", [odd_network, noisy_network, lambda: small_vgg(batch_norm=True)])
def test_observing_leaves_no_trace(make):
    model = seasoned(make()).train()
    model[-1].eval()  # flags that differ between modules
    next(model.parameters()).requires_grad_(False)
    model(prepare(images())).square().sum().backward()
    before = trace(model)
    observe_network(model, images(), tokens())
    assert_same(before, trace(model))


def test_failing_network_leaves_no_trace():
    model = Failing(*odd_network()).train()
    before = trace(model)
    with pytest.raises(KeyboardInterrupt):
        observe_network(model, images(), tokens(), couplings=False)
    assert model.calls == 2
    assert_same(before, trace(model))


def test_hooks_of_others_stay():
    model, calls = small_vgg(), []
    handle = model.conv1.register_forward_hook(lambda *_: calls.append(1))
    observe_network(model, images(), tokens())
    assert calls
    assert len(model.conv1._forward_hooks) == 1
    handle.remove()


# --- bounded memory -----------------------------------------------------------------------------


MEMORY = """
import resource, torch
from test_hooks import Probe, images, observe_network, small_vgg, tokens

def peak(probe, times=1):
    for _ in range(times):
        observe_network(model, probe)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

torch.set_num_threads(1)
model = small_vgg()
few, many = (Probe(images(n, 64), tokens(n), n_tokens=3, chunk=4) for n in (20, 640))
whole = Probe(many.x, many.groups, n_tokens=3, chunk=640)
print(peak(few, 3), peak(many), peak(many, 10), peak(whole))
"""


def test_memory_is_bounded_by_the_chunk_not_by_exemplars_or_snapshots():
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    out = subprocess.run(
        [sys.executable, "-c", MEMORY], check=True, capture_output=True, text=True, env=environment
    )
    few, many, often, whole = map(float, out.stdout.split())  # MiB
    assert many - few < 16
    assert often - many < 8
    assert whole - often > 64


# --- what cannot be observed --------------------------------------------------------------------


class Skip(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.relu = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.ReLU()
        self.c, self.head = nn.Conv2d(4, 4, 1), nn.Linear(4, TOKENS)

    def forward(self, x):
        x = self.relu(self.a(x))
        x = x + self.relu(self.b(x))
        return self.head(self.relu(self.c(x)).mean((2, 3)))


class Concatenated(Skip):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        x = self.relu(self.a(x))
        x = torch.cat([x, self.relu(self.b(x))], 1)
        return self.head(self.relu(self.c(x)).mean((2, 3)))


class Shuffled(Skip):
    def forward(self, x):
        x = self.relu(self.b(self.relu(self.a(x)).flip(1)))
        return self.head(self.relu(self.c(x)).mean((2, 3)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Skip, "the input of c does not come through b alone"),
        (Concatenated, "c has 8 inputs but b has 4 units"),
        (Shuffled, "channels are mixed between a and b"),
    ],
)
def test_networks_that_are_no_chain_are_refused_but_can_be_observed_without_couplings(make, words):
    torch.manual_seed(0)
    model = make()
    with pytest.raises(InputError, match=f"couplings need .*{words}.*couplings=False"):
        observe_network(model, images(), tokens())
    seen = observe_network(model, images(), tokens(), couplings=False)
    assert seen.coupling is None
    x = prepare(images())
    expected = model.relu(model.a(x)).mean((2, 3)).detach()
    assert_allclose(seen.activation[:, :4], expected, rtol=1e-4, atol=1e-6)


def test_shared_nonlinearity_is_seen_at_each_stage():
    torch.manual_seed(0)
    relu = nn.ReLU(inplace=True)
    shared = nn.Sequential(  # its third use belongs to no stage
        nn.Conv2d(3, 4, 3), relu, nn.Conv2d(4, 5, 3), relu, nn.MaxPool2d(2), relu, nn.Flatten(),
        nn.Linear(80, TOKENS),
    )  # fmt: skip
    own = nn.Sequential(*[nn.ReLU() if m is relu else m for m in shared])
    a, b = (observe_network(m, images(), tokens()) for m in (shared, own))
    assert_allclose(a.activation, b.activation, rtol=1e-6)
    assert_allclose(a.coupling, b.coupling, rtol=1e-6)


def test_batch_norm_without_statistics_is_refused():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False), nn.ReLU(), nn.Flatten(),
        nn.Linear(400, TOKENS),
    )  # fmt: skip
    with pytest.raises(InputError, match="the batch norm of 0 keeps no running statistics"):
        observe_network(model, images(), tokens())


def test_probe_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"expected exemplars as uint8 .* got torch.int64"):
        Probe(np.zeros((3, 4), dtype=int))
    with pytest.raises(InputError, match=r"expected exemplars as uint8"):
        Probe(images(0))
    with pytest.raises(InputError, match=r"expected a token from 0 to 3 \(excluded\) for each of"):
        Probe(images(), tokens() + 1, n_tokens=3)
    with pytest.raises(InputError, match="expected a token from 0 to inf"):
        Probe(images(), tokens()[:4])
    with pytest.raises(InputError, match="expected a logit for each of 9 tokens, got 3"):
        observe_network(small_vgg(), Probe(images(), tokens(), n_tokens=9))
    with pytest.raises(InputError, match=r"expected a network that returns logits"):
        observe_network(nn.Sequential(nn.Conv2d(3, 2, 1)), images())
