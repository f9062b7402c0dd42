"""The exact graph of one picture: complete, conserved, and what taking edges away says."""

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

import ontogeny as ont  # noqa: E402
from ontogeny.construction.attribution import attributions  # noqa: E402
from ontogeny.construction.picture_graph import picture_graph_of  # noqa: E402
from ontogeny.errors import InputError  # noqa: E402
from ontogeny.hooks import observe_network  # noqa: E402
from ontogeny.model import vgg  # noqa: E402
from ontogeny.pictures.asked import Asked  # noqa: E402
from oracles import graph  # noqa: E402
from oracles import picture_graph as oracles  # noqa: E402

pytestmark = pytest.mark.torch
CHOICES = [(of, held) for of in ("contrast", "logit") for held in ("zero", "mean")]


def stirred(net, seed=0):
    """Give a network biases, and batch norms statistics and shifts, that are not 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, values in [*net.named_parameters(), *net.named_buffers()]:
            if name.endswith(("bias", "running_mean")):
                values.normal_(0, 0.3, generator=generator)
            if name.endswith("running_var") or ("norm" in name and name.endswith("weight")):
                values.uniform_(0.5, 1.5, generator=generator)
    return net.eval()


def small(*, batch_norm=False, seed=0, **options):
    sizes = {"channels": 2, "tokens": 3, "widths": (3, 4), "dense": 5, "depth": 1} | options
    return stirred(vgg(**sizes, batch_norm=batch_norm, seed=seed).double(), seed)


def picture(size=8, channels=2, seed=0):
    return torch.as_tensor(np.random.default_rng(seed).standard_normal((channels, size, size)))


def reference_of(held, image):
    return picture(image.shape[1], len(image), seed=9) if held == "mean" else None


def ends(graph):
    """Mark pixels and biases."""
    return np.array([name.startswith(("pixels", "bias")) for name in graph.node.values])


def operations(net):
    """Return the operations of the naive network."""
    found = []
    for module in net:
        values = {name: v.detach().numpy() for name, v in module.state_dict().items()}
        if isinstance(module, nn.Conv2d | nn.Linear):
            bias = values.get("bias", np.zeros(len(values["weight"])))
            found.append(("conv" if isinstance(module, nn.Conv2d) else "dense",
                          values["weight"], bias))  # fmt: skip
        elif isinstance(module, nn.BatchNorm2d):
            scale = values["weight"] / np.sqrt(values["running_var"] + module.eps)
            found.append(("norm", scale, values["bias"] - scale * values["running_mean"]))
        elif isinstance(module, nn.ReLU | nn.LeakyReLU):
            found.append(("gate", getattr(module, "negative_slope", 0.0)))
        elif isinstance(module, nn.MaxPool2d):
            found.append(("max",))
        elif isinstance(module, nn.AdaptiveAvgPool2d):
            found.append(("mean",))
    return found


# --- exactness ------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("of", "held"), CHOICES)
def test_pixels_and_biases_add_up_to_the_logit(of, held, batch_norm):
    net, image = small(batch_norm=batch_norm, depth=2), picture()
    graph = picture_graph_of(net, image, 1, of=of, reference=reference_of(held, image), keep=0.5)
    logits = net(image[None])[0].detach()
    logit = float(logits[1] - (logits.mean() if of == "contrast" else 0))
    assert graph.explained.item() == pytest.approx(logit, rel=1e-12)
    whole = picture_graph_of(net, image, 1, of=of, reference=reference_of(held, image), keep=1)
    total = whole.attribution.values[ends(whole)].sum() + whole.reference.item()
    np.testing.assert_allclose(total, logit, rtol=1e-12)
    assert whole.completeness_error.item() < 1e-12
    assert graph.completeness_error.item() == whole.completeness_error.item()
    assert (graph.reference.item() != 0) == (held == "mean")


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("held", ["zero", "mean"])
def test_what_flows_into_a_unit_flows_out_of_it(held, batch_norm):
    net, image = small(batch_norm=batch_norm, depth=2, widths=(4, 5, 6)), picture(16)
    graph = picture_graph_of(net, image, 0, reference=reference_of(held, image), keep=1)
    attribution = graph.attribution.to_series()
    into = graph.edge_attribution.to_series().groupby(graph.target.values).sum()
    out = graph.edge_attribution.to_series().groupby(graph.source.values).sum()
    units = graph.node.values[~ends(graph)]
    hidden = [name for name in units if not name.startswith("logits")]
    assert len(hidden) > 20
    np.testing.assert_allclose(into[units], attribution[units], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(out[hidden], attribution[hidden], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(graph.rest.values[~ends(graph)], 0, atol=1e-14)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_edges_into_a_unit_and_its_bias_are_its_preactivation(batch_norm):
    net, image = small(batch_norm=batch_norm).float(), picture().float()
    graph = picture_graph_of(net, image, 2, keep=1)
    into = graph.contribution.to_series().groupby(graph.target.values).sum()
    seen = {}
    modules = dict(net.named_children())
    names = {"conv1": "norm1", "conv2": "norm2"} if batch_norm else {}
    for layer in ("conv1", "conv2", "fc1"):
        module = modules[names.get(layer, layer)]
        module.register_forward_hook(lambda _, __, z, layer=layer: seen.update({layer: z.clone()}))
    net(image[None])
    for layer, z in seen.items():
        means = z.detach()[0].flatten(1).mean(1) if z.dim() == 4 else z.detach()[0]
        for j, mean in enumerate(means.tolist()):
            if (name := f"{layer}:{j}") in graph.node.values:
                assert into[name] == pytest.approx(mean, rel=1e-5, abs=1e-6)
                assert graph.preactivation.sel(node=name).item() == pytest.approx(into[name])


def test_a_picture_held_against_itself_has_no_flow():
    net, image = small(batch_norm=True), picture()
    graph = picture_graph_of(net, image, 0, reference=image)
    assert graph.reference.item() == pytest.approx(graph.explained.item(), rel=1e-12)
    assert graph.node.values.tolist() == ["logits:0"]
    assert graph.attribution.item() == 0


# --- naive twins ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["plain", "batch norm", "leaky"])
@pytest.mark.parametrize(("of", "held"), CHOICES)
def test_an_edge_gives_what_is_missing_when_it_is_taken_away_with_gates_fixed(of, held, kind):
    net, image = small(batch_norm=kind == "batch norm", seed=3), picture(4)
    if kind == "leaky":
        for name in ("relu1", "relu2", "relu_fc1"):
            setattr(net, name, nn.LeakyReLU(0.2))
    ops, x, contrast = operations(net), image.numpy(), of == "contrast"
    gates = oracles.run(ops, x)[1]
    reference = reference_of(held, image)
    graph = picture_graph_of(net, image, 1, of=of, reference=reference, keep=1)
    layers = graph.attrs["layers"]
    missing = dict(zip(zip(graph.source.values, graph.target.values, strict=True),
                       graph.edge_attribution.values, strict=True))  # fmt: skip
    units = [2, 3, 4, 5]
    for k in range(3):
        for j in range(units[k + 1]):
            for i in [*range(units[k]), "bias"]:
                edge = (k, j, i)
                expected = oracles.attribution(ops, x, gates, edge, 1, contrast)
                if reference is not None:
                    expected -= oracles.attribution(
                        ops, reference.numpy(), gates, edge, 1, contrast
                    )
                source = f"bias:{layers[k + 1]}" if i == "bias" else f"{layers[k]}:{i}"
                found = missing.pop((source, f"{layers[k + 1]}:{j}"), 0.0)
                np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)
    assert {target for _, target in missing} == {"logits:1"}


def test_contributions_are_the_loop():
    net, image = small(seed=3), picture(4)
    graph = picture_graph_of(net, image, 1, keep=1)
    weight = net.conv1.weight.detach().numpy()
    for k in np.flatnonzero([name.startswith("conv1:") for name in graph.target.values]):
        source, target = graph.source.values[k], int(graph.target.values[k][-1])
        expected = float(net.conv1.bias.detach()[target])
        if source.startswith("pixels"):
            plane, kernel = image[int(source[-1])].numpy(), weight[target, int(source[-1])]
            each = [oracles.reached(plane, kernel, y, x) for y, x in np.ndindex(4, 4)]
            expected = sum(each) / 16
        np.testing.assert_allclose(graph.contribution.values[k], expected, rtol=1e-10)


@pytest.mark.parametrize("keep", [0.3, 0.8])
def test_influence_and_what_is_kept_are_those_of_all_paths(keep):
    net, image = small(seed=5), picture()
    whole = picture_graph_of(net, image, 0, keep=1)
    found = attributions(net, image[None], 0, contrast=True)
    into = [np.column_stack([layer.attribution, layer.bias_attribution]) for layer in found.layers]
    pruned = picture_graph_of(net, image, 0, keep=keep)
    kept_ones = []
    for level, (name, layer) in enumerate(zip(found.names, found.layers, strict=False)):
        values = [oracles.influence(into, (level, i)) for i in range(layer.attribution.shape[1])]
        for i, value in enumerate(values):
            if f"{name}:{i}" in whole.node.values:
                mine = whole.influence.sel(node=f"{name}:{i}").item()
                np.testing.assert_allclose(mine, value, rtol=1e-9)
        kept = graph.fewest_holding(values, keep)
        kept_ones += [f"{name}:{i}" for i, yes in enumerate(kept) if yes]
    kept_ones += ["logits:0", *(f"bias:{layer.name}" for layer in found.layers)]
    assert set(pruned.node.values) == set(kept_ones)
    assert 0 < pruned.kept_share.item() <= 1
    assert whole.kept_share.item() == pytest.approx(1)


def test_the_kept_share_is_what_comes_along_kept_nodes_alone():
    net, image = small(seed=5), picture()
    graph = picture_graph_of(net, image, 0, keep=0.5)
    whole = picture_graph_of(net, image, 0, keep=1)
    size = dict.fromkeys(whole.node.values, 0.0)
    for target, attribution in zip(whole.target.values, whole.edge_attribution.values, strict=True):
        size[target] += abs(attribution)
    edges = list(
        zip(graph.source.values, graph.target.values, graph.edge_attribution.values, strict=True)
    )

    def arrives(node):
        if node.startswith(("pixels", "bias")):
            return 1.0
        return sum(abs(attribution) / size[node] * arrives(source)
                   for source, target, attribution in edges if target == node)  # fmt: skip

    assert graph.kept_share.item() == pytest.approx(arrives("logits:0"), rel=1e-9)
    assert 0.01 < graph.kept_share.item() < 0.99


def test_a_kept_node_and_what_is_left_out_balance():
    net, image = small(seed=5, depth=2), picture()
    graph = picture_graph_of(net, image, 0, keep=0.5)
    into = graph.edge_attribution.to_series().groupby(graph.target.values).sum()
    units = graph.node.values[~ends(graph)]
    both = into.reindex(units, fill_value=0.0).values + graph.rest.sel(node=units).values
    np.testing.assert_allclose(
        both, graph.attribution.sel(node=units).values, rtol=1e-10, atol=1e-14
    )
    assert graph.attrs["nodes_left_out"] > 0
    whole = picture_graph_of(net, image, 0, keep=1)
    assert graph.attrs["edges_left_out"] >= whole.sizes["edge"] - graph.sizes["edge"]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_the_mean_over_a_tokens_pictures_is_the_records_edge_attribution(batch_norm):
    net, token = small(batch_norm=batch_norm, seed=2), np.arange(12) % 3
    images = torch.stack([picture(seed=k) for k in range(12)])
    seen = observe_network(net, images, token, extras=True)
    every = dict.fromkeys(zip(*seen.blueprint.edges(), strict=True), 0.0)
    own = np.flatnonzero(token == 1)[::2]  # the record takes every other exemplar of a token
    for k in own:
        graph = picture_graph_of(net, images[k], 1, keep=1)
        edges = zip(graph.source.values, graph.target.values, strict=True)
        for edge, value in zip(edges, graph.edge_attribution.values, strict=True):
            if edge in every:
                every[edge] += value / len(own)
    hidden = [not target.startswith("logits") for _, target in every]
    expected = np.array(list(every.values()))[hidden]
    found = seen.edge_attribution[hidden, 1].astype(float)
    assert np.abs(expected).max() > 0.01
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-6)  # kept as float16


# --- other networks -------------------------------------------------------------------------------


class Own(nn.Module):
    """Grouped and strided convolutions, functions, a pooling with a margin, a flattening."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, stride=2, padding=1)
        self.second = nn.Conv2d(4, 6, 3, groups=2, bias=False)
        self.third = nn.Linear(6 * 4, 3)

    def forward(self, x):
        x = nn.functional.leaky_relu_(self.first(x), 0.1)
        x = nn.functional.max_pool2d(nn.functional.relu_(self.second(x)), 3, 2, 1)
        return 4 * self.third(x.flatten(1))


