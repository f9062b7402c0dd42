"""What nothing shows is made on request: it is added, and changes nothing of the rest."""

import pytest

from graph_records import quiet_record
from ontogeny.measure import (
    SETS,
    Chance,
    assemblies,
    directions,
    graph_nodes,
    layer_token_signal,
    maps,
    model_comparison,
    token_signal,
    tuning,
)
from records import make_record

FEW = Chance(n_shuffles=19, n_resamples=5)
ADDED = {
    token_signal: "eta_squared",
    layer_token_signal: "share_beyond",
    tuning: "information",
    directions: "kurtosis_p",
    model_comparison: "model_rho_a",
    maps: "map_mds",
    graph_nodes: "hubs",
    assemblies: "event_kind",
}


@pytest.fixture(scope="module")
def sets():
    made = {name: SETS[name].make(make_record(), chance=FEW) for name in SETS if name != "graph"}
    return made | {"graph": SETS["graph"].make(quiet_record(), chance=FEW)}


@pytest.mark.parametrize("measure", ADDED)
def test_everything_adds_to_what_is_made_and_changes_nothing_of_it(measure):
    record = quiet_record() if measure in (graph_nodes, assemblies) else make_record()
    shown = measure(record, chance=FEW)
    all_of_it = measure(record, everything=True, chance=FEW)
    assert ADDED[measure] in all_of_it
    assert ADDED[measure] not in shown
    for name in shown:
        assert shown[name].identical(all_of_it[name]), name


def test_no_set_holds_what_is_made_on_request(sets):
    on_request = {*ADDED.values(), "gride", "cka_within", "nc2_norm", "rsa_token_beyond_pixels"}
    assert {name for data in sets.values() for name in data} & on_request == set()
