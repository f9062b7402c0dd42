import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from graph_records import edge_index, quiet_record, without_nulls
from ontogeny.errors import InputError
from ontogeny.measure import Chance
from ontogeny.measure.couplings.edges import edge_lives, token_edge_lives
from records import STEPS

CHANCE = Chance(n_shuffles=99, n_resamples=20)


def test_a_planted_edge_is_born_and_dies_between_two_snapshots():
    record = quiet_record()
    edge = edge_index(record, "conv1:2", "conv2:5")
    record["coupling"].values[4:9, edge] = -0.9
    found = edge_lives(record, chance=CHANCE).isel(edge=edge)
    assert (found["born_after"], found["born_by"]) == (STEPS[3], STEPS[4])
    assert (found["died_after"], found["died_by"]) == (STEPS[8], STEPS[9])
    assert found["n_births"] == 1
    whole = edge_lives(record, chance=CHANCE)
    assert whole["edge_births"].sum() == 1 == whole["edge_deaths"].sum()
    assert whole["edge_births"].sel(step=STEPS[4], layer="conv2") == 1
    assert whole["unit_births"].sel(step=STEPS[4], unit="conv2:5") == 1
    assert_array_equal(whole["edges_present"].sel(layer="conv2")[3:10], [0, 1, 1, 1, 1, 1, 0])


def test_edges_there_from_the_first_snapshot_are_left_censored_and_may_live_on():
    record = quiet_record()
    edge = edge_index(record, "pixels:1", "conv1:0")
    record["coupling"].values[:, edge] = 0.9
    found = edge_lives(record, chance=CHANCE).isel(edge=edge)
    assert (found["born_after"], found["born_by"]) == (-np.inf, 0)
    assert (found["died_after"], found["died_by"]) == (STEPS[-1], np.inf)


def test_two_snapshots_are_no_life_and_a_dead_target_has_no_edges():
    record = quiet_record()
    edge = edge_index(record, "conv1:2", "conv2:5")
    record["coupling"].values[4:6, edge] = 0.9
    record["coupling"].values[8:, edge] = np.nan
    found = edge_lives(record, chance=CHANCE)
    assert found["edge_births"].sum() == 0
    assert np.isinf(found["born_by"].values[edge])


def test_the_level_chooses_the_bound():
    record = quiet_record()
    edge = edge_index(record, "conv1:2", "conv2:5")
    record["coupling"].values[4:, edge] = 0.6
    assert edge_lives(record, chance=CHANCE)["edge_births"].sum() == 1
    assert edge_lives(record, level=0.999, chance=CHANCE)["edge_births"].sum() == 0
    with pytest.raises(InputError, match=r"a level of 0\.95, 0\.99, 0\.999, got 0\.9"):
        edge_lives(record, level=0.9)


def test_a_burst_of_many_targets_passes_its_bound_and_scattered_births_do_not():
    record = quiet_record()
    rng = np.random.default_rng(0)
    edges = [edge_index(record, f"conv2:{j}", f"fc1:{j}") for j in range(8)]
    for edge in edges:
        record["coupling"].values[5:, edge] = 0.9
    found = edge_lives(record, chance=CHANCE).sel(layer="fc1")
    assert found["edge_births"].values[5] == 8
    assert (found["edge_births"] > found["burst_bound"]).values.nonzero()[0].tolist() == [5]
    record = quiet_record()
    for edge in edges:
        record["coupling"].values[rng.integers(1, 9) :, edge] = 0.9
    found = edge_lives(record, chance=CHANCE).sel(layer="fc1")
    assert not (found["edge_births"] > found["burst_bound"]).any()


def test_chance_births_of_still_couplings_come_at_the_first_snapshot_only():
    record = quiet_record()
    record["coupling"].values[:] = record["coupling"].values[0]
    found = edge_lives(record, chance=CHANCE)
    n_edges = np.unique([t.rpartition(":")[0] for t in record["target"].values],
                        return_counts=True)  # fmt: skip
    expected = dict(zip(n_edges[0], 0.01 * n_edges[1], strict=True))
    for layer in found["layer"].values:
        assert_allclose(found["births_chance"].sel(layer=layer)[0], expected[layer], rtol=0.3)
    assert_allclose(found["births_chance"].values[1:], 0, atol=1e-12)


def test_tokens_have_births_of_their_own():
    record = quiet_record()
    edge = edge_index(record, "conv2:3", "fc1:1")
    record["coupling_contrast"].values[6:, edge, 1] = -0.8
    found = token_edge_lives(record, chance=CHANCE)
    births = found["contrast_edge_births"]
    assert births.sum() == 1 == births.sel(step=STEPS[6], layer="fc1", token="bo")
    at = found.sel(token="bo").isel(edge=edge)
    assert (at["contrast_born_after"], at["contrast_born_by"]) == (STEPS[5], STEPS[6])


def test_a_record_without_a_null_is_refused_with_the_reason():
    with pytest.raises(InputError, match="a record with coupling_null, got one without"):
        edge_lives(without_nulls())
    with pytest.raises(InputError, match="coupling_contrast_null, got one without"):
        token_edge_lives(without_nulls())


def test_edges_out_of_order_are_refused():
    record = quiet_record()
    with pytest.raises(InputError, match="edges by target and source"):
        edge_lives(record.isel(edge=slice(None, None, -1)))
