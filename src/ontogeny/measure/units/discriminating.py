"""Units that discriminate tokens most: those that views show where a record has no couplings.

May import numpy, xarray, ontogeny.stats, ontogeny.record and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.probe import chosen_step, held_out, units_of_layers
from ontogeny.stats.selectivity import eta_squared

__all__ = ["discriminating_units"]


def discriminating_units(
    record: xr.Dataset, *, step: int | None = None, limit: int = 32
) -> list[str]:
    """Return the units of each layer whose activation lies most between tokens.

    Ranked within each layer by eta squared over held-out exemplars at a step, or, where tokens are
    unknown, by the variance of the activation; the upper layers first.

    Parameters
    ----------
    record
        A record with activations.
    step
        A recorded step; None: the last.
    limit
        Units of each layer at most.

    Raises
    ------
    InputError
        If the record has no such step.

    Examples
    --------
    >>> ont.measure.discriminating_units(record, limit=1)
    ['logits:2', 'fc1:14', 'conv2:4', 'conv1:3']
    """
    at = record.sel(step=chosen_step(record, step))
    if "exemplar_token" in record:
        probe = held_out(record)
        rank = eta_squared(at["activation"].values[probe.position], probe.token)
    else:
        rank = at["unit_variance"].values
    layers = units_of_layers(record)
    names = record["unit"].values.astype(str)
    found: list[str] = []
    for members in reversed(list(layers.values())):
        order = np.argsort(-np.nan_to_num(rank[members], nan=-1.0), kind="stable")[:limit]
        found += names[members[np.sort(order)]].tolist()
    return found
