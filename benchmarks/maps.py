"""Maps of the probe that can be compared between steps, beside umap-learn's AlignedUMAP."""

import os
import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist, squareform
from scipy.special import gamma
from torch import nn

from benchmarks.timing import Row, at_least, missing, release, seconds
from ontogeny.config import Config
from ontogeny.hooks import Probe, observe_network
from ontogeny.stats.embedding import mds_map, neighbour_map, pca_map
from ontogeny.stats.mapquality import data_motion, map_motion, map_quality
from ontogeny.tasks import load_task
from ontogeny.train import train

STEPS, SNAPSHOTS = 300, 59
N_LAYERS = 9
"""conv1 ... conv8 and fc1."""
COMPARED, SLICES = ("conv4", "conv8"), 10
PEER = "umap-learn"
ALL_MAPS = "neighbour, MDS and PCA maps with their quality, 60 steps x 9 layers"
BUDGETS = {
    "a map of 500 exemplars, 60 steps x 9 layers": "<= 30 s",
    "a map, for each slice of 500": ">= 50 x",
    "trustworthiness of the maps (k = 10)": ">= peer - 0.02",
    "jitter between frames, in radii": "<= 1 x",
    "evenness of the map of a Gaussian cloud (less than 1: clumps made of nothing)": ">= 1 x",
}


def rows() -> list[Row]:
    """Map a short run on faces; ten of its steps go to the peer as well."""
    layers = activations()
    chosen = list(layers.values())[:N_LAYERS]
    return [whole(chosen), all_maps(chosen), *beside_peer(layers)]


def activations() -> dict[str, np.ndarray]:
    """Train, and gather the probe's spatial means: layer -> [step, exemplar, unit]."""
    task = load_task("faces")
    probe = Probe(task.images[task.probe], task.token[task.probe])
    seen: list[dict[str, np.ndarray]] = []

    def watcher(_: int, network: nn.Module) -> None:
        seen.append(by_layer(network, probe))

    with tempfile.TemporaryDirectory() as folder:
        config = Config(steps=STEPS, snapshots=SNAPSHOTS)
        train(task, config=config, out=Path(folder) / "run", watchers=[watcher])
    return {layer: np.stack([step[layer] for step in seen]) for layer in seen[0]}


def by_layer(network: nn.Module, probe: Probe) -> dict[str, np.ndarray]:
    observed = observe_network(network, probe, couplings=False)
    ends = np.cumsum(observed.wiring.n_units)[:-1]
    parts = np.split(observed.activation, ends, axis=1)
    return dict(zip(observed.wiring.layers, parts, strict=True))


def whole(layers: list[np.ndarray]) -> Row:
    """All layers in turn: two at a time, each with BLAS's own threads, get in each other's way."""

    def act() -> None:
        for x in layers:
            neighbour_map(x)

    name = "a map of 500 exemplars, 60 steps x 9 layers"
    took = seconds(act)
    return Row(name, took, None, "-", None, BUDGETS[name], took <= 30)


def all_maps(layers: list[np.ndarray]) -> Row:
    """Draw all three maps of every layer, with trustworthiness, continuity and jitter a step."""

    def act() -> None:
        for x in layers:
            in_data = data_motion(x)
            for draw in (neighbour_map, mds_map, pca_map):
                frames = draw(x)
                map_quality(x, frames)
                map_motion(x, frames, in_data=in_data)

    took = seconds(act)
    reason = f"load {os.getloadavg()[0]:.1f}"
    return Row(ALL_MAPS, took, None, "-", None, "<= 30 s", took <= 30, reason=reason)


