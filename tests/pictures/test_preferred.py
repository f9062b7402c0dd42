import numpy as np
import pytest
import torch
from torch import nn

from ontogeny.errors import InputError
from ontogeny.model import prepare, vgg
from ontogeny.pictures.canvas import Canvas, Palette
from ontogeny.pictures.climb import Climb, Recipe
from ontogeny.pictures.cone import Cone
from ontogeny.pictures.fields import columns
from ontogeny.pictures.preferred import PreferredImages, cut, preferred_images
from ontogeny.pictures.responses import best_responses

pytestmark = pytest.mark.torch
QUICK = Recipe(steps=16)
UNITS = ["conv1:0", "conv3:2", "conv4:1", "fc1:4", "logits:1"]


def exemplars(channels=3, size=16, n=12, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (n, size // 4, size // 4, channels))
    return coarse.repeat(4, 1).repeat(4, 2).astype(np.uint8)


def network(channels=3, seed=0, **options):
    return vgg(channels=channels, tokens=3, widths=(4, 6), dense=8, seed=seed, **options).eval()


def states(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def linear_climb(weights, recipe):
    """One linear unit with 5 x 5 weights, and the ascent to its preferred image."""
    model = nn.Sequential(nn.Conv2d(3, 1, 5, bias=False))
    model[0].weight.data = weights
    column = columns(model, torch.zeros(1, 3, 5, 5))["0"]
    return Climb(Cone(model, column), Palette.of(exemplars()), recipe)


def test_preferred_image_of_a_linear_unit_is_proportional_to_its_weights_in_the_canvas():
    # in the canvas x = mean + A s, the gradient of w.x with respect to s is A' w
    weights = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    recipe = Recipe(steps=200, range_weight=0, variation_weight=0, jitter=0, prior_weight=1)
    climb = linear_climb(weights, recipe)
    spectrum = climb.run(climb.start(1), torch.tensor([0]), torch.tensor([1.0]))
    probe = torch.zeros(1, 3, 5, 5, requires_grad=True)
    (desired,) = torch.autograd.grad((climb.canvas.paint(probe) * weights).sum(), probe)
    cosine = torch.cosine_similarity(spectrum.flatten(), desired.flatten(), dim=0)
    assert cosine > 0.999


def test_without_prior_and_colours_the_image_itself_is_proportional_to_the_weights():
    weights = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    recipe = Recipe(steps=200, range_weight=0, variation_weight=0, jitter=0, decay=0)
    climb = linear_climb(weights, recipe)
    climb.canvas = Canvas((5, 5), Palette(torch.full((3,), 0.5), 0.2 * torch.eye(3)), 0.0)
    spectrum = climb.run(climb.start(1), torch.tensor([0]), torch.tensor([1.0]))
    image = climb.canvas.paint(spectrum) - 0.5
    assert torch.cosine_similarity(image.flatten(), weights.flatten(), dim=0) > 0.999


def test_a_detector_planted_by_hand_is_drawn():
    # a bright left half beside a dark right half
    model = nn.Sequential(nn.Conv2d(1, 1, 8, bias=False), nn.ReLU())
    edge = torch.ones(1, 1, 8, 8)
    edge[..., 4:] = -1
    model[0].weight.data = edge
    images = exemplars(channels=1)
    picture = cut(preferred_images(model, images, ["0:0"]), "0:0").astype(float)[..., 0]
    assert picture[:, :3].min() > 2 * picture[:, 5:].max()


def test_achieved_is_the_activation_on_the_stored_picture():
    model, images = network(), exemplars()
    found = preferred_images(model, images, UNITS, recipe=QUICK)
    for unit in ("fc1:4", "logits:1"):
        layer, channel = unit.split(":")
        with torch.no_grad():
            x = prepare(cut(found, unit)[None].copy())
            logits, hidden = model(x), model[: [*dict(model.named_children())].index("fc1") + 2](x)
        desired = (logits if layer == "logits" else hidden)[0, int(channel)]
        np.testing.assert_allclose(found.achieved.sel(unit=unit), desired, rtol=1e-4, atol=1e-6)


def test_best_exemplar_is_the_largest_activation_over_exemplars_and_places():
    model, images = network(), exemplars()
    found = preferred_images(model, images, ["conv1:0"], recipe=QUICK)
    with torch.no_grad():
        desired = model[:2](prepare(images))[:, 0].max()
    np.testing.assert_allclose(found.best_exemplar[0], desired, rtol=1e-5)


def test_more_steps_climb_higher():
    model, images = network(), exemplars()
    low, high = (
        preferred_images(model, images, UNITS, recipe=Recipe(steps=n)).achieved for n in (1, 48)
    )
    assert (high > low).all()


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_any_number_of_channels_and_a_picture_no_larger_than_the_field(channels):
    found = preferred_images(network(channels), exemplars(channels), UNITS, recipe=QUICK)
    assert found.picture.shape == (5, 16, 16, channels)
    assert found.picture.dtype == np.uint8
    assert cut(found, "conv1:0").shape == (3, 3, channels)
    assert max(cut(found, "conv3:2").shape[:2]) <= 10
    assert cut(found, "logits:1").shape == (16, 16, channels)


def test_a_unit_that_is_never_positive_has_no_picture_and_says_so():
    model = network()
    with torch.no_grad():
        model.conv2.bias[1] = -1e6
    found = preferred_images(model, exemplars(), ["conv2:1", "conv2:0"], recipe=QUICK)
    assert found.has_picture.values.tolist() == [False, True]
    assert found.achieved.values[0] == 0
    assert cut(found, "conv2:1").size == 0
    assert not found.picture.values[0].any()


def test_a_unit_with_broken_weights_has_no_picture_and_spoils_no_other():
    model, healthy = network(), network()
    with torch.no_grad():
        model.conv2.weight[1] = torch.nan
    found = preferred_images(model, exemplars(), ["conv2:1", "conv2:0"], recipe=QUICK)
    alone = preferred_images(healthy, exemplars(), ["conv2:0"], recipe=QUICK)
    assert found.has_picture.values.tolist() == [False, True]
    np.testing.assert_array_equal(cut(found, "conv2:0"), cut(alone, "conv2:0"))


def test_a_token_with_broken_weights_has_no_picture():
    model = network()
    with torch.no_grad():
        model.logits.weight[1] = torch.nan
    found = preferred_images(model, exemplars(), ["logits:1", "logits:0"], recipe=QUICK)
    assert found.has_picture.values.tolist() == [False, True]


def test_a_token_has_a_picture_also_where_its_logit_is_negative():
    model = network()
    with torch.no_grad():
        model.logits.bias[1] = -1e6
    found = preferred_images(model, exemplars(), ["logits:1"], recipe=QUICK)
    assert found.has_picture.values.tolist() == [True]
    assert found.achieved.values[0] < 0


def test_penalties_keep_the_image_within_the_range_and_smooth():
    weights = torch.randn(1, 3, 5, 5, generator=torch.Generator().manual_seed(1))
    images = {}
    for name, weight in {"free": 0.0, "bound": 50.0}.items():
        recipe = Recipe(range_weight=weight, variation_weight=weight, prior_weight=0, jitter=0)
        climb = linear_climb(weights, recipe)
        spectrum = climb.run(climb.start(1), torch.tensor([0]), torch.tensor([1.0]))
        images[name] = climb.canvas.paint(spectrum)
    outside = {name: (i - i.clamp(0, 1)).abs().mean() for name, i in images.items()}
    slope = {name: (i[..., 1:] - i[..., :-1]).abs().mean() for name, i in images.items()}
    assert outside["bound"] < 0.2 * outside["free"]
    assert slope["bound"] < 0.5 * slope["free"]


def test_a_unit_that_lives_on_the_border_is_pictured_there():
    # a 3 x 3 sum that only zero padding can bring above its bias: dark pixels are negative
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU())
    model[0].weight.data, model[0].bias.data = torch.ones(1, 1, 3, 3), torch.tensor([10.0])
    images = np.zeros((3, 8, 8, 1), np.uint8)
    best = best_responses(model, images)["0"]
    assert best.place.tolist() == [[0, 0]]
    assert best.response.tolist() == [2.0]  # 10 + 4 pixels of -2


def test_pictures_do_not_depend_on_what_else_is_drawn():
    model, images = network(), exemplars()
    together = preferred_images(model, images, recipe=QUICK)
    alone = preferred_images(model, images, ["conv3:2"], recipe=QUICK)
    small = preferred_images(model, images, recipe=Recipe(steps=16, batch=3))
    picture = cut(alone, "conv3:2").astype(int)
    for other in (together, small):  # sums over other batches round otherwise
        assert abs(cut(other, "conv3:2").astype(int) - picture).max() <= 2


def test_same_seed_same_picture_other_seed_another():
    model, images = network(), exemplars()
    one, two, other = (
        preferred_images(model, images, ["fc1:4"], recipe=Recipe(steps=8, seed=seed)).picture
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_next_snapshot_starts_from_the_last_picture():
    model, images = network(), exemplars()
    painter = PreferredImages(images, UNITS, recipe=QUICK)
    first, second = painter(model), painter(model)
    cold = preferred_images(model, images, UNITS, recipe=QUICK)
    np.testing.assert_array_equal(first.picture, cold.picture)
    assert (second.achieved >= 0.7 * first.achieved).all()  # begun from a half faded picture
    assert (second.picture != first.picture).any()


def test_network_flags_gradients_and_random_state_are_left_as_they_were():
    model = network(batch_norm=True).train()
    model.conv2.weight.requires_grad_(False)
    model.conv1.weight.grad = torch.ones_like(model.conv1.weight)
    before, random = states(model), torch.random.get_rng_state()
    preferred_images(model, exemplars(), UNITS, recipe=QUICK)
    assert torch.equal(torch.random.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in states(model).items())
    assert all(module.training for module in model.modules())
    assert model.conv1.weight.requires_grad
    assert not model.conv2.weight.requires_grad
    assert torch.equal(model.conv1.weight.grad, torch.ones_like(model.conv1.weight))
    assert model.fc1.weight.grad is None
    assert not any(module._forward_hooks for module in model.modules())


def test_network_is_left_as_it_was_after_an_error():
    model = network().train()

    def fail(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preferred_images(model, exemplars(), UNITS, recipe=QUICK, progress=fail)
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())


def test_progress_tells_units_done_and_all():
    told = []
    progress = lambda _, done, total: told.append((done, total))  # noqa: E731
    preferred_images(network(), exemplars(), UNITS, recipe=QUICK, progress=progress)
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_unknown_unit_is_refused():
    with pytest.raises(InputError, match="got conv7:0; it has conv1:0"):
        preferred_images(network(), exemplars(), ["conv7:0"], recipe=QUICK)


def test_impossible_recipe_is_refused_in_one_sentence():
    wrong = r"got precision float16, learning_rate -1, jitter 2, decay -1: change"
    with pytest.raises(InputError, match=wrong):
        Recipe(learning_rate=-1, jitter=2, decay=-1, precision="float16")  # pyright: ignore
    with pytest.raises(InputError, match="got steps 0, batch 0: change"):
        Recipe(steps=0, batch=0)


def test_half_precision_climbs_as_high():
    model, images = network(), exemplars()
    full, half = (
        preferred_images(model, images, UNITS, recipe=Recipe(steps=48, precision=precision))
        for precision in ("float32", "bfloat16")
    )
    # different roundings lead to different pictures of the same worth
    np.testing.assert_allclose(half.achieved, full.achieved, rtol=0.3)
    assert half.attrs["precision"] == "bfloat16"
