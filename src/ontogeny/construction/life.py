"""The numbers of one detector's life, gathered from the record and from the kept measures.

Nothing is measured here that a set of measures holds: `gains` and `detectors` are read, and the
unit's own row, its parents' and its children's are kept. May import numpy, xarray,
ontogeny.measure, ontogeny.record and ontogeny.stats.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.measure.couplings.wiring import wiring_of
from ontogeny.measure.gains.gain import GAIN
from ontogeny.measure.gains.kinds import LEVEL, UNKNOWN, is_beyond
from ontogeny.measure.gains.parents import PARENTS
from ontogeny.measure.quantity import Quantity, label
from ontogeny.record import COUPLING
from ontogeny.stats.selectivity import eta_squared

_OF_EDGES = {name: q for name, q in PARENTS.items() if "edge" in q.dims}
SHOWN = 4
"""Parents that are told of, and children."""
_COURSE = ("selectivity", "inherited", "gain", "p", "kind", "emergent", "emergent_low",
           "emergent_high", "gain_linear", "gain_rectified")  # fmt: skip
_FEATURES = ("selectivity_feature", "inherited_feature", "p_feature")
_WHEN = ("construction_after", "construction_by")
_EVENTS = ("tuned", "untuned", "settled", "dormant", "revived")
_ENDS = ("after", "by", "confidence_after", "confidence_by")
_CHANGES = ("changed_after", "changed_by", "change_share")
_AT_END = "at the last snapshot with recombinations"


def _of_unit(name: str, *dims: str) -> Quantity:
    """Return a quantity of all units as that of one."""
    found = GAIN[name]
    return Quantity(dims, found.units, found.long_name, found.missing, found.null)


def _of_relatives(side: str, who: str) -> dict[str, Quantity]:
    """Define what is kept of parents or of children."""
    return {
        **{
            f"{side}_{name}": Quantity(("edge_step", side), q.units, f"{who}: {q.long_name}",
                                       q.missing, q.null)
            for name, q in _OF_EDGES.items()
        },
        f"{side}_kind": Quantity((side,), "1", f"{GAIN['kind'].long_name}; {_AT_END}"),
        f"{side}_selectivity": Quantity(
            (side,), "1", f"{GAIN['selectivity'].long_name}; {_AT_END}", "pixels; inactive units"),
        f"{side}_beyond": Quantity(
            ("edge_step",), "1", f"{who} whose edge_gain_p is at most {LEVEL}", "",
            f"{LEVEL} of those compared"),
        f"{side}_compared": Quantity(("edge_step",), "1", f"{who} whose edge_gain_p is known"),
    }  # fmt: skip


LIFE = {
    **{name: _of_unit(name, "step") for name in _COURSE},
    "best_parent_selectivity": Quantity(
        ("step",), "1", "selectivity of the best parent, which the other half of the exemplars "
        "chooses: selectivity - emergent", GAIN["emergent"].missing),
    **{name: Quantity(("feature",), "1", f"{GAIN[name].long_name}; {_AT_END}",
                      GAIN[name].missing, GAIN[name].null) for name in _FEATURES},
    **{name: _of_unit(name) for name in _WHEN},
    **{f"{event}_{end}": Quantity((), "steps", f"`{event}_{end}` of the unit (`unit_lives`)",
                                  "the event is not defined of this unit")
       for event in _EVENTS for end in _ENDS},
    **{name: Quantity(("role_change",), "1" if "share" in name else "steps",
                      f"`{name}` of the unit (`unit_lives`)") for name in _CHANGES},
    **_of_relatives("parent", "parents of the unit"),
    **_of_relatives("child", "units that read the unit"),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Sources:
    """What a life is gathered from; None: it is not there."""

    record: xr.Dataset
    gains: xr.Dataset | None
    """The set of measures `gains`."""
    detectors: xr.Dataset | None
    """The set of measures `detectors`."""


def life(sources: Sources, unit: str) -> xr.Dataset:
    """Gather the life of one unit.

    Parameters
    ----------
    sources
        The record and the measures kept of it.
    unit
        "layer:channel".

    Returns
    -------
    xr.Dataset
        Over `step`: `selectivity`, `inherited`, `gain`, `p`, `kind`, `emergent` with its ends,
        `best_parent_selectivity` and the coordinate `best_parent`; over `feature` those of the last
        snapshot with recombinations; the intervals of construction and of the events of
        `unit_lives`; over `parent` and `child` the relatives that add most and that it adds most
        to. What a source lacks is left out. Attributes `unit`, `layer`, `layers`, `deals`.

    Raises
    ------
    InputError
        If the record has no such unit, or its exemplars no tokens.
    """
    record = sources.record
    names = record["unit"].values.astype(str)
    place = place_of(names, unit, record.attrs["layers"])
    if "exemplar_token" not in record.coords:
        msg = (
            "expected a record whose exemplars have tokens, got one without: selectivity needs "
            "them; give tokens with the probe"
        )
        raise InputError(msg)
    about = {"unit": unit, "layer": unit.rpartition(":")[0], "layers": list(record.attrs["layers"])}
    where = {"step": record["step"].values, "token": record["token"].values.astype(str)}
    found = _course(sources, place)
    if sources.gains is not None:
        about["deals"] = int(sources.gains.attrs["deals"])
        seen = np.isfinite(sources.gains["constructed_share"].values).any(axis=1)
        where |= {"observed_step": sources.gains["step"].values[seen]}
        names_of = {n: sources.gains[n].values.astype(str) for n in ("feature", "feature_also")}
        where |= {"feature": names_of["feature"],
                  "feature_also": ("feature", names_of["feature_also"])}  # fmt: skip
        where |= _best_parents(sources, place)
    if sources.detectors is not None:
        events, coordinates = _events(sources, place)
        found, where = found | events, where | coordinates
    if sources.gains is not None and COUPLING in record:
        for side, other in (("parent", "source"), ("child", "target")):
            relatives, coordinates = _relatives(sources, unit, side, other)
            found, where = found | relatives, where | coordinates
    return label(found, LIFE, where, attributes=about)


def place_of(names: np.ndarray, unit: str, layers: list[str]) -> int:
    """Return where a unit lies on the unit axis.

    Raises
    ------
    InputError
        If it does not exist; what does is told.
    """
    found = np.flatnonzero(names == unit)
    if not len(found):
        known = ", ".join(f"{layer}:0" for layer in layers)
        msg = f"expected a unit or a token of this run, got {unit}: units begin with {known}"
        raise InputError(msg)
    return int(found[0])


def _course(sources: Sources, place: int) -> dict[str, np.ndarray]:
    """Return the unit's numbers over steps, over features and its construction."""
    gains = sources.gains
    if gains is None:
        return {"selectivity": _plain_selectivity(sources.record, place)}
    mine = gains[[*_COURSE, *_WHEN]].isel(unit=place).load()
    found = {name: mine[name].values for name in (*_COURSE, *_WHEN)}
    found["best_parent_selectivity"] = found["selectivity"] - found["emergent"]
    last = _last_observed(gains)
    at_end = gains[list(_FEATURES)].isel(unit=place, step=last).load()
    return found | {name: at_end[name].values for name in _FEATURES}


