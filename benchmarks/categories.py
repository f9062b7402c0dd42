"""Kernels of category structure against rsatoolbox, pytorch-cka and scikit-dimension.

Both sides get the same arrays and do what their users do: rsatoolbox gets a list with a Dataset of
every step, built anew, and returns one RDMs object. The name of a row says in which precision the
patterns come. A record holds them in single: there our RDMs use products in single precision where
these give four digits, and in double where not, while rsatoolbox computes in single throughout.
Reasons carry the load of the machine, since all ratios suffer from neighbours.
"""

import importlib
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.timing import Row, at_least, missing, paired, release
from ontogeny.stats import cka, dimension, rdm
from ontogeny.stats.tokens import token_means

EXEMPLARS, TOKENS, STEPS = 500, 5, 12
WIDTHS = (32, 32, 64, 64, 128, 128, 256, 256, 256)
"""Units of the default network's layers."""

NOTES = {
    "exemplars, squared Euclid": "both sides are one product of n^2 p multiplications (n = 500, "
    "p = 128: 32 million), of which symmetry saves ours half: .5 ms a step in double, .2 ms in "
    "single, of the peer's 1.7 ms and .65 ms; 3 x is what remains if all else were free",
    "exemplars, correlation": "half of n^2 p multiplications (16 million: .5 ms a step in double, "
    ".2 ms in single) and 4 passes over n^2 (.1 ms), of the peer's 5.6 ms and 3.5 ms",
    "tokens, squared Euclid": "the patterns are read and averaged once (64,000 numbers, 37 us a "
    "step, of which copying them in double is 9 us), the distances take 6 us, of the peer's 145 us",
    "TwoNN": "one product for all neighbours, half of n^2 p multiplications (n = 500; p = 128: 16 "
    "million, .2 ms a step; p = 256: 32 million, .35 ms; in single already), 5 passes over n^2 "
    "(.15 ms), differences with the two found in double (.1 ms), of the peer's 2.7 and 3.3 ms",
}
"""Why a budget cannot be met, by the beginning of the case or the name of the part."""

Comparison = tuple[Callable[[], object], Callable[[], object]]


def rows() -> list[Row]:
    """Measure all comparisons."""
    parts = (
        ("rsatoolbox", "RDM", 10.0, rdm_comparisons),
        ("cka", "debiased CKA", 2.0, cka_comparisons),
        ("skdim", "TwoNN", 5.0, dimension_comparisons),
    )
    found = []
    for module, name, budget, comparisons in parts:
        package = {"cka": "pytorch-cka", "skdim": "scikit-dimension"}.get(module, module)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the peers' own
            try:
                importlib.import_module(module)
            except ImportError as error:
                reason = f"not installed: {error}"
                found.append(missing(name, release(package), f">= {budget:g} x", reason))
                continue
            for case, (ours, peer) in comparisons().items():
                row = at_least(f"{name}, {case}", release(package), paired(ours, peer), budget)
                found.append(explained(row))
    return found


def explained(row: Row) -> Row:
    """Add the load to a row, and the count of operations where its budget is missed."""
    notes = [] if row.met else [why for at, why in NOTES.items() if at in row.name]
    return replace(row, reason="; ".join([*notes, f"load {os.getloadavg()[0]:.1f}"]))


def patterns(n_units: int) -> np.ndarray:
    """Draw responses with some token structure, over steps."""
    rng = np.random.default_rng(n_units)
    token = np.arange(EXEMPLARS) % TOKENS
    means = rng.normal(size=(STEPS, TOKENS, n_units))
    return rng.normal(size=(STEPS, EXEMPLARS, n_units)) + means[:, token]


def rdm_comparisons() -> dict[str, Comparison]:
    """Distances at every step: of exemplars, of tokens, cross-validated."""
    cases = {}
    for precision, x in (("single", patterns(128).astype(np.float32)), ("double", patterns(128))):
        for name, pair in rdm_pairs(x).items():
            cases[f"{name}, {STEPS} steps in {precision}, with Datasets"] = pair
    return cases


def rdm_pairs(x: np.ndarray) -> dict[str, Comparison]:
    """Ours and theirs on the same patterns."""
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm

    token, fold = np.arange(EXEMPLARS) % TOKENS, np.arange(EXEMPLARS) // TOKENS % 4
    labels = {"token": token, "fold": fold}

    def peer(**options: Any) -> Callable[[], object]:
        return lambda: calc_rdm([Dataset(v, obs_descriptors=labels) for v in x], **options)

    def crossnobis() -> np.ndarray:
        return rdm.crossnobis_rdm(rdm.fold_means(x, token, fold, TOKENS))

    return {
        "exemplars, correlation": (lambda: rdm.correlation_rdm(x), peer(method="correlation")),
        "exemplars, squared Euclid": (
            lambda: rdm.squared_euclidean_rdm(x),
            peer(method="euclidean"),
        ),
        "tokens, squared Euclid": (
            lambda: rdm.squared_euclidean_rdm(token_means(x, token, TOKENS)),
            peer(method="euclidean", descriptor="token"),
        ),
        "tokens, crossnobis": (
            crossnobis,
            peer(method="crossnobis", descriptor="token", cv_descriptor="fold"),
        ),
    }


def cka_comparisons() -> dict[str, Comparison]:
    """180 representations (9 layers, 20 steps) against each other."""
    import torch
    from cka import cka_from_features

    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(EXEMPLARS, w)) for w in WIDTHS * 20]
    cases = {}
    for name, precision in (("peer in single", torch.float32), ("peer in double", torch.float64)):
        tensors = [torch.from_numpy(x).to(precision) for x in parts]
        cases[f"180 x 500, {name} precision"] = (
            lambda: cka.cka_matrix(parts),
            lambda tensors=tensors: cka_from_features(tensors, tensors),
        )
    return cases


def dimension_comparisons() -> dict[str, Comparison]:
    """Intrinsic dimension of all exemplars at every step."""
    from skdim.id import TwoNN

    cases = {}
    for n_units in (32, 128, 256):
        x = patterns(n_units)
        cases[f"{STEPS} steps of {n_units} units in double"] = (
            lambda x=x: dimension.two_nn(x),
            lambda x=x: [TwoNN().fit(v).dimension_ for v in x],
        )
    return cases
