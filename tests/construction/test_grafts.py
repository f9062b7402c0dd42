"""Grafts across time, against new networks with copied weights, closed forms and loops."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import ontogeny as ont  # noqa: E402
from ontogeny.construction.grafting import Grafting  # noqa: E402
from ontogeny.construction.grafts import balanced  # noqa: E402
from ontogeny.construction.halves import Halves, refuse_what_is_no_chain  # noqa: E402
from ontogeny.construction.readiness import QUANTITIES, Shown, described  # noqa: E402
from ontogeny.errors import InputError, RunError  # noqa: E402
from ontogeny.hooks import Probe  # noqa: E402
from ontogeny.model import vgg  # noqa: E402
from ontogeny.progress import silent  # noqa: E402
from oracles.grafts import naive_graft, naive_selectivity  # noqa: E402

pytestmark = pytest.mark.torch


class ByFunction(torch.nn.Module):
    """A chain whose nonlinearities and pooling are functions."""

    def __init__(self, seed=0, *, factor=1.0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.one = torch.nn.Conv2d(2, 4, 3, padding=1)
            self.two = torch.nn.Conv2d(4, 6, 3, padding=1)
            self.head = torch.nn.Linear(6, 3)
        self.factor = factor

    def forward(self, x):
        x = torch.nn.functional.relu(self.one(x), inplace=True)
        x = torch.relu(self.two(torch.nn.functional.max_pool2d(x, 2)))
        if self.factor != 1:
            x = x * self.factor
        return self.head(torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))


class Skip(ByFunction):
    """No chain: what is seen goes round the second layer."""

    def forward(self, x):
        x = torch.relu(self.one(x))
        y = torch.relu(self.two(x))
        return self.head(y.mean((2, 3)) + x.mean((1, 2, 3))[:, None])


def trained(network, seed):
    """A network as training leaves it: other weights, other statistics of batch norm."""
    network = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value += 0.3 * torch.rand(value.shape, generator=generator)
    return network.eval()


def small(seed=0, **how):
    net = vgg(channels=2, tokens=3, widths=(4, 5), dense=6, depth=2, seed=seed, **how)
    return trained(net, seed)


NETWORKS = {
    "vgg": small,
    "batch norm": lambda seed: small(seed, batch_norm=True),
    "scaled": lambda seed: small(seed, output_scale=3.0),
    "by function": lambda seed: trained(ByFunction(seed), seed),
    "unknown function": lambda seed: trained(ByFunction(seed, factor=1.5), seed),
}


def inputs(count=18, seed=0):
    x = torch.randn(count, 2, 12, 12, generator=torch.Generator().manual_seed(seed))
    return x, np.arange(count) % 3


def halves(network, x):
    return Halves(copy.deepcopy(network), Probe(x).example)


def ignore(*_):
    pass


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_graft_of_a_network_on_itself_is_the_network_to_the_bit(kind):
    network, (x, _) = NETWORKS[kind](1), inputs()
    parts = halves(network, x)
    assert parts.is_replayed == (kind != "unknown function")
    responses, logits = parts.lower(x)
    with torch.no_grad():
        assert torch.equal(logits, network(x.clone()))
    for cut in range(len(parts.found) - 1):
        above = {}
        assert torch.equal(parts.upper(cut, responses[cut], above.__setitem__), logits)
        assert list(above) == list(range(cut + 1, len(parts.found)))
        assert all(torch.equal(a, responses[k]) for k, a in above.items())


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_graft_is_a_new_network_with_copied_weights(kind):
    (below, above), (x, _) = (NETWORKS[kind](seed) for seed in (1, 2)), inputs()
    lower, upper = halves(below, x), halves(above, x)
    responses, logits = lower.lower(x)
    with torch.no_grad():
        assert not torch.allclose(above(x.clone()), logits)
    for cut, stage in enumerate(lower.found[:-1]):
        found = upper.upper(cut, responses[cut], ignore)
        assert torch.equal(found, naive_graft(below, above, stage.name, x.clone()))


def test_a_graft_of_linear_networks_is_the_product_of_their_matrices():
    generator = torch.Generator().manual_seed(0)
    made = []
    for _ in range(2):
        net = torch.nn.Sequential(*[torch.nn.Linear(a, b) for a, b in ((8, 5), (5, 6), (6, 3))])
        for p in net.parameters():
            p.data = torch.randn(p.shape, generator=generator, dtype=torch.float64)
        made.append(net)
    x = torch.randn(9, 8, generator=generator, dtype=torch.float64)
    lower, upper = (halves(net, x) for net in made)
    for cut in range(2):
        found = upper.upper(cut, lower.lower(x)[0][cut], ignore)
        matrix, shift = torch.eye(8, dtype=torch.float64), torch.zeros(8, dtype=torch.float64)
        for k in range(3):
            layer = made[0 if k <= cut else 1][k]
            matrix, shift = layer.weight @ matrix, layer.weight @ shift + layer.bias
        np.testing.assert_allclose(found.numpy(), (x @ matrix.T + shift).detach(), rtol=1e-10)


def test_responses_that_are_kept_are_not_changed_by_the_upper_half():
    network, (x, _) = NETWORKS["by function"](1), inputs()
    parts = halves(network, x)
    responses, _ = parts.lower(x)
    before = [a.clone() for a in responses]
    for cut in range(2):
        parts.upper(cut, responses[cut], ignore)
    assert all(torch.equal(a, b) for a, b in zip(responses, before, strict=True))


def grid(kind="vgg", count=36, n=3):
    networks, (x, token) = [NETWORKS[kind](seed) for seed in range(n)], inputs(count)
    shown = Shown(token, np.arange(count), ("a", "b", "c"))
    parts = [halves(network, x) for network in networks]
    return networks, Grafting(parts, x, shown, [0, 2], seed=0)


def test_accuracies_and_selectivity_of_a_grid_are_those_of_naive_grafts():
    networks, grafting = grid()
    right, selectivity = grafting.plain(silent)
    found = described(right, np.arange(3), grafting.shown)
    x, token = grafting.x, grafting.shown.token
    for c, cut in enumerate(("conv1", "conv3")):
        for i, below in enumerate(networks):
            for j, above in enumerate(networks):
                correct = naive_graft(below, above, cut, x).argmax(1).numpy() == token
                np.testing.assert_array_equal(right[c, i, j], correct)
                own = naive_graft(above, above, cut, x).argmax(1).numpy() == token
                assert found["graft_accuracy"][c, i, j] == correct.mean()
                difference = found["graft_difference"][c, i, j]
                assert difference == pytest.approx(correct.mean() - own.mean())
                for k in range(3):
                    of_token = found["graft_token_accuracy"][c, i, j, k]
                    assert of_token == pytest.approx(correct[token == k].mean())
    graft = naive_graft(networks[0], networks[2], "conv1", x).numpy()
    np.testing.assert_allclose(selectivity[0, 0, 2, -1], naive_selectivity(graft, token), rtol=1e-5)
    assert np.isnan(selectivity[0, :, :, 0]).all()
    assert np.isnan(selectivity[1, :, :, :3]).all()
    assert np.isfinite(selectivity[1, :, :, -1]).all()


def test_intervals_hold_what_they_are_of_and_the_diagonal_differs_by_nothing():
    grafting = grid()[1]
    found = described(grafting.plain(silent)[0], np.arange(3), grafting.shown)
    for name in ("graft_accuracy", "graft_difference"):
        low, value, high = (found[f"{name}{end}"] for end in ("_low", "", "_high"))
        assert (low <= value).all()
        assert (value <= high).all()
    own = np.diagonal(found["graft_difference_low"], axis1=1, axis2=2)
    assert (own == 0).all()


def test_a_stitch_undoes_units_that_changed_places():
    """Lower layers whose units are permuted: useless as they are, the same with a map between."""
    generator = torch.Generator().manual_seed(0)
    layers = torch.nn.Linear(8, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3)
    network = torch.nn.Sequential(*layers)
    for p in network.parameters():
        p.data = torch.randn(p.shape, generator=generator)
    turned, order = copy.deepcopy(network), torch.tensor([1, 2, 3, 4, 5, 0])
    turned[0].weight.data, turned[0].bias.data = (p.data[order] for p in network[0].parameters())
    x = torch.randn(60, 8, generator=generator)
    token = network(x).argmax(1).numpy()  # so that the network itself is right
    shown = Shown(token, np.arange(60), ("a", "b", "c"))
    grafting = Grafting([halves(n, x) for n in (turned, network)], x, shown, [0], seed=0)
    right, _ = grafting.plain(silent)
    found = described(right, np.arange(right.shape[1]), grafting.shown)
    stitched = grafting.stitched(right, np.arange(2), silent)
    assert found["graft_accuracy"][0, 1, 1] == 1
    assert found["graft_accuracy"][0, 0, 1] < 0.9
    assert stitched["stitched_accuracy"][0, 0, 1] > 0.95
    assert stitched["stitched_gain"][0, 0, 1] > 0


def test_exemplars_of_one_group_are_not_stitched_nor_resampled():
    _, grafting = grid()
    object.__setattr__(grafting.shown, "group", np.zeros(36, int))
    right, _ = grafting.plain(silent)
    found = described(right, np.arange(3), grafting.shown)
    assert np.isnan(found["graft_difference_low"]).all()
    assert np.isfinite(found["graft_difference"]).all()
    stitched = grafting.stitched(right, np.arange(3), silent)
    assert all(np.isnan(part).all() for part in stitched.values())


def test_nothing_is_ready_for_a_network_at_chance():
    token = np.repeat(np.arange(3), 20)
    right = np.zeros((1, 3, 3, 60), bool)
    right[..., ::3] = True  # at chance
    right[0, 2, 2] = True
    right[0, 1, 2] = np.arange(60) > 0  # one exemplar is lost
    found = described(
        right, np.array([0, 10, 100]), Shown(token, np.arange(60), ("a", "b", "c")),
        spent=np.array([0.0, 0.4, 1.0]),
    )  # fmt: skip
    assert np.isnan(found["ready_by"][0, :2]).all()
    assert (found["ready_after"][0, 2], found["ready_by"][0, 2]) == (0, 10)
    assert found["equal_by"][0, 2] == 100  # .05 is not excluded
    assert found["lead"][0, 2] == pytest.approx(np.log2(101 / 11))
    assert found["lead_high"][0, 2] == pytest.approx(np.log2(101))
    assert found["lead_loss_time"][0, 2] == pytest.approx(0.6)


def test_exemplars_are_balanced_over_tokens_and_of_many_groups():
    token = np.repeat([0, 1], [20, 8])
    group = np.concatenate([np.repeat(np.arange(5), 4), np.full(8, 9)])
    rows = balanced(token, group, 5, np.random.default_rng(0))
    assert np.bincount(token[rows]).tolist() == [5, 5]
    assert len(np.unique(group[rows][token[rows] == 0])) == 5
    assert np.bincount(token[balanced(token, group, 50, np.random.default_rng(0))]).tolist() == [
        20, 8,
    ]  # fmt: skip


def test_a_network_that_is_no_chain_is_refused():
    x, _ = inputs()
    probe = Probe(x)
    with pytest.raises(InputError, match="does not come through two alone: graft networks"):
        refuse_what_is_no_chain(Halves(Skip(), probe.example), probe.example)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    task = ont.load_task("faces", tokens=3, density=30, size=16, probe=10)
    network = vgg(task, widths=(4, 8), dense=8, depth=1, batch_norm=True)
    config = ont.Config(steps=40, snapshots=4, learning_rate=0.02)
    made = ont.train(task, network, config, out=tmp_path_factory.mktemp("grafts") / "run")
    ont.observe(made)
    return made


def test_a_run_has_grafts_that_are_kept(run):
    found = ont.grafts(run)
    assert found.graft_accuracy.dims == ("cut", "step", "step_b")
    assert found.cut.values.tolist() == ["conv1", "conv2", "fc1"]
    assert set(found.data_vars) == set(QUANTITIES)
    assert (found.step == list(run.steps)).all()
    said = []
    again = ont.grafts(run.path, progress=lambda words, *_: said.append(words))
    assert said == ["grafts: fresh"]
    assert again.identical(ont.open_grafts(run))
    np.testing.assert_array_equal(again.graft_accuracy, found.graft_accuracy)


def test_the_same_grafts_are_made_twice(run):
    found, again = (ont.grafts(run, steps=[0, 40], exemplars=n) for n in (12, 30))
    assert found.attrs["exemplars"] == 12
    assert again.attrs["exemplars"] == 30
    first = ont.grafts(run, steps=[0, 40], exemplars=12)
    assert all((first[n].isnull() == found[n].isnull()).all() for n in found.data_vars)
    np.testing.assert_array_equal(first.stitched_accuracy, found.stitched_accuracy)


def test_what_is_not_there_is_refused_in_one_sentence(run):
    with pytest.raises(InputError, match=r"got 7: choose of these"):
        ont.grafts(run, steps=[0, 7])
    with pytest.raises(InputError, match=r"got 1 step: choose"):
        ont.grafts(run, steps=[40])
    with pytest.raises(InputError, match=r"\(conv1, conv2, fc1\), got logits: choose"):
        ont.grafts(run, layers=["logits"])
    with pytest.raises(InputError, match="at least two exemplars of each of 3 tokens, got 5"):
        ont.grafts(run, exemplars=5)


def recorded(out, *, tokens=True, weights=True, pixels=True, last=2):
    """A run of somebody's own loop, of so many steps that change nothing."""
    images = np.random.default_rng(0).integers(0, 256, (12, 12, 12, 2), dtype=np.uint8)
    probe = images if pixels else images.transpose(0, 3, 1, 2).astype(np.float32)
    given = np.arange(12) % 3 if tokens else None
    with ont.Recorder(small(0), out, probe, tokens=given, weights=weights) as recorder:
        for _ in range(last):
            recorder.step()
    return ont.Run.open(out, model=lambda: small(0))


def test_a_run_of_ones_own_loop_has_grafts(tmp_path):
    found = ont.grafts(recorded(tmp_path / "mine"), exemplars=12)
    assert found.step.values.tolist() == [0, 1, 2]
    assert (found.graft_difference == 0).all()


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ({"weights": False}, RunError, "with their weights in .*, got 0"),
        ({"last": 0}, RunError, "at least two recorded steps with their weights in .*, got 1"),
        ({"tokens": False}, InputError, "a run whose exemplars have tokens, got one without"),
        ({"pixels": False}, InputError, "a record with the images of its exemplars"),
    ],
)
def test_runs_that_lack_what_grafts_need_are_refused(how, kind, words, tmp_path):
    run = recorded(tmp_path / "mine", **how)
    with pytest.raises(kind, match=words):
        ont.grafts(run, exemplars=12)
    with pytest.raises(RunError, match=r"got none yet: run `ontogeny grafts"):
        ont.open_grafts(run)
