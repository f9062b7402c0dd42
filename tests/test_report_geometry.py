from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr

from ontogeny.measure import Chance, dimension
from ontogeny.measure.models import model_comparison
from ontogeny.measure.runs import noise_ceiling, run_similarity
from ontogeny.report import geometry as told
from records import make_record

mpl.use("agg")
FEW = Chance(n_shuffles=39, n_resamples=20)
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
    return xr.Dataset(data, {"step": STEPS, "layer": LAYERS, "model": list(models)})


def test_likeness_to_tokens_comes_with_its_interval_and_its_step():
    said = told.resembles_tokens(found())
    assert said == (
        "Distances resemble tokens most in fc1, with a correlation of 0.50 at the end (95 %: 0.45 "
        "to 0.55), beyond pixels not by the end"
    )
    early = told.resembles_tokens(found(beyond=(0.0, 0.4, 0.4, 0.5), models=("token",)))
    assert early.endswith("from between steps 0 and 3 on")
    assert told.resembles_tokens(found(beyond=(0.3,) * 4)).endswith("from the first snapshot on")
    unknown = found()
    unknown["model_beyond"][:] = np.nan
    assert told.resembles_tokens(unknown).endswith("at steps that are not known")
    unknown["model_rsa"][:] = np.nan
    assert "unknown" in told.resembles_tokens(unknown)


def test_fading_pixels_and_layers_like_the_last():
    said = told.fading(found())
    assert said == (
        "The likeness of fc1 to pixels changes from 0.10 to 0.50 (95 %: 0.45 to 0.55; null 0.10)."
    )
    assert told.fading(found(models=("token",))) == ""
    assert told.like_the_end(found()) == (
        "No layer below is arranged like fc1 at the end (0.9 or more)."
    )
    assert told.like_the_end(found(rsa=1.9)) == (
        "The layers arranged like fc1 at the end (0.9 or more) are conv1."
    )


def tokens(first, last):
    values = np.full((2, 4, 3), np.array([first, last])[:, None, None]) * [0.9, 1, 1.1]
    cell = ("step", "layer", "token")
    return xr.Dataset(
        {"token_two_nn": (cell, values), "token_participation_ratio": (cell, values / 2)},
        {"step": [0, 9], "layer": LAYERS, "token": ["ada", "bo", "cy"]},
    )


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [(10, 5, "is 5.0 at the end, and 10.0 before"), (5, 10, "is 10.0 at the end, and 5.0 before")],
)
def test_dimensions_of_tokens_are_said_of_both_ends(first, last, said):
    assert said in told.narrowest(tokens(first, last))


def test_unknown_dimensions_are_said_to_be_unknown():
    assert "is not known" in told.narrowest(tokens(np.nan, 5))


@pytest.fixture(scope="module")
def material():
    record = make_record(strength=6.0)
    rng = np.random.default_rng(0)
    record = record.assign_coords(
        factor_tilt=("exemplar", rng.normal(size=60)),
        factor_part_hat=("exemplar", np.repeat([0, 1, 1], 20)),
    )
    structure = model_comparison(record, chance=FEW).merge(dimension(record, chance=FEW))
    return SimpleNamespace(structure=structure, tokens=["ada", "bo", "cy"])


@pytest.mark.parametrize("name", list(told.SECTIONS))
def test_every_section_draws_and_says_what_is_seen(material, name):
    section = told.SECTIONS[name](material)
    assert section.key.isidentifier()
    for words in (section.title, section.definition, section.null):
        assert len(words) > 20
    section.figure.canvas.draw()
    assert all(len(ax.lines) + len(ax.images) for ax in section.figure.axes)


def test_factors_that_pass_are_named(material):
    structure = material.structure.copy(deep=True)
    structure["factor_beyond_p"][:] = 1
    none = told.factors(SimpleNamespace(structure=structure))
    assert none.title == (
        "Distances follow no known factor once tokens, parts and pixels are accounted for"
    )
    at = {"layer": "conv2", "factor": "tilt"}
    structure["factor_beyond_p"].loc[at] = 0.01
    structure["factor_beyond"].loc[at] = 0.4
    one = told.factors(SimpleNamespace(structure=structure))
    assert one.title.endswith("distances follow tilt most, in conv2 (0.40)")
    assert "16.7 % of 2 factors and 3 layers pass" in one.seen


def test_runs_are_told_with_their_likeness_and_ceiling():
    records = {f"seed {k}": make_record(seed=k, strength=6.0) for k in range(2)}
    section = told.runs(run_similarity(records, chance=FEW), noise_ceiling(records, chance=FEW))
    assert section.title.startswith("The runs are most alike in ")
    assert "are nearer (Procrustes) than the same responses" in section.seen
    section.figure.canvas.draw()