def beside_peer(layers: dict[str, np.ndarray]) -> list[Row]:
    """Map the same ten steps of two layers both ways."""
    names = list(BUDGETS)[1:]
    try:
        import umap
    except ImportError:
        return [missing(name, release(PEER), BUDGETS[name], "not installed") for name in names]
    align(umap, layers["conv1"][:2, :50])  # compiles
    times, ours, theirs = [], [], []
    for layer in COMPARED:
        x = layers[layer][-4 * SLICES :: 4]
        frames: list[np.ndarray] = []
        mine = seconds(lambda x=x, frames=frames: frames.append(neighbour_map(x))) / SLICES
        peer = seconds(lambda x=x, frames=frames: frames.append(align(umap, x))) / SLICES
        times.append((mine, peer, peer / mine))
        ours.append(summary(x, frames[0], neighbour_map(gaussian_twin(x))))
        theirs.append(summary(x, frames[1], align(umap, gaussian_twin(x))))
    return compared(np.median(times, axis=0), np.mean(ours, axis=0), np.mean(theirs, axis=0))


def gaussian_twin(patterns: np.ndarray) -> np.ndarray:
    """Return patterns without groups, with the same mean, covariance and motion at every step.

    Every twin is a random orthogonal mixture of all exemplars, z_i(t) = mean(t) +
    sum_j r_ij (x_j(t) - mean(t)), the same r at every step, with R R' the identity on patterns of
    mean 0. So means, covariances within a step and between steps, and thereby the (root mean
    square) motion of the data are exactly those of the patterns, while mixing hundreds of
    exemplars leaves no groups: the twin is close to one Gaussian cloud that moves as the data does.
    A map of the twin shows what the mapping makes out of nothing.
    """
    mean = patterns.mean(axis=1, keepdims=True, dtype=np.float64)
    random = np.random.default_rng(0)
    n = patterns.shape[1]
    mixture = centred_basis(n, random) @ centred_basis(n, random).T
    return mean + mixture @ (patterns - mean)


def centred_basis(n: int, random: np.random.Generator) -> np.ndarray:
    """Return n - 1 random orthonormal columns of mean 0."""
    columns = random.standard_normal((n, n))
    columns[:, 0] = 1
    return np.linalg.qr(columns)[0][:, 1:]


def align(umap: ModuleType, x: np.ndarray) -> np.ndarray:
    same = {i: i for i in range(x.shape[1])}
    peer = umap.AlignedUMAP(random_state=0)
    peer.fit(list(x.astype(np.float32)), relations=[same] * (len(x) - 1))
    return np.stack(peer.embeddings_).astype(np.float64)


def summary(x: np.ndarray, frames: np.ndarray, twin: np.ndarray) -> tuple[float, float, float]:
    """Trustworthiness and jitter, means over steps, and the evenness of the twin's map."""
    return (
        float(map_quality(x, frames).trustworthiness.mean()),
        float(map_motion(x, frames).jitter.mean()),
        float(np.mean([evenness(frame) for frame in twin])),
    )


def evenness(frame: np.ndarray, *, k: int = 10) -> float:
    """Mean distance to the k-th neighbour, over that in an even random cloud of the same hull.

    Clark and Evans' index (k = 1) for groups in place of pairs, by Thompson 1956: about 1 in a
    cloud without clumps that fills its hull; smaller with clumps.
    """
    distance = np.sort(squareform(pdist(frame)), axis=1)[:, k]
    density = len(frame) / ConvexHull(frame).volume
    return float(distance.mean() * np.sqrt(np.pi * density) * gamma(k) / gamma(k + 0.5))


def compared(times: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> list[Row]:
    slow, trust, jitter, even = list(BUDGETS)[1:]
    peer = release(PEER)
    return [
        at_least(slow, peer, (times[0], times[1], times[2]), 50),
        Row(
            trust, ours[0], theirs[0], peer, ours[0] / theirs[0], BUDGETS[trust],
            met=bool(ours[0] >= theirs[0] - 0.02), unit="",
        ),
        Row(
            jitter, ours[1], theirs[1], peer, ours[1] / theirs[1], BUDGETS[jitter],
            met=bool(ours[1] <= theirs[1]), unit="",
        ),
        Row(
            even, ours[2], theirs[2], peer, ours[2] / theirs[2], BUDGETS[even],
            met=bool(ours[2] >= theirs[2]), unit="",
        ),
    ]  # fmt: skip
