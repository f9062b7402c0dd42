"""Which detectors a layer is built from. May import numpy, xarray and ontogeny.errors only."""

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.probe import chosen_step, layer_names, require


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
    """
    variable = "coupling" if token is None else "coupling_contrast"
    require(record, variable, "source", "target", "layer")
    at, layers = chosen_step(record, step), layer_names(record)
    values = _strengths(record, variable, at, token)
    source = record["source"].values.astype(str)
    target = record["target"].values.astype(str)
    above = np.array([name.rpartition(":")[0] for name in target.tolist()])
    flow = _start(record, layers[-1], token)
    kept, nodes, order = [], dict(flow), [layers[-1]]
    for layer in reversed(layers):
        inside = np.flatnonzero(above == layer)
        chosen, flow = _back(source[inside], target[inside], np.abs(values[inside]), flow, units)
        kept.append(inside[chosen[:edges]])
        nodes |= flow
        order += [name.rpartition(":")[0] for name in list(flow)[:1]]
    index = np.concatenate(kept).astype(np.int64)
    data = _labelled(source[index], target[index], values[index], nodes)
    data["rank"] = ("edge", _ranks(np.abs(values), above)[index])
    data["beyond_untrained"] = ("edge", _beyond(record, variable, token, above, values)[index])
    data.attrs |= {
        "step": at, "token": token or "", "shown": len(index), "hidden": len(values) - len(index),
        "layers": order[::-1],
    }  # fmt: skip
    return data


def _strengths(record: xr.Dataset, variable: str, step: int, token: str | None) -> np.ndarray:
    chosen = record[variable].sel(step=step)
    if token is not None:
        names = [str(name) for name in record["token"].values]
        if token not in names:
            msg = f"expected a token of the record ({', '.join(names)}), got {token}"
            raise InputError(msg)
        chosen = chosen.isel(token=names.index(token))
    return chosen.values.astype(np.float64)


def _start(record: xr.Dataset, top: str, token: str | None) -> dict[str, float]:
    """Give each logit its flow; the units of the last layer are the tokens in their order."""
    names = [str(unit) for unit in record["unit"].values[record["layer"].values == top]]
    if token is not None:
        names = [names[[str(t) for t in record["token"].values].index(token)]]
    return dict.fromkeys(names, 1 / len(names))


def _back(
    source: np.ndarray, target: np.ndarray, size: np.ndarray, flow: dict[str, float], units: int
) -> tuple[np.ndarray, dict[str, float]]:
    """Return the edges between kept units, strongest first, and the flow of kept sources."""
    of_kept = np.flatnonzero(np.isin(target, list(flow)) & np.isfinite(size))
    names, place = np.unique(target[of_kept], return_inverse=True)
    total = np.bincount(place, weights=size[of_kept], minlength=len(names))
    share = size[of_kept] / np.maximum(total[place], 1e-300)
    passed = share * np.array([flow[str(name)] for name in names.tolist()])[place]
    below, which = np.unique(source[of_kept], return_inverse=True)
    amount = np.bincount(which, weights=passed, minlength=len(below))
    top = np.argsort(-amount, kind="stable")[:units]
    between = of_kept[np.isin(which, top)]
    order = between[np.argsort(-size[between], kind="stable")]
    return order, {str(below[i]): float(amount[i]) for i in top}


def _ranks(size: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """Rank magnitudes within each target layer, 1 the largest; NaN last."""
    ranks = np.empty(len(size), dtype=np.int64)
    for name in np.unique(layer):
        inside = np.flatnonzero(layer == name)
        order = inside[np.argsort(-np.nan_to_num(size[inside], nan=-1.0), kind="stable")]
        ranks[order] = np.arange(1, len(inside) + 1)
    return ranks


def _beyond(
    record: xr.Dataset, variable: str, token: str | None, layer: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """Say which magnitudes exceed all of their target layer at step 0."""
    if int(record["step"][0]) != 0:
        return np.zeros(len(values), dtype=bool)
    untrained = np.abs(_strengths(record, variable, 0, token))
    names, place = np.unique(layer, return_inverse=True)
    largest = np.full(len(names), -np.inf)
    np.maximum.at(largest, place, np.nan_to_num(untrained, nan=-np.inf))
    return np.abs(values) > largest[place]


def _labelled(
    source: np.ndarray, target: np.ndarray, strength: np.ndarray, nodes: dict[str, float]
) -> xr.Dataset:
    long_name = "share of the target's variance (or of what distinguishes the token) by the source"
    return xr.Dataset(
        {
            "strength": ("edge", strength, {"units": "1", "long_name": long_name}),
            "flow": (
                "node", list(nodes.values()),
                {"units": "1", "long_name": "share of the logits' couplings followed back"},
            ),
        },
        {
            "source": ("edge", source),
            "target": ("edge", target),
            "node": list(nodes),
            "node_layer": ("node", [name.rpartition(":")[0] for name in nodes]),
        },
    )  # fmt: skip
