"""What grafts say of when lower layers were ready, as labelled arrays.

It needs the networks' answers and no network. May import numpy, xarray, measure, stats and run.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ontogeny.measure.keeping import GRAFTS, open_kept
from ontogeny.measure.quantity import Quantity, label
from ontogeny.run import RunFolder
from ontogeny.stats.permutation import group_blocks, group_resamples
from ontogeny.stats.readiness import lead, loss_time, paired_difference, ready_interval
from ontogeny.stats.shares import wilson_interval

RESAMPLES = 1000
LEVEL = 0.95
MARGIN = 0.05
"""A graft that is shown to lose less than this is as good for all purposes."""
_ENDS = ("", "_low", "_high")
STITCHES = (
    "stitched_accuracy",
    *(f"stitched_{name}{end}" for name in ("difference", "gain") for end in _ENDS),
)
"""What is told of stitched grafts."""

_GRAFT, _CELL = ("cut", "step", "step_b"), ("cut", "step_b")
_FEW = "a token has exemplars of fewer than two groups, so that nothing can be resampled"
_UNREADY = f"the network of step_b is not shown to be above chance, or {_FEW}"
_UNSTITCHED = "a pair of steps that was not stitched, or exemplars of a single group"
_CHANCE = "chance"
_RESAMPLED = "end of the middle 95 % with groups of exemplars resampled"
QUANTITIES = {
    "graft_accuracy": Quantity(
        _GRAFT, "1", "accuracy of the network whose layers up to cut are those of step and the "
        "others those of step_b", null=_CHANCE),
    "graft_accuracy_low": Quantity(
        _GRAFT, "1", "lower end of its 95 % interval (Wilson; a group of exemplars counts once)"),
    "graft_accuracy_high": Quantity(_GRAFT, "1", "upper end of its 95 % interval"),
    "graft_token_accuracy": Quantity(
        (*_GRAFT, "token"), "1", "share of the token's exemplars that the graft classifies "
        "correctly", "a token without exemplars"),
    "graft_difference": Quantity(
        _GRAFT, "1", "accuracy of the graft minus that of the network of step_b, on the same "
        "exemplars", null="0: the network of step_b itself"),
    "graft_difference_low": Quantity(_GRAFT, "1", f"lower {_RESAMPLED}", _FEW),
    "graft_difference_high": Quantity(_GRAFT, "1", f"upper {_RESAMPLED}", _FEW),
    "graft_selectivity": Quantity(
        (*_GRAFT, "layer"), "1", "mean over the layer's units of the share of their variance that "
        "lies between tokens (eta squared)", "a layer that is not above cut, or whose units do "
        "not vary", "(tokens - 1) / (exemplars - 1), without token structure"),
    "ready_after": Quantity(
        _CELL, "steps", "last step before step_b at which the graft is shown to be worse than the "
        "network of step_b; -inf: at none", _UNREADY),
    "ready_by": Quantity(
        _CELL, "steps", "next step of the grid: from it on no graft is shown to be worse (upper "
        "end of the difference below 0)", _UNREADY),
    "equal_by": Quantity(
        _CELL, "steps", f"step from which on each graft is shown to lose less than {MARGIN:g} "
        "(lower end of the difference)", _UNREADY),
    "lead": Quantity(
        _CELL, "doublings of the step", "log2((step_b + 1) / (ready_by + 1))", _UNREADY, "0: ready "
        "at step_b only"),
    "lead_high": Quantity(
        _CELL, "doublings of the step", "the same of ready_after, where it is open of step 0",
        _UNREADY),
    "lead_loss_time": Quantity(
        _CELL, "1", "loss_time of step_b minus loss_time of ready_by", f"{_UNREADY}; or the record "
        "has no held-out loss that falls", "0: ready at step_b only"),
    "loss_time": Quantity(
        ("step",), "1", "share of the whole fall of the held-out loss that is done (running "
        "minimum)", "no held-out loss that falls"),
    "chance": Quantity((), "1", "share of the most frequent token among these exemplars"),
    "stitched_accuracy": Quantity(
        _GRAFT, "1", "accuracy of the graft with a ridge map from the units at cut of step to "
        "those of step_b between its halves, fitted to one half of the exemplars, of the other",
        _UNSTITCHED, _CHANCE),
} | {
    f"{name}{end}": Quantity(
        _GRAFT, "1", words if not end else f"{'lower' if end == '_low' else 'upper'} {_RESAMPLED}",
        _UNSTITCHED if not end else f"{_UNSTITCHED}, or {_FEW}", null if not end else "")
    for name, words, null in (
        ("stitched_difference", "accuracy of the stitched graft minus that of the network of "
         "step_b, on the same exemplars", "0: the network of step_b itself"),
        ("stitched_gain", "accuracy of the stitched graft minus that of the graft, on the same "
         "exemplars", "0: the map does nothing"))
    for end in _ENDS
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shown:
    """The exemplars that grafts were shown."""

    token: np.ndarray
    """int [exemplar], index into tokens."""
    group: np.ndarray
    """[exemplar]"""
    tokens: tuple[str, ...]

    @property
    def chance(self) -> float:
        """Share of the most frequent token."""
        return float(np.bincount(self.token).max() / len(self.token))

    @property
    def n_groups(self) -> int:
        """How many of the exemplars are independent: those of one group and token count once."""
        return len(self._tokens_of_groups)

    def weights(self, seed: int) -> np.ndarray:
        """Return resamples [resample, exemplar]; NaN where a token has fewer than two groups."""
        if np.bincount(self._tokens_of_groups)[np.unique(self.token)].min() < 2:
            return np.full((1, len(self.token)), np.nan)
        rng = np.random.default_rng(seed)
        return group_resamples(self.token, self.group, n_resamples=RESAMPLES, rng=rng)

    def part(self, rows: np.ndarray) -> "Shown":
        """Return some of the exemplars."""
        return Shown(self.token[rows], self.group[rows], self.tokens)

    @property
    def _tokens_of_groups(self) -> np.ndarray:
        return group_blocks(self.token, self.group)[1]


def described(
    right: np.ndarray,
    steps: np.ndarray,
    shown: Shown,
    *,
    spent: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Return accuracies of grafts and from which step on lower layers were ready.

    Parameters
    ----------
    right
        bool [cut, step, step_b, exemplar]: whether the graft classifies the exemplar correctly;
        on the diagonal of the steps it is the network itself.
    steps
        Of the grid, ascending.
    shown
        The exemplars.
    spent
        Loss-time of each step; None: not known.
    seed
        Of the resamples.

    Returns
    -------
    dict
        By the names of `QUANTITIES`.

    Examples
    --------
    Lower layers that lose half of the exemplars until step 24:

    >>> from ontogeny.construction.readiness import Shown, described
    >>> shown = Shown(np.repeat([0, 1], 20), np.arange(40), ("ada", "bo"))
    >>> right = np.ones((1, 3, 3, 40), dtype=bool)
    >>> right[0, 0, :, ::2] = False
    >>> found = described(right, np.array([0, 24, 300]), shown)
    >>> found["ready_after"][0].tolist(), found["ready_by"][0].tolist()
    ([nan, 0.0, 0.0], [nan, 24.0, 24.0])
    """
    spent = np.full(len(steps), np.nan) if spent is None else spent
    found = _accuracies(right, shown, seed)
    return found | _readiness(found, steps, spent) | {"loss_time": spent}


