import numpy as np
import pytest
import torch

from ontogeny.errors import InputError
from ontogeny.model import prepare, vgg
from ontogeny.pictures.cone import run_to
from ontogeny.pictures.exemplars import DISTINCT, crop, top_exemplars
from ontogeny.pictures.fields import Window, columns
from oracles.pictures import naive_top

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def model():
    return vgg(tokens=3, widths=(4, 6), dense=8, seed=3).eval()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3)).astype(np.uint8)


def maps_of(model, images, layer, channel):
    column = columns(model, prepare(images[:1]))[layer]
    with torch.no_grad():
        maps = torch.relu(run_to(model, column, prepare(images))[:, channel])
    return maps.numpy()


def crops_of(images, found, unit):
    one = found.sel(unit=unit)
    windows = zip(*(one[n].values for n in ("top", "left", "height", "width")), strict=True)
    return [
        crop(images, exemplar, Window(top, top + height, left, left + width))
        for exemplar, (top, left, height, width) in zip(one.exemplar.values, windows, strict=True)
        if exemplar >= 0
    ]


@pytest.mark.parametrize("unit", ["conv1:1", "conv3:0", "conv4:5"])
def test_top_exemplars_are_the_best_of_each_group(model, images, unit):
    groups = np.arange(30) // 3
    layer, channel = unit.split(":")
    maps = maps_of(model, images, layer, int(channel))
    found = top_exemplars(model, images, [unit], groups=groups, top=5).sel(unit=unit)
    assert found.exemplar.values.tolist() == naive_top(maps, groups.tolist(), 5)
    np.testing.assert_allclose(found.response, maps.max((1, 2))[found.exemplar.values], rtol=1e-5)


@pytest.mark.parametrize("unit", ["conv1:1", "conv3:0", "conv4:5"])
def test_crop_lies_where_the_response_is_largest(model, images, unit):
    layer, channel = unit.split(":")
    maps = maps_of(model, images, layer, int(channel))
    column = columns(model, prepare(images[:1]))[layer]
    found = top_exemplars(model, images, [unit], top=4)
    cut = crops_of(images, found, unit)
    for rank, exemplar in enumerate(found.exemplar.sel(unit=unit).values):
        row, place = np.unravel_index(maps[exemplar].argmax(), maps[exemplar].shape)
        field = column.field(int(row), int(place))
        for y in range(field.height):
            for x in range(field.width):
                at = field.top + y, field.left + x
                inside = 0 <= at[0] < 16 and 0 <= at[1] < 16
                desired = images[exemplar, at[0], at[1]] if inside else [128] * 3
                np.testing.assert_array_equal(cut[rank][y, x], desired)


def test_crop_of_a_dense_unit_is_the_image(model, images):
    found = top_exemplars(model, images, ["logits:2"], top=2)
    best = int(found.exemplar.values[0, 0])
    np.testing.assert_array_equal(crops_of(images, found, "logits:2")[0], images[best])
    with torch.no_grad():
        assert best == int(model(prepare(images))[:, 2].argmax())


def test_near_duplicates_are_passed_over(model, images):
    rng = np.random.default_rng(1)
    noise = rng.integers(-2, 3, images.shape)
    twice = np.concatenate([images, np.clip(images.astype(int) + noise, 0, 255).astype(np.uint8)])
    found = top_exemplars(model, twice, ["logits:0"], top=12).sel(unit="logits:0")
    originals = found.exemplar.values % 30
    assert len(set(originals.tolist())) == 12
    shown = np.stack(crops_of(twice, found.expand_dims("unit"), "logits:0")).astype(float)
    for a in range(12):
        for b in range(a):
            assert np.sqrt(((shown[a] - shown[b]) ** 2).mean()) >= DISTINCT


def test_too_few_different_exemplars_leave_ranks_empty(model):
    same = np.repeat(np.array([90, 200], np.uint8), 3)[:, None, None, None] * np.ones(
        (1, 16, 16, 3), np.uint8
    )
    found = top_exemplars(model, same, ["logits:0"], top=3)
    shown = found.exemplar.values[0]
    assert shown[0] >= 0
    assert shown[2] == -1  # of two different images no third is made
    assert np.isnan(found.response.values[0, shown < 0]).all()


def test_a_dead_unit_has_no_top_exemplars(model, images):
    dead = vgg(tokens=3, widths=(4, 6), dense=8, seed=3).eval()
    with torch.no_grad():
        dead.conv3.bias[2] = -1e6
    found = top_exemplars(dead, images, ["conv3:2", "conv3:1"], top=3)
    assert found.exemplar.values[0].tolist() == [-1, -1, -1]
    assert (found.exemplar.values[1] >= 0).all()


def test_spectrum_runs_from_the_top_to_the_least(model, images):
    quantiles = (1.0, 0.5, 0.0)
    found = top_exemplars(model, images, ["conv4:5"], quantiles=quantiles).sel(unit="conv4:5")
    largest = maps_of(model, images, "conv4", 5).max((1, 2))
    ranked = np.sort(largest)[::-1]
    np.testing.assert_allclose(found.spectrum_response, ranked[[0, 14, 29]], rtol=1e-5)


def test_relative_ranking_divides_by_the_level_of_the_layer(model, images):
    loud = images.copy()
    loud[7] = np.where(loud[7] > 127, 255, 0)  # one busy image
    responses = np.stack([maps_of(model, loud, "conv4", k).max((1, 2)) for k in range(6)], axis=1)
    desired = int((responses[:, 2] / responses.mean(1)).argmax())
    found = top_exemplars(model, loud, ["conv4:2"], relative=True)
    assert found.exemplar.values[0, 0] == desired
    np.testing.assert_allclose(found.response.values[0, 0], responses[desired, 2], rtol=1e-5)


def test_crop_beyond_the_border_is_mid_grey():
    image = np.arange(2 * 2 * 1, dtype=np.uint8).reshape(1, 2, 2, 1)
    cut = crop(image, 0, Window(-1, 2, 0, 3))[..., 0]
    assert cut.tolist() == [[128, 128, 128], [0, 1, 128], [2, 3, 128]]


def test_all_units_by_default_and_the_network_untouched(model, images):
    model.train()
    random = torch.random.get_rng_state()
    found = top_exemplars(model, images, top=2)
    assert found.sizes["unit"] == 4 + 4 + 6 + 6 + 8 + 3
    assert all(module.training for module in model.modules())
    assert torch.equal(torch.random.get_rng_state(), random)
    model.eval()


def test_impossible_arguments_are_refused_together(model, images):
    words = r"got top 0, quantile 2, 3 groups for 30 exemplars: change"
    with pytest.raises(InputError, match=words):
        top_exemplars(model, images, top=0, quantiles=[2], groups=np.zeros(3))


def test_unknown_unit_is_refused(model, images):
    with pytest.raises(InputError, match=r"got conv1:4; it has conv1:0 ... conv1:3"):
        top_exemplars(model, images, ["conv1:4"])
