"""How alike responses are: of one layer at any two steps, and of layers at a few steps.

May import numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.categories.layers import Layer, Part, draws_of, layers_of, over_layers
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.progress import Progress
from ontogeny.schedule import evenly_spaced
from ontogeny.stats.cka import cka_matrix, within_token_cka

SIMILARITY_STEPS = 3
"""Snapshots at which layers are compared with each other."""
_NULL = "0 on average for unrelated responses"
CKA = {
    "cka": Quantity(("step", "step_b"), "1", "debiased linear CKA of the layer with itself at "
                    "another step; 0 on average for unrelated responses, 1 for the same",
                    "a silent layer, fewer than 4 exemplars, or pixels, which do not change",
                    _NULL),
}  # fmt: skip
CKA_WITHIN = {
    "cka_within": Quantity(("step", "step_b"), "1", "debiased linear CKA of what distinguishes "
                           "exemplars of one and the same token", "as cka", _NULL),
}  # fmt: skip
LAYER_CKA = {
    "layer_cka": Quantity(
        ("similarity_step", "layer", "layer_b"), "1", "debiased linear CKA of two layers at one "
        "step", "a silent layer, or fewer than 4 exemplars", _NULL),
}  # fmt: skip


def cka(
    record: xr.Dataset, *, chance: Chance | None = None, progress: Progress | None = None
) -> xr.Dataset:
    """Measure how alike each layer's responses are at any two steps, and layers at a few steps.

    Returns
    -------
    xr.Dataset
        `cka`, `cka_within` (step, layer, step_b); `layer_cka` (similarity_step, layer, layer_b).

    Raises
    ------
    InputError
        If the record lacks activations, logits or held-out exemplars of two tokens.

    Examples
    --------
    How alike the responses of each layer at the first and at the last step are (pixels stay):

    >>> found = ont.measure.cka(record)
    >>> found.cka.sel(step=[0], step_b=300).to_pandas().round(2)
    layer  pixels  conv1  conv2   fc1  logits
    step
    0         NaN   0.65   0.68  0.49    0.02
    """
    kernels: list[Part] = [(similarity_of, CKA), (similarity_within, CKA_WITHIN)]
    data = over_layers(record, kernels, chance=chance, progress=progress)
    return data[list(CKA | CKA_WITHIN)].merge(layer_similarity(record, chance=chance))


def similarity_of(layer: Layer) -> dict[str, np.ndarray]:
    """Return debiased CKA between all steps."""
    return {} if layer.is_pixels else {"cka": cka_matrix(list(layer.patterns))}


def similarity_within(layer: Layer) -> dict[str, np.ndarray]:
    """Return debiased CKA within tokens between all steps."""
    if layer.is_pixels:
        return {}
    draws, steps = layer.draws, list(layer.patterns)
    return {"cka_within": within_token_cka(steps, draws.probe.token, draws.n_tokens)}


def layer_similarity(
    record: xr.Dataset, *, count: int = SIMILARITY_STEPS, chance: Chance | None = None
) -> xr.Dataset:
    """Return debiased CKA between layers at a few snapshots, first and last among them."""
    places = evenly_spaced(record.sizes["step"], count)
    few = record.isel(step=places)
    layers = list(layers_of(few, draws_of(few, chance or Chance())))
    tables = [cka_matrix([x.patterns[min(k, len(x.patterns) - 1)] for x in layers])
              for k in range(len(places))]  # fmt: skip
    names = [layer.name for layer in layers]
    coordinates = {"similarity_step": few["step"].values, "layer": names, "layer_b": names}
    return label({"layer_cka": np.stack(tables)}, LAYER_CKA, coordinates)