def _last_observed(gains: xr.Dataset) -> int:
    """Return the place of the last snapshot with recombinations."""
    seen = np.isfinite(gains["constructed_share"].values).any(axis=1)
    return int(np.flatnonzero(seen)[-1])


def _plain_selectivity(record: xr.Dataset, place: int) -> np.ndarray:
    """Return eta squared over tokens of a unit, over all exemplars, [step]; NaN: constant."""
    responses = record["activation"].isel(unit=place).values.astype(np.float64)
    names = record["token"].values.astype(str).tolist()
    token = np.array([names.index(t) for t in record["exemplar_token"].values.astype(str)])
    return eta_squared(responses.T, token)


def _best_parents(sources: Sources, place: int) -> dict:
    """Return the best parent's name at each step; "": none."""
    assert sources.gains is not None
    layers = list(sources.record.attrs["layers"])
    own = str(sources.record["layer"].values[place])
    below = ["pixels", *layers][layers.index(own)]
    channel = sources.gains["best_parent"].isel(unit=place).values
    names = np.array([f"{below}:{k}" if k >= 0 else "" for k in channel], dtype=str)
    return {"best_parent": ("step", names)}


def _events(sources: Sources, place: int) -> tuple[dict, dict]:
    """Return the events of a unit's life and its changes of role, with coordinates of these."""
    detectors = sources.detectors
    assert detectors is not None
    found = {f"{event}_{end}": detectors[f"{event}_{end}"].values[place]
             for event in _EVENTS for end in _ENDS}  # fmt: skip
    mine = np.flatnonzero(detectors["changed_unit"].values == place)
    found |= {name: detectors[name].values[mine] for name in _CHANGES}
    tokens = sources.record["token"].values.astype(str)
    preferred = detectors["preferred"].isel(unit=place).values
    where = {
        f"token_{end}": ("role_change", tokens[detectors[f"token_{end}"].values[mine]])
        for end in ("before", "after")
    }
    where["preferred"] = ("step", np.where(preferred >= 0, tokens[preferred], ""))
    return found, where


