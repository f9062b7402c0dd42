"""Small valid records with known content, for tests of what reads a record."""

import hashlib

import numpy as np
import xarray as xr

from ontogeny.measure.keeping import PICTURES, Making, keep
from ontogeny.progress import silent
from ontogeny.record import LEVELS, NAME, PAIRS, SCHEMA, RecordWriter, definition, validate
from ontogeny.run import RunFolder
from ontogeny.stats.features import features
from ontogeny.stats.groups import half_of_groups, ranks_of_groups
from ontogeny.stats.selectivity import eta_squared

TOKENS = ("ada", "bo", "cy")
LAYERS = {"conv1": 6, "conv2": 8, "fc1": 8, "logits": 3}
STEPS = (0, 1, 2, 3, 4, 6, 8, 11, 15, 21, 30, 42)
RISES = {"conv1": 7, "conv2": 5, "fc1": 4, "logits": 4}
"""Index of the snapshot from which each layer's token signal is planted."""


def make_record(
    *,
    tokens=TOKENS,
    layers=None,
    steps=STEPS,
    rises=None,
    exemplars=20,
    strength=2.0,
    group_size=1,
    seed=0,
    size=6,
):
    """Build a record whose layer's units tell tokens apart from the snapshot `rises[layer]` on.

    `rises={}` plants nothing: activations and logits are noise, the same at all steps but for a
    small change, as those of a network that does not learn.
    """
    layers = dict(LAYERS if layers is None else layers) | {"logits": len(tokens)}
    rises = RISES if rises is None else rises
    rng = np.random.default_rng(seed)
    token = np.repeat(np.arange(len(tokens)), exemplars)
    steps = np.asarray(steps)
    activation = np.concatenate(
        [_layer(n, token, rises.get(layer), len(steps), strength, rng, layer == "logits")
         for layer, n in layers.items()],
        axis=2,
    )  # fmt: skip
    logit = activation[:, :, -len(tokens) :].copy()
    group = np.arange(len(token)) // group_size
    edges = _edges(layers, len(steps), len(tokens), rng)
    recombined = _recombinations(activation, token, group, tokens, edges, seed, list(layers))
    record = xr.Dataset(
        {
            **_curves(logit, token, len(tokens)),
            "activation": (("step", "exemplar", "unit"), activation.astype(np.float32)),
            "activation_maximum": (("step", "exemplar", "unit"), activation.astype(np.float32)),
            "logit": (("step", "exemplar", "token"), logit.astype(np.float32)),
            "unit_mean": (("step", "unit"), activation.mean(axis=1)),
            "unit_variance": (("step", "unit"), activation.var(axis=1)),
            "unit_maximum": (("step", "unit"), activation.max(axis=1)),
            **edges["variables"],
            **_extras(layers, edges, logit, token, seed),
            **recombined["variables"],
            "image": (("exemplar", "y", "x", "channel"), _images(token, size, rng)),
        },
        coords={
            "step": steps,
            "epoch": ("step", steps / 10),
            "examples_seen": ("step", steps * 50),
            "weights_hash": (
                "step",
                [hashlib.sha256(bytes([seed, k])).hexdigest() for k in range(len(steps))],
            ),
            "exemplar": np.arange(len(token)) + 100,
            "exemplar_token": ("exemplar", np.array(tokens)[token]),
            "exemplar_split": ("exemplar", np.full(len(token), "probe")),
            "group": ("exemplar", group),
            "unit": [f"{layer}:{i}" for layer, n in layers.items() for i in range(n)],
            "layer": ("unit", [layer for layer, n in layers.items() for _ in range(n)]),
            "channel": ("unit", [i for n in layers.values() for i in range(n)]),
            "token": list(tokens),
            "split": ["train", "probe"],
            "level": list(LEVELS),
            "pair": range(len(PAIRS)),
            **edges["coordinates"],
            **recombined["coordinates"],
        },
        attrs={
            "schema": SCHEMA,
            "seed": seed,
            "data_hash": "0" * 64,
            "layers": list(layers),
            "nonlinearities": ["ReLU"] * (len(layers) - 1) + [""],
            "ancestors": "the first 4 deals",
            "config": {"steps": int(steps[-1])},
            "versions": {"ontogeny": "0"},
            "tokens": list(tokens),
        },
    )
    return described(record)


def described(record):
    """Give every variable the schema's units, definition and type, and check the whole."""
    for name in record.variables:
        known = definition(str(name))
        record[name].attrs |= {"units": known.units, "long_name": known.long_name}
        if known.dtype not in {"", "string"}:
            record[name] = record[name].astype(known.dtype)
    validate(record)
    return record


def write_record(record, path):
    """Write a record as observing does: laid out empty, then appended step by step."""
    grows = [str(name) for name, v in record.variables.items() if v.dims[:1] == ("step",)]
    with RecordWriter.create(path, record.isel(step=slice(0, 0))) as writer:
        for k in range(record.sizes["step"]):
            writer.append({name: record[name].values[k] for name in grows})


