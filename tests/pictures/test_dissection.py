import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ontogeny.errors import InputError
from ontogeny.model import prepare, vgg
from ontogeny.pictures.dissection import dissect, overlap, rotated, thresholds
from oracles.pictures import naive_iou

pytestmark = pytest.mark.torch
PARTS = ("eye", "mouth")


def planted(n=20, size=16, seed=0):
    """Images in which the eye is bright and the mouth is dark, on a mid-grey ground."""
    rng = np.random.default_rng(seed)
    images, parts = np.full((n, size, size, 1), 128, np.uint8), np.zeros((n, size, size), np.uint8)
    for k in range(n):
        y, x = rng.integers(0, size // 2 - 3, 2)
        parts[k, y : y + 3, x : x + 3] = 1
        parts[k, y + size // 2 : y + size // 2 + 2, x : x + 6] = 2
        images[k, parts[k] == 1], images[k, parts[k] == 2] = 255, 0
    return images, parts


def pixel_units():
    """Two units that answer to bright and to dark pixels."""
    model = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU())
    model[0].weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
    return model


def test_planted_masks_are_found_exactly():
    images, parts = planted()
    found = dissect(pixel_units(), images, parts, PARTS, active=0.2)
    np.testing.assert_array_equal(found.iou.values, np.eye(2))
    assert found.best_part.values.tolist() == ["eye", "mouth"]
    assert found.detector.all()


def test_overlap_is_the_naive_one():
    model = vgg(channels=1, tokens=2, widths=(2, 3), dense=4, seed=0).eval()
    images, parts = planted(n=8)
    found = dissect(model, images, parts, PARTS, active=0.1)
    with torch.no_grad():
        maps = model[: [*dict(model.named_children())].index("relu3") + 1](prepare(images)).numpy()
    for channel in range(3):
        for part, name in enumerate(PARTS, start=1):
            desired = naive_iou(maps[:, channel], parts, part, 0.1)
            actual = found.iou.sel(unit=f"conv3:{channel}", part=name)
            np.testing.assert_allclose(actual, desired, rtol=1e-5)


@given(st.integers(5, 400), st.floats(0.001, 0.5), st.integers(0, 5))
def test_no_more_than_the_asked_share_of_places_is_active(n, active, seed):
    maps = torch.randn(n, 2, 1, 1, generator=torch.Generator().manual_seed(seed))
    share = (maps[:, :, 0, 0] > thresholds(maps, active)).sum(0)
    assert (share == int(active * n)).all()


@given(st.integers(0, 1000))
def test_overlap_lies_within_0_and_1_and_is_1_with_itself(seed):
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.rand(3, 50, generator=generator) > 0.5).float()
    values = overlap(mask @ mask.T, mask.sum(1), mask.sum(1))
    assert ((values >= 0) & (values <= 1)).all()
    np.testing.assert_array_equal(values.diagonal(), np.ones(3))


def test_a_silent_unit_and_an_invisible_part_have_no_overlap():
    images, parts = planted()
    model = pixel_units()
    model[0].weight.data[0] = 0
    found = dissect(model, images, parts, (*PARTS, "hat"), active=0.2)
    assert np.isnan(found.iou.sel(unit="0:0")).all()
    assert np.isnan(found.iou.sel(part="hat")).all()
    assert found.best_part.values.tolist() == ["", "mouth"]
    assert found.detector.values.tolist() == [False, True]


def test_rotated_basis_spoils_the_detectors_and_is_the_same_for_a_seed():
    # six parts side by side, each bright in a colour of its own, and a unit for each colour
    parts = np.repeat(np.arange(7, dtype=np.uint8), 2)[None, None].repeat(4, 0).repeat(14, 1)
    images = np.full((*parts.shape, 6), 128, np.uint8)
    for k in range(6):
        images[..., k][parts == k + 1] = 255
    model = nn.Sequential(nn.Conv2d(6, 6, 1, bias=False), nn.ReLU())
    model[0].weight.data = torch.eye(6)[:, :, None, None]
    names = tuple("abcdef")
    plain, one, two = (
        dissect(model, images, parts, names, active=0.4, rotate=seed) for seed in (None, 1, 1)
    )
    np.testing.assert_allclose(plain.iou, np.eye(6))
    np.testing.assert_array_equal(one.iou, two.iou)
    assert float(one.iou.max("part").mean()) < 0.7
    assert (plain.attrs["rotated"], one.attrs["rotated"]) == (0, 1)


def test_rotation_keeps_what_all_units_together_say():
    maps = torch.randn(3, 5, 4, 4, generator=torch.Generator().manual_seed(0))
    turned = rotated(maps, 0)
    np.testing.assert_allclose(turned.square().sum(1), maps.square().sum(1), rtol=1e-4)
    assert (turned != maps).any()


def test_dense_layers_are_left_out():
    model = vgg(channels=1, tokens=2, widths=(2, 3), dense=4).eval()
    found = dissect(model, *planted(), PARTS)
    assert set(found.layer.values) == {"conv1", "conv2", "conv3", "conv4"}


def test_maps_that_do_not_fit_are_refused():
    images, parts = planted()
    with pytest.raises(InputError, match=r"part maps \[20, 16, 15\] for images \[20, 16, 16, 1\]"):
        dissect(pixel_units(), images, parts[:, :, 1:], PARTS)
    with pytest.raises(InputError, match="got part 2 with 1 names, active 2"):
        dissect(pixel_units(), images, parts, ("eye",), active=2)


def test_a_network_without_maps_is_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(256, 2))
    with pytest.raises(InputError, match="a convolutional layer"):
        dissect(model, *planted(), PARTS)
