import numpy as np
import pytest
import xarray as xr

from ontogeny.report import answers as told
from ontogeny.report import words

LAYERS = ["pixels", "conv1", "fc1", "logits"]
TOKENS = ["ada", "bo", "cy"]


def found(*, things, pairs=None, cdnv=None):
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
    return xr.Dataset(data, {"layer": LAYERS, "token": TOKENS, "token_b": TOKENS, "step": [0, 9]})


NEVER, LATE = [9, np.inf, 5, np.inf], [5, 9, 2, np.inf]


def test_things_are_told_with_layers_steps_and_intervals():
    said = told.became_things(found(things=[NEVER, [2, 5, 2, 9], LATE]))
    assert said == (
        "The three tokens become three things first in fc1, between steps 2 and 5 (95 %: 2 to 9); "
        "later in logits, between steps 5 and 9 (95 %: 2 to past the end); not by the end in conv1."
    )


def test_things_that_never_are_come_with_how_far_they_got():
    said = told.became_things(found(things=[NEVER] * 3))
    assert said.startswith("In no layer do the three tokens become three things: in fc1")
    assert "0.90 spreads apart (95 %: 0.90 to 0.90), 1 is needed, and 0 of 3 pairs are" in said


START = [-np.inf, 0, -np.inf, 0]


def test_things_from_the_start_are_no_never():
    said = told.became_things(found(things=[NEVER, START, LATE]))
    assert said == (
        "The three tokens are three things from the first snapshot on in fc1; they become so in "
        "logits, between steps 5 and 9 (95 %: 2 to past the end); not by the end in conv1."
    )


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (
            {(0, 1): [2, 5, 2, 5], (0, 2): LATE, (1, 2): LATE},
            "In fc1 the first to come apart are ada and bo, between steps 2 and 5 (95 %: 2 to 5); "
            "the last are ada and cy; bo and cy, between steps 5 and 9 (95 %: 2 to past the end).",
        ),
        (
            dict.fromkeys([(0, 1), (0, 2), (1, 2)], LATE),
            "In fc1 all pairs of tokens come apart at once, between steps 5 and 9 (95 %: 2 to past "
            "the end).",
        ),
        (
            dict.fromkeys([(0, 1), (0, 2), (1, 2)], NEVER),
            "In fc1 no two tokens come apart by the end.",
        ),
        (
            {(0, 1): [-np.inf, 0, -np.inf, 0], (0, 2): LATE, (1, 2): LATE},
            "In fc1 ada and bo are apart from the first snapshot on; the next to come apart are "
            "ada and cy; bo and cy, between steps 5 and 9 (95 %: 2 to past the end).",
        ),
    ],
)
def test_pairs_are_told_first_and_last_and_ties_as_ties(pairs, said):
    assert told.came_apart_first(found(things=[LATE] * 3, pairs=pairs)) == said


def test_the_closest_tokens_are_told_with_their_confusions():
    cdnv = [[np.nan, 4, 1], [4, np.nan, 0.25], [1, 0.25, np.nan]]
    said = told.stay_close(found(things=[LATE] * 3, cdnv=cdnv))
    assert "ada and bo end closest: in fc1 their centres are 0.50 spreads apart" in said
    assert "they are confused most, 20.0 % of their held-out exemplars (95 %: 13.3 % to" in said
    assert "unknown" in told.stay_close(found(things=[LATE] * 3))


def test_other_tokens_that_are_confused_more_are_named_and_none_is_said():
    cdnv = [[np.nan, 1, 1], [1, np.nan, 4], [1, 4, np.nan]]
    data = found(things=[LATE] * 3, cdnv=cdnv)
    assert "bo and cy end closest" in told.stay_close(data)
    assert "; ada and bo are confused most" in told.stay_close(data)
    data["confusion_over_steps"][:] = np.eye(3)
    assert told.stay_close(data).endswith("no held-out exemplar is taken for another token.")


def test_readout_is_told_beside_its_start_pixels_and_controls():
    said = told.read_out(found(things=[LATE] * 3))
    assert said.startswith("A linear read-out tells tokens best from fc1, 90.0 % at the end (95 %:")
    assert said.endswith("90.0 % at step 0, 50.0 % from pixels, 40.0 % at most of control labels.")


def test_a_readout_no_better_than_control_labels_is_said_to_be_so():
    data = found(things=[LATE] * 3)
    data["readout_control_high"][0, 1] = 0.95
    said = told.read_out(data)
    assert said.startswith("No layer's linear read-out tells tokens better than control labels")
    data["readout_control_high"][:] = np.nan
    assert not told.above_controls(data)


def gap(after, by, last=0.1):
    ends = ("after", "by", "confidence_after", "confidence_by")
    values = dict(zip(ends, (after, by, after, by), strict=True))
    curves = {"real_accuracy": 0.9, "clone_accuracy": 0.8, "clone_gap": last,
              "clone_gap_low": last - 0.05, "clone_gap_high": last + 0.05}  # fmt: skip
    return xr.Dataset({k: ("step", [v]) for k, v in curves.items()}).assign(
        {f"clone_gap_{k}": v for k, v in values.items()})  # fmt: skip


def test_the_gap_to_clones_is_told_in_all_its_cases():
    said = told.beyond_clones(gap(5, 9))
    assert said.startswith("Real exemplars begin, between steps 5 and 9 (95 %: 5 to 9), to be nam")
    assert told.beyond_clones(gap(-np.inf, 0)).startswith("From the first snapshot on real")
    assert "not surely named better" in told.beyond_clones(gap(9, np.inf, last=0.0))
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
    assert "change course together at step 9 (7 to 9)" in told.phases(data)
    assert "no phases" in told.phases(data.assign(phase_p=0.3))
    assert "no phases" in told.phases(data.assign(phase_p=np.nan))


def test_many_pairs_are_counted_and_shares_have_wilsons_interval():
    names = [f"a and {k}" for k in range(6)]
    assert words.listed_pairs(names) == "a and 0; a and 1; a and 2; and 3 more pairs"
    assert words.share_interval(35, 50) == pytest.approx((0.5625, 0.8090), abs=1e-4)
