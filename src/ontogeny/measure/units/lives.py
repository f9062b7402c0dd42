"""The life of each unit: when it becomes tuned, settles on a token, changes it, falls silent.

May import numpy, xarray, ontogeny.stats and ontogeny.measure.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr

from ontogeny.measure.probe import units_of_layers
from ontogeny.measure.quantity import Chance, Quantity, label
from ontogeny.measure.units.tuning import CHANCE, DORMANT, Tunings, is_dormant, over_steps, tunings
from ontogeny.progress import Progress
from ontogeny.stats.onset import HOLD, confidence_interval
from ontogeny.stats.spans import (
    Change,
    between_snapshots,
    constant_from,
    end_index,
    first_index,
    held,
    label_changes,
)

_EVENTS = {
    "tuned": "the unit is tuned: its score beyond its threshold, for {hold} snapshots on end, for "
    "the first time",
    "untuned": "the unit is no longer tuned, to the end of the record",
    "settled": "the preferred token is that of the last snapshot, from here to the end",
    "dormant": f"the unit is inactive (mean |response| at most {DORMANT} of its layer's), from "
    "here to the end, for {hold} snapshots at least",
    "revived": "the unit, inactive for {hold} snapshots on end, is not for {hold} snapshots on "
    "end, for the first time",
}
_MISSING = {
    "untuned": "a unit that was never tuned",
    "settled": "a unit that is not tuned at the end",
}
_ENDS = {
    "after": "last snapshot before {words}; -inf: so from the first snapshot on",
    "by": "first snapshot after {words}; inf: not by the last snapshot",
    "confidence_after": "lower end of the 95 % interval, groups of exemplars resampled, of {words}",
    "confidence_by": "upper end of the 95 % interval, groups of exemplars resampled, of {words}",
}
_CHANGE = "the preferred token changes, both being held for several snapshots while tuned"
_CHANGES = {
    "changed_unit": Quantity(
        ("role_change",), "1", f"position on the unit axis of a unit of which {_CHANGE}"),
    "token_before": Quantity(("role_change",), "1", f"index of the first token where {_CHANGE}"),
    "token_after": Quantity(("role_change",), "1", f"index of the second token where {_CHANGE}"),
    "change_share": Quantity(
        ("role_change",), "1", "share of resamples in which both tokens are preferred, one after "
        "the other, as long"),
}  # fmt: skip
_SILENT = {
    "silent": Quantity(("unit",), "1", "whether no held-out exemplar drives the unit at the end"),
}


def _quantities(hold: int) -> dict[str, Quantity]:
    """Define the ends of every event and of role changes."""
    null = "score_threshold: tokens shuffled over groups of exemplars"
    of_events = {
        f"{event}_{end}": Quantity(
            ("unit",), "steps", words.format(words=what.format(hold=hold)),
            _MISSING.get(event, ""), null if event in {"tuned", "untuned"} else "")
        for event, what in _EVENTS.items() for end, words in _ENDS.items()
    }  # fmt: skip
    of_changes = {
        f"changed_{end}": Quantity(("role_change",), "steps", words.format(words=_CHANGE))
        for end, words in _ENDS.items()
    }
    return of_events | _SILENT | _CHANGES | of_changes


class _Change(NamedTuple):
    """A row of the table of role changes."""

    unit: int
    before: int
    after: int
    ends: tuple[float, float, float, float]
    share: float


def unit_lives(
    record: xr.Dataset,
    *,
    chance: Chance | None = None,
    hold: int = HOLD,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Follow every unit through training: tuned, settled, changed, dormant, revived.

    Every event lies in an interval of steps (after, by] between two snapshots, with the 95 %
    interval of resampled groups of exemplars around it.

    Returns
    -------
    xr.Dataset
        Over unit, for each event E of tuned, untuned, settled, dormant, revived: `E_after`,
        `E_by`, `E_confidence_after`, `E_confidence_by`; `untuned` is inf where the unit is tuned
        at the end; `silent` (unit), whether no exemplar drives it at the last snapshot. Over
        `role_change`: `changed_unit` (its position), `token_before`, `token_after` (indices), the
        interval `changed_after`, `changed_by` with its confidence ends, named alike, and
        `change_share`, the share of resamples in which the second token follows the first: a
        change below .95 may be two tokens that the unit answers alike.

    Raises
    ------
    InputError
        If the record lacks activations, or held-out exemplars of two tokens.

    Examples
    --------
    From when on the logits of ada, bo and cleo are tuned to a token; bo's is not by the end.

    >>> found = ont.measure.unit_lives(record).sel(unit=["logits:0", "logits:1", "logits:2"])
    >>> found[["tuned_after", "tuned_by"]].to_dataframe()
              tuned_after  tuned_by
    unit
    logits:0         45.0      84.0
    logits:1        300.0       inf
    logits:2          7.0      13.0
    """
    chance = chance or CHANCE
    return label_lives(record, tunings(record, chance, progress), chance, hold)


