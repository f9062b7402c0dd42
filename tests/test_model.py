import numpy as np
import pytest
import torch
from torch import nn

from ontogeny.errors import InputError
from ontogeny.model import Scale, parameters, prepare, stages, vgg


def test_default_network_has_the_stated_number_of_parameters():
    assert parameters(vgg()) == 1_239_333


def test_parameter_count_does_not_depend_on_image_size():
    for size in (16, 32, 64):
        assert vgg()(torch.zeros(1, 3, size, size)).shape == (1, 5)


def test_prepare_maps_bytes_to_minus_two_and_two_in_channels_last_order():
    images = np.zeros((2, 4, 6, 3), dtype=np.uint8)
    images[0, 1, 2, 0] = 255
    prepared = prepare(images)
    assert prepared.shape == (2, 3, 4, 6)
    assert prepared[0, 0, 1, 2] == 2.0
    assert prepared[1].max() == -2.0
    assert prepared.is_contiguous(memory_format=torch.channels_last)


def test_prepare_leaves_the_images_as_they_were():
    images = torch.full((1, 2, 2, 3), 7, dtype=torch.uint8)
    prepare(images)
    assert (images == 7).all()


def test_seed_decides_the_weights_and_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    first, again, other = vgg(seed=3), vgg(seed=3), vgg(seed=4)
    assert torch.equal(first.conv3.weight, again.conv3.weight)
    assert not torch.equal(first.conv3.weight, other.conv3.weight)
    assert torch.equal(torch.get_rng_state(), before)


def test_init_gain_scales_all_weights():
    one, third = vgg(init_gain=1.0), vgg(init_gain=0.3)
    torch.testing.assert_close(third.fc1.weight, 0.3 * one.fc1.weight)


def test_activations_keep_their_size_through_the_layers_at_initialisation():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (64, 32, 32, 3), dtype=torch.uint8, generator=generator)
    x = prepare(images)
    squares = []
    for module in vgg().eval():
        x = module(x)
        if isinstance(module, nn.Conv2d):
            squares.append(float(x.detach().square().mean()))
    ratios = np.array(squares) / squares[0]
    assert ratios.min() > 0.1
    assert ratios.max() < 10


def test_output_scale_multiplies_the_logits():
    x = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(vgg(output_scale=50.0)(x), 50.0 * vgg()(x))


def test_default_stages_are_the_designs_layers():
    names = [stage.name for stage in stages(vgg(), torch.zeros(1, 3, 32, 32))]
    assert names == [f"conv{i}" for i in range(1, 9)] + ["fc1", "logits"]
    assert sum(s.n_units for s in stages(vgg(), torch.zeros(1, 3, 32, 32))) == 1221


def test_stages_hold_norm_and_activation():
    found = stages(vgg(batch_norm=True, widths=(4, 8)), torch.zeros(1, 3, 16, 16))
    assert all(isinstance(s.norm, nn.BatchNorm2d) for s in found[:4])
    assert isinstance(found[0].activation, nn.ReLU)
    assert found[-1].norm is None
    assert found[-1].activation is None


def test_stages_restore_training_flags_and_leave_batch_norm_statistics():
    network = vgg(batch_norm=True, widths=(4,)).train()
    network.norm1.eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    stages(network, torch.randn(2, 3, 8, 8))
    assert network.training
    assert not network.norm1.training
    assert network.norm2.training
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert not network.conv1._forward_hooks


def test_stages_of_an_unnamed_chain_call_the_last_one_logits():
    network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    assert [s.name for s in stages(network, torch.zeros(1, 4))] == ["0", "logits"]


def test_stages_follow_the_forward_pass_not_the_order_of_definition():
    class Swapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.second, self.first = nn.Linear(3, 2), nn.Linear(4, 3)

        def forward(self, x):
            return self.second(self.first(x))

    assert [s.name for s in stages(Swapped(), torch.zeros(1, 4))] == ["first", "logits"]


def test_a_layer_used_twice_is_refused_by_name():
    shared = nn.Linear(4, 4)
    with pytest.raises(InputError, match="used once in a pass, got 0 used again"):
        stages(nn.Sequential(shared, nn.ReLU(), shared), torch.zeros(1, 4))


def test_a_network_without_layers_is_refused():
    with pytest.raises(InputError, match="expected a network with Conv2d or Linear layers"):
        stages(nn.Sequential(nn.ReLU()), torch.zeros(1, 4))


@pytest.mark.parametrize(
    ("argument", "value"), [("widths", ()), ("dense", 0), ("init_gain", -1.0), ("tokens", 0)]
)
def test_impossible_networks_are_refused(argument, value):
    with pytest.raises(InputError, match=f"got {argument}="):
        vgg(**{argument: value})


def test_scale_is_shown_when_printed():
    assert "50.0" in repr(Scale(50.0))
