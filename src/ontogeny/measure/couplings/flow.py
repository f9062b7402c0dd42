"""How what distinguishes a token flows down the layers, from its logit to the image.

A unit passes its flow on to its sources in proportion to the magnitudes of their contrast shares.
The shares of a unit are scaled so that their magnitudes sum to 1 whatever the record's precision; a
layer's flow thus sums to that of the layer above, less what units without shares hold. May import
numpy, ontogeny.stats and ontogeny.measure.
"""

import numpy as np

from ontogeny.measure.couplings.wiring import Wiring
from ontogeny.stats.graphs import flow_down, portions


def directions(share: np.ndarray) -> np.ndarray:
    """Return what shares [..., target, source] do together at each target, [..., target].

    -1 where the target is less active for the token than for others, else 1: a share of the same
    sign adds to what distinguishes the token there.
    """
    return np.where(np.nansum(share, axis=-1) < 0, -1.0, 1.0)


def token_flow(contrast: np.ndarray, wiring: Wiring) -> tuple[np.ndarray, np.ndarray]:
    """Follow what distinguishes each token from its logit down to the image.

    Parameters
    ----------
    contrast
        [edge, token] contrast shares.
    wiring
        Of the same record.

    Returns
    -------
    flow
        [node, token] share of what distinguishes the token that passes through the node.
    net
        [node, token] the same, what takes away counted as negative.
    """
    first = len(wiring.blocks) - 1
    shares = (wiring.matrix(contrast.T, block).astype(np.float64) for block in range(first, -1, -1))
    down = (portions(share) * directions(share)[..., None] for share in shares)
    start = np.eye(contrast.shape[1], len(wiring.members(first + 1)))
    flow, net = zip(*flow_down(down, start), strict=True)
    return np.concatenate(flow[::-1], axis=-1).T, np.concatenate(net[::-1], axis=-1).T
