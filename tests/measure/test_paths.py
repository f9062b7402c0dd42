from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose

from graph_records import edge_index, quiet_record
from ontogeny.errors import InputError
from ontogeny.measure import Chance
from ontogeny.measure.couplings.paths import paths, token_paths
from records import STEPS

CHANCE = Chance(n_shuffles=99, n_resamples=20)
CHAINS = [("pixels:0", "conv1:1", "conv2:2", "fc1:3", "logits:1"),
          ("pixels:0", "conv1:4", "conv2:5", "fc1:6", "logits:1")]  # fmt: skip


def planted(*, after=6):
    """Two chains carry bo from snapshot `after` on; the rest is weak."""
    record = quiet_record()
    contrast = record["coupling_contrast"].values
    contrast[:] = np.abs(contrast) * 0.1
    for strength, chain in zip((0.9, 0.7), CHAINS, strict=True):
        for source, target in pairwise(chain):
            contrast[after:, edge_index(record, source, target), 1] = strength
    return record


def test_planted_paths_are_found_in_the_order_of_their_strength():
    found = paths(planted(), "bo", k=2)
    assert [tuple(row) for row in found["unit"].values] == CHAINS
    assert_allclose(found["strength"], [0.9**4, 0.7**4], rtol=2e-3)  # half precision
    assert_allclose(found["weakest"], [0.9, 0.7], rtol=2e-3)  # half precision
    assert np.isnan(found["share"].values[:, 0]).all()


def test_negative_evidence_is_no_path_but_what_silences_a_unit_builds_its_silence():
    record = planted()
    contrast = record["coupling_contrast"].values
    last = edge_index(record, "fc1:3", "logits:1")
    into = record["target"].values == "fc1:3"
    contrast[-1, into, 1] *= -1
    found = paths(record, "bo", k=1)
    assert tuple(found["unit"].values[0]) == CHAINS[0]
    contrast[-1, last, 1] = -0.9
    contrast[-1, edge_index(record, "fc1:0", "logits:1"), 1] = 0.99
    assert "fc1:3" not in paths(record, "bo", k=1)["unit"].values


def test_strong_paths_come_to_stay_at_the_planted_snapshot():
    found = token_paths(planted(), chance=CHANCE)
    assert found["path_onset_by"].sel(token="bo", path=1) == STEPS[6]
    assert found["path_onset_after"].sel(token="bo", path=1) == STEPS[5]
    assert (found["strong_paths"].sel(token="bo").values[6:] >= 1).all()
    assert np.isinf(found["path_onset_by"].sel(token="ada", path=1))
    assert found["token_onset_by"].sel(token="bo") <= STEPS[5]
    assert (np.diff(found["path_strength"].values, axis=2) <= 1e-12).all()


def test_unknown_tokens_and_counts_are_refused():
    with pytest.raises(InputError, match=r"a token of the record \(ada, bo, cy\), got di"):
        paths(quiet_record(), "di")
    with pytest.raises(InputError, match="expected 1 to 5 paths, got 6"):
        paths(quiet_record(), "bo", k=6)
