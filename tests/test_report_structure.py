import numpy as np
import pytest
import xarray as xr

from ontogeny.report import answers as told
from ontogeny.report import words
from ontogeny.statements.claims import confused_pairs, separating_layers

LAYERS = ["pixels", "conv1", "fc1", "logits"]
TOKENS = ["ada", "bo", "cy"]


def found(*, things, pairs=None, cdnv=None, low=None):
    """Measures with planted onsets: rows are after, by and their confidence interval."""
    ends = ("after", "by", "confidence_after", "confidence_by")
    of_layer = np.full((4, 4), np.nan)
    of_layer[1:] = things
    table = np.full((4, 4, 3, 3), np.nan)
    for (i, j), row in (pairs or {}).items():
        table[2, :, i, j] = table[2, :, j, i] = row
    matrix = np.full((2, 4, 3, 3), np.nan)
    matrix[:] = np.array(cdnv if cdnv is not None else np.full((3, 3), np.nan))
    data = {f"things_{end}": ("layer", of_layer[:, k]) for k, end in enumerate(ends)}
    data |= {
        f"apart_{end}": (("layer", "token", "token_b"), table[:, k]) for k, end in enumerate(ends)
    }
    flat = (("step", "layer"), np.tile([0.5, 0.6, 0.9, 0.8], (2, 1)))
    confused = np.array([[0.9, 0.1, 0], [0.3, 0.7, 0], [0, 0, 1.0]])
    data |= {
        "cdnv": (("step", "layer", "token", "token_b"), matrix),
        "separation_worst": flat, "separation_low": flat, "separation_high": flat,
        "readout": flat, "readout_low": flat, "readout_high": flat,
        "readout_control_high": (("step", "layer"), np.full((2, 4), 0.4)),
        "exemplars": ("token", [50, 50, 50]),
        "confusion_over_steps": (("step", "token", "token_b"), np.stack([confused] * 2)),
    }  # fmt: skip
    if low is not None:
        data["separation_low"] = (("step", "layer"), np.full((2, 4), low))
    return xr.Dataset(data, {"layer": LAYERS, "token": TOKENS, "token_b": TOKENS, "step": [0, 9]})


NEVER, LATE = [9, np.inf, 5, np.inf], [5, 9, 2, np.inf]


def test_separation_is_said_with_layers_steps_and_intervals():
    said = told.separated_in(found(things=[NEVER, [2, 5, 2, 5], LATE], low=1.5))
    assert said == (
        "All three tokens are separated in fc1 and logits between steps 2 and 9 (95 %: 2 to past "
        "the end); not by the end in conv1."
    )
    said = told.separated_in(found(things=[NEVER, [2, 5, 2, 5], [7, 9, 6, 9]], low=1.5))
    assert said == (
        "All three tokens are separated first in fc1 between steps 2 and 5 (95 %: 2 to 5); later "
        "in logits between steps 7 and 9 (95 %: 6 to 9); not by the end in conv1."
    )


def test_tokens_that_are_never_separated_come_with_how_far_they_got():
    said = told.separated_in(found(things=[NEVER] * 3))
    assert said.startswith("In no layer are all three tokens separated by the end: in fc1")
    assert "0.90 spreads apart (95 %: 0.90 to 0.90) where 1 is needed, and 0 of 3 pairs" in said


def test_a_layer_that_is_not_surely_separated_at_the_end_has_no_onset():
    data = found(things=[NEVER, [2, 5, 2, 5], [2, 5, 2, 5]], low=1.5)
    data["separation_low"][:, 3] = 0.9
    assert [o.is_missing for o in separating_layers(data)] == [True, False, True]
    assert "in fc1 between" in told.separated_in(data)


START = [-np.inf, 0, -np.inf, 0]


def test_separation_from_the_start_is_no_never():
    said = told.separated_in(found(things=[NEVER, START, LATE], low=1.5))
    assert said == (
        "All three tokens are separated from the first snapshot on in fc1; they come to be "
        "separated in logits between steps 5 and 9 (95 %: 2 to past the end); not by the end in "
        "conv1."
    )


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (
            {(0, 1): [2, 5, 2, 5], (0, 2): [6, 9, 5, 9], (1, 2): [6, 9, 5, 9]},
            "ada and bo are separated first, between steps 2 and 5 (95 %: 2 to 5); ada and cy; bo "
            "and cy last, between steps 6 and 9 (95 %: 5 to 9).",
        ),
        (
            {(0, 1): [2, 5, 2, 5], (0, 2): LATE, (1, 2): LATE},
            "all pairs of tokens are separated between steps 2 and 9 (95 %: 2 to past the end), "
            "in no order that is certain.",
        ),
        (
            {(0, 1): START, (0, 2): LATE, (1, 2): NEVER},
            "ada and bo are separated from the first snapshot on; ada and cy are separated between "
            "steps 5 and 9 (95 %: 2 to past the end); bo and cy are not separated by the end.",
        ),
    ],
)
def test_pairs_are_ordered_only_where_their_confidence_intervals_do_not_overlap(pairs, said):
    lead = "In fc1, the last hidden layer, "
    assert told.separated_first(found(things=[LATE] * 3, pairs=pairs)) == lead + said


