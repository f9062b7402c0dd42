"""Which detectors a layer is built from.

May import numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

import numpy as np
import xarray as xr

from ontogeny.measure.couplings.wiring import Wiring, token_index, wiring_of
from ontogeny.measure.probe import chosen_step, require
from ontogeny.measure.quantity import Quantity, label
from ontogeny.stats.graphs import flow_down, portions

STRONGEST = {
    "strength": Quantity(
        ("edge",), "1", "share of the target's variance (or of what distinguishes the token) by "
        "the source", null="beyond_untrained: couplings at step 0"),
    "flow": Quantity(("node",), "1", "share of the logits' couplings followed back"),
    "rank": Quantity(("edge",), "1", "place of the strength in its target's layer; 1: strongest"),
    "beyond_untrained": Quantity(
        ("edge",), "1", "stronger than every coupling into this layer at step 0"),
}  # fmt: skip


def strongest_couplings(
    record: xr.Dataset,
    *,
    step: int | None = None,
    token: str | None = None,
    units: int = 6,
    edges: int = 14,
) -> xr.Dataset:
    """Follow the strongest couplings back from the logits to the pixels.

    Each logit starts with the same flow (or one token's logit with all of it). A unit passes its
    flow on to its sources in proportion to the magnitude of their couplings (of the token's
    contrast shares); in each layer the `units` with most flow are kept, and between kept units the
    `edges` strongest couplings.

    Parameters
    ----------
    record
        With couplings.
    step
        A recorded step; None is the last.
    token
        Follow what distinguishes this token, by contrast share; None: all, by coupling.
    units, edges
        Kept per layer and per pair of neighbouring layers.

    Returns
    -------
    xr.Dataset
        Over `edge` with `source` and `target`: `strength` (coupling, or contrast share), `rank`
        (1 = the strongest into its layer), `beyond_untrained` (stronger than every coupling into
        this layer at step 0; False where step 0 is not recorded). Over `node`, names of units:
        `flow`, `node_layer`. Attributes: `step`, `token`, `shown`, `hidden` edges, `layers` from
        bottom to top.

    Raises
    ------
    InputError
        If the record lacks couplings, the step or the token.

    Examples
    --------
    The two strongest sources of what distinguishes cleo at its logit:

    >>> found = ont.measure.strongest_couplings(record, token="cleo", units=2, edges=2)
    >>> found[["source", "target", "strength"]].to_dataframe().head(2).round(2)
          source    target  strength
    edge
    0      fc1:4  logits:2      0.24
    1     fc1:14  logits:2      0.16
    """
    variable = "coupling" if token is None else "coupling_contrast"
    require(record, variable, "source", "target", "layer")
    at, wiring = chosen_step(record, step), wiring_of(record)
    values = _strengths(record, variable, at, token)
    size, column = np.abs(values), None if token is None else token_index(record, token)
    flow = _flow(values, wiring, column, units)
    carries = flow > 0
    between = carries[wiring.source] & carries[wiring.target] & (size > 0)
    strongest = [_descending(size, np.flatnonzero(between[block]) + block.start)[:edges]
                 for block in reversed(wiring.blocks)]  # fmt: skip
    index = np.concatenate(strongest)
    nodes = _by_flow(flow, wiring)
    found = {
        "strength": values[index], "flow": flow[nodes], "rank": _ranks(size, wiring)[index],
        "beyond_untrained": _beyond(record, variable, token, wiring, size)[index],
    }  # fmt: skip
    where = {
        "source": ("edge", wiring.nodes[wiring.source[index]]),
        "target": ("edge", wiring.nodes[wiring.target[index]]),
        "node": wiring.nodes[nodes],
        "node_layer": ("node", np.array(wiring.layers)[wiring.node_layer[nodes]]),
    }
    layers = [name for k, name in enumerate(wiring.layers) if carries[wiring.members(k)].any()]
    about = {
        "step": at, "token": token or "", "shown": len(index), "hidden": len(values) - len(index),
        "layers": layers,
    }  # fmt: skip
    return label(found, STRONGEST, where, attributes=about)


def _flow(values: np.ndarray, wiring: Wiring, token: int | None, breadth: int) -> np.ndarray:
    """Return the flow of each node, from one logit or from all alike; 0 where it is not kept."""
    blocks = range(len(wiring.blocks) - 1, -1, -1)
    top = np.ones(len(wiring.members(len(blocks))))
    start = top / len(top) if token is None else np.eye(len(top))[token]
    down = (portions(wiring.matrix(values, block)) for block in blocks)
    found = flow_down(down, start, breadth=breadth)
    return np.concatenate([flow for flow, _ in reversed(found)])


def _by_flow(flow: np.ndarray, wiring: Wiring) -> np.ndarray:
    """Return the nodes with flow, from the logits down: these in their order, others by flow."""
    last, *others = range(len(wiring.layers) - 1, -1, -1)
    nodes = [wiring.members(last), *(_descending(flow, wiring.members(k)) for k in others)]
    found = np.concatenate(nodes)
    return found[flow[found] > 0]


def _descending(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return places in the descending order of their values."""
    return places[np.argsort(-values[places], kind="stable")]


def _strengths(record: xr.Dataset, variable: str, step: int, token: str | None) -> np.ndarray:
    chosen = record[variable].sel(step=step)
    chosen = chosen if token is None else chosen.isel(token=token_index(record, token))
    return chosen.values.astype(np.float64)


def _ranks(size: np.ndarray, wiring: Wiring) -> np.ndarray:
    """Rank magnitudes within each target layer, 1 the largest; NaN last."""
    ranks, known = np.empty(len(size), dtype=np.int64), np.nan_to_num(size, nan=-1.0)
    for block in wiring.blocks:
        places = np.arange(block.start, block.stop)
        ranks[_descending(known, places)] = np.arange(1, len(places) + 1)
    return ranks


def _beyond(
    record: xr.Dataset, variable: str, token: str | None, wiring: Wiring, size: np.ndarray
) -> np.ndarray:
    """Say which magnitudes exceed all of their target layer at step 0."""
    if int(record["step"][0]) != 0:
        return np.zeros(len(size), dtype=bool)
    untrained = np.abs(_strengths(record, variable, 0, token))
    beyond = [size[block] > np.fmax.reduce(untrained[block], initial=-np.inf)
              for block in wiring.blocks]  # fmt: skip
    return np.concatenate(beyond)
