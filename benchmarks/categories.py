"""Kernels of category structure against rsatoolbox, pytorch-cka and scikit-dimension.

Both sides get the same patterns in double precision and return results of that precision. The
peers can be given single precision, in which a matrix product costs half: ours always compute in
double, since small distances between large responses are lost in single.
"""

import importlib
import warnings
from collections.abc import Callable

import numpy as np

from benchmarks.timing import Row, at_least, missing, paired, release
from ontogeny.stats import cka, dimension, rdm

EXEMPLARS, TOKENS, STEPS = 500, 5, 12
WIDTHS = (32, 32, 64, 64, 128, 128, 256, 256, 256)
"""Units of the default network's layers."""

Comparison = tuple[Callable[[], object], Callable[[], object]]


def rows() -> list[Row]:
    """Measure all comparisons."""
    parts = (
        ("rsatoolbox", "RDM over steps", 10.0, rdm_comparisons),
        ("cka", "debiased CKA", 2.0, cka_comparisons),
        ("skdim", "TwoNN over steps", 5.0, dimension_comparisons),
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
                times = paired(ours, peer)
                found.append(at_least(f"{name}, {case}", release(package), times, budget))
    return found


def patterns(n_units: int) -> np.ndarray:
    """Draw responses with some token structure, over steps."""
    rng = np.random.default_rng(n_units)
    token = np.arange(EXEMPLARS) % TOKENS
    means = rng.normal(size=(STEPS, TOKENS, n_units))
    return rng.normal(size=(STEPS, EXEMPLARS, n_units)) + means[:, token]


def rdm_comparisons() -> dict[str, Comparison]:
    """Distances at every step: of exemplars, of tokens, cross-validated."""
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm

    x = patterns(128)
    token, fold = np.arange(EXEMPLARS) % TOKENS, np.arange(EXEMPLARS) // TOKENS % 4
    labels = {"token": token, "fold": fold}

    def peer(**options: str) -> Callable[[], object]:
        return lambda: [calc_rdm(Dataset(v, obs_descriptors=labels), **options) for v in x]

    def crossnobis() -> np.ndarray:
        return rdm.crossnobis_rdm(rdm.fold_means(x, token, fold, TOKENS))

    return {
        "exemplars, correlation": (lambda: rdm.correlation_rdm(x), peer(method="correlation")),
        "exemplars, squared Euclid": (
            lambda: rdm.squared_euclidean_rdm(x),
            peer(method="euclidean"),
        ),
        "tokens, squared Euclid": (
            lambda: rdm.squared_euclidean_rdm(rdm.token_means(x, token, TOKENS)),
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
        cases[f"{n_units} units"] = (
            lambda x=x: dimension.two_nn(x),
            lambda x=x: [TwoNN().fit(v).dimension_ for v in x],
        )
    return cases
