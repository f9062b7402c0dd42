import numpy as np
import pytest
import torch
from torch import nn

from ontogeny.errors import InputError
from ontogeny.model import vgg
from ontogeny.pictures.cone import Cone, affine, run_to
from ontogeny.pictures.fields import Window, all_units, columns, unit_index
from oracles.pictures import naive_field

pytestmark = pytest.mark.torch


def small_vgg(**options):
    return vgg(channels=1, tokens=3, widths=(3, 4, 4), dense=6, seed=1, **options).eval()


class Branching(nn.Module):
    """A skip connection: no chain of modules leads to the second layer."""

    def __init__(self):
        super().__init__()
        self.one = nn.Conv2d(1, 1, 3, padding=1)
        self.two = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, x):
        return self.two(x + self.one(x))


NETWORKS = {
    "vgg": small_vgg(),
    "vgg with batch norm": small_vgg(batch_norm=True),
    "strides, dilation and no padding": nn.Sequential(
        nn.Conv2d(1, 3, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(3, 4, 3, dilation=2),
        nn.LeakyReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 4, (1, 3), padding="same", groups=2),
    ).eval(),
    "overlapping pools": nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1), nn.Conv2d(2, 2, 2),
    ).eval(),
}  # fmt: skip

WHOLE = {
    "a divisor of its own": nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.AvgPool2d(2, divisor_override=1), nn.Conv2d(3, 4, 3),
    ).eval(),
    "padding that wraps": nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(),
        nn.Conv2d(3, 4, 3, padding=2, dilation=2, padding_mode="circular"),
    ).eval(),
}  # fmt: skip
"""Networks of which some layer has to see the whole map."""


@pytest.mark.parametrize("name", NETWORKS)
def test_field_is_where_changing_a_pixel_changes_the_response(name):
    rng, model = np.random.default_rng(0), NETWORKS[name].double()
    image = np.zeros((20, 24))
    try:
        for column in columns(model, torch.zeros(1, 1, 20, 24, dtype=torch.float64)).values():
            if column.stage.kind != "conv":
                continue
            row, place = column.centre

            def respond(pixels, column=column, row=row, place=place):
                x = torch.from_numpy(pixels)[None, None]
                with torch.no_grad():
                    return tuple(run_to(model, column, x)[0, :, row, place].tolist())

            window = column.field(row, place).within((20, 24))
            seen = naive_field(respond, image, rng)
            assert seen == (window.top, window.bottom, window.left, window.right)
    finally:
        model.float()


@pytest.mark.parametrize("name", [*NETWORKS, *WHOLE])
@pytest.mark.parametrize("size", [(20, 24), (33, 32)])
def test_response_of_the_cone_is_that_of_the_whole_network(name, size):
    model, generator = (NETWORKS | WHOLE)[name], torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features, generator=generator)
            module.running_var = torch.rand(module.num_features, generator=generator) + 0.5
    x = torch.randn(5, 1, *size, generator=generator)
    for column in columns(model, x).values():
        channels = torch.arange(5) % column.stage.n_units
        for place in {column.centre, (0, 0), (column.map[0] - 1, column.map[1] - 1)}:
            cone = Cone(model, column, place)
            w = cone.window
            with torch.no_grad():
                actual = cone.respond(x[:, :, w.top : w.bottom, w.left : w.right], channels)
                whole = run_to(model, column, x)[torch.arange(5), channels]
            whole = whole[:, place[0], place[1]] if whole.ndim == 3 else whole
            scale, shift = affine(column.stage.norm, column.stage.n_units)
            desired = whole * scale[channels] + shift[channels]
            np.testing.assert_allclose(actual, desired, rtol=1e-5, atol=1e-5)


def test_fields_of_the_default_network_are_known():
    found = columns(vgg(), torch.zeros(1, 3, 96, 96))
    sizes = {name: column.field(*column.centre).height for name, column in found.items()}
    assert sizes == {
        "conv1": 3, "conv2": 5, "conv3": 10, "conv4": 14, "conv5": 24, "conv6": 32, "conv7": 52,
        "conv8": 68, "fc1": 96, "logits": 96,
    }  # fmt: skip


def test_field_at_a_corner_reaches_beyond_the_image():
    field = columns(vgg(), torch.zeros(1, 3, 32, 32))["conv3"].field(0, 0)
    assert field == Window(-4, 6, -4, 6)
    assert field.within((32, 32)) == Window(0, 6, 0, 6)


def test_a_unit_behind_a_branch_is_said_to_look_at_the_whole_image():
    x = torch.randn(2, 1, 8, 8)
    model = Branching()
    column = columns(model, x)["two"]
    assert column.ops is None
    assert column.field(4, 4) == Window(0, 8, 0, 8)
    with torch.no_grad():
        actual = Cone(model, column).respond(x, torch.tensor([0, 1]))
        assert torch.equal(actual, model(x)[[0, 1], [0, 1], 4, 4])


def test_place_beyond_the_map_is_refused():
    column = columns(vgg(), torch.zeros(1, 3, 32, 32))["conv8"]
    with pytest.raises(InputError, match=r"within the 4 x 4 map of conv8, got \(4, 0\)"):
        column.field(4, 0)


def test_unknown_units_are_told_with_what_exists():
    layers = [c.stage for c in columns(small_vgg(), torch.zeros(1, 1, 16, 16)).values()]
    assert unit_index(["conv2:1", "logits:2"], layers) == [("conv2", 1), ("logits", 2)]
    with pytest.raises(
        InputError, match=r"got conv9:0, conv1:3, conv1; it has conv1:0 ... conv1:2"
    ):
        unit_index(["conv9:0", "conv2:0", "conv1:3", "conv1"], layers)


def test_all_units_are_in_forward_order():
    names = all_units(columns(vgg(), torch.zeros(1, 3, 32, 32)).values())
    assert len(names) == 1221
    assert names[0] == "conv1:0"
    assert names[-1] == "logits:4"


def test_run_to_leaves_flags_and_hooks_also_after_an_error():
    model = small_vgg(batch_norm=True).train()
    column = columns(model, torch.zeros(1, 1, 16, 16))["conv3"]
    with pytest.raises(RuntimeError):
        run_to(model, column, torch.zeros(1, 2, 16, 16))
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())


def test_batch_norm_without_statistics_is_refused():
    norm = nn.BatchNorm2d(2, track_running_stats=False)
    with pytest.raises(InputError, match="track_running_stats=True"):
        affine(norm, 2)
