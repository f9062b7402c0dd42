import numpy as np
import pytest
import torch
from torch import nn

from ontogeny.errors import InputError
from ontogeny.model import vgg
from ontogeny.pictures.filters import first_filters

pytestmark = pytest.mark.torch


def test_filters_are_the_first_weights():
    model = vgg(widths=(4, 5))
    found = first_filters(model)
    assert found.dims == ("unit", "y", "x", "channel")
    assert found.unit.values.tolist() == ["conv1:0", "conv1:1", "conv1:2", "conv1:3"]
    np.testing.assert_array_equal(
        found.sel(unit="conv1:2")[0, 1, 2], model.conv1.weight[2, 2, 0, 1].detach()
    )


def test_filters_are_a_copy():
    model = vgg(widths=(4, 5))
    first_filters(model).values[:] = 7
    assert not (model.conv1.weight == 7).any()


def test_a_network_that_begins_otherwise_is_refused():
    with pytest.raises(InputError, match="one without any"):
        first_filters(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))
    model = nn.Sequential(nn.Linear(8, 8), nn.Conv2d(1, 2, 3))
    with pytest.raises(InputError, match="got 0 first"):
        first_filters(model, size=(8, 8))
    assert torch.is_grad_enabled()
