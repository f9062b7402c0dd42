"""What is known to be built of what is found again, and nothing where weights stand elsewhere.

The planted network shows that the measures and the rules find conjunctions of known parts where
these carry most of their target's variance, in spite of other units that are louder. A trained
network need not be so: in those looked at, a detector is spread over many sources, and single
edges exceed the within-layer permutation null no more often than chance. This says nothing about
such networks; it says that where single edges do matter, they are found.
In conv3, where other units below are louder, the planted parents rank first without all being
beyond the null. Two things no such network can show: at its logits, fed by one source each, a share
near 1 is what permuted weights give too; and fewer than ten detectors that serve a token more than
before training cannot be told from chance, since the null has no more values than there are units.
"""

import numpy as np
import pytest
from scipy.stats import binom

torch = pytest.importorskip("torch")

from ontogeny.measure.couplings.ancestry import construction, describe  # noqa: E402
from oracles_planted import (  # noqa: E402
    PARENTS,
    SERVED,
    TOKENS,
    exemplars,
    network,
    permuted,
    planted_record,
    record_of,
)

pytestmark = pytest.mark.torch
CONJUNCTIONS = [child for child in PARENTS if child.startswith("conv")]
TOLD = [child for child in PARENTS if child.startswith(("conv2", "fc1"))]
TWINS = 12


def auc(value, is_parent):
    """Share of (parent, other) pairs in which the parent's value is larger."""
    mine, other = value[is_parent][:, None], value[~is_parent]
    return float(np.mean((mine > other) + 0.5 * (mine == other)))


def incoming(record, child):
    """Positions of the edges into a unit, and which of them come from planted parents."""
    here = np.flatnonzero(record["target"].values == child)
    return here, np.isin(record["source"].values[here], list(PARENTS[child]))


@pytest.mark.parametrize("child", PARENTS)
@pytest.mark.parametrize("measure", ["coupling", "coupling_contrast", "edge_attribution"])
def test_planted_parents_rank_first(measure, child):
    record = planted_record().isel(step=-1)
    here, is_parent = incoming(record, child)
    values = np.abs(record[measure].values[here].astype(float))
    if values.ndim == 2:
        values = values[:, list(SERVED[child])].max(axis=1)
    assert auc(values, is_parent) >= 0.95


@pytest.mark.parametrize("child", CONJUNCTIONS)
def test_conjunction_is_the_strongest_interaction_and_more_than_its_parts(child):
    record = planted_record().isel(step=-1).set_index(unit="unit").sel(unit=child)
    best = int(np.nanargmax(np.abs(record["interaction"].values)))
    below = next(iter(PARENTS[child])).partition(":")[0]
    pair = {f"{below}:{int(record[n][best])}" for n in ("interaction_first", "interaction_second")}
    assert pair == PARENTS[child]
    assert record["interaction"][best] > 0


@pytest.mark.parametrize("child", PARENTS)
def test_construction_names_planted_parents_first(child):
    tree = construction(planted_record(), child)
    here = tree["target"].values == child
    order = np.argsort(-np.abs(tree["share"].values[here]))
    named = tree["source"].values[here][order].tolist()
    assert set(named[: len(PARENTS[child])]) == PARENTS[child]


@pytest.mark.parametrize("token", range(len(TOKENS)))
def test_token_leads_down_to_its_figure(token):
    tree = construction(planted_record(), TOKENS[token], breadth=2)
    nodes = set(tree["node"].values.tolist())
    assert {f"logits:{token}", f"fc1:{token}", f"conv3:{token}"} <= nodes
    assert nodes >= PARENTS[f"conv3:{token}"]
    assert f"fc1:{token}" in describe(tree).partition(", bring")[0]


@pytest.mark.parametrize("child", TOLD)
def test_text_names_planted_parents_beyond_the_null_and_no_other(child):
    said = describe(construction(planted_record(), child))
    drawn = said.partition("% of its variance comes through ")[2].partition(". ")[0]
    assert all(f"{parent}" in drawn for parent in PARENTS[child]), said
    assert "no more than the null" not in drawn
    assert drawn.count(":") == len(PARENTS[child])
    if child in CONJUNCTIONS:
        assert "together give more than each alone" in said


def test_network_tells_figures_apart():
    record = planted_record().isel(step=-1)
    _, token = exemplars()
    assert np.mean(record["logit"].values.argmax(axis=1) == token) > 0.8


def test_nothing_is_found_where_weights_are_permuted():
    """Of edges beyond the null's 99 % there are at most 5 %; so of units whose text names one."""
    images, token = exemplars(15)
    edges, units = np.zeros(2), np.zeros(2)
    for seed in range(TWINS):
        twin = record_of([permuted(network(), seed)], images, token)
        edges += _edges_beyond(twin.isel(step=0))
        names = [n for n in twin["unit"].values.tolist() if not n.startswith("conv1:")]
        said = [describe(construction(twin, name)) for name in names[:: TWINS // 2]]
        told = ["comes through" in text and "no more than" not in text for text in said]
        units += [sum(told), len(told)]
    for found, of in (edges, units):
        assert found <= binom.ppf(0.99, of, 0.05), (edges, units)
    assert edges[0] / edges[1] < 0.03, edges


def _edges_beyond(record):
    """How many edges above the pixels pass the null by coupling, and how many there are."""
    row = {name: k for k, name in enumerate(record["unit"].values.tolist())}
    target = record["target"].values
    above = ~np.char.startswith(target.astype(str), "conv1:")
    null = record["coupling_null"].values[[row[name] for name in target], 1]
    known = above & np.isfinite(record["coupling"].values)
    return np.array([(np.abs(record["coupling"].values) > null)[known].sum(), known.sum()])