@pytest.mark.parametrize("held", ["zero", "mean"])
def test_any_chain_of_rectifiers_is_exact(held):
    torch.manual_seed(0)
    net, image = Own().double(), picture(12, seed=2)
    graph = picture_graph_of(net, image, 2, reference=reference_of(held, image), keep=1)
    total = graph.attribution.values[ends(graph)].sum() + graph.reference.item()
    np.testing.assert_allclose(total, graph.explained.item(), rtol=1e-12)
    sources = {name for name in graph.source.values if name.startswith("first")}
    assert sources == {f"first:{i}" for i in range(4)}
    crossed = (graph.source == "first:0") & graph.target.isin([f"second:{j}" for j in (3, 4, 5)])
    assert not crossed.any(), "groups do not mix"
    assert "bias:second" not in graph.node.values


def test_the_network_is_left_as_it_was():
    net, image = small(batch_norm=True).float().train(), picture()
    before = {name: v.clone() for name, v in net.state_dict().items()}
    picture_graph_of(net, image, 0)
    picture_graph_of(net.double(), image, 0, reference=image)
    assert net.training
    assert all(torch.equal(v.double(), before[n].double()) for n, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert not any(m._forward_hooks for m in net.modules())


def test_bytes_are_prepared_and_so_is_their_mean():
    net = small()
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 2), dtype=np.uint8)
    mean = images.mean(axis=0)
    mine = picture_graph_of(net, images[0], 0, reference=mean)
    x, r = ont.prepare(images[:1])[0], (mean.transpose(2, 0, 1) - 127.5) / 63.75
    np.testing.assert_allclose(
        mine.attribution,
        picture_graph_of(net, x.double(), 0, reference=r).attribution,
        rtol=1e-4,
        atol=1e-6,
    )  # `prepare` computes in float32


