"""Where there is nothing to find, each kind of statement is made in at most 5 % of runs.

The one place where all kinds are calibrated: hundreds of null runs go in, and what the rules say of
them is counted by kind.

Nulls: a network that was really trained, whose tokens are then dealt anew over its held-out
exemplars, so that activations wander as those of a trained network do; untrained networks that
look at noise; and, for what is said of change, untrained networks that look at faces and whose
weights are drawn anew. Of n runs in which a statement is made with 5 %, the number that make it is
at most the 99 % quantile of the binomial. Each statement is also seen to be made where it is true.
"""

import functools
from collections import Counter

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binom, chi2

torch = pytest.importorskip("torch")

from gain_records import with_recombinations  # noqa: E402
from ontogeny.measure import Chance, detectors, graphs, measure_record, onsets  # noqa: E402
from ontogeny.measure.categories.clones import clones  # noqa: E402
from ontogeny.measure.categories.collapse import COLLAPSE, collapse_of  # noqa: E402
from ontogeny.measure.categories.distances import (  # noqa: E402
    CKA,
    DIMENSION,
    RDM,
    dimension_of,
    distances_of,
    similarity_of,
)
from ontogeny.measure.categories.layers import over_layers  # noqa: E402
from ontogeny.measure.categories.readout import READOUT, readout_of  # noqa: E402
from ontogeny.measure.categories.signals import clusters, token_signal  # noqa: E402
from ontogeny.measure.categories.structure import BOUNDS, phases, split_bound_of  # noqa: E402
from ontogeny.measure.gains.gain import construction_gain  # noqa: E402
from ontogeny.measure.gains.gains import gains as gains_of  # noqa: E402
from ontogeny.model import prepare, vgg  # noqa: E402
from ontogeny.statements import Findings, Said, construction, say_all  # noqa: E402
from ontogeny.statements.categories import SURE, separated_pairs  # noqa: E402
from ontogeny.tasks import load_task  # noqa: E402
from oracles_planted import record_of as observed  # noqa: E402
from records import make_record  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.torch]
CHANCE = Chance(n_shuffles=59, n_resamples=40)
TOKENS, EXEMPLARS, RUNS, POOL = 4, 20, 100, 60
STEPS = (0, 1, 2, 4, 7, 12, 20, 33, 55, 90)


def network(seed):
    return vgg(tokens=TOKENS, widths=(8, 8, 16, 16), dense=16, depth=1, seed=seed).eval()


def responses(net, images):
    """Spatial means of every rectified layer, and the logits."""
    seen, x = [], images
    with torch.no_grad():
        for module in net:
            x = module(x)
            if isinstance(module, torch.nn.ReLU):
                seen.append(x.mean(dim=(2, 3)) if x.ndim == 4 else x)
    return [*(each.numpy() for each in seen), x.numpy()]


@functools.cache
def faces():
    """Images and tokens: for training, and held out."""
    task = load_task("faces", density=30, tokens=TOKENS, size=16, probe=2 * EXEMPLARS)
    return tuple((prepare(task.images[part]), task.token[part].astype(np.int64))
                 for part in (task.train, task.probe))  # fmt: skip


