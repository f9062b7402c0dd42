"""A run cut down to what the page draws: a manifest, binary blobs and image sheets.

Every number keeps its name, definition, unit and where it comes from; what is not there is named
with the reason. Nothing is measured here. May import numpy, xarray, ontogeny.page, ontogeny.plot,
ontogeny.report, ontogeny.measure, ontogeny.record, ontogeny.run; no torch.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ontogeny import statements
from ontogeny.errors import DamagedError, OntogenyError
from ontogeny.measure import SETS
from ontogeny.measure.couplings.wiring import LEVEL, null_bound, wiring_of
from ontogeny.measure.learning.sketches import Known
from ontogeny.page import Where, edges
from ontogeny.page.pack import Blob, pack
from ontogeny.page.pictures import cells
from ontogeny.page.sheets import sheet
from ontogeny.page.sources import PICTURES, Sources
from ontogeny.page.table import (
    BEST_FEATURES,
    COUPLING_NULLS,
    COUPLINGS,
    EDGE_ENDS,
    EDGE_GAINS,
    EDGE_LIVES,
    ENTRIES,
    EXEMPLARS,
    GAIN_ENDS,
    GAINS,
    PICTURES_PACKED,
    SKETCHED,
    Entry,
)
from ontogeny.plot.style import TOKEN_COLOURS
from ontogeny.record import LAYER, WITHOUT_COUPLINGS
from ontogeny.run import RunFolder

FORMAT = 1
CLAIMS = ("constructed", "construction order")
"""Rules whose sentences stand above the map of constructed units."""
BESIDE = "beside/"
"""Begins the names of the blobs of the run that is compared with."""


@dataclass
class Bundle:
    """What the page is given."""

    manifest: dict[str, Any]
    blobs: dict[str, bytes]

    def text(self, *, is_live: bool = False) -> str:
        """Return the manifest as JSON that is safe inside a script element.

        Parameters
        ----------
        is_live
            Whether a server follows the run, so that the page may ask for more.
        """
        plain = json.dumps(
            self.manifest | {"is_live": is_live}, allow_nan=False, separators=(",", ":")
        )
        for character in "<>&\u2028\u2029":
            plain = plain.replace(character, f"\\u{ord(character):04x}")
        return plain

    def hash_of(self, blob: str) -> str:
        """Return the hash by which the manifest knows a blob."""
        is_other = blob.startswith(BESIDE)
        manifest = self.manifest["beside"] if is_other else self.manifest
        return manifest["blobs"][blob.removeprefix(BESIDE) if is_other else blob]["hash"]

    def with_beside(self, other: "Bundle") -> "Bundle":
        """Return this bundle with another run's beside it, for the compare view.

        The other's manifest is `manifest["beside"]`; its blobs lie under `BESIDE`.
        """
        blobs = {BESIDE + name: data for name, data in other.blobs.items()}
        return Bundle({**self.manifest, "beside": other.manifest}, {**self.blobs, **blobs})


def bundle_run(run: Where, *, beside: Where | None = None, known: Known | None = None) -> Bundle:
    """Cut a run's record, measures and pictures down to what the page draws.

    What is not there, or stale, is left out and named in `manifest["missing"]`.

    Parameters
    ----------
    run
        A run or its folder, in any state.
    beside
        Another run, such as a twin, to be compared with; None: no other.
    known
        What earlier bundles of the run computed of its steps while it grows, and this one adds.

    Raises
    ------
    RunError
        If there is no run, its description is damaged, or it is of a newer schema.
    """
    if beside is not None:
        return bundle_run(run, known=known).with_beside(bundle_run(beside))
    folder = run if isinstance(run, RunFolder) else RunFolder.open(run)
    packing = _Packing(Sources(folder, known))
    if packing.sources.record is not None:
        packing.table()
        packing.exemplars(packing.sources.record)
        with packing.whole_or_none("couplings"):
            packing.couplings(packing.sources.record)
        with packing.whole_or_none("construction gains"):
            packing.gains(packing.sources.record)
        packing.pictures(packing.sources.record, packing.sources[PICTURES.name])
    return packing.bundle()


_KNOWN = {"step", "token", "unit", "exemplar", "layer", "edge", "gain_edge", "picture_unit"}
"""Dims whose coordinates the manifest holds elsewhere."""


class _Packing:
    """A bundle while it is being filled."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.blobs: dict[str, Blob] = {"base": Blob()}
        self.arrays: dict[str, Any] = {}
        self.sheets: dict[str, Any] = {}
        self.coordinates: dict[str, list[Any]] = {}

    def add(self, entry: Entry, data: xr.DataArray) -> None:
        """Pack one labelled array as the table says; its own attributes define it further."""
        packed = pack(data.values, entry.dtype)
        self.arrays[entry.name] = {
            "blob": entry.blob, "offset": self.blobs.setdefault(entry.blob, Blob()).add(packed),
            "dtype": entry.dtype, "shape": list(data.shape), "dims": list(entry.dims),
            "scale": packed.scale, "add": packed.add, "missing": packed.missing,
            "error": packed.error, "units": str(data.attrs.get("units", "1")),
            "definition": str(data.attrs.get("long_name", entry.what)), "source": entry.place,
        }  # fmt: skip
        for page, own in zip(entry.dims, data.dims, strict=True):
            if own in data.coords and page not in _KNOWN:
                self.coordinates[page] = data[own].values.tolist()

    @contextmanager
    def whole_or_none(self, what: str) -> Iterator[None]:
        """Pack all that belongs together; if some of it is damaged, nothing, and note why."""
        before = dict(self.arrays)
        try:
            yield
        except DamagedError as error:
            self.arrays = before
            self.sources.missing[what] = str(error)

    def table(self) -> None:
        """Pack what is packed as it is."""
        for entry in ENTRIES:
            if entry.name in SKETCHED and self.sources[SKETCHED[entry.name]] is not None:
                continue  # measured or pictured, so that there is nothing left to sketch
            source = self.sources[entry.source]
            if source is None or entry.variable not in source:
                continue
            with self.whole_or_none(entry.place):
                self.add(entry, source[entry.variable])
        measures = self.sources["measures"]
        if measures is not None:
            self.coordinates["onset"] = measures["name"].values.tolist()
            self.coordinates["onset_kind"] = measures["kind"].values.tolist()

    def exemplars(self, record: xr.Dataset) -> None:
        """Pack the probe's tokens and thumbnails."""
        values = {"exemplar_id": record["exemplar"].values}
        if "exemplar_token" in record:
            names = [str(name) for name in record["token"].values]
            own = [names.index(str(name)) for name in record["exemplar_token"].values]
            values["exemplar_token"] = np.array(own)
        for entry in EXEMPLARS:
            if entry.name in values:
                self.add(entry, xr.DataArray(values[entry.name], dims="exemplar"))
        if "image" in record:
            with self.whole_or_none("images of exemplars"):
                self.picture_sheet("probe", record["image"].values, ("exemplar",))

    def couplings(self, record: xr.Dataset) -> None:
        """Pack the couplings that the page draws."""
        if "coupling" not in record:
            why = record.attrs.get(WITHOUT_COUPLINGS, "the record holds none")
            self.sources.missing["couplings"] = why
            return
        wiring = wiring_of(record)
        chosen = edges.chosen_edges(record, wiring)
        for entry, values in zip(EDGE_ENDS, edges.ends(wiring, chosen), strict=True):
            self.add(entry, xr.DataArray(values, dims="edge"))
        for entry in COUPLINGS:
            if entry.variable in record:
                self.add(entry, _of_edges(record[entry.variable], chosen))
        self.graph(record, chosen)
        self.kept = {"kept": len(chosen), "all": record.sizes["edge"], "rule": edges.RULE}

    def graph(self, record: xr.Dataset, chosen: np.ndarray) -> None:
        """Pack when the chosen couplings were born and died, and their nulls."""
        first = [layer["first"] for layer in _layers(record)]
        for entry in COUPLING_NULLS:
            if entry.variable in record:
                bound = null_bound(record, entry.variable, LEVEL)[:, first]
                attributes = record[entry.variable].attrs
                self.add(entry, xr.DataArray(bound, dims=("step", "layer"), attrs=attributes))
        graph = self.sources["graph"]
        for entry in EDGE_LIVES:
            if graph is not None and entry.variable in graph:
                self.add(entry, graph[entry.variable].isel(edge=chosen))

    def gains(self, record: xr.Dataset) -> None:
        """Pack what units add to what they are given, where that was observed."""
        gains = self.sources["gains"]
        if gains is None:
            return
        observed = np.flatnonzero(gains["constructed_share"].notnull().any("layer").values)
        there = gains.isel(step=observed).drop_vars("feature_also", errors="ignore")
        self.coordinates["gain_step"] = there["step"].values.tolist()
        for entry in GAINS:
            self.add(entry, there[entry.variable])
        for entry, values in zip(BEST_FEATURES, best_features(there), strict=True):
            self.add(entry, values)
        self.coordinates["feature"] = _feature_names(gains)
        wiring = wiring_of(record)
        chosen = edges.gaining_edges(gains, wiring)
        for entry, values in zip(GAIN_ENDS, edges.ends(wiring, chosen), strict=True):
            self.add(entry, xr.DataArray(values, dims="edge"))
        for entry in EDGE_GAINS:
            self.add(entry, gains[entry.variable].isel(edge=chosen))

    def pictures(self, record: xr.Dataset, found: xr.Dataset | None) -> None:
        """Pack the pictures of detectors and where their top exemplars answer."""
        if found is None:
            return
        index = {str(name): k for k, name in enumerate(record["unit"].values)}
        there = found["top_exemplar"].values[:, 0] >= 0
        if "has_picture" in found:
            there |= found["has_picture"].values
        found = found.isel(unit=np.flatnonzero(there))
        self.coordinates["picture_unit"] = [index[str(n)] for n in found["unit"].values]
        place = {int(name): k for k, name in enumerate(record["exemplar"].values)}
        shown = [[place.get(int(name), -1) for name in row] for row in found["top_exemplar"].values]
        found["top_place"] = (("unit", "rank"), np.array(shown))
        found["top_side"] = np.maximum(found["top_height"], found["top_width"])
        if "film_picture" in found:  # a making under way has the top exemplars first
            self._preferred(found, index)
        for entry in PICTURES_PACKED:
            if entry.variable in found:
                self.add(entry, found[entry.variable])

    def _preferred(self, found: xr.Dataset, index: dict[str, int]) -> None:
        """Pack preferred images and films."""
        made = cells(found["picture"], found["height"], found["width"])
        self.picture_sheet("preferred", made, ("picture_unit",))
        film = found.transpose("film_unit", "film_step", ...)
        self.coordinates["film_unit"] = [index[str(n)] for n in film["film_unit"].values]
        self.coordinates["film_step"] = film["film_step"].values.tolist()
        made = cells(film["film_picture"], film["film_height"], film["film_width"])
        self.picture_sheet("film", made, ("film_unit", "film_step"))
        found["has_preferred"] = found["has_picture"].astype(np.int64)

    def picture_sheet(self, name: str, pictures: np.ndarray, dims: tuple[str, ...]) -> None:
        """Pack one image sheet, a blob of its own."""
        flat = pictures.reshape(-1, *pictures.shape[-3:])
        made = sheet(flat)
        blob = f"{name}.jpg"
        self.blobs[blob] = Blob(bytearray(made.data))
        self.sheets[name] = made.description(blob, dims)

    def bundle(self) -> Bundle:
        """Return what was packed."""
        record = self.sources.record
        texts = {"texts": self._texts(), "observations": self._observations()}
        manifest = {
            "format": FORMAT,
            "run": self._run(),
            "steps": [] if record is None else record["step"].values.tolist(),
            "tokens": list(self.sources.run.description["task"]["tokens"]),
            "token_colours": list(TOKEN_COLOURS),
            "layers": [] if record is None else _layers(record),
            "arrays": self.arrays,
            "coordinates": self.coordinates,
            "sheets": self.sheets,
            "blobs": {name: blob.description() for name, blob in self.blobs.items()},
            **texts,
            "missing": [{"what": a, "why": b} for a, b in self.sources.missing.items()],
        }
        return Bundle(manifest, {name: bytes(blob.data) for name, blob in self.blobs.items()})

    def _texts(self) -> dict[str, Any]:
        """Return the sentences of the report's first screen, and what is said of construction."""
        record = self.sources.record
        if record is None:
            return {"answers": [], "construction": ""}
        sets: dict[str, Any] = {name: self.sources[name] for name in SETS}
        said = statements.measured(statements.say_all(statements.Findings(record, **sets)))
        construction = [said[name].sentence for name in CLAIMS if name in said]
        answers = [sentence for sentence in statements.first_sentences(said) if sentence]
        return {"answers": answers, "construction": " ".join(construction)}

    def _observations(self) -> list[dict[str, Any]]:
        """Return what was harvested of the run."""
        try:
            return [one.entry() for one in statements.read(self.sources.run.path)]
        except OntogenyError as error:
            path = self.sources.run.path
            self.sources.missing["observations"] = (
                str(error)
                if (path / "observations.json").exists()
                else f"none were harvested yet: run `ontogeny report {path.name}`"
            )
            return []

    def _run(self) -> dict[str, Any]:
        """Describe the run."""
        run = self.sources.run
        said = run.description
        found = {
            "name": run.path.name, "task": said["task"]["name"], "state": run.state,
            "failure": said.get("failure"), "seed": said["config"]["seed"],
            "parameters": said["parameters"], "steps": said["config"]["steps"],
            "precision": said["config"].get("precision", ""),
            "image": [*(said["task"]["size"] or [0, 0]), said["task"]["channels"]],
            "density": said["task"]["density"], "config": said["config"],
            "versions": said.get("versions", {}), "parent": _parent(said),
        }  # fmt: skip
        measures = self.sources["measures"] if self.sources.record is not None else None
        if measures is not None:
            found |= {n: float(measures[n]) for n in ("chance", "chance_low", "chance_high")}
        else:
            found["chance"] = 1 / len(said["task"]["tokens"])
        return found | {"edges": getattr(self, "kept", None)}


