"""Records whose couplings have a null, and known wiring."""

import numpy as np

from records import described, make_record

LEVELS = (0.95, 0.99, 0.999)


def with_nulls(record, *, coupling=0.5, contrast=0.5):
    """Add what permuted weights give: these bounds at .99, less at .95, more at .999."""
    shape = (record.sizes["step"], record.sizes["unit"], 1)
    factors = np.array([0.8, 1.0, 1.5])
    dims = ("step", "unit", "level")
    return described(
        record.assign(
            coupling_null=(dims, np.broadcast_to(coupling * factors, (*shape[:2], 3)).copy()),
            coupling_contrast_null=(
                dims,
                np.broadcast_to(contrast * factors, (*shape[:2], 3)).copy(),
            ),
        ).assign_coords(level=list(LEVELS))
    )


def without_nulls(**options):
    """A record as versions before the nulls wrote it."""
    names = ("coupling_null", "coupling_contrast_null", "edge_attribution", "level")
    return make_record(**options).drop_vars(names, errors="ignore")


def quiet_record(**options):
    """A record with nulls and couplings below them, drawn anew at every step."""
    record = with_nulls(make_record(**options))
    rng = np.random.default_rng(5)
    record["coupling"].values[:] = rng.uniform(-0.2, 0.2, record["coupling"].shape)
    contrast = rng.uniform(-0.2, 0.2, record["coupling_contrast"].shape)
    record["coupling_contrast"].values[:] = contrast
    return record


def edge_index(record, source, target):
    """Return the index of an edge."""
    found = (record["source"].values == source) & (record["target"].values == target)
    return int(np.flatnonzero(found)[0])


def grouped():
    """A record whose layer conv2 has two groups: even channels see even ones, odd see odd."""
    record = make_record()
    pairs = zip(record["source"].values.tolist(), record["target"].values.tolist(), strict=True)
    return record.isel(edge=[
        not t.startswith("conv2") or int(s.partition(":")[2]) % 2 == int(t.partition(":")[2]) % 2
        for s, t in pairs
    ])  # fmt: skip
