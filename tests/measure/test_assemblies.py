import numpy as np
import pytest

from graph_records import quiet_record, without_nulls
from ontogeny.errors import InputError
from ontogeny.measure.couplings.assemblies import assemblies, assembly_scan
from ontogeny.stats.assemblies import normalised_information

SIZES = {"conv1": 12, "conv2": 12, "fc1": 12}


def planted(*, after=4):
    """From snapshot `after` on, units of the same third are coupled, in all layers."""
    record = quiet_record(layers=SIZES)
    rng = np.random.default_rng(0)
    third = {}
    for name in record["unit"].values:
        channel = name.partition(":")[2]
        third[name] = int(channel) % 3
    for edge, (s, t) in enumerate(
        zip(record["source"].values, record["target"].values, strict=True)
    ):
        if s in third:
            here = third[s] == third[t]
            record["coupling"].values[after:, edge] = 0.9 if here else 0.1
            record["coupling"].values[:after, edge] = rng.choice([0.9, 0.1], p=[1 / 3, 2 / 3])
    return record, np.array([third[name] for name in record["unit"].values])


def test_planted_assemblies_are_found_beyond_chance_and_keep_their_names():
    record, third = planted()
    found = assemblies(record, resolution=1.0, n_shuffles=19)
    assert found["assemblies"].values[5:].tolist() == [3] * 7
    for k in range(5, 12):
        label = found["assembly"].values[k]
        assert normalised_information(label, third) > 0.99
        assert (label == found["assembly"].values[5]).all()
    assert (found["quality_p"].values[5:] == 0.05).all()
    assert found["quality_excess"].values[5:].min() > 0.1
    assert (found["quality_p"].values[:4] > 0.05).all()


def test_a_scan_finds_them_stable_at_their_resolution():
    record, _ = planted()
    found = assembly_scan(record, resolutions=(1.0, 3.0), n_seeds=4)
    assert found["assemblies"].sel(resolution=1.0).values.tolist() == [3] * 4
    assert found["rand"].sel(resolution=1.0) > 0.99
    assert found["layer_information"].sel(resolution=1.0) < 0.3
    assert (found["quality"] > found["quality_null"]).all()


def test_nothing_beyond_the_null_is_no_assembly():
    found = assemblies(quiet_record(), n_shuffles=3, everything=True)
    assert (found["assembly"] == -1).all()
    assert np.isnan(found["quality"]).all()
    assert np.isnan(found["quality_p"]).all()
    assert found.sizes["event"] == 0


def test_a_graph_of_scattered_pairs_is_not_too_much():
    record = quiet_record()
    rng = np.random.default_rng(0)
    record["coupling"].values[:] = rng.uniform(0, 0.45, record["coupling"].shape)
    found = assemblies(record, n_shuffles=2)
    assert (found["assemblies"] <= 1).all()


def test_a_record_without_a_null_is_refused():
    with pytest.raises(InputError, match="a record with coupling_null"):
        assemblies(without_nulls())
