"""What all measures of a record read first: its held-out exemplars, layers and steps.

May import numpy, xarray and ontogeny.errors only.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from ontogeny.errors import InputError


@dataclass(frozen=True)
class Probe:
    """The held-out exemplars of a record, as plain arrays."""

    position: np.ndarray
    """Positions along the record's exemplar axis."""
    token: np.ndarray
    """int64 [exemplar], index into `tokens`."""
    group: np.ndarray
    tokens: tuple[str, ...]

    @property
    def chance(self) -> float:
        """Accuracy of always naming the most frequent token."""
        return float(np.bincount(self.token).max() / len(self.token))


def held_out(record: xr.Dataset) -> Probe:
    """Return the exemplars that training never saw.

    A record that says nothing of splits holds a probe only; one that says nothing of groups has
    exemplars that are each their own.

    Raises
    ------
    InputError
        If variables are missing, or fewer than two tokens have held-out exemplars.
    """
    require(record, "exemplar_token", "token")
    n_exemplars = record.sizes["exemplar"]
    split = record.get("exemplar_split", xr.DataArray(np.full(n_exemplars, "probe")))
    group = record.get("group", xr.DataArray(np.arange(n_exemplars)))
    position = np.flatnonzero(split.values.astype(str) == "probe")
    tokens = tuple(str(name) for name in record["token"].values)
    index = {name: i for i, name in enumerate(tokens)}
    names = record["exemplar_token"].values[position]
    token = np.array([index[str(name)] for name in names], dtype=np.int64)
    if len(np.unique(token)) < 2:
        msg = (
            f"expected held-out exemplars of at least 2 tokens, got {len(position)} of "
            f"{len(np.unique(token))}: hold some out (probe=100) and observe again"
        )
        raise InputError(msg)
    return Probe(position, token, group.values[position], tokens)


def require(record: xr.Dataset, *names: str) -> None:
    """Check that a record has variables or coordinates.

    Raises
    ------
    InputError
        If any is missing; all are named.
    """
    missing = [name for name in names if name not in record.variables]
    if missing:
        there = ", ".join(map(str, record.data_vars)) or "nothing"
        msg = (
            f"expected a record with {', '.join(missing)}, got one with {there}: observe the "
            "run again"
        )
        raise InputError(msg)


def layer_names(record: xr.Dataset) -> list[str]:
    """Return the layers in forward order (that of the unit axis)."""
    return list(dict.fromkeys(record["layer"].values.astype(str).tolist()))


def units_of_layers(record: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the positions of each layer's units, layers in forward order."""
    layer = record["layer"].values.astype(str)
    return {name: np.flatnonzero(layer == name) for name in layer_names(record)}


def chosen_step(record: xr.Dataset, step: int | None) -> int:
    """Return a recorded step; None is the last.

    Raises
    ------
    InputError
        If the record has no such step; the nearest ones are named.
    """
    steps = record["step"].values
    if step is None:
        return int(steps[-1])
    if step not in steps:
        near = sorted(np.unique(steps[np.argsort(np.abs(steps - step))[:3]]).tolist())
        msg = f"expected a recorded step, got {step}: the nearest are {', '.join(map(str, near))}"
        raise InputError(msg)
    return int(step)