# --- runs -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    task = ont.load_task("faces", tokens=3, density=20, size=16)
    network = ont.vgg(task, widths=(4, 6), dense=8, depth=1)
    config = ont.Config(steps=12, snapshots=3)
    return ont.train(task, network, config=config, out=tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize("against", ["zero", "mean"])
@pytest.mark.parametrize("step", [0, 7, 12])
def test_a_graph_of_a_run_is_that_of_its_network(run, step, against):
    exemplar, images = int(run.task.probe[4]), run.task.images
    token = int(run.task.token[exemplar])
    mine = ont.picture_graph(run.path, exemplar, step=step, against=against)
    mean = images[run.task.probe].mean(axis=0) if against == "mean" else None
    other = picture_graph_of(run.replay(step), images[exemplar], token, reference=mean)
    assert mine.step.item() == step
    assert mine.attrs["token"] == run.task.tokens[token]
    np.testing.assert_array_equal(mine.node.values, other.node.values)
    np.testing.assert_allclose(mine.attribution.values, other.attribution.values, rtol=1e-10)


def test_a_graph_through_training_is_over_all_nodes_kept_at_some_step(run):
    steps, asked = [0, 7, 12], Asked(run)
    together = ont.picture_graphs(asked, 3, steps=steps, keep=0.5, token="cleo", of="logit")
    assert together.attribution.dims == ("step", "node")
    assert together.step.values.tolist() == steps
    names = set()
    for step in steps:
        alone = ont.picture_graph(asked, 3, step=step, keep=0.5, token="cleo", of="logit")
        at = together.sel(step=step)
        mine = at.node.values[at.is_kept.values]
        assert set(mine) <= set(alone.node.values)
        assert alone.is_kept.all()
        same = at.attribution.sel(node=alone.node.values).values
        np.testing.assert_allclose(same, alone.attribution.values, rtol=1e-12)
        assert at.kept_share.item() >= alone.kept_share.item() - 1e-12
        names |= set(alone.node.values)
    assert set(together.node.values) == names
    latest = ont.picture_graph(asked, 3)
    assert latest.step.item() == 12


def test_what_a_run_does_not_have_is_refused(run):
    refused = [
        (
            {"exemplar": 10_000},
            f"expected an exemplar from 0 to {len(run.task.images) - 1}, got 10000",
        ),
        ({"exemplar": -1}, "got -1"),
        ({"step": 13}, "expected a step from 0 to 12"),
        ({"token": "zoe"}, "(ada, bo, cleo), got zoe: choose one of these"),
        ({"against": "noise"}, "against to be one of zero, mean, got noise"),
        ({"of": "loss"}, "of to be one of contrast, logit, got loss"),
    ]
    for given, said in refused:
        with pytest.raises(InputError, match=re.escape(said)):
            ont.picture_graph(run, **({"exemplar": 0} | given))
    with pytest.raises(InputError, match="one step or more, got none"):
        ont.picture_graphs(run, 0, steps=[])


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "said"),
    [(nn.GELU(), "GELU behind conv2"), (nn.Tanh(), "Tanh behind conv2"),
     (nn.ReLU6(), "ReLU6 behind conv2")],
)  # fmt: skip
def test_nonlinearities_that_are_curved_are_refused_by_name(other, said):
    net = small()
    net.relu2 = other
    with pytest.raises(InputError, match=f"{said}.*ablation_effects"):
        picture_graph_of(net, picture(), 0)