def _relatives(sources: Sources, unit: str, side: str, other: str) -> tuple[dict, dict]:
    """Return what is kept of the parents that add most, or of the children, and their names."""
    gains = sources.gains
    assert gains is not None
    wiring = wiring_of(sources.record)
    mine_is = "target" if other == "source" else "source"
    node = wiring.n_pixels + place_of(sources.record["unit"].values.astype(str), unit, [])
    mine = np.flatnonzero(getattr(wiring, mine_is) == node)
    of_edges = {name: gains[name].values[:, mine].astype(np.float64) for name in _OF_EDGES}
    p = of_edges["edge_gain_p"]
    found = {f"{side}_beyond": is_beyond(p).sum(axis=1),
             f"{side}_compared": np.isfinite(p).sum(axis=1)}  # fmt: skip
    first = _order(of_edges)[:SHOWN]
    found |= {f"{side}_{name}": value[:, first] for name, value in of_edges.items()}
    nodes = getattr(wiring, other)[mine[first]]
    units = nodes - wiring.n_pixels
    kind, selectivity, feature = _at_end(gains, units)
    found |= {f"{side}_kind": kind, f"{side}_selectivity": selectivity}
    where = {
        "edge_step": gains["edge_step"].values,
        side: np.array([str(wiring.nodes[k]) for k in nodes], dtype=str),
        f"{side}_feature": (side, feature),
    }
    return found, where


def _order(of_edges: dict[str, np.ndarray]) -> np.ndarray:
    """Return the edges at the last step: those beyond like parents first, the largest first."""
    gain, p = (np.nan_to_num(of_edges[name][-1], nan=fill)
               for name, fill in (("edge_gain", -np.inf), ("edge_gain_p", 1.0)))  # fmt: skip
    return np.lexsort((-gain, ~is_beyond(p)))


def _at_end(gains: xr.Dataset, units: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return kind, selectivity and best feature of units at the end; of pixels: none."""
    last, known = _last_observed(gains), units >= 0
    one = gains[["kind", "selectivity", "selectivity_feature"]].isel(step=last, unit=units[known])
    kind = np.full(len(units), UNKNOWN)
    selectivity = np.full(len(units), np.nan)
    feature = np.full(len(units), "", dtype=gains["feature"].values.astype(str).dtype)
    kind[known], selectivity[known] = one["kind"].values, one["selectivity"].values
    score = np.nan_to_num(one["selectivity_feature"].values, nan=-1.0)
    best = gains["feature"].values.astype(str)[score.argmax(axis=1)] if score.size else ""
    feature[known] = np.where(score.max(axis=1, initial=-1.0) >= 0, best, "")
    return kind, selectivity, feature
