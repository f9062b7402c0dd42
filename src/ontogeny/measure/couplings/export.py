"""The coupling graph at one step as a labelled object, and as networkx, GraphML and parquet.

Couplings are functional (they say what moves with what, through the wiring there is), attributions
are causal to first order, contrast shares are functional. May import numpy, xarray, networkx,
pyarrow (when asked for), ontogeny.stats, ontogeny.measure, ontogeny.files and ontogeny.errors.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import networkx as nx
import numpy as np
import xarray as xr

from ontogeny.errors import InputError
from ontogeny.files import plain_words
from ontogeny.measure.couplings.flow import token_flow
from ontogeny.measure.couplings.wiring import (
    CONTRAST_NULL,
    COUPLING_NULL,
    LEVEL,
    Wiring,
    nodes_named,
    null_bound,
    per_edge,
    wiring_of,
)
from ontogeny.measure.probe import chosen_step, require
from ontogeny.measure.quantity import Quantity, label
from ontogeny.stats.graphs import concentration, hub_p, sharing

ALIVE = 1e-4
"""A unit is alive if its variance is above this fraction of its layer's median."""

_NO_SOURCES, _NO_TARGETS = "the image's channels, inactive units", "logits, units without couplings"
EDGES = {
    "coupling": Quantity(
        ("edge",), "1", "share of the target's pre-activation variance that comes through the "
        "source (functional)", "dead targets", "beyond_null: permuted weights"),
    "coupling_token_signal": Quantity(
        ("edge",), "1", "the part of the coupling that lies between tokens (functional)",
        "dead targets"),
    "coupling_contrast": Quantity(
        ("edge", "token"), "1", "share of what distinguishes the token at the target (functional)",
        "targets that do not tell the token", "contrast_beyond_null: permuted weights"),
    "edge_attribution": Quantity(
        ("edge", "token"), "1", "effect of the edge on the token's logit, to first order (causal)",
        "snapshots between those at which it is observed"),
    "beyond_null": Quantity(("edge",), "1", "coupling larger than with permuted weights"),
    "contrast_beyond_null": Quantity(
        ("edge", "token"), "1", "contrast share larger than with permuted weights"),
}  # fmt: skip
NODES = {
    "variance": Quantity(
        ("node",), "a.u.^2", "variance of the activation over the probe's exemplars and positions",
        "the image's channels"),
    "alive": Quantity(("node",), "1", "varies more than 1e-4 of its layer's median"),
    "in_concentration": Quantity(
        ("node",), "edges", "effective number of sources, 1 / sum of squared shares", _NO_SOURCES),
    "out_concentration": Quantity(
        ("node",), "edges", "effective number of targets, 1 / sum of squared shares", _NO_TARGETS),
    "out_strength": Quantity(
        ("node",), "1", "sum of |coupling| over its targets", "logits",
        "hub_p: couplings of each target shuffled"),
    "hub_p": Quantity(
        ("node",), "1", "chance of an out-strength as large if each target's couplings were "
        "shuffled", _NO_TARGETS),
    "reuse": Quantity(
        ("node",), "edges", "targets that it is coupled to beyond permuted weights",
        null="permuted weights"),
    "flow": Quantity(
        ("node", "token"), "1", "share of what distinguishes the token that is traced back to the "
        "node"),
    "sharing": Quantity(
        ("node",), "1", "entropy of the flow over tokens / ln of their number: 0 one token's own, "
        "1 all tokens' alike", "units without flow"),
}  # fmt: skip