def _accuracies(right: np.ndarray, shown: Shown, seed: int) -> dict[str, np.ndarray]:
    """Return accuracies of grafts, their intervals, and differences from step_b's network."""
    accuracy = right.mean(axis=-1)
    low, high = wilson_interval(accuracy, shown.n_groups, level=LEVEL)
    of_token = [right[..., shown.token == c] for c in range(len(shown.tokens))]
    by_token = [
        part.mean(axis=-1) if part.shape[-1] else np.full(accuracy.shape, np.nan)
        for part in of_token
    ]
    return {
        "graft_accuracy": accuracy, "graft_accuracy_low": low, "graft_accuracy_high": high,
        "graft_token_accuracy": np.stack(by_token, axis=-1), "chance": np.asarray(shown.chance),
        **differences("graft_difference", right, own(right), shown.weights(seed)),
    }  # fmt: skip


def own(right: np.ndarray) -> np.ndarray:
    """Return what the networks themselves classify correctly, [cut, 1, step_b, exemplar]."""
    return np.moveaxis(np.diagonal(right, axis1=1, axis2=2), -1, 1)[:, None]


def differences(
    name: str, right: np.ndarray, other: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return a paired difference and the ends of its interval, under a name."""
    parts = paired_difference(right, np.broadcast_to(other, right.shape), weights, level=LEVEL)
    return {f"{name}{end}": part for end, part in zip(_ENDS, parts, strict=True)}


def _readiness(
    found: dict[str, np.ndarray], steps: np.ndarray, spent: np.ndarray
) -> dict[str, np.ndarray]:
    """Return from which step on the lower layers were ready, by cut and step of the upper ones."""
    high, low = found["graft_difference_high"], found["graft_difference_low"]
    own_low = np.diagonal(found["graft_accuracy_low"], axis1=1, axis2=2)
    known = (own_low > found["chance"]) & np.isfinite(high).all(axis=1)
    after, by = ready_interval(high >= 0, steps)
    equal = ready_interval(low > -MARGIN, steps)[1]
    then = spent[np.searchsorted(steps, by)]
    values = {
        "ready_after": after, "ready_by": by, "equal_by": equal, "lead": lead(by, steps),
        "lead_high": lead(after, steps), "lead_loss_time": spent - then,
    }  # fmt: skip
    return {name: np.where(known, value, np.nan) for name, value in values.items()}


def loss_time_of(record: xr.Dataset, steps: np.ndarray) -> np.ndarray:
    """Return the loss-time of some steps of a record; NaN where its held-out loss never falls."""
    if "loss" not in record or "probe" not in record["split"].values:
        return np.full(len(steps), np.nan)
    curve = loss_time(record["loss"].sel(split="probe").values.astype(np.float64))
    return curve[np.searchsorted(record["step"].values, steps)]


def labelled(
    values: Mapping[str, np.ndarray],
    cuts: Sequence[str],
    steps: np.ndarray,
    shown: Shown,
    layers: Sequence[str] = (),
) -> xr.Dataset:
    """Return arrays over cut, step and step_b as a dataset that says what they are."""
    where = {"cut": list(cuts), "step": steps, "step_b": steps, "token": list(shown.tokens)}
    where |= {"layer": list(layers)} if layers else {}
    about = {"exemplars": len(shown.token), "groups": shown.n_groups, "level": LEVEL}
    return label(values, QUANTITIES, where, attributes=about, always_missing=True)


def open_grafts(run: RunFolder | str | os.PathLike[str]) -> xr.Dataset:
    """Return the grafts that are kept of a run, fresh or refused.

    Parameters
    ----------
    run
        The run or its folder.

    Raises
    ------
    RunError
        If there are none, or they are of another state of the record or of another version.

    Examples
    --------
    >>> made = ont.grafts(run, steps=[0, 24, 300], exemplars=30)
    >>> ont.open_grafts("runs/tiny").graft_accuracy.dims
    ('cut', 'step', 'step_b')
    """
    return open_kept(run if isinstance(run, RunFolder) else RunFolder.open(run), GRAFTS)