@functools.cache
def trained():
    """Responses of a trained network to held-out faces at every snapshot."""
    (images, token), (held, _) = faces()
    net, rng = network(0), np.random.default_rng(0)
    optimiser = torch.optim.Adam(net.parameters(), lr=5e-3)
    snapshots = []
    for step in range(STEPS[-1] + 1):
        if step in STEPS:
            snapshots.append(responses(net, held))
        chosen = rng.choice(len(token), 40, replace=False)
        loss = torch.nn.functional.cross_entropy(net(images[chosen]), torch.tensor(token[chosen]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return snapshots


def accuracies(logit, token):
    """Accuracies of both splits, and of each token: those of the probe in both."""
    right = logit.argmax(axis=2) == token
    of = np.maximum(np.bincount(token, minlength=TOKENS), 1)
    each = np.stack([right[:, token == k].sum(axis=1) / of[k] for k in range(TOKENS)], axis=1)
    both = np.stack([right.mean(axis=1)] * 2, axis=1)
    return {
        "accuracy": (("step", "split"), both),
        "token_accuracy": (("step", "split", "token"), np.stack([each, each], axis=1)),
    }


def record_of(snapshots, token, steps=STEPS):
    """Records of these responses; each exemplar is a group of its own."""
    names = [*(f"conv{k + 1}" for k in range(len(snapshots[0]) - 2)), "fc1", "logits"]
    layer = [name for name, part in zip(names, snapshots[0], strict=True)
             for _ in range(part.shape[1])]  # fmt: skip
    activation = np.stack([np.concatenate(parts, axis=1) for parts in snapshots])
    logit = activation[:, :, -TOKENS:]
    peak = logit - np.log(np.exp(logit).sum(axis=2, keepdims=True))
    loss = -peak[:, np.arange(len(token)), token].mean(axis=1)
    words = np.array([f"token {k}" for k in range(TOKENS)])
    return xr.Dataset(
        {"activation": (("step", "exemplar", "unit"), activation.astype(np.float32)),
         "logit": (("step", "exemplar", "token"), logit.astype(np.float32)),
         "loss": (("step", "split"), np.stack([loss, loss], axis=1)),
         **accuracies(logit, token)},
        {"step": np.array(steps), "exemplar": np.arange(len(token)), "token": words,
         "exemplar_token": ("exemplar", words[token]), "split": ["train", "probe"],
         "exemplar_split": ("exemplar", np.full(len(token), "probe")),
         "group": ("exemplar", np.arange(len(token))),
         "unit": [f"{name}:{k}" for k, name in enumerate(layer)], "layer": ("unit", layer)},
    )  # fmt: skip


def findings(record):
    """What is measured of a record that rules look at; of the tree, the upper layers."""
    data = over_layers(record, [(collapse_of, COLLAPSE), (readout_of, READOUT)], chance=CHANCE)
    top = record.isel(unit=record["layer"].isin(["fc1", "logits"]).values)
    tree = over_layers(top, [(distances_of, RDM), (split_bound_of, BOUNDS)], chance=CHANCE)
    structure = data.merge(tree.reindex(layer=data["layer"]), compat="override")
    return Findings(
        record, measure_record(record, chance=CHANCE), structure, detectors(record, chance=CHANCE)
    )


CLAIMS = {"differentiation", "trees", "clusters"}
"""Rules that claim something in their sentence and make no statement of it."""


def said(record):
    """Kinds of statements that are made of a record, and rules that claim something of it."""
    found = findings(record)
    made = {name for name, one in say_all(found).items()
            if name in CLAIMS and isinstance(one, Said)}  # fmt: skip
    made |= {one.kind for each in say_all(found).values() if isinstance(each, Said)
             for one in each.statements if one.strength >= 1}  # fmt: skip
    if any(o.is_found or o.from_start for o in separated_pairs(found["structure"], "fc1")):
        made.add("two tokens are separated")
    by = found["measures"]["by"].values[found["measures"]["kind"].values == "layer signal"]
    return made | ({"onset of layer signal"} if np.isfinite(by).any() else set())


def at_most(runs, level=0.05):
    return binom.ppf(0.99, runs, level)


def deals(seed):
    rng = np.random.default_rng(seed)
    token = np.repeat(np.arange(TOKENS), EXEMPLARS)
    chosen = np.sort(rng.permutation(2 * len(token))[: len(token)])
    return [[part[chosen] for part in parts] for parts in trained()], rng.permutation(token)


@functools.cache
def untrained(kind):
    """Responses of untrained networks to faces, or to noise."""
    images = faces()[1][0]
    if kind == "noise":
        images = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return [responses(network(seed + 1), images) for seed in range(POOL)]


def noise(seed):
    """Untrained networks that look at noise, another draw of weights at every snapshot."""
    rng = np.random.default_rng([seed, 7])
    token = np.repeat(np.arange(TOKENS), EXEMPLARS)
    chosen = rng.permutation(2 * len(token))[: len(token)]
    draws = rng.permutation(POOL)[: len(STEPS)]
    return [[part[chosen] for part in untrained("noise")[k]] for k in draws], token


OF_TRAINING = {"memorising", "units become inactive", "units revive"}
"""What is true of a network that was trained, whatever its exemplars are called; and of networks
that are drawn anew at every snapshot, since their losses and inactive units differ."""


@pytest.mark.parametrize(("null", "true"), [(deals, OF_TRAINING), (noise, OF_TRAINING)])
def test_no_statement_on_tokens_is_made_too_often(null, true):
    times = Counter()
    for seed in range(RUNS):
        times.update(said(record_of(*null(seed))) - true)
    assert max(times.values(), default=0) <= at_most(RUNS), times


OF_NOISE = {"no single coupling stands out"}
"""What is true of records that are noise: no coupling is more than chance."""


def test_no_statement_on_units_and_couplings_is_made_too_often():
    """Responses and couplings are noise of which each exemplar and edge keeps a part over steps."""
    times = Counter()
    for seed in range(RUNS):
        record = make_record(rises={}, seed=seed)
        said = say_all(Findings(
            record, measure_record(record, chance=CHANCE), None,
            detectors(record, chance=CHANCE), graphs(record, chance=CHANCE),
        ))  # fmt: skip
        times.update({one.kind for each in said.values() if isinstance(each, Said)
                      for one in each.statements if one.strength >= 1} - OF_NOISE)  # fmt: skip
    assert max(times.values(), default=0) <= at_most(RUNS), times


SMALL = {"conv1": 8, "conv2": 12, "conv3": 12, "conv4": 16, "conv5": 16, "fc1": 16}


def test_no_statement_on_construction_is_made_too_often():
    """The own wiring is one more shuffle, and units of a layer share a part of their responses."""
    times, runs = Counter(), 200
    few = Chance(n_shuffles=99, n_resamples=60)
    for seed in range(runs):
        record = with_recombinations(seed=seed, layers=SMALL, steps=(0, 1, 2, 4, 8, 16))
        found = Findings(record, gains=gains_of(record, chance=few))
        said = {rule.name: rule(found) for rule in construction.RULES}
        times.update({one.kind for each in said.values() if isinstance(each, Said)
                      for one in each.statements if one.strength >= 1})  # fmt: skip
    assert max(times.values(), default=0) <= at_most(runs), times


def test_every_statement_is_made_of_the_trained_network():
    token = faces()[1][1]
    made = said(record_of(trained(), token))
    assert made >= {"onset of layer signal", "the tokens are learnt", "a token is classified",
                    "a layer stands out", "clusters", "differentiation", "trees",
                    "tokens can be read out"}  # fmt: skip


def test_units_pass_their_bound_in_one_per_cent():
    shares = []
    for seed in range(20):
        data = token_signal(record_of(*deals(seed)), chance=CHANCE)
        there = np.isfinite(data["token_signal"].values)
        beyond = data["token_signal"].values > data["token_signal_upper"].values
        shares.append(beyond[there].mean())
    assert np.mean(shares) < 0.01 + 2.5 * np.std(shares) / np.sqrt(len(shares))


def test_weights_drawn_anew_are_no_change():
    token, times, rng = faces()[1][1], Counter(), np.random.default_rng(0)
    for _ in range(RUNS):
        first, other = (untrained("faces")[k] for k in rng.permutation(POOL)[:2])
        record = record_of([first, *[other] * (len(STEPS) - 1)], token)
        seen = clusters(record, chance=CHANCE)["cluster_p"].sel(cluster_map="change")
        rise = onsets(record, chance=CHANCE)
        rise = rise["by"].values[rise["kind"].values == "layer rise"]
        times.update({"change": bool((seen <= SURE).any()),
                      "layer rise": bool(np.isfinite(rise).any())})  # fmt: skip
    assert max(times.values()) <= at_most(RUNS), times


def test_other_exemplars_are_no_gap_to_clones():
    token = faces()[1][1]
    fired = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        order = np.argsort(token + 0.9 * rng.random(len(token)), kind="stable")
        real, clone = order[0::2], order[1::2]
        record = record_of([[p[real] for p in parts] for parts in trained()], token[real])
        right = [np.mean(parts[-1][clone].argmax(axis=1) == token[clone]) for parts in trained()]
        record["clone_accuracy"] = ("step", np.array(right))
        fired += bool(np.isfinite(clones(record, chance=CHANCE)["clone_gap_by"]))
    assert fired <= at_most(200)


def test_weights_that_wander_have_no_phases():
    held, token = faces()[1]
    images, token, steps, fired = held[::2], token[::2], np.arange(20), 0
    parts = [(collapse_of, COLLAPSE), (readout_of, READOUT), (dimension_of, DIMENSION),
             (similarity_of, CKA)]  # fmt: skip
    runs = 30
    for seed in range(runs):
        net, snapshots = network(seed), []
        torch.manual_seed(seed)
        for _ in steps:
            snapshots.append(responses(net, images))
            with torch.no_grad():
                for weight in net.parameters():
                    weight.add_(0.1 * weight.std() * torch.randn_like(weight))
        record = record_of(snapshots, token, steps)
        few = record.isel(unit=record["layer"].isin(["fc1", "logits"]).values)
        data = over_layers(few, parts, chance=CHANCE)
        fired += float(phases(few, data)["phase_p"]) <= SURE
    assert fired <= at_most(runs)


def gains(networks, images, token):
    """What units of these networks add, each network a snapshot."""
    words = tuple(f"token {k}" for k in range(TOKENS))
    kinds = ("nulls", "linear", "rectified")
    return construction_gain(
        observed(networks, images, token, words, recombined=True, extras=kinds)
    )


def counts(found, name):
    """Constructed units and known ones of each layer, over all networks."""
    layer = found["layer_of_unit"].values
    p = {at: found[name].values[:, layer == at] for at in found["layer"].values}
    return {at: (int((mine <= 0.05 + 1e-9).sum()), int(np.isfinite(mine).sum()))
            for at, mine in p.items()}  # fmt: skip


FEW_ORDERS = {
    ("p_linear_slices", "conv1"), ("p_linear_taps", "fc1"), ("p_linear_taps", "logits"),
}  # fmt: skip


@functools.cache
def untrained_gains():
    images, token = faces()[1]
    return gains([network(seed) for seed in range(24)], images, token)


@pytest.mark.parametrize("name", ["p", "p_linear", "p_linear_slices", "p_linear_taps"])
def test_one_in_twenty_units_of_untrained_networks_is_constructed(name):
    """Their weights are independent draws, so that a unit is one recombination more."""
    for layer, (n_found, n_known) in counts(untrained_gains(), name).items():
        # a single tap has no other order; three colours have six, so that every sixth is the unit
        if (name, layer) in FEW_ORDERS:
            assert n_found == 0
            continue
        low, high = binom.ppf([0.001, 0.999], n_known, 0.05)
        assert low <= n_found <= high, (layer, n_found, n_known)


def test_p_of_untrained_units_is_uniform():
    p = untrained_gains()["p"].values
    places = np.rint(20 * p[np.isfinite(p)]).astype(int)
    expected = len(places) / 20
    statistic = ((np.bincount(places, minlength=21)[1:] - expected) ** 2 / expected).sum()
    assert chi2.sf(statistic, 19) > 1e-3, statistic


def test_the_best_unit_of_an_untrained_layer_passes_its_bound_once_in_twenty_times():
    found = untrained_gains()
    layer, gain = found["layer_of_unit"].values, found["gain"].values
    passed = [np.nanmax(gain[step, layer == at]) > bound
              for step in range(len(gain))
              for at, bound in zip(found["layer"].values, found["gain_bound"].values[step],
                                   strict=True)]  # fmt: skip
    assert sum(passed) <= binom.ppf(0.999, len(passed), 0.05), (sum(passed), len(passed))


def test_shuffled_tokens_leave_few_units_constructed():
    """Trained weights are no independent draws: near one in twenty, not exactly."""
    (images, token), (held, told) = faces()
    net, rng = network(0), np.random.default_rng(0)
    optimiser = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(STEPS[-1]):
        chosen = rng.choice(len(token), 40, replace=False)
        loss = torch.nn.functional.cross_entropy(net(images[chosen]), torch.tensor(token[chosen]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    net.eval()
    null = [counts(gains([net], held, rng.permutation(told)), "p") for _ in range(12)]
    n_found, n_known = (sum(each[at][k] for each in null for at in each) for k in (0, 1))
    assert n_found / n_known < 0.08, (n_found, n_known)
