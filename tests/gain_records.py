"""Records with recombinations: the own wiring is one more deal, or something is planted.

Units of half a layer share a part of their responses, which is drawn for each deal: shares of units
then spread more than those of independent units do.
"""

import numpy as np

from ontogeny.stats.selectivity import resampled_eta_squared
from records import described, make_record

DEALS, ANCESTORS, FOLDS, DEPTHS = 19, 4, 5, (1, 2)
SHARED, DRIFT = 0.7, 0.3


def with_recombinations(*, rises=None, builds=(), rectified=0.5, seed=0, layers=None, **options):
    """Build a record in which units of layers construct from snapshot `rises[layer]` on.

    Parameters
    ----------
    rises
        Layer -> index of the snapshot from which its own wiring discriminates tokens.
    builds
        Layers whose units then have this from how the layers below are wired.
    rectified
        How much of what the activation discriminates the pre-activation lacks, 0 to 1.
    """
    record = make_record(rises={}, seed=seed, layers=layers, **options)
    record = record.drop_dims(["feature", "deal", "depth", "fold", "stage"], errors="ignore")
    rng, rises = np.random.default_rng([seed, 13]), rises or {}
    token = np.unique(record["exemplar_token"].values, return_inverse=True)[1]
    fold = np.where(np.arange(len(token)) % 2, np.arange(len(token)) // 2 % FOLDS, -1)
    layer = record["layer"].values.astype(str)
    pattern = rng.standard_normal((token.max() + 1, len(layer)))[token]
    after = np.stack([np.arange(record.sizes["step"]) >= rises.get(name, np.inf)
                      for name in layer], axis=1)  # fmt: skip
    strength = 2.0 * after[None, :, None] * pattern

    def draw(count, scale=0.0):
        return _responses(record, layer, count, rng) + scale * strength

    own, score = draw(1, 1.0), lambda values: _scores(values, token, fold)
    dealt = draw(DEALS)
    found = {"rows": score(dealt), "own": score(own)}
    values = _recombined(found) | _linear(draw, score, rectified)
    values |= _features(own, dealt, token, fold)
    values |= _readouts(record, len(after), np.random.default_rng([seed, 14]))
    values |= _ancestors(found, draw, score, np.isin(layer, builds))
    record["activation"].values[:] = own[0].astype(np.float32)
    edges = record.sizes["edge"]
    values["edge_gain"] = (("step", "edge"), rng.standard_normal((len(after), edges)))
    names = [str(name) for name in record["token"].values]
    return described(record.assign(values).assign_coords(
        exemplar_fold=("exemplar", fold), feature=names,
        feature_also=("feature", [""] * len(names)), stage=record.attrs["layers"],
        deal=np.arange(DEALS), depth=list(DEPTHS), fold=np.arange(FOLDS),
    ).assign_attrs(
        nonlinearities=["" if name == "logits" else "ReLU" for name in record.attrs["layers"]],
        ancestors=f"the first {ANCESTORS} deals",
    ))  # fmt: skip


def _responses(record, layer, count, rng):
    """Noise that changes little from step to step, [draw, step, exemplar, unit]."""
    n_steps, n, units = record.sizes["step"], record.sizes["exemplar"], len(layer)
    group = np.unique([f"{name} {k % 2}" for k, name in enumerate(layer)], return_inverse=True)[1]
    parts = []
    for width in (group.max() + 1, units):
        base = rng.standard_normal((count, 1, n, width))
        drift = DRIFT * rng.standard_normal((count, n_steps, n, width)).cumsum(axis=1)
        parts.append(base + drift)
    return SHARED * parts[0][..., group] + np.sqrt(1 - SHARED**2) * parts[1]


def _scores(values, token, fold):
    """Eta squared of all exemplars that score, and with each fold left out, [1 + fold, ...]."""
    mine = fold >= 0
    weights = np.concatenate([np.ones((1, mine.sum())),
                              fold[mine] != np.arange(FOLDS)[:, None]]).astype(float)  # fmt: skip
    flat = np.moveaxis(values, 2, 0)[mine]
    scores = resampled_eta_squared(flat.reshape(len(flat), -1), token[mine], weights)
    return scores.reshape(1 + FOLDS, *flat.shape[1:])


def _recombined(found):
    over = ("step", "unit")
    reached = (found["rows"][1:] >= found["own"][1:]).sum(axis=1)
    return {
        "recombined": ((*over, "deal"), np.moveaxis(found["rows"][0], 0, -1)),
        "reached_left_out": ((*over, "fold"), np.moveaxis(reached, 0, -1)),
    }


def _linear(draw, score, rectified):
    values: dict = {"selectivity_linear": (("step", "unit"), score(draw(1, 1 - rectified))[0, 0])}
    dealt = np.moveaxis(score(draw(DEALS))[0], 0, -1)
    for kind in ("rows", "slices", "taps"):
        values[f"recombined_linear_{kind}"] = (("step", "unit", "deal"), dealt)
    return values


def _readouts(record, n_steps, rng):
    """Layers that no feature is read out of better than of recombined ones."""
    shape = (n_steps, len(record.attrs["layers"]), record.sizes["token"])
    every = rng.random((*shape, DEALS + 1))
    dims = ("step", "stage", "feature")
    return {"readout": (dims, every[..., 0]),
            "readout_recombined": ((*dims, "deal"), every[..., 1:])}  # fmt: skip


def _features(own, dealt, token, fold):
    """Selectivity between exemplars with and without each token."""
    member, rows = token == np.arange(token.max() + 1)[:, None], []
    for has in member:
        one, many = (_scores(part, has.astype(int), fold)[0] for part in (own, dealt))
        rows.append((many.mean(axis=0), (many >= one).sum(axis=0)))
    dims = ("step", "unit", "feature")
    return {
        "recombined_feature": (dims, np.stack([mean for mean, _ in rows], axis=-1)),
        "reached_feature": (dims, np.stack([count for _, count in rows], axis=-1)),
        "feature_member": (("feature", "exemplar"), member),
    }


def _ancestors(found, draw, score, builds):
    """Selectivities on dealt ancestors; layers that build lose there what is planted."""
    over, on, left_out = ("step", "unit", "depth"), [], []
    for _ in DEPTHS:
        with_own = np.where(builds, score(draw(ANCESTORS)), score(draw(ANCESTORS, 1.0)))
        with_dealt = score(draw(ANCESTORS))
        on.append((with_own[0].mean(axis=0), with_dealt[0].mean(axis=0)))
        mean = [part.mean(axis=1) for part in (found["rows"][1:, :ANCESTORS], with_own[1:],
                                               with_dealt[1:])]  # fmt: skip
        left_out.append((found["own"][1:, 0] - mean[0]) - (mean[1] - mean[2]))
    return {
        "on_recombined": (over, np.stack([one for one, _ in on], axis=-1)),
        "recombined_on_recombined": (over, np.stack([two for _, two in on], axis=-1)),
        "building_left_out": ((*over, "fold"), np.moveaxis(np.stack(left_out, axis=-1), 0, -1)),
    }
