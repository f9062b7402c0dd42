"""Rolling one unit back, against copying its weights into a network of its own."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import ontogeny as ont  # noqa: E402
from example_run import NAME, make  # noqa: E402
from ontogeny.errors import InputError  # noqa: E402
from oracles.construction import (  # noqa: E402
    folds_left_out_twin,
    margin_twin,
    rolled_back_network,
)

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("rolled")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        make()
    return ont.Run.open(place / NAME)


def scored(run, most=100):
    """Exemplars of as many first folds as hold so many, their tokens and folds."""
    record = ont.open_record(run.path)
    fold, names = record["exemplar_fold"].values, record["token"].values.tolist()
    chosen, k = [], 0
    while len(chosen) < min(most, (fold >= 0).sum()):
        chosen += np.flatnonzero(fold == k).tolist()
        k += 1
    chosen = sorted(chosen)
    token = [names.index(t) for t in record["exemplar_token"].values[chosen]]
    return record["image"].values[chosen], np.array(token), fold[chosen]


def logits(net, images):
    with torch.inference_mode():
        return net(ont.prepare(images)).double().numpy()


@pytest.mark.parametrize(
    ("unit", "norm"), [("conv1:2", "norm1"), ("conv2:5", "norm2"), ("fc1:3", None),
                       ("logits:1", None)],
)  # fmt: skip
def test_rolling_back_is_copying_the_weights(run, unit, norm):
    steps = [0, 24, 84]
    found = ont.roll_back(run, unit, steps=steps, controls=2)
    images, token, fold = scored(run)
    last, layer = run.network(), unit.partition(":")[0]
    plain = logits(last, images)
    names = [unit, *found["control"].values.tolist()]
    for who, name in enumerate(names):
        for place, step in enumerate(steps):
            channel = int(name.partition(":")[2])
            net = rolled_back_network(last, run.network(step), layer, channel, norm)
            given = logits(net, images)
            change = margin_twin(given, token) - margin_twin(plain, token)
            hit = (given.argmax(1) == token) * 1.0 - (plain.argmax(1) == token)
            prefix, row = ("control_", {"control": who - 1}) if who else ("", {})
            at = found.isel(step=place, **row)
            np.testing.assert_allclose(at[f"{prefix}margin_change"], change.mean(), atol=2e-5)
            np.testing.assert_allclose(at[f"{prefix}accuracy_change"], hit.mean(), atol=1e-12)
            of_tokens = [change[token == c].mean() for c in range(3)]
            got = at[f"{prefix}token_margin_change"].values
            np.testing.assert_allclose(got, of_tokens, atol=2e-5)
            if not who:
                ends = folds_left_out_twin(change, fold)
                got = [float(at[f"margin_change{end}"]) for end in ("", "_low", "_high")]
                np.testing.assert_allclose(got, ends, atol=2e-5)
    assert abs(found["margin_change"].values).max() > 1e-3


def test_the_last_step_changes_nothing_to_the_bit(run):
    found = ont.roll_back(run, "conv2:3", steps=[run.steps[-1]], controls=3)
    for name in found.data_vars:
        if "change" in name:
            assert (found[name].values == 0).all(), name
    assert found["harmless_by"] == run.steps[-1]
    assert found["margin_p"].values.tolist() == [1.0]


def test_controls_are_the_nearest_in_amplitude(run):
    found = ont.roll_back(run, "fc1:3", steps=[0], controls=4)
    record = ont.open_record(run.path).isel(step=-1)
    size = {str(u): float(np.sqrt((record["activation"].sel(unit=u) ** 2).mean()))
            for u in record["unit"].values if str(u).startswith("fc1:")}  # fmt: skip
    own = size.pop("fc1:3")
    nearest = sorted(size, key=lambda u: abs(size[u] - own))[:4]
    assert found["control"].values.tolist() == nearest
    np.testing.assert_allclose(found["amplitude"], own, rtol=1e-5)


def test_p_counts_the_controls_that_lose_as_much(run):
    found = ont.roll_back(run, "fc1:3", steps=[0, 84], controls=4)
    for k in range(2):
        own = float(found["margin_change"][k])
        as_low = sum(float(c) <= own + 1e-12 for c in found["control_margin_change"][:, k])
        assert float(found["margin_p"][k]) == (1 + as_low) / 5


def test_harmless_is_the_first_step_that_costs_nothing_to_the_end(run):
    found = ont.roll_back(run, "logits:1")
    high, steps = found["margin_change_high"].values, found["step"].values.tolist()
    costly = [step for step, value in zip(steps, high, strict=True) if value < 0]
    assert costly
    assert found["harmless_after"] == costly[-1]
    assert found["harmless_by"] == steps[steps.index(costly[-1]) + 1]


def test_without_controls_there_is_no_p(run):
    found = ont.roll_back(run, "conv1:0", steps=[0], controls=0)
    assert np.isnan(found["margin_p"].values).all()
    assert "no controls" in found["margin_p"].attrs["missing"]


def test_the_network_and_the_run_are_left_as_they_were(run):
    before = {p: p.stat().st_mtime_ns for p in run.path.rglob("*") if p.is_file()}
    state = torch.random.get_rng_state()
    ont.roll_back(run, "conv1:0", steps=[0])
    assert torch.equal(state, torch.random.get_rng_state())
    assert before == {p: p.stat().st_mtime_ns for p in run.path.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("unit", "how", "words"),
    [("conv9:0", {}, "expected a unit of this network, got conv9:0: its layers begin with conv1:0"),
     ("conv1:99", {}, "got conv1:99"), ("conv1:0", {"steps": [3]}, "got 3: there are 0, 1"),
     ("conv1:0", {"steps": []}, "got none"), ("conv1:0", {"controls": -1}, "at least 0, got -1")],
)  # fmt: skip
def test_what_is_not_there_is_told(run, unit, how, words):
    with pytest.raises(InputError, match=words):
        ont.roll_back(run, unit, **how)