class Skipping(nn.Module):
    def __init__(self, *, norm=False):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
        self.norm = nn.BatchNorm2d(2) if norm else None
        self.out = nn.Linear(2, 3)

    def forward(self, x):
        x = self.a(x).relu()
        x = self.norm(x) if self.norm is not None else x + self.b(x).relu()
        return self.out((self.b(x) if self.norm is not None else x).mean((2, 3)))


@pytest.mark.parametrize("norm", [False, True])
def test_skips_and_norms_between_layers_are_refused(norm):
    net = stirred(Skipping(norm=norm).double())
    with pytest.raises(InputError, match="each unit of a to hand on to the next layer alone"):
        picture_graph_of(net, picture(), 0)


def test_what_is_no_chain_or_no_logit_is_refused():
    wrong = nn.Sequential(nn.Conv2d(2, 4, 3), nn.AdaptiveAvgPool2d(3), nn.Flatten(2),
                          nn.Linear(9, 2), nn.Flatten())  # fmt: skip
    with pytest.raises(InputError, match="9 inputs but 0 has 4 units"):
        picture_graph_of(wrong.double(), picture(), 0)
    for token in (3, -1):
        with pytest.raises(InputError, match=f"3 logits, got {token}"):
            picture_graph_of(small(), picture(), token)


def test_bad_arguments_are_refused():
    net, image = small(), picture()
    with pytest.raises(InputError, match=r"of to be one of contrast, logit, got logits"):
        picture_graph_of(net, image, 0, of="logits")
    for keep in (0, 1.1):
        with pytest.raises(InputError, match=f"at most 1, got {keep}"):
            picture_graph_of(net, image, 0, keep=keep)
    with pytest.raises(InputError, match=r"one picture .*, got torch.float64 of shape \(1, 2"):
        picture_graph_of(net, image[None], 0)
    with pytest.raises(InputError, match=r"shape \(2, 8, 8\), got \(2, 6, 6\)"):
        picture_graph_of(net, image, 0, reference=picture(6))
    with torch.no_grad():
        net.logits.bias[0] = np.nan
    with pytest.raises(InputError, match="finite logits, got nan"):
        picture_graph_of(net, image, 0)