def test_no_pair_is_said_to_be_separated_where_none_is():
    pairs = dict.fromkeys([(0, 1), (0, 2), (1, 2)], NEVER)
    said = told.separated_first(found(things=[LATE] * 3, pairs=pairs))
    assert said == "No two tokens are separated in fc1 by the end."


def test_the_closest_tokens_are_said_with_the_confused_ones():
    cdnv = [[np.nan, 4, 1], [4, np.nan, 0.25], [1, 0.25, np.nan]]
    data = found(things=[LATE] * 3, cdnv=cdnv)
    said = told.stay_close(data)
    assert "centres of ada and bo are the closest in fc1 at the end, 0.50 spreads apart" in said
    assert (
        "The network still confuses ada with bo: 20.0 % of their held-out exemplars (95 %: 13.3"
        in said
    )
    assert "unknown" in told.stay_close(found(things=[LATE] * 3))
    data["confusion_over_steps"][:] = np.eye(3)
    assert told.confused(data).startswith("The network classifies every exemplar of the probe")


def test_errors_within_chance_are_no_confusion_on_any_floor():
    data = found(things=[LATE] * 3)
    data["confusion_over_steps"][:] = [[0.9, 0.06, 0.04], [0.04, 0.9, 0.06], [0.06, 0.04, 0.9]]
    assert confused_pairs(data) == []
    assert told.confused(data).startswith("The network confuses no two tokens more often than")


def test_readout_is_said_beside_its_start_pixels_and_controls():
    said = told.read_out(found(things=[LATE] * 3))
    assert said.startswith("A linear read-out from fc1 has the highest accuracy at the end, 90.0 %")
    assert said.endswith("one from the pixels 50.0 %, and one of shuffled labels 40.0 % at most.")


def test_a_readout_no_better_than_shuffled_labels_is_said_to_be_so():
    data = found(things=[LATE] * 3)
    data["readout_control_high"][0, 1] = 0.95
    said = told.read_out(data)
    assert said.startswith("From no layer does a linear read-out classify the tokens better than")
    data["readout_control_high"][:] = np.nan
    assert not told.above_controls(data)


def gap(after, by, last=0.1):
    ends = ("after", "by", "confidence_after", "confidence_by")
    values = dict(zip(ends, (after, by, after, by), strict=True))
    curves = {"real_accuracy": 0.9, "clone_accuracy": 0.8, "clone_gap": last,
              "clone_gap_low": last - 0.05, "clone_gap_high": last + 0.05}  # fmt: skip
    return xr.Dataset({k: ("step", [v]) for k, v in curves.items()}).assign(
        {f"clone_gap_{k}": v for k, v in values.items()})  # fmt: skip


def test_the_gap_to_clones_is_said_in_all_its_cases():
    said = told.beyond_clones(gap(5, 9))
    assert said.startswith(
        "The network begins to classify real exemplars better than their Gaussian"
    )
    assert "clones between steps 5 and 9 (95 %: 5 to 9): it uses more" in said
    assert told.beyond_clones(gap(-np.inf, 0)).startswith("The network classifies real")
    assert "does not surely classify real exemplars better" in told.beyond_clones(
        gap(9, np.inf, last=0.0)
    )
    assert "+5.0 to +15.0 points" in told.beyond_clones(gap(5, 9))
    assert "is unknown" in told.beyond_clones(gap(np.nan, np.nan, last=np.nan))
    assert "the record has no Gaussian clones" in told.beyond_clones(found(things=[LATE] * 3))


def test_branches_within_their_bound_are_not_told():
    data = xr.Dataset(
        {"split_separation": (("step", "layer", "split_node"), [[[5.0, 1.0]]]),
         "split_bound": ("layer", [2.0]),
         "split_side": (("layer", "split_node", "token"), [[[1, -1, -1], [0, 1, -1]]]),
         **{f"split_{end}": (("layer", "split_node"), [[1.0, 2.0]])
            for end in ("after", "by", "confidence_after", "confidence_by")}},
        {"layer": ["fc1"], "token": TOKENS},
    )  # fmt: skip
    assert [o.name for o in told.splits(data, "fc1")] == ["ada | bo, cy"]
    data["split_bound"][:] = np.nan
    assert told.splits(data, "fc1") == []


def test_phases_are_told_only_beyond_their_null():
    data = found(things=[LATE] * 3).assign(
        phase=("step", [0.0, 1.0]), phase_first=("step", [np.nan, 7.0]),
        phase_last=("step", [np.nan, 9.0]), phase_p=0.01)  # fmt: skip
    assert "change their course together at step 9 (7 to 9)" in told.phases(data)
    assert "no phases" in told.phases(data.assign(phase_p=0.3))
    assert "no phases" in told.phases(data.assign(phase_p=np.nan))


def test_many_pairs_are_counted_and_shares_have_wilsons_interval():
    names = [f"a and {k}" for k in range(6)]
    assert words.listed_pairs(names) == "a and 0; a and 1; a and 2; and 3 more pairs"
    assert words.share_interval(35 / 50, 50) == pytest.approx((0.5625, 0.8090), abs=1e-4)
