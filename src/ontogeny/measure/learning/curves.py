"""When things happen: learning curves, and onsets as intervals between snapshots.

May import numpy, scipy, xarray, ontogeny.stats and ontogeny.measure.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import bdtr

from ontogeny.measure.categories.signals import (
    Signals,
    label_layers,
    resampled_margins,
    signals,
    token_margins,
)
from ontogeny.measure.probe import held_out, require
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.progress import Progress
from ontogeny.stats.onset import (
    HOLD,
    confidence_interval,
    excursions,
    onset_index,
    onset_interval,
)

LAYER_SIGNAL, LAYER_RISE, TOKEN = "layer signal", "layer rise", "token"
KINDS = {
    LAYER_SIGNAL: "the layer's token signal stays beyond what shuffled tokens give",
    LAYER_RISE: "the layer's token signal stays beyond what shuffled tokens and untrained weights "
    "give",
    TOKEN: "the token is named where it is right more often than overall, beyond what shuffled "
    "tokens give",
}
_UNKNOWN, _NULL = "a value that is NaN at some snapshot", "the corrected threshold of its kind"
_ONSETS = {
    "after": Quantity(
        ("onset",), "steps", "step of the last snapshot that is not beyond the null; -inf: beyond "
        "from the first", _UNKNOWN, _NULL),
    "by": Quantity(
        ("onset",), "steps", "step of the next snapshot; inf: not beyond for so many snapshots by "
        "the end", _UNKNOWN, _NULL),
    "confidence_after": Quantity(
        ("onset",), "steps", "lower end of the interval's confidence interval", _UNKNOWN, _NULL),
    "confidence_by": Quantity(
        ("onset",), "steps", "upper end of the interval's confidence interval", _UNKNOWN, _NULL),
    "excursions": Quantity(
        ("onset",), "1", "times beyond the null that ended", null=_NULL),
}  # fmt: skip


HOLDOUT = ("holdout_loss", "holdout_accuracy", "holdout_token_accuracy")
"""Curves of the second probe, where a task has one."""


def learning_curves(record: xr.Dataset) -> xr.Dataset:
    """Return loss and accuracies, with the chance level of the held-out exemplars and its band.

    Returns
    -------
    xr.Dataset
        `loss`, `accuracy` (step, split) and `token_accuracy` (step, split, token) of the record;
        where there is a second probe, `holdout_loss`, `holdout_accuracy` (step) and
        `holdout_token_accuracy` (step, token);
        `chance`, the accuracy of always naming the most frequent token, and `chance_low`,
        `chance_high`, between which 95 % of such accuracies lie (binomial).

    Raises
    ------
    InputError
        If the record lacks one of them.

    Examples
    --------
    Accuracy on held-out exemplars, and between which bounds guessing would lie:

    >>> curves = ont.measure.learning_curves(record)
    >>> print(curves.accuracy.sel(split="probe", step=[0, 24, 300]).values.round(2))
    [0.35 0.57 0.83]
    >>> [round(float(curves[name]), 2) for name in ("chance_low", "chance", "chance_high")]
    [0.22, 0.33, 0.45]
    """
    require(record, "loss", "accuracy", "token_accuracy")
    probe = held_out(record)
    curves = ["loss", "accuracy", "token_accuracy"]
    data = record[[*curves, *(name for name in HOLDOUT if name in record)]].load()
    n, chance = len(probe.token), probe.chance
    # counts are whole: the band's ends are those of the binomial, not of its normal limit
    up_to = bdtr(np.arange(n + 1), n, chance)
    low, high = np.searchsorted(up_to, [0.025, 0.975]) / n
    band = label({"chance": chance, "chance_low": low, "chance_high": high}, _chance_quantities(n))
    known = data["accuracy"].assign_attrs(null="chance: between chance_low and chance_high")
    return data.assign({"accuracy": known, **band.data_vars})


def _chance_quantities(n: int) -> dict[str, Quantity]:
    words = f"of {n} held-out exemplars"
    return {
        "chance": Quantity((), "1", f"accuracy of always naming the most frequent token {words}"),
        "chance_low": Quantity((), "1", f"2.5 % quantile of the binomial at chance {words}"),
        "chance_high": Quantity((), "1", f"97.5 % quantile of the binomial at chance {words}"),
    }


def onsets(
    record: xr.Dataset,
    *,
    chance: Chance | None = None,
    hold: int = HOLD,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Return when each layer and each token left its null, as intervals of steps.

    An onset lies in (after, by]: it is the first snapshot from which the quantity stays beyond its
    corrected threshold to the end, for at least `hold` snapshots. Kinds are "layer signal" (beyond
    shuffled tokens), "layer rise" (beyond shuffled tokens and untrained weights) and "token".

    Returns
    -------
    xr.Dataset
        Over `onset` with coordinates `kind` and `name`: `after`, `by` (infinite where censored),
        `confidence_after`, `confidence_by` (95 %, resampling groups of exemplars) and
        `excursions`, how often it was beyond for `hold` snapshots before and fell back.

    Raises
    ------
    InputError
        If the record lacks activations, logits, or held-out exemplars of two tokens.

    Examples
    --------
    cleo is classified better than chance from between steps 13 and 24 on, bo later, ada not by
    the end:

    >>> found = ont.measure.onsets(record)
    >>> found = found.isel(onset=found.kind.values == "token")
    >>> found[["after", "by"]].to_dataframe()[["after", "by"]]
                 after    by
    onset
    token: ada    84.0   inf
    token: bo     45.0  84.0
    token: cleo   13.0  24.0
    """
    chance = chance or Chance()
    found = signals(record, chance, progress)
    layers, tokens = label_layers(record, found, chance), token_margins(record, chance=chance)
    return label_onsets(record, found, layers, tokens, chance=chance, hold=hold)


