"""What a stage gives for a pre-activation, without calling its hooks.

May import coupling and model.
"""

from torch import Tensor

from ontogeny.coupling import ConvolutionMap, LinearMap
from ontogeny.model import Stage


def respond(stage: Stage, z: Tensor) -> Tensor:
    """Return what comes out behind batch norm and nonlinearity; `z` is left as it is."""
    if stage.norm is not None:
        z = stage.norm.forward(z)
    if stage.activation is None:
        return z
    # a clone, since a nonlinearity may work in place and the caller needs z again
    return stage.activation.forward(z.clone())


def mean_over_map(layer: LinearMap, values: Tensor) -> Tensor:
    """Return each unit's mean over its map, [exemplar, unit]."""
    axis = 1 if isinstance(layer, ConvolutionMap) else values.dim() - 1
    over = [d for d in range(1, values.dim()) if d != axis]
    return values.mean(over) if over else values