def graph(
    record: xr.Dataset,
    step: int | None = None,
    *,
    units: Sequence[str] | None = None,
    level: float = LEVEL,
) -> xr.Dataset:
    """Return the coupling graph at a step.

    Parameters
    ----------
    record
        With couplings.
    step
        A recorded step; None is the last.
    units
        Keep the edges into and out of these only, and the nodes they touch; None: all.
    level
        Share of the null's couplings that an edge beyond it exceeds.

    Returns
    -------
    xr.Dataset
        Over `edge` with `source` and `target`: `coupling`, and what the record holds of
        `coupling_token_signal`, `coupling_contrast` (edge, token), `edge_attribution`
        (edge, token), `beyond_null`, `contrast_beyond_null` (edge, token). Over `node` with
        `layer` and `channel`: `variance`, `alive`, `in_concentration`, `out_concentration`,
        `out_strength`, `hub_p`, `reuse`, `flow` (node, token), `sharing`; NaN where they have no
        meaning (a pixel has no variance in the record, a logit no targets). Attributes: `step`,
        `layers`, `missing`, what the record lacks.

    Raises
    ------
    InputError
        If the record lacks couplings, the step, the units or the level.

    Examples
    --------
    The three units from which most of the variance of cleo's logit comes:

    >>> found = ont.measure.graph(record, units=["logits:2"])
    >>> edges = found[["source", "coupling", "beyond_null"]].to_dataframe()
    >>> edges.nlargest(3, "coupling").round(2)
          source  coupling  beyond_null    target
    edge
    4      fc1:4      0.23        False  logits:2
    14    fc1:14      0.15        False  logits:2
    3      fc1:3      0.11        False  logits:2
    """
    require(record, "coupling")
    wiring, at = wiring_of(record), chosen_step(record, step)
    kept = slice(None) if units is None else _touching(wiring, nodes_named(wiring, units))
    here = record.sel(step=at)
    edges, missing = _edges(record, here, wiring, level)
    nodes = _nodes(here, wiring, edges)
    channel = [int(str(name).rpartition(":")[2]) for name in wiring.nodes]
    where = {
        "source": ("edge", wiring.nodes[wiring.source]),
        "target": ("edge", wiring.nodes[wiring.target]),
        "node": wiring.nodes, "layer": ("node", np.array(wiring.layers)[wiring.node_layer]),
        "channel": ("node", channel), "token": record["token"].values.astype(str),
    }  # fmt: skip
    about = {"step": at, "layers": list(wiring.layers), "level": level, "missing": missing}
    data = label(edges | nodes, EDGES | NODES, where, attributes=about)
    if units is None:
        return data
    touched = np.union1d(wiring.source[kept], wiring.target[kept])
    return data.isel(edge=kept, node=touched)


def to_networkx(graph: xr.Dataset) -> nx.DiGraph:
    """Return a graph as networkx: every variable an attribute, a token's as `name token`.

    NaN attributes are left out.

    Examples
    --------
    >>> found = ont.measure.to_networkx(ont.measure.graph(record, units=["logits:2"]))
    >>> found.number_of_nodes(), found.number_of_edges()
    (17, 16)
    >>> round(found.edges["fc1:4", "logits:2"]["coupling"], 2)
    0.23
    """
    found = nx.DiGraph(step=int(graph.attrs["step"]), layers=" ".join(graph.attrs["layers"]))
    nodes, edges = _columns(graph, "node"), _columns(graph, "edge")
    found.add_nodes_from(zip(nodes.pop("node"), _rows(nodes), strict=True))
    ends = edges.pop("source"), edges.pop("target")
    found.add_edges_from(zip(*ends, _rows(edges), strict=True))
    return found


