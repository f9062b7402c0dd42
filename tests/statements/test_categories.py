"""Where and when tokens are separated, and what is confused: said, or why not."""

import numpy as np
import pytest
import xarray as xr

from ontogeny.measure.learning.curves import LAYER_RISE
from ontogeny.statements import Findings, Said, Unsaid, categories, learning
from ontogeny.statements.categories import separating_layers, splits
from ontogeny.statements.words import listed_pairs, spans

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
    data |= {
        "cdnv": (("step", "layer", "token", "token_b"), matrix),
        "separation_worst": flat, "separation_low": flat, "separation_high": flat,
        "readout": flat, "readout_low": flat, "readout_high": flat,
        "readout_control_high": (("step", "layer"), np.full((2, 4), 0.4)),
    }  # fmt: skip
    if low is not None:
        data["separation_low"] = (("step", "layer"), np.full((2, 4), low))
    return xr.Dataset(data, {"layer": LAYERS, "token": TOKENS, "token_b": TOKENS, "step": [0, 9]})


def said(rule, structure=None, measures=None):
    record = xr.Dataset(coords={"token": TOKENS, "step": [0, 9]})
    return rule(Findings(record, measures, structure)).sentence


NEVER, LATE = [9, np.inf, 5, np.inf], [5, 9, 2, np.inf]


def test_separation_is_said_with_layers_steps_and_intervals():
    text = said(categories.separated, found(things=[NEVER, [2, 5, 2, 5], LATE], low=1.5))
    assert text == (
        "All three tokens are separated in fc1 and logits between steps 2 and 9 (95 %: 2 to past "
        "the end); not by the end in conv1."
    )
    text = said(categories.separated, found(things=[NEVER, [2, 5, 2, 5], [7, 9, 6, 9]], low=1.5))
    assert text == (
        "All three tokens are separated first in fc1 between steps 2 and 5 (95 %: 2 to 5); later "
        "in logits between steps 7 and 9 (95 %: 6 to 9); not by the end in conv1."
    )


def test_tokens_that_are_never_separated_come_with_how_far_they_got():
    text = said(categories.separated, found(things=[NEVER] * 3))
    assert text.startswith("In no layer are all three tokens separated by the end: in fc1")
    assert "0.90 spreads apart (95 %: 0.90 to 0.90) where 1 is needed, and 0 of 3 pairs" in text


def test_a_layer_that_is_not_surely_separated_at_the_end_has_no_onset():
    data = found(things=[NEVER, [2, 5, 2, 5], [2, 5, 2, 5]], low=1.5)
    data["separation_low"][:, 3] = 0.9
    assert [o.is_missing for o in separating_layers(data)] == [True, False, True]
    assert "in fc1 between" in said(categories.separated, data)


START = [-np.inf, 0, -np.inf, 0]


def test_separation_from_the_start_is_no_never():
    text = said(categories.separated, found(things=[NEVER, START, LATE], low=1.5))
    assert text == (
        "All three tokens are separated from the first snapshot on in fc1; they come to be "
        "separated in logits between steps 5 and 9 (95 %: 2 to past the end); not by the end in "
        "conv1."
    )


