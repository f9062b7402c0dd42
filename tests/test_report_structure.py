import numpy as np
import pytest
import xarray as xr

from ontogeny.report import structure as told

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
        "confusion_over_steps": (("step", "token", "token_b"), np.stack([confused] * 2)),
    }  # fmt: skip
    return xr.Dataset(data, {"layer": LAYERS, "token": TOKENS, "token_b": TOKENS, "step": [0, 9]})


NEVER, LATE = [9, np.inf, 5, np.inf], [5, 9, 2, np.inf]


def test_things_are_told_with_layers_steps_and_intervals():
    said = told.became_things(found(things=[NEVER, [2, 5, 2, 9], LATE]))
    assert said == (
        "The three tokens become three things first in fc1, between steps 2 and 5 (95 %: 2 to 9); "
        "later in logits; not by the end in conv1."
    )


def test_things_that_never_are_come_with_how_far_they_got():
    said = told.became_things(found(things=[NEVER] * 3))
    assert said.startswith("In no layer do all three tokens become three things: in fc1")
    assert "0.90 spreads apart, 1 would be needed" in said


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
            "In fc1 no two tokens come apart.",
        ),
        (
            {(0, 1): [-np.inf, 0, -np.inf, 0], (0, 2): LATE, (1, 2): LATE},
            "In fc1, ada and bo are apart from the first snapshot on.",
        ),
    ],
)
def test_pairs_are_told_first_and_last_and_ties_as_ties(pairs, said):
    assert told.came_apart_first(found(things=[LATE] * 3, pairs=pairs)) == said


def test_the_closest_tokens_are_told_with_their_confusions():
    cdnv = [[np.nan, 4, 1], [4, np.nan, 0.25], [1, 0.25, np.nan]]
    said = told.stay_close(found(things=[LATE] * 3, cdnv=cdnv))
    assert "ada and bo stay closest: in fc1 their centres end 0.50 spreads apart" in said
    assert "20.0 % of their held-out exemplars are taken for each other" in said
    assert "unknown" in told.stay_close(found(things=[LATE] * 3))


def test_readout_is_told_beside_its_start_and_pixels():
    said = told.read_out(found(things=[LATE] * 3))
    assert said.startswith("A linear read-out tells tokens best from fc1, 90.0 % (95 %: ")
    assert said.endswith("90.0 % at step 0, 50.0 % from pixels.")
