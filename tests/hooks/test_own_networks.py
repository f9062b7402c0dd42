"""Networks as people have them: wrapped, of another precision, with functions for modules."""

import copy
import gc

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402

from ontogeny.errors import InputError  # noqa: E402
from ontogeny.hooks import Probe, network_logits, observe_network  # noqa: E402
from ontogeny.model import prepare, stages  # noqa: E402
from ontogeny.passes import bare, paths  # noqa: E402
from ontogeny.pictures.cone import Cone  # noqa: E402
from ontogeny.pictures.fields import columns  # noqa: E402
from ontogeny.pictures.preferred import Recipe, preferred_images  # noqa: E402
from ontogeny.pictures.responses import best_responses  # noqa: E402

pytestmark = pytest.mark.torch
TOKENS, N = 3, 12
NAMES = (
    "activation", "activation_maximum", "logit", "unit_mean", "unit_variance", "unit_maximum",
    "coupling", "coupling_token_signal", "coupling_contrast", "coupling_null", "edge_attribution",
    "interaction", "interaction_first", "interaction_second",
)  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def probe():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N, 8, 8, 3), dtype=np.uint8)
    return Probe(images, np.arange(N) % TOKENS, n_tokens=TOKENS, chunk=5)


def network(act=None, seed=0):
    """Return conv, batch norm, conv, dense, logits with a nonlinearity between."""
    torch.manual_seed(seed)
    act = act or nn.ReLU
    model = nn.Sequential()
    for name, module in (
        ("conv1", nn.Conv2d(3, 4, 3, padding=1)), ("norm1", nn.BatchNorm2d(4)), ("act1", act()),
        ("pool", nn.MaxPool2d(2)), ("conv2", nn.Conv2d(4, 5, 3)), ("act2", act()),
        ("flat", nn.Flatten()), ("fc1", nn.Linear(20, 6)), ("act3", act()),
        ("logits", nn.Linear(6, TOKENS)),
    ):  # fmt: skip
        model.add_module(name, module)
    model.norm1.running_mean.normal_()
    model.norm1.running_var.uniform_(0.5, 2)
    return model


class ByFunction(nn.Module):
    """The layers of `network` with everything between them a function."""

    def __init__(self, act):
        super().__init__()
        twin = network()
        self.conv1, self.norm1, self.conv2 = twin.conv1, twin.norm1, twin.conv2
        self.fc1, self.logits, self.act = twin.fc1, twin.logits, act

    def forward(self, x):
        x = functional.max_pool2d(self.act(self.norm1(self.conv1(x))), 2)
        x = torch.flatten(self.act(self.conv2(x)), 1)
        return self.logits(self.act(self.fc1(x)))


def assert_same_record(seen, twin):
    for name in NAMES:
        one, other = getattr(seen, name), getattr(twin, name)
        assert (one is None) == (other is None), name
        assert one is None or np.array_equal(one, other, equal_nan=True), name
    assert seen.blueprint == twin.blueprint


def in_place_statement(x):
    functional.relu(x, inplace=True)
    return x