def _parent(said: dict[str, Any]) -> dict[str, Any] | None:
    """Return which run this one is a twin of, by its name, and from which step."""
    parent = said.get("parent")
    return parent and {"name": Path(parent["path"]).name, "step": parent["step"]}


FEATURES = 3
"""Features named of each unit."""


def best_features(gains: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Return of each unit the features that it gains most, and those gains, [step, unit, rank].

    Of the features that no recombination reaches, by gain; -1 and NaN where there are no more.
    """
    gain, p = (gains[name].values for name in ("gain_feature", "p_feature"))
    least = 1 / (1 + gains.attrs["deals"])
    own = np.where((p <= least + 1e-6) & (gain > 0), gain, -np.inf)
    place = np.argsort(-own, axis=2, kind="stable")[..., :FEATURES]
    size = np.take_along_axis(own, place, axis=2)
    is_there = np.isfinite(size)
    dims, said = ("step", "unit", "rank"), gains["gain_feature"].attrs
    which = xr.DataArray(np.where(is_there, place, -1), dims=dims)
    return which, xr.DataArray(np.where(is_there, size, np.nan), dims=dims, attrs=said)


def _feature_names(gains: xr.Dataset) -> list[str]:
    """Return the features' names, each with those that the same exemplars have."""
    names, also = (gains[name].values.astype(str) for name in ("feature", "feature_also"))
    return [f"{name} ({more})" if more else name for name, more in zip(names, also, strict=True)]


def _of_edges(values: xr.DataArray, chosen: np.ndarray) -> xr.DataArray:
    """Read chosen edges step by step, so that one step of all edges is in memory."""
    rows = [values.isel(step=k).values[chosen].astype(np.float32) for k in range(len(values))]
    return xr.DataArray(np.stack(rows), dims=values.dims, attrs=values.attrs)


def _layers(record: xr.Dataset) -> list[dict[str, Any]]:
    """Return the span of each layer on the unit axis."""
    names, found = record[LAYER].values.astype(str).tolist(), []
    known = dict(zip(record.attrs["layers"], record.attrs.get("kinds") or [], strict=False))
    for name in dict.fromkeys(names):
        kind = known.get(name) or ("conv" if name.startswith("conv") else "dense")
        kind = "logits" if name == "logits" else kind
        found.append(
            {"name": name, "kind": kind, "first": names.index(name), "count": names.count(name)}
        )
    return found
