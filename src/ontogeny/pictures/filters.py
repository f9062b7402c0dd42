"""The filters of the first layer: the one place where weights are a picture. May import torch."""

import numpy as np
import torch
import xarray as xr
from torch import nn

from ontogeny.errors import InputError
from ontogeny.model import stages
from ontogeny.pictures.fields import SEPARATOR


def first_filters(model: nn.Module, size: tuple[int, int] = (32, 32)) -> xr.DataArray:
    """Return the first layer's weights as pictures, [unit, y, x, channel], in weights' own scale.

    Parameters
    ----------
    model
        A network whose first layer is a convolution over the image.
    size
        An image size (y, x) that the network takes.

    Raises
    ------
    InputError
        If the first layer is not a convolution.
    """
    weights = next((m.weight for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if weights is None:
        msg = "expected a network that begins with a convolution, got one without any: no filters"
        raise InputError(msg)
    first = stages(model, torch.zeros(1, weights.shape[1], *size))[0]
    if first.kind != "conv":
        msg = f"expected a network that begins with a convolution, got {first.name} first"
        raise InputError(msg)
    values = first.module.weight.detach().permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return xr.DataArray(
        values.copy(),
        dims=("unit", "y", "x", "channel"),
        coords={"unit": np.array([f"{first.name}{SEPARATOR}{k}" for k in range(len(values))])},
        name="filter",
        attrs={"long_name": "weights of the first layer", "units": "1"},
    )
