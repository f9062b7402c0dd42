"""Small valid records with known content, for tests of what reads a record."""

import hashlib

import numpy as np
import xarray as xr

from ontogeny.measure.keeping import PICTURES, Making, keep
from ontogeny.progress import silent
from ontogeny.record import LEVELS, NAME, PAIRS, SCHEMA, RecordWriter, definition, validate
from ontogeny.run import RunFolder

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
    edges = _edges(layers, len(steps), len(tokens), rng)
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
            "group": ("exemplar", np.arange(len(token)) // group_size),
            "unit": [f"{layer}:{i}" for layer, n in layers.items() for i in range(n)],
            "layer": ("unit", [layer for layer, n in layers.items() for _ in range(n)]),
            "channel": ("unit", [i for n in layers.values() for i in range(n)]),
            "token": list(tokens),
            "split": ["train", "probe"],
            "level": list(LEVELS),
            "pair": range(len(PAIRS)),
            **edges["coordinates"],
        },
        attrs={
            "schema": SCHEMA,
            "seed": seed,
            "data_hash": "0" * 64,
            "layers": list(layers),
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


def _images(token, size, rng):
    noise = rng.integers(0, 60, (len(token), size, size, 3))
    return (noise + 60 * token[:, None, None, None]).clip(0, 255).astype(np.uint8)