def label_lives(record: xr.Dataset, found: Tunings, chance: Chance, hold: int = HOLD) -> xr.Dataset:
    """Find the events in what was measured of tuning."""
    steps, units = record["step"].values, record["unit"].values
    threshold = _of_units(record, over_steps(found.score_null, chance.level))
    score, preferred = found.values["score"].T, found.values["preferred"].T
    tuned = held(score > threshold[:, None], hold)
    dormant = is_dormant(found.values["dormancy"].T)
    again = _again(found, threshold, hold)
    index = {
        "tuned": (first_index(tuned), first_index(again.tuned)),
        "untuned": (end_index(tuned), end_index(again.tuned)),
        "settled": (constant_from(preferred), constant_from(again.preferred)),
        "dormant": (_stays(dormant, hold), _stays(again.dormant, hold)),
        "revived": (_revival(dormant, hold), _revival(again.dormant, hold)),
    }
    values = {
        f"{event}_{name}": np.where(_known(event, tuned), ends, np.nan)
        for event, (seen, resampled) in index.items()
        for name, ends in _ends(seen, resampled, steps, chance.level).items()
    }
    values["silent"] = found.values["dormancy"][-1] == 0
    # a preferred token of an untuned unit is noise and no role
    roles = np.where(tuned, preferred, -1)
    values |= _columns(_role_changes(roles, again, steps, chance.level))
    return label(values, _quantities(hold), {"unit": units})


class _Again(NamedTuple):
    """Resamples, the snapshot axis last."""

    tuned: np.ndarray
    preferred: np.ndarray
    dormant: np.ndarray
    hold: int


def _again(found: Tunings, threshold: np.ndarray, hold: int) -> _Again:
    score, preferred, dormant = (
        np.moveaxis(draws, 1, -1)
        for draws in (found.score_again, found.preferred_again, found.dormant_again)
    )
    return _Again(held(score > threshold[:, None], hold), preferred, dormant, hold)


def _of_units(record: xr.Dataset, of_layers: np.ndarray) -> np.ndarray:
    values = np.full(record.sizes["unit"], np.nan)
    for value, units in zip(of_layers, units_of_layers(record).values(), strict=True):
        values[units] = value
    return values


def _known(event: str, tuned: np.ndarray) -> np.ndarray:
    if event == "untuned":
        return np.asarray(tuned.any(axis=1))
    return tuned[:, -1] if event == "settled" else np.ones(len(tuned), dtype=bool)


def _stays(flags: np.ndarray, hold: int) -> np.ndarray:
    """Return the first snapshot from which all are True, n where fewer than `hold` are."""
    n_snapshots = flags.shape[-1]
    begin = end_index(~flags)
    return np.where(n_snapshots - begin >= hold, begin, n_snapshots)


def _revival(dormant: np.ndarray, hold: int) -> np.ndarray:
    """Return the first snapshot that ends dormancy, both held."""
    # once asleep for long enough, any later snapshot is after it
    slept = np.logical_or.accumulate(held(dormant, hold), axis=-1)
    return first_index(held(~dormant, hold) & slept)


def _ends(
    seen: np.ndarray, resampled: np.ndarray, steps: np.ndarray, level: float
) -> dict[str, np.ndarray]:
    after, by = between_snapshots(seen, steps)
    low, high = confidence_interval(resampled, steps, level=level)
    return {
        "after": after, "by": by,
        "confidence_after": np.minimum(low, after), "confidence_by": np.maximum(high, by),
    }  # fmt: skip


def _role_changes(
    labels: np.ndarray, again: _Again, steps: np.ndarray, level: float
) -> list[_Change]:
    rows = []
    for j in range(len(labels)):
        for change in label_changes(labels[j], again.hold):
            after, by = steps[change.last], steps[change.first]
            # only from the span's beginning: an earlier span of the same tokens is another change
            index = change.begun + _overtaking(again.preferred[:, j, change.begun :], change, again)
            low, high = confidence_interval(index[:, None], steps, level=level)
            ends = (float(after), float(by), float(min(low[0], after)), float(max(high[0], by)))
            share = float(np.mean(index < len(steps)))
            rows.append(_Change(j, change.before, change.after, ends, share))
    return rows


def _overtaking(preferred: np.ndarray, change: Change, again: _Again) -> np.ndarray:
    """Return where the second token, held, follows the first, held, in each resample."""
    begun = first_index(held(preferred == change.before, again.hold))
    # the second token's span must begin after the first's, not run beside it
    later = np.arange(preferred.shape[1]) > begun[:, None]
    return first_index(held((preferred == change.after) & later, again.hold))


def _columns(rows: list[_Change]) -> dict[str, np.ndarray]:
    """Return the table of role changes as columns."""
    places = {
        "changed_unit": [r.unit for r in rows], "token_before": [r.before for r in rows],
        "token_after": [r.after for r in rows],
    }  # fmt: skip
    numbers = {f"changed_{end}": [r.ends[k] for r in rows] for k, end in enumerate(_ENDS)}
    numbers["change_share"] = [r.share for r in rows]
    found = {name: np.array(column, dtype=np.int64) for name, column in places.items()}
    return found | {name: np.array(column, dtype=np.float64) for name, column in numbers.items()}
