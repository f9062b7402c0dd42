"""What a view asks of how one answer is built, as plain words and numbers.

May import numpy, xarray, `ontogeny.construction` and `ontogeny.pictures.asked`.
"""

from typing import Any

import numpy as np
import xarray as xr

from ontogeny.construction.picture_graph import picture_graph
from ontogeny.pictures.asked import Asked

STRONGEST = 4
"""Units of a layer that are told, for the token and against it."""


def picture_answer(asked: Asked, step: int, exemplar: int) -> dict[str, Any]:
    """Return the strongest units of each layer in the exact graph of one exemplar.

    Returns
    -------
    dict
        `token`, the exemplar's own; `explained`, its logit less the mean of all, and `bias`, the
        attribution of all biases, both in logits; `layers`, from the last hidden one down, each
        with its name as `layer`, its strongest `units`, by name, first those that speak for the
        token, then those against it, strongest first, and their `attribution` in logits. See
        `ontogeny.picture_graph`.

    Raises
    ------
    InputError
        If the step was not trained, the exemplar does not exist, or the network has no such graph.
    """
    graph = picture_graph(asked, exemplar, step=step, keep=1)
    is_bias = np.char.startswith(graph["node"].values.astype(str), "bias:")
    hidden = reversed(graph.attrs["layers"][1:-1])
    return {
        "token": graph.attrs["token"],
        "explained": graph["explained"].item(),
        "bias": float(graph["attribution"].values[is_bias].sum()),
        "layers": [_strongest(graph.isel(node=~is_bias), layer) for layer in hidden],
    }


def _strongest(graph: xr.Dataset, layer: str) -> dict[str, Any]:
    """Return a layer's units with the largest attribution of either sign."""
    at = np.flatnonzero(graph["node_layer"].values == layer)
    attribution = graph["attribution"].values[at]
    order = np.argsort(-attribution, kind="stable")
    ends = [*order[:STRONGEST], *order[::-1][:STRONGEST]]
    told = [
        k
        for i, k in enumerate(ends)
        if (attribution[k] > 0 if i < STRONGEST else attribution[k] < 0)
    ]
    names = graph["node"].values[at]
    return {
        "layer": layer,
        "units": [str(names[k]) for k in told],
        "attribution": [float(attribution[k]) for k in told],
    }