FUNCTIONS = {
    "relu": (functional.relu, nn.ReLU),
    "torch.relu": (torch.relu, nn.ReLU),
    "tensor.relu": (lambda x: x.relu(), nn.ReLU),
    "in place": (lambda x: functional.relu(x, inplace=True), nn.ReLU),
    "a statement": (in_place_statement, nn.ReLU),
    "relu_": (lambda x: x.relu_(), nn.ReLU),
    "clamp": (lambda x: x.clamp(min=0), nn.ReLU),
    "clamp_": (lambda x: torch.clamp_(x, 0), nn.ReLU),
    "maximum": (lambda x: torch.maximum(x, torch.zeros_like(x)), nn.ReLU),
    "made anew": (lambda x: nn.ReLU()(x), nn.ReLU),
    "leaky": (lambda x: functional.leaky_relu(x, 0.2), lambda: nn.LeakyReLU(0.2)),
    "elu": (lambda x: functional.elu(x, alpha=0.7), lambda: nn.ELU(0.7)),
    "gelu": (lambda x: functional.gelu(x, approximate="tanh"), lambda: nn.GELU("tanh")),
    "silu": (functional.silu, nn.SiLU),
    "tanh": (torch.tanh, nn.Tanh),
    "sigmoid": (lambda x: x.sigmoid(), nn.Sigmoid),
    "hardtanh": (lambda x: x.clamp(-1, 1), nn.Hardtanh),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_give_the_record_of_modules_to_the_bit(name):
    function, module = FUNCTIONS[name]
    model, twin = ByFunction(function), network(module)
    seen = observe_network(model, probe(), extras=True)
    assert_same_record(seen, observe_network(twin, probe(), extras=True))
    assert all(stage.by_function for stage in stages(model, probe().example)[:3])


def test_a_module_of_ones_own_is_looked_into():
    class Rectifier(nn.Module):
        def forward(self, x):
            return functional.relu(x)

    seen = observe_network(network(Rectifier), probe(), extras=True)
    assert_same_record(seen, observe_network(network(), probe(), extras=True))


def test_a_gate_is_no_nonlinearity_of_the_layer():
    kept = observe_network(ByFunction(lambda x: x * torch.sigmoid(x)), probe(), couplings=False)
    model = network().eval()
    z = model.norm1(model.conv1(probe().x)).mean((2, 3)).detach()
    np.testing.assert_allclose(kept.activation[:, :4], probe().restore(z), rtol=1e-5, atol=1e-6)


def test_dropout_and_identity_stand_between_a_layer_and_its_nonlinearity():
    def between():
        return nn.Sequential(nn.Identity(), nn.Dropout(), nn.ReLU())

    seen = observe_network(network(between), probe(), extras=True)
    assert_same_record(seen, observe_network(network(), probe(), extras=True))


class Residual(nn.Module):
    """Adds before it rectifies, as residual networks do."""

    def __init__(self, relu):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.short = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.relu, self.head = relu, nn.Linear(4, TOKENS)

    def forward(self, x):
        x = self.relu(self.a(x))
        y = self.b(x)
        y += self.short(x)
        return self.head(self.relu(y).mean((2, 3)))


def test_a_sum_of_branches_is_no_units_own_response():
    modules, functions = Residual(nn.ReLU(inplace=True)), Residual(functional.relu)
    a, b = (observe_network(m, probe(), couplings=False) for m in (modules, functions))
    assert_same_record(a, b)
    x = modules.relu(modules.a(probe().x))
    np.testing.assert_allclose(
        a.activation[:, 4:8], probe().restore(modules.b(x).mean((2, 3)).detach()),
        rtol=1e-5, atol=1e-6,
    )  # fmt: skip


def test_pictures_treat_functions_as_modules():
    model, twin = ByFunction(functional.relu).eval(), network().eval()
    images = np.random.default_rng(1).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    ours, theirs = (columns(m, prepare(images[:1])) for m in (model, twin))
    for name in ("conv1", "conv2", "fc1", "logits"):
        assert ours[name].ops is not None
        assert ours[name].field(0, 0) == theirs[name].field(0, 0)
        assert Cone(model, ours[name]).size == Cone(twin, theirs[name]).size
    best, known = best_responses(model, images), best_responses(twin, images)
    assert all(np.array_equal(best[k].response, known[k].response) for k in known)
    recipe = Recipe(steps=3, precision="float32")
    a, b = (preferred_images(m, images, recipe=recipe) for m in (model, twin))
    assert a.identical(b)


def test_a_function_that_is_not_known_breaks_the_chain_of_fields():
    class Flipped(ByFunction):
        def forward(self, x):
            return super().forward(x.mul_(-1))

    x = prepare(np.zeros((1, 8, 8, 3), np.uint8))
    assert columns(Flipped(functional.relu), x)["conv2"].ops is None


# --- wrapped, and of another precision -----------------------------------------------------------


def compiled(model):
    return torch.compile(model, backend="eager")


def compiled_in_place(model):
    model.compile(backend="eager")
    return model


def compiled_part(model):
    model.conv2 = torch.compile(model.conv2, backend="eager")
    return model


WRAPPERS = {
    "compile": compiled,
    "compile in place": compiled_in_place,
    "a part compiled": compiled_part,
    "data parallel": nn.DataParallel,
    "both": lambda model: nn.DataParallel(compiled(model)),
    "averaged": torch.optim.swa_utils.AveragedModel,
    "bfloat16": lambda model: model.bfloat16(),
    "half": lambda model: model.half(),
    "double": lambda model: model.double(),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapped_or_converted_network_gives_the_record_of_the_bare_one(name):
    model = WRAPPERS[name](network())
    twin = network()
    if name in {"bfloat16", "half"}:
        twin = WRAPPERS[name](twin).float()
    kinds = {p.dtype for p in model.parameters()}
    assert_same_record(
        observe_network(model, probe(), extras=True), observe_network(twin, probe(), extras=True)
    )
    assert {p.dtype for p in model.parameters()} == kinds
    assert list(paths(bare(model)).values())[1:4] == ["conv1", "norm1", "act1"]
    assert np.array_equal(network_logits(model, probe()), network_logits(twin, probe()))


def test_compiled_code_runs_again_after_the_observation():
    passes = []

    def backend(graph, _):
        def run(*args):
            passes.append(1)
            return graph.forward(*args)

        return run

    model, x = torch.compile(network().eval(), backend=backend), probe().x[:2]
    model(x)
    observe_network(model, probe())
    assert passes == [1]
    model(x)
    assert passes == [1, 1]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_around_the_observation_does_not_reach_in(dtype):
    with torch.autocast("cpu", dtype):
        seen = observe_network(network(), probe(), extras=True)
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_autocast_dtype("cpu") == dtype
    assert_same_record(seen, observe_network(network(), probe(), extras=True))


def test_autocast_inside_the_network_is_refused_by_name():
    class Cast(ByFunction):
        def forward(self, x):
            with torch.autocast("cpu", torch.bfloat16):
                return super().forward(x).float()

    with pytest.raises(InputError, match=r"expected conv1 to compute in torch.float32, got torch."):
        observe_network(Cast(functional.relu), probe())


def test_lazy_networks_are_refused_and_left_as_they_are():
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(TOKENS))
    state = torch.get_rng_state()
    with pytest.raises(InputError, match=r"lazy layers without \(0, 3\): run one forward pass"):
        observe_network(model, probe())
    assert torch.equal(state, torch.get_rng_state())
    assert model[0].has_uninitialized_params()
    model(probe().x[:2])
    assert observe_network(model, probe()).logit.shape == (N, TOKENS)


def test_a_network_that_cannot_be_copied_is_told_how_to_be_converted():
    model = network().double()
    model.remembered = model(probe().x.double()).sum()
    with pytest.raises(InputError, match=r"float32 weights, or one that can be copied"):
        observe_network(model, probe())


def test_parametrised_weights_are_layers():
    model = network()
    twin = copy.deepcopy(model)
    nn.utils.parametrizations.weight_norm(model.conv2)
    seen, known = (observe_network(m, probe(), extras=True) for m in (model, twin))
    assert seen.blueprint == known.blueprint
    np.testing.assert_allclose(seen.coupling, known.coupling, rtol=1e-3, atol=1e-5)


# --- without a trace ------------------------------------------------------------------------------


class Checkpointed(ByFunction):
    reentrant = False

    def forward(self, x):
        run = super().forward
        if not torch.is_grad_enabled():
            return run(x)
        return checkpoint(run, x, use_reentrant=self.reentrant)


def test_activation_checkpointing_does_not_count_layers_twice():
    seen = observe_network(Checkpointed(functional.relu), probe(), extras=True)
    assert_same_record(seen, observe_network(network(), probe(), extras=True))


def test_checkpointing_that_hides_gradients_is_refused_by_name():
    model = Checkpointed(functional.relu)
    model.reentrant = True
    with pytest.raises(InputError, match="activation checkpointing with use_reentrant=True"):
        observe_network(model, probe(), extras=True)
    assert observe_network(model, probe()).coupling is not None


def test_a_layer_that_is_not_met_once_in_each_pass_is_refused_by_name():
    class Moody(ByFunction):
        passes = 0

        def forward(self, x):
            self.passes += 1
            if self.passes > 3:
                self.act(self.conv2(functional.max_pool2d(self.conv1(x), 2)))
            return super().forward(x)

    with pytest.raises(InputError, match=r"got conv1 2 times, its response 1 times; conv2 2 "):
        observe_network(Moody(functional.relu), probe(), couplings=False)


class Remembering(ByFunction):
    """Keeps of its first pass what later ones use, and counts passes in a buffer."""

    def __init__(self):
        super().__init__(functional.relu)
        self.register_buffer("passes", torch.zeros(()))
        self.scale = None

    def forward(self, x):
        self.passes += 1
        if self.scale is None:
            self.scale = torch.ones(1, *x.shape[1:])
        return super().forward(x * self.scale)


def test_what_a_network_keeps_of_a_pass_is_of_use_to_its_training():
    model = Remembering()
    observe_network(model, probe(), couplings=False)
    assert model.passes == 0
    model(probe().x).sum().backward()
    assert model.conv1.weight.grad is not None


@pytest.mark.parametrize("make", [network, lambda: ByFunction(functional.relu)])
def test_hooks_are_gone_after_a_pass_and_after_an_error_and_those_of_others_stay(make):
    model, calls = make(), []
    model.conv1.register_forward_hook(lambda *_: calls.append(1))
    observe_network(model, probe(), extras=True)
    assert calls

    def fail(*_):
        raise ZeroDivisionError

    handle = model.fc1.register_forward_hook(fail)
    with pytest.raises(ZeroDivisionError):
        observe_network(model, probe())
    handle.remove()
    for module in model.modules():
        hooks = len(module._forward_hooks) + len(module._forward_pre_hooks)
        assert hooks == (1 if module is model.conv1 else 0)
    assert torch.overrides._get_current_function_mode_stack() == []


def test_two_hundred_observations_leave_memory_flat():
    model, shown = ByFunction(functional.relu), probe()

    def tensors():
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    observe_network(model, shown, extras=True)
    before = tensors()
    for _ in range(200):
        observe_network(model, shown)
    assert tensors() <= before