@pytest.mark.parametrize(
    ("pairs", "text"),
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
def test_pairs_are_ordered_only_where_their_confidence_intervals_do_not_overlap(pairs, text):
    lead = "In fc1, the last hidden layer, "
    assert said(categories.pairs, found(things=[LATE] * 3, pairs=pairs)) == lead + text


def test_no_pair_is_said_to_be_separated_where_none_is():
    pairs = dict.fromkeys([(0, 1), (0, 2), (1, 2)], NEVER)
    text = said(categories.pairs, found(things=[LATE] * 3, pairs=pairs))
    assert text == "No two tokens are separated in fc1 by the end."


def confusion(table, bound=0.1):
    """Measures of confusions: what is off the diagonal of a table, half of the exemplars each."""
    table = np.array(table)
    share = np.where(np.eye(3), np.nan, (table + table.T) / 2)
    data = {"confusion": table, "confused": share, "confused_low": share - 0.05,
            "confused_high": share + 0.05, "confused_by_chance": share * 0 + 0.07,
            "confused_bound": share * 0 + bound}  # fmt: skip
    dims = ("token", "token_b")
    return xr.Dataset({k: (dims, v) for k, v in data.items()}, {"token": TOKENS, "token_b": TOKENS})


def test_confused_tokens_are_said_with_what_errors_by_chance_would_give():
    table = [[0.9, 0.1, 0], [0.3, 0.7, 0], [0, 0, 1.0]]
    found = categories.confused(
        Findings(xr.Dataset(coords={"token": TOKENS, "step": [0, 9]}), confusion(table))
    )
    assert isinstance(found, Said) and [o.subject for o in found.statements] == ["ada and bo"]
    assert found.sentence == found.statements[0].text
    assert found.sentence == (
        "The network still confuses ada with bo at the end: 20.0 % of their held-out exemplars "
        "are classified as the other token (95 %: 15.0 % to 25.0 %), where errors spread "
        "by chance would give 7.0 %."
    )


def test_more_pairs_are_counted():
    table = [[0.4, 0.6, 0], [0.0, 0.4, 0.6], [0, 0, 1.0]]
    text = said(categories.confused, measures=confusion(table))
    assert text.endswith("would give 7.0 %. One more pair is confused.")


def test_errors_within_chance_are_no_confusion():
    table = [[0.9, 0.06, 0.04], [0.04, 0.9, 0.06], [0.06, 0.04, 0.9]]
    text = said(categories.confused, measures=confusion(table))
    assert text.startswith("The network confuses no two tokens more often than errors spread")
    text = said(categories.confused, measures=confusion(np.eye(3)))
    assert text.startswith("The network classifies every exemplar of the probe correctly")
    text = said(categories.confused, measures=confusion(np.full((3, 3), np.nan)))
    assert "unknown" in text


def test_readout_is_said_beside_its_start_pixels_and_controls():
    text = said(categories.read_out, found(things=[LATE] * 3))
    assert text.startswith("A linear read-out from fc1 has the highest accuracy at the end, 90.0 %")
    assert text.endswith("one from the pixels 50.0 %, and one of shuffled labels 40.0 % at most.")


def test_a_readout_no_better_than_shuffled_labels_is_said_to_be_so():
    data = found(things=[LATE] * 3)
    data["readout_control_high"][0, 1] = 0.95
    text = said(categories.read_out, data)
    assert text.startswith("From no layer does a linear read-out classify the tokens better than")
    data["readout_control_high"][:] = np.nan
    assert said(categories.read_out, data).startswith("From no layer does")


def test_branches_within_their_bound_are_not_told():
    data = xr.Dataset(
        {"split_separation": (("step", "layer", "split_node"), [[[5.0, 1.0]]]),
         "split_bound": ("layer", [2.0]),
         "split_side": (("layer", "split_node", "token"), [[[1, -1, -1], [0, 1, -1]]]),
         **{f"split_{end}": (("layer", "split_node"), [[1.0, 2.0]])
            for end in ("after", "by", "confidence_after", "confidence_by")}},
        {"layer": ["fc1"], "token": TOKENS},
    )  # fmt: skip
    assert [o.name for o in splits(data, "fc1")] == ["ada | bo, cy"]
    data["split_bound"][:] = np.nan
    assert splits(data, "fc1") == []


def test_many_pairs_are_counted():
    names = [f"a and {k}" for k in range(6)]
    assert listed_pairs(names) == "a and 0; a and 1; a and 2; and 3 more pairs"


def test_spans_join_neighbours():
    layers = ["conv1", "conv2", "conv3", "fc1", "logits"]
    assert spans(["conv1", "conv2", "conv3", "logits"], layers) == "conv1 to conv3 and logits"
    assert spans(["conv1", "conv2", "fc1"], layers) == "conv1, conv2 and fc1"


def table(rises):
    """Onsets of layer rises given as (after, by)."""
    after, by = np.array(rises, dtype=float).T
    columns = {"after": after, "by": by, "confidence_after": after, "confidence_by": by}
    names = [f"conv{k + 1}" for k in range(len(rises))]
    flat = (("step", "layer"), np.full((1, len(names)), 0.1))
    curves = dict.fromkeys(("layer_token_signal", "layer_threshold", "untrained_threshold"), flat)
    return xr.Dataset(
        {name: ("onset", column) for name, column in columns.items()} | curves,
        {"kind": ("onset", [LAYER_RISE] * len(rises)), "name": ("onset", names), "layer": names,
         "step": [9]},
    )  # fmt: skip


def test_order_of_layers_counts_only_pairs_that_are_ordered():
    def order(rises):
        return said(categories.rising_order, measures=table(rises))

    assert order([(4, 6), (2, 4), (1, 3)]) == (
        "Upper layers rise before lower ones in 2 of 2 pairs of layers that are ordered."
    )
    assert order([(1, 2), (2, 3)]).startswith("Lower layers rise before upper")
    assert order([(1, 9), (2, 9)]).startswith("The intervals of all layers overlap")
    assert order([(100, np.inf), (2, 3)]).startswith("Upper layers rise")


def test_layers_that_never_rise_are_said_to():
    rises = [(100, np.inf), (100, np.inf), (100, np.inf), (2, 3)]
    assert said(categories.layers_rise, measures=table(rises)) == (
        "Token signal rises in conv4 between steps 2 and 3 (95 %: 2 to 3); it does not rise in "
        "conv1 to conv3."
    )
    never = said(categories.layers_rise, measures=table([(100, np.inf)]))
    assert never.endswith("untrained weights in no layer.")


def gap(after, by, last=0.1):
    ends = ("after", "by", "confidence_after", "confidence_by")
    values = dict(zip(ends, (after, by, after, by), strict=True))
    curves = {"real_accuracy": 0.9, "clone_accuracy": 0.8, "clone_gap": last,
              "clone_gap_low": last - 0.05, "clone_gap_high": last + 0.05}  # fmt: skip
    return xr.Dataset({k: ("step", [v]) for k, v in curves.items()}).assign(
        {f"clone_gap_{k}": v for k, v in values.items()})  # fmt: skip


def test_the_gap_to_clones_is_said_in_all_its_cases():
    text = said(learning.clones, gap(5, 9))
    assert text.startswith(
        "The network begins to classify real exemplars better than their Gaussian"
    )
    assert "clones between steps 5 and 9 (95 %: 5 to 9): it uses more" in text
    assert "+5.0 to +15.0 points" in text
    assert said(learning.clones, gap(-np.inf, 0)).startswith("The network classifies real")
    never = gap(9, np.inf, last=0.0)
    assert "does not surely classify real exemplars better" in said(learning.clones, never)
    unknown = gap(np.nan, np.nan, last=np.nan)
    assert "is unknown" in said(learning.clones, unknown)


def test_phases_are_said_only_beyond_their_null():
    data = found(things=[LATE] * 3).assign(
        phase=("step", [0.0, 1.0]), phase_first=("step", [np.nan, 7.0]),
        phase_last=("step", [np.nan, 9.0]), phase_p=0.01,
        change=(("phase_measure", "step"), np.zeros((3, 2))))  # fmt: skip
    assert "change their course together at step 9 (7 to 9)" in said(learning.phases, data)
    assert "no phases" in said(learning.phases, data.assign(phase_p=0.3))
    assert "no phases" in said(learning.phases, data.assign(phase_p=np.nan))


@pytest.mark.parametrize("rule", [*learning.RULES, *categories.RULES], ids=lambda rule: rule.name)
def test_a_rule_without_its_measures_says_so(rule):
    record = xr.Dataset(coords={"token": TOKENS, "step": [0, 9]})
    found = rule(Findings(record, missing={"structure": "the record lacks logit"}))
    assert isinstance(found, Unsaid) and not found.is_measured
    assert " is not known: " in found.sentence and found.sentence.endswith(".")
