"""The coupling graph over 61 steps of the default network against its budgets in seconds.

There is no peer: no other package follows couplings over training. The record is made up: the
sizes, not the values, cost time.
"""

from itertools import pairwise

import numpy as np
import xarray as xr

from benchmarks.timing import Row, seconds
from ontogeny.measure.couplings.assemblies import assemblies
from ontogeny.measure.couplings.edges import edge_lives, token_edge_lives
from ontogeny.measure.couplings.over_steps import graph_nodes

WIDTHS = {"pixels": 3, "conv1": 32, "conv2": 32, "conv3": 64, "conv4": 64, "conv5": 128,
          "conv6": 128, "conv7": 256, "conv8": 256, "fc1": 256, "logits": 5}  # fmt: skip
STEPS, TOKENS = 61, 5


def rows() -> list[Row]:
    """Measure the parts that read every edge at every step."""
    record = made_up()
    parts = (
        ("births and deaths of 197k edges, 61 steps", 10.0, lambda: edge_lives(record)),
        ("the same for 5 tokens", 20.0, lambda: token_edge_lives(record)),
        ("nodes over 61 steps", 10.0, lambda: graph_nodes(record)),
        ("assemblies over 61 steps, 19 nulls each", 30.0, lambda: assemblies(record)),
    )
    found = []
    for name, budget, act in parts:
        mine = seconds(act)
        found.append(Row(name, mine, None, "none", mine, f"<= {budget:g} s", mine <= budget))
    return found


def made_up() -> xr.Dataset:
    """Draw couplings that drift from step to step, with bounds that 1 % and 5 % of them pass."""
    rng = np.random.default_rng(0)
    layers = list(WIDTHS)
    names = {k: [f"{k}:{i}" for i in range(n)] for k, n in WIDTHS.items()}
    pairs = [(s, t) for a, b in pairwise(layers)
             for t in names[b] for s in names[a]]  # fmt: skip
    units = [u for k in layers[1:] for u in names[k]]
    walk = rng.standard_normal((STEPS, len(pairs)), dtype=np.float32)
    for k in range(1, STEPS):
        walk[k] = 0.9 * walk[k - 1] + 0.44 * walk[k]
    contrast = (walk[..., None] * rng.standard_normal(TOKENS)).astype(np.float16)
    bounds = np.broadcast_to([1.96, 2.58, 3.29], (STEPS, len(units), 3))
    scale = np.broadcast_to([2.0, 3.0, 4.0], (STEPS, len(units), 3))
    return xr.Dataset(
        {"coupling": (("step", "edge"), walk),
         "coupling_contrast": (("step", "edge", "token"), contrast),
         "coupling_null": (("step", "unit", "level"), bounds),
         "coupling_contrast_null": (("step", "unit", "level"), scale)},
        {"step": np.arange(STEPS), "unit": units, "token": [f"t{k}" for k in range(TOKENS)],
         "layer": ("unit", [u.partition(":")[0] for u in units]), "level": [0.95, 0.99, 0.999],
         "source": ("edge", [s for s, _ in pairs]), "target": ("edge", [t for _, t in pairs])},
    )  # fmt: skip
