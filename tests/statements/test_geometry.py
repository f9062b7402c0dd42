"""What distances resemble, and what only describes: said with its numbers, or why not."""

import numpy as np
import pytest
import xarray as xr

from ontogeny.measure.categories.likeness_models import with_onsets
from ontogeny.statements import Findings, Said, Unsaid, geometry

LAYERS = ["pixels", "conv1", "fc1", "logits"]
STEPS = [0, 3, 9, 20]


def found(*, rsa=0.5, beyond=(0.0, 0.0, 0.4, 0.5), models=("token", "pixels", "last_layer")):
    """Measures with a planted likeness, the same of all models; conv1's is half of fc1's."""
    layers = np.array([0.1, 0.5, 1.0, 0.9])
    cell = ("step", "layer", "model")
    steps = np.linspace(0.2, 1, 4)
    values = (rsa * steps[:, None] * layers)[..., None] * np.ones(len(models))
    partial = (np.array(beyond)[:, None] * layers)[..., None] * np.ones(len(models))
    limit = (("layer", "model"), np.full((4, len(models)), 0.1))
    data = {
        "model_rsa": (cell, values), "model_low": (cell, values - 0.05),
        "model_high": (cell, values + 0.05), "model_beyond": (cell, partial),
        "model_threshold": limit, "model_beyond_threshold": limit,
    }  # fmt: skip
    data = xr.Dataset(data, {"step": STEPS, "layer": LAYERS, "model": list(models)})
    return with_onsets(data)


def said(rule, structure):
    record = xr.Dataset(coords={"token": ["ada", "bo", "cy"], "step": STEPS})
    return rule(Findings(record, structure=structure)).sentence


def test_likeness_to_tokens_comes_with_its_interval_and_its_step():
    assert said(geometry.resemble, found()) == (
        "Distances resemble the tokens most in fc1, with a rank correlation of 0.50 at the end "
        "(95 %: 0.45 to 0.55)."
    )
    early = said(geometry.resemble, found(beyond=(0.0, 0.4, 0.4, 0.5)))
    assert early.endswith("; beyond the pixels they do so from between steps 0 and 3 on.")
    always = said(geometry.resemble, found(beyond=(0.3,) * 4))
    assert always.endswith("; beyond the pixels they do so from the first snapshot on.")
    alone = said(geometry.resemble, found(beyond=(0.3,) * 4, models=("token",)))
    assert alone.endswith("(95 %: 0.45 to 0.55).")


def test_what_is_not_surely_beyond_its_null_is_not_said():
    data = found(beyond=(0.0, 0.0, 0.4, 0.05))
    assert said(geometry.resemble, data).startswith("In no layer do the distances between")
    data = found()
    data["model_low"][:] = 0.05
    assert said(geometry.resemble, data).startswith("In no layer do the distances between")
    data = found()
    data["model_beyond"][:] = np.nan
    assert said(geometry.resemble, with_onsets(data)).startswith("In no layer do the distances")


def test_fading_pixels_and_layers_like_the_last():
    assert said(geometry.fading, found()) == (
        "The likeness of fc1 to pixels changes from 0.10 to 0.50 (95 %: 0.45 to 0.55; null 0.10)."
    )
    assert "is not known" in said(geometry.fading, found(models=("token",)))
    assert said(geometry.like_the_end, found()) == (
        "No layer below is arranged like fc1 at the end (0.9 or more)."
    )
    assert said(geometry.like_the_end, found(rsa=1.9)) == (
        "The layers arranged like fc1 at the end (0.9 or more) are conv1."
    )


def factor_tests(passed, beyond=0.4):
    """Four factors in two hidden layers; one cell is beyond its null where asked for."""
    p, values = np.ones((2, 4)), np.full((1, 2, 4), 0.05)
    for cell in passed:
        p[cell], values[0][cell] = 0.01, beyond
    names = ["tilt", "eye_size", "hue", "part_hat"]
    return xr.Dataset(
        {"factor_beyond_p": (("layer", "factor"), p),
         "factor_beyond": (("step", "layer", "factor"), values),
         "factor_beyond_threshold": (("layer", "factor"), np.full((2, 4), 0.1))},
        {"step": [9], "layer": ["conv2", "fc1"], "factor": names},
    )  # fmt: skip


def test_factors_that_pass_are_named():
    assert said(geometry.factors, factor_tests([])).endswith("distances follow no known factor.")
    text = said(geometry.factors, factor_tests([(0, 1)]))
    assert text.endswith("distances follow eye size most, in conv2 (0.40).")


def test_factors_that_pass_as_often_as_by_chance_are_not_named():
    many = xr.concat([factor_tests([(0, 0)]), *[factor_tests([])] * 3], "factor")
    many = many.assign_coords(factor=[f"factor {k}" for k in range(16)])
    text = said(geometry.factors, many)
    assert "hardly more often than by chance: 3.1 % of the cells" in text


def tokens(first, last):
    values = np.full((2, 4, 3), np.array([first, last])[:, None, None]) * [0.9, 1, 1.1]
    cell = ("step", "layer", "token")
    return xr.Dataset(
        {"token_two_nn": (cell, values), "token_participation_ratio": (cell, values / 2)},
        {"step": [0, 9], "layer": LAYERS, "token": ["ada", "bo", "cy"]},
    )


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [(10, 5, "is 5.0 at the end, and 10.0 before"), (5, 10, "is 10.0 at the end, and 5.0 before")],
)
def test_dimensions_of_tokens_are_said_of_both_ends(first, last, text):
    assert text in said(geometry.narrow, tokens(first, last))


def test_unknown_dimensions_are_said_to_be_unknown():
    assert "is not known" in said(geometry.narrow, tokens(np.nan, 5))


@pytest.mark.parametrize("rule", geometry.RULES, ids=lambda rule: rule.name)
def test_a_rule_without_its_measures_says_so(rule):
    record = xr.Dataset(coords={"token": ["ada", "bo"], "step": [0, 9]})
    found = rule(Findings(record))
    assert isinstance(found, Unsaid) and not isinstance(found, Said)
    assert found.sentence.endswith("is not known: structure were not measured.")