def make_run(path, record, *, state="complete", name="faces", failure=None):
    """Lay out a run folder with this record, and first-layer filters at its steps."""
    tokens = [str(token) for token in record["token"].values]
    run = RunFolder(path)
    description = {
        "config": {"steps": int(record["step"][-1]), "seed": 0},
        "task": {
            "name": name, "hash": record.attrs["data_hash"], "tokens": tokens,
            "density": dict.fromkeys(tokens, 600), "size": [6, 6], "channels": 3, "origin": {},
        },
        "parameters": 1234, "failure": failure, "warnings": [],
    }  # fmt: skip
    rng = np.random.default_rng(0)
    with run.writing():
        run.begin(description, tokens)
        run.amend(state=state)
        for step in record["step"].values:
            weight = rng.standard_normal((6, 3, 3, 3)).astype(np.float32)
            run.write_snapshot(int(step), {"conv1.weight": weight})
    write_record(record, run.path / NAME)
    return run


def keep_pictures(run, pictures):
    """Keep pictures that no network made in the run's folder, as fresh ones of its record."""
    keep(run, Making(PICTURES, {}, lambda record, save: pictures), silent)


def _layer(n_units, token, rise, n_steps, strength, rng, is_logits):
    """Noise that hardly changes, and from snapshot `rise` on a mean per token."""
    n_tokens = token.max() + 1
    noise = rng.standard_normal((1, len(token), n_units))
    noise = noise + 0.05 * rng.standard_normal((n_steps, len(token), n_units))
    pattern = np.eye(n_tokens) if is_logits else rng.standard_normal((n_tokens, n_units))
    after = np.arange(n_steps) >= (n_steps if rise is None else rise)
    return noise + strength * after[:, None, None] * pattern[token]


def _curves(logit, token, n_tokens):
    """Loss and accuracies of the logits; training is taken to be as good as the probe."""
    right = logit.argmax(axis=2) == token
    peak = logit - np.log(np.exp(logit).sum(axis=2, keepdims=True))
    loss = -peak[:, np.arange(len(token)), token].mean(axis=1)
    each = np.stack([right[:, token == c].mean(axis=1) for c in range(n_tokens)], axis=1)
    return {
        "loss": (("step", "split"), np.stack([loss, loss], axis=1)),
        "accuracy": (("step", "split"), np.stack([right.mean(axis=1)] * 2, axis=1)),
        "token_accuracy": (("step", "split", "token"), np.stack([each, each], axis=1)),
    }


def _edges(layers, n_steps, n_tokens, rng):
    """Couplings between neighbouring layers; rows sum to 1."""
    sizes = {"pixels": 3, **layers}
    names = list(sizes)
    source, target, values = [], [], []
    for above, layer in zip(names[1:], names[:-1], strict=True):
        raw = rng.standard_normal((n_steps, sizes[above], sizes[layer])) + 0.5
        values.append((raw / raw.sum(axis=2, keepdims=True)).reshape(n_steps, -1))
        target += [f"{above}:{j}" for j in range(sizes[above]) for _ in range(sizes[layer])]
        source += [f"{layer}:{i}" for _ in range(sizes[above]) for i in range(sizes[layer])]
    coupling = np.concatenate(values, axis=1).astype(np.float32)
    contrast = rng.standard_normal((*coupling.shape, n_tokens)).astype(np.float16)
    return {
        "n_first": sizes[names[1]],
        "variables": {
            "coupling": (("step", "edge"), coupling),
            "coupling_token_signal": (("step", "edge"), coupling / 2),
            "coupling_contrast": (("step", "edge", "token"), contrast),
        },
        "coordinates": {
            "edge": np.arange(len(source)),
            "source": ("edge", source),
            "target": ("edge", target),
        },
    }


def _extras(layers, edges, logit, token, seed):
    """Nulls, attribution, interaction and clones: noise, but for what follows from couplings.

    Nulls are the quantiles of the noise that the couplings are; parents are the strongest ones.
    Clones are named as the exemplars are, but for a fifth of them. A generator of its own, so that
    the rest of the record stays as it is without these.
    """
    rng, sizes, n_steps = np.random.default_rng([seed, 1]), {"pixels": 3, **layers}, len(logit)
    coupling, contrast = (edges["variables"][f"coupling{x}"][1] for x in ("", "_contrast"))
    nulls, contrast_nulls, first, second, start = [], [], [], [], 0
    for below, n in zip(sizes, layers.values(), strict=False):
        span = slice(start, start + n * sizes[below])
        start = span.stop
        mine = np.abs(coupling[:, span])
        for found, values in ((nulls, mine), (contrast_nulls, np.abs(contrast[:, span]))):
            value = np.quantile(values.reshape(n_steps, -1).astype(float), LEVELS, axis=1).T
            found.append(np.repeat(value[:, None], n, axis=1))
        parents = np.argsort(-mine.reshape(n_steps, n, -1), axis=2)[:, :, :3]
        parents = np.pad(parents, [(0, 0), (0, 0), (0, 3 - parents.shape[2])], constant_values=-1)
        first.append(parents[:, :, [a for a, _ in PAIRS]])
        second.append(parents[:, :, [b for _, b in PAIRS]])
    interaction = 0.05 * rng.standard_normal((n_steps, sum(layers.values()), len(PAIRS)))
    interaction[:, -layers["logits"] :] = 0  # no nonlinearity
    interaction[np.concatenate(second, axis=1) < 0] = np.nan  # no such pair
    n_tokens = logit.shape[2]
    mixed = np.where(rng.random((1, len(token), 1)) < 0.2, rng.permuted(logit, axis=2), logit)
    curves = {name: values[:, 1] for name, (_, values) in _curves(mixed, token, n_tokens).items()}
    over_units = ("step", "unit")
    return {
        "coupling_null": ((*over_units, "level"), np.concatenate(nulls, axis=1)),
        "coupling_contrast_null": ((*over_units, "level"), np.concatenate(contrast_nulls, axis=1)),
        "edge_attribution": (
            ("step", "edge", "token"), 0.01 * rng.standard_normal((*coupling.shape, n_tokens)),
        ),
        "interaction": ((*over_units, "pair"), interaction),
        "interaction_first": ((*over_units, "pair"), np.concatenate(first, axis=1)),
        "interaction_second": ((*over_units, "pair"), np.concatenate(second, axis=1)),
        "clone_loss": ("step", curves["loss"]),
        "clone_accuracy": ("step", curves["accuracy"]),
        "clone_token_accuracy": (("step", "token"), curves["token_accuracy"]),
    }  # fmt: skip