def write_graphml(graph: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write a graph as GraphML (Gephi, Cytoscape, igraph read it); return the file.

    Raises
    ------
    RunError
        If the file cannot be written.

    Examples
    --------
    >>> import networkx
    >>> file = ont.measure.write_graphml(ont.measure.graph(record), "tiny.graphml")
    >>> len(networkx.read_graphml(file)) == record.sizes["unit"] + 3  # and three colours of pixels
    True
    """
    file = Path(path)
    with plain_words(file):
        nx.write_graphml(to_networkx(graph), file)
    return file


def write_parquet(graph: xr.Dataset, folder: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write a graph as two tables, nodes.parquet and edges.parquet, in a folder; return both.

    Raises
    ------
    InputError
        If pyarrow is not installed.
    RunError
        If the files cannot be written.

    Examples
    --------
    >>> import pandas
    >>> nodes, edges = ont.measure.write_parquet(ont.measure.graph(record), "tables")
    >>> len(pandas.read_parquet(nodes)), len(pandas.read_parquet(edges))
    (46, 456)
    """
    arrow, parquet = _pyarrow()
    home, files = Path(folder), []
    with plain_words(home):
        home.mkdir(parents=True, exist_ok=True)
        for axis in ("node", "edge"):
            file = home / f"{axis}s.parquet"
            table = arrow.table(_columns(graph, axis))
            notes = {"step": str(graph.attrs["step"]), "layers": " ".join(graph.attrs["layers"])}
            parquet.write_table(table.replace_schema_metadata(notes), file)
            files.append(file)
    return files[0], files[1]


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    """Return pyarrow and its parquet module, or say which extra brings them.

    Raises
    ------
    InputError
        If pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        msg = (
            'expected pyarrow to write parquet, got none: pip install "ontogeny[table]", or write '
            "GraphML"
        )
        raise InputError(msg) from error
    return pyarrow, parquet


def _touching(wiring: Wiring, nodes: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.isin(wiring.source, nodes) | np.isin(wiring.target, nodes))


def _edges(
    record: xr.Dataset, here: xr.Dataset, wiring: Wiring, level: float
) -> tuple[dict[str, np.ndarray], str]:
    """Return what the record holds of edges at a step, and what it lacks in words."""
    found, missing = {}, []
    for name in ("coupling", "coupling_token_signal", "coupling_contrast", "edge_attribution"):
        if name in record:
            found[name] = here[name].values.astype(np.float32)
        else:
            missing.append(name)
    steps = record["step"].values.tolist()
    at = steps.index(int(here["step"]))
    for flag, of, null in (
        ("beyond_null", "coupling", COUPLING_NULL),
        ("contrast_beyond_null", "coupling_contrast", CONTRAST_NULL),
    ):
        if of in found and null in record:
            bound = per_edge(null_bound(record, null, level)[at], wiring)
            size = np.abs(found[of])
            found[flag] = size > (bound if size.ndim == 1 else bound[:, None])
        else:
            missing.append(flag)
    return found, ", ".join(missing)


def _nodes(here: xr.Dataset, wiring: Wiring, edges: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute what is known of nodes at a step."""
    s, t, n = wiring.source, wiring.target, wiring.n_nodes
    size = np.abs(edges["coupling"]).astype(np.float64)
    variance, alive = np.full(n, np.nan), np.zeros(n, dtype=bool)
    variance[wiring.n_pixels :] = here["unit_variance"].values
    for layer in range(len(wiring.layers)):
        own = wiring.members(layer)
        alive[own] = variance[own] > ALIVE * np.median(variance[own])
    found = {
        "variance": variance, "alive": alive,
        "in_concentration": concentration(size, t, n),
        "out_concentration": concentration(size, s, n),
        "out_strength": strength(size, wiring), "hub_p": hub_p(size, s, t, n),
    }  # fmt: skip
    if "beyond_null" in edges:
        found["reuse"] = np.bincount(s, edges["beyond_null"], n)
    if "coupling_contrast" in edges:
        flow, _ = token_flow(edges["coupling_contrast"], wiring)
        found |= {"flow": flow, "sharing": sharing(flow)}
    return found


def strength(size: np.ndarray, wiring: Wiring) -> np.ndarray:
    """Return the sum of each node's couplings to its targets; NaN for nodes of the last layer."""
    total = np.bincount(wiring.source, np.nan_to_num(size), wiring.n_nodes)
    return np.where(wiring.node_layer == len(wiring.layers) - 1, np.nan, total)


def _columns(graph: xr.Dataset, axis: str) -> dict[str, list[Any]]:
    """Return everything along an axis as named columns of plain values."""
    columns: dict[str, list[Any]] = {}
    tokens = [str(token) for token in graph["token"].values]
    for name, variable in graph.variables.items():
        if variable.dims == (axis,):
            columns[str(name)] = variable.values.tolist()
        elif variable.dims == (axis, "token"):
            columns |= {
                f"{name} {token}": variable.values[:, k].tolist() for k, token in enumerate(tokens)
            }
    return columns


def _rows(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Return one dictionary per row; NaN is left out."""
    names = list(columns)
    return [
        {name: value for name, value in zip(names, row, strict=True) if value == value}
        for row in zip(*columns.values(), strict=True)
    ]