def label_onsets(
    record: xr.Dataset,
    found: Signals,
    layers: xr.Dataset,
    tokens: xr.Dataset,
    *,
    chance: Chance,
    hold: int = HOLD,
) -> xr.Dataset:
    """Find the onsets in what was measured of layers and tokens."""
    steps = record["step"].values
    signal, threshold = layers["layer_token_signal"].values, layers["layer_threshold"].values
    # the larger of two nulls, since an untrained layer tells some tokens apart by its wiring
    higher = np.maximum(threshold, layers["untrained_threshold"].values)
    names = [str(name) for name in layers["layer"].values]
    parts = [
        _Curves(LAYER_SIGNAL, names, signal, threshold, found.layer_resampled),
        _Curves(LAYER_RISE, names, signal, higher, found.layer_resampled),
        _Curves(
            TOKEN, [str(name) for name in tokens["token"].values], tokens["token_margin"].values,
            tokens["margin_threshold"].values, resampled_margins(record, chance),
        ),
    ]  # fmt: skip
    if np.isnan(layers["untrained_threshold"].values).all():
        del parts[1]
    tables = [part.onsets(steps, hold, chance.level) for part in parts]
    data = xr.concat(tables, dim="onset")
    data.attrs = {
        "hold": hold,
        "level": chance.level,
        **{f"kind: {k}": v for k, v in KINDS.items()},
    }
    return data


@dataclass(frozen=True)
class _Curves:
    """Quantities of one kind over steps, with thresholds and resamples."""

    kind: str
    names: list[str]
    values: np.ndarray
    """[step, name]"""
    threshold: np.ndarray
    """[step, name]"""
    resampled: np.ndarray
    """[resample, step, name]"""

    def onsets(self, steps: np.ndarray, hold: int, level: float) -> xr.Dataset:
        """Return one row per name."""
        values, threshold = self.values.T, self.threshold.T
        found = [
            onset_interval(v, t, steps, hold=hold) for v, t in zip(values, threshold, strict=True)
        ]
        after, by = np.array(found).reshape(-1, 2).T
        # against the same threshold: resamples say how firm the curve is, not how firm its null
        again = onset_index(np.moveaxis(self.resampled, 1, -1), threshold, hold=hold)
        low, high = confidence_interval(again, steps, level=level)
        columns = {
            "after": after, "by": by,
            "confidence_after": np.minimum(low, after), "confidence_by": np.maximum(high, by),
            "excursions": excursions(values, threshold, hold=hold),
        }  # fmt: skip
        names = [f"{self.kind}: {name}" for name in self.names]
        kinds = [self.kind] * len(names)
        where = {"onset": names, "kind": ("onset", kinds), "name": ("onset", self.names)}
        return label(columns, _ONSETS, where)