def _recombinations(activation, token, group, tokens, edges, seed, layers):
    """Recombinations that keep a tenth of what units say of tokens, and a layer below that does.

    Observed behind the nonlinearity at every other step and the last, above shuffled layers at the
    first and the last. A generator of its own, as extras have.
    """
    rng = np.random.default_rng([seed, 2])
    n_steps, _, n_units = activation.shape
    half, rank = half_of_groups(token, group), ranks_of_groups(token, group)
    fold = np.where(half == 1, rank // 2 % min(20, max(2, rank.max() // 2)), -1)
    n_folds, mine = int(fold.max()) + 1, fold >= 0
    own = np.nan_to_num(eta_squared(activation[:, mine], token[mine]))[..., None]
    dealt = (
        0.1 * own + rng.beta(1, 12, (1, n_units, 19)) + 0.01 * rng.random((n_steps, n_units, 19))
    )
    found, also = features(token, tokens, {})
    member = np.stack([*found.values(), np.zeros(len(token), bool)])[:-1]
    reached = (dealt >= own).sum(axis=2)[..., None]
    building = 0.3 * own + 0.02 * rng.standard_normal((n_steps, n_units, 2))
    building[:, : edges["n_first"], :] = np.nan  # nothing lies below the first layer
    values = {
        "selectivity_linear": own[..., 0],
        "recombined_linear_rows": dealt,
        "recombined_linear_slices": dealt,
        "recombined_linear_taps": 0.9 * own + 0.1 * dealt,
        "recombined": dealt,
        "recombined_feature": np.repeat(dealt.mean(axis=2)[..., None], len(found), axis=2),
        "reached_feature": np.repeat(reached, len(found), axis=2),
        "reached_left_out": np.repeat(reached, n_folds, axis=2),
        "on_recombined": 0.5 * own + np.zeros(2) * building,
        "recombined_on_recombined": 0.5 * own
        - (own - dealt[..., :4].mean(2)[..., None] - building),
        "building_left_out": building[..., None]
        + 0.02 * rng.standard_normal((*building.shape, n_folds)),
        "edge_gain": 0.05 * rng.standard_normal((n_steps, len(edges["coordinates"]["edge"]))),
    }
    # better read out than recombined layers from the second step on
    score = 0.3 * rng.random((n_steps, len(layers), len(found)))
    by_deal = score[..., None] + 0.02 * rng.standard_normal((*score.shape, 19))
    score[1:] += 0.3
    values |= {"readout": score, "readout_recombined": by_deal}
    seen = (np.arange(n_steps) % 2 == 0) | (np.arange(n_steps) == n_steps - 1)
    most = np.isin(np.arange(n_steps), [0, n_steps - 1])
    above = {"on_recombined", "recombined_on_recombined", "building_left_out", "edge_gain"}
    for name in values.keys() - {"selectivity_linear", "recombined_linear_rows"}:
        known = most if name in above else seen
        values[name] = np.where(
            known.reshape(-1, *[1] * (values[name].ndim - 1)), values[name], np.nan
        )
    return {
        "variables": {"feature_member": (("feature", "exemplar"), member)}
        | {name: (definition(name).dims, value) for name, value in values.items()},
        "coordinates": {
            "exemplar_fold": ("exemplar", fold), "deal": range(19), "depth": [1, 2],
            "stage": layers, "fold": range(n_folds), "feature": np.array(list(found), dtype=str),
            "feature_also": ("feature", np.array([", ".join(also[f]) for f in found], dtype=str)),
        },
    }  # fmt: skip


def _images(token, size, rng):
    noise = rng.integers(0, 60, (len(token), size, size, 3))
    return (noise + 60 * token[:, None, None, None]).clip(0, 255).astype(np.uint8)
