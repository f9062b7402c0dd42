"""Maps of the exemplars in the plane that can be compared between steps.

Three maps, from the plainest to the one that shows neighbourhoods best; each is computed for all
steps of a layer at once, draws no random numbers, and starts from a joint or aligned linear map:

`pca_map`        one linear camera for all steps: the floor. Whatever moves has moved in the data.
`mds_map`        distances kept as well as a plane can (metric multidimensional scaling).
`neighbour_map`  neighbourhoods kept: t-SNE whose frames are held together (dynamic t-SNE).

The last two minimise, over the frames y(t) of all steps together,

    sum_t misfit_t + steadiness * sum_t mean_i |y_i(t+1) - y_i(t)|^2 / c_t^2,

where c_t is how far the data itself moves between the two steps when the best rotation is taken out
(:func:`ontogeny.stats.cka.procrustes_distance`, at least .02 radii). So frames stay put where the
data stays put and are let go where it moves; no exemplar has to pay for a step's place in the row.

How to read a neighbour map: closeness means neighbourhood; distances between groups, their sizes
and densities mean little, curves are often straight lines bent to fit, and a neighbour map of pure
noise has clumps of two to five exemplars. Print :func:`ontogeny.stats.mapquality.map_quality` and
the jitter with every map.

Memory: the tether moves the frames of all steps in every iteration, so that the work holds one
float32 matrix [exemplar, exemplar] for each frame, and those of one layer at a time: 1 MB a frame
of 500 exemplars, 13 MB for the 13 frames that a report shows, 61 MB for a film of 61 steps.
Computing them anew in each of 100 iterations would take three times as long (calibrating them
takes as long as 20 iterations), and half of each would do but for BLAS; beside them are two copies
of the patterns in double and two matrices of scratch for each of up to four threads.

Why no library: only the AlignedUMAP of umap-learn holds frames together, and it needs numba,
draws random numbers and takes seconds a frame. For hundreds of exemplars all pairs in one matrix
are cheaper than the trees and samples of libraries made for millions (see benchmarks/maps.py).

May import numpy, `ontogeny.errors` and `ontogeny.stats` only.

References
----------
Rauber, Falcao & Telea 2016, EuroVis Short Papers, doi:10.2312/eurovisshort.20161164: dynamic t-SNE.
van der Maaten & Hinton 2008, Journal of Machine Learning Research 9:2579-2605 (t-SNE).
de Leeuw 1977, in Recent Developments in Statistics, 133-145 (majorisation of stress).
Beck & Teboulle 2009, SIAM Journal on Imaging Sciences 2:183-202 (accelerated proximal gradient).
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float, Real

from ontogeny.errors import InputError
from ontogeny.stats.cka import procrustes_distance
from ontogeny.stats.mapquality import unit_radius
from ontogeny.stats.rdm import squared_euclidean_rdm

_STILLNESS = 0.02
"""Data motion, in radii, below which two steps count as equally still."""
_ONE_THREAD = 1 << 18
"""Multiplications in a product up to which OpenBLAS stays in one thread: handing these slender
products to several costs more than it gains, on a busy machine a hundred times as much."""
_EXAGGERATION, _EXAGGERATED = 4.0, 0.3
"""Repulsion is divided by the first for that share of the iterations, so that groups find
together before they spread (early exaggeration)."""
_RATE, _MOMENTUM = 2.0, 0.9
_THREADS = 4
"""Frames worked on at a time at most: each needs two matrices [exemplar, exemplar] of scratch."""
_ENTROPY_ERROR = 1e-5


def pca_map(
    patterns: Real[np.ndarray, "step exemplar unit"],
) -> Float[np.ndarray, "step exemplar 2"]:
    """Project every step onto the first two principal axes of all steps together.

    Each step is centred and set to unit radius, the covariances of all steps are averaged, and one
    pair of axes serves them all: y(t) = x(t) [v1, v2]. Axes fitted to each step and then aligned
    show a little more variance, but the camera then moves with the data and nobody can tell which
    of the two moved; here nothing moves on the map that has not moved in the data, by at least as
    much. Two axes for a whole development show some steps poorly: the frame's own radius is the
    square root of the share of the variance that it shows.

    Parameters
    ----------
    patterns
        Responses of the same exemplars and units at every step.

    Returns
    -------
        In radii of the data, larger variance first, the sign such that the largest loading is
        positive; NaN for steps without a map (NaN or infinity in them, or all exemplars the same).

    Raises
    ------
    InputError
        If there are fewer than three exemplars.

    Examples
    --------
    A rectangle in three dimensions, at radius 1; that it moves as a whole is not shown.

    >>> from ontogeny.stats.embedding import pca_map
    >>> start = np.array([[0, 0, 0], [4, 0, 0], [0, 2, 0], [4, 2, 0]])
    >>> frames = pca_map(np.stack([start, start + [7, 7, 7]]))
    >>> frames[0].round(2).tolist()
    [[-0.89, -0.45], [0.89, -0.45], [-0.89, 0.45], [0.89, 0.45]]
    >>> bool(np.allclose(frames[0], frames[1]))
    True
    """
    return _drawn(patterns, _joint_plane, least=3)


def mds_map(
    patterns: Real[np.ndarray, "step exemplar unit"],
    *,
    steadiness: float = 0.002,
    iterations: int = 40,
) -> Float[np.ndarray, "step exemplar 2"]:
    """Metric multidimensional scaling of every step, the frames held together.

    The misfit of a step is mean_ij (d_ij - delta_ij)^2 / 2, d and delta the distances on the map
    and in the data at unit radius. It starts from classical scaling of each step with the frames
    rotated onto their successors (:func:`align_frames`) and goes down by majorisation, in which
    the steadiness is solved exactly: the objective never rises.

    Parameters
    ----------
    patterns
        Responses of the same exemplars at every step. Memory: see the head of the module.
    steadiness
        Weight of motion beside misfit, see the head of the module; 0 lets every step go its way.
    iterations
        0 gives classical scaling with aligned frames.

    Returns
    -------
        In radii of the data, the last frame along its principal axes; NaN for steps without a map.

    Raises
    ------
    InputError
        If there are fewer than three exemplars, or an option is negative.

    Examples
    --------
    A square that lies aslant in four dimensions stays one: distances from its first corner,
    in sides.

    >>> from ontogeny.stats.embedding import mds_map
    >>> square = np.array([[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 1, 1]])
    >>> frame = mds_map(square[None])[0]
    >>> distance = np.linalg.norm(frame - frame[0], axis=1)
    >>> (distance / distance[1]).round(2).tolist()
    [0.0, 1.0, 1.41, 1.0]
    """
    _check_options(steadiness, iterations)
    return _drawn(patterns, lambda x: _majorise(x, steadiness, iterations), least=3)


def neighbour_map(
    patterns: Real[np.ndarray, "step exemplar unit"],
    *,
    neighbours: int = 15,
    steadiness: float = 0.002,
    iterations: int = 100,
) -> Float[np.ndarray, "step exemplar 2"]:
    """Neighbour embedding (t-SNE) of every step, the frames held together.

    The misfit of a step is KL(P || Q) = sum_ij p_ij log(p_ij / q_ij): p_ij from
    :func:`affinities`, q_ij = w_ij / sum_kl w_kl with w_ij = 1 / (1 + |y_i - y_j|^2), all pairs
    exactly. All frames start from :func:`pca_map` and go down together by accelerated proximal
    gradient steps, in which the steadiness is solved exactly; no random numbers are drawn, and no
    frame is made before another. Duplicates lie side by side; data on a line stays on a line.
    Read the warnings at the head of the module.

    Parameters
    ----------
    patterns
        Responses of the same exemplars at every step. Memory: see the head of the module.
    neighbours
        Perplexity: how many neighbours an exemplar looks at.
    steadiness
        Weight of motion beside misfit, see the head of the module; 0 lets every step go its way
        from the common start.
    iterations
        Gradient steps; beyond the default trustworthiness gains less than .005.

    Returns
    -------
        Scaled by one factor for all steps to a root mean square radius of 1; NaN for steps
        without a map.

    Raises
    ------
    InputError
        If there are not more than `neighbours` + 1 exemplars, `neighbours` is below 2, or an
        option is negative.

    Examples
    --------
    Two heaps of ten: the nearest on the map are of one's own heap.

    >>> from ontogeny.stats.embedding import neighbour_map
    >>> x = np.random.default_rng(0).standard_normal((20, 5))
    >>> x[10:, 0] += 20
    >>> frame = neighbour_map(x[None], neighbours=5)[0]
    >>> nearest = np.linalg.norm(frame[:, None] - frame, axis=2).argsort(axis=1)[:, :6]
    >>> bool((nearest // 10 == np.arange(20)[:, None] // 10).all())
    True
    """
    _check_options(steadiness, iterations)
    _check_neighbours(neighbours)
    return _drawn(
        patterns,
        lambda x: _descend(x, neighbours, steadiness, iterations),
        least=neighbours + 2,
    )


def align_frames(
    frames: Real[np.ndarray, "step exemplar 2"],
) -> Float[np.ndarray, "step exemplar 2"]:
    """Centre, rotate and mirror the frames of a map so that they move least.

    The last frame is laid along its principal axes; going back, each frame is turned onto its
    successor by orthogonal Procrustes. Since the least distance of two frames does not depend on
    how the second is turned, this chain minimises sum_t |y(t+1) - y(t)|^2 over all rotations and
    mirrorings, and no joint fit can do better. Sizes are kept; NaN frames are passed over.

    Examples
    --------
    A frame, and the same turned by a right angle:

    >>> from ontogeny.stats.embedding import align_frames
    >>> frame = np.array([[-2.0, 0.0], [2.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    >>> turned = frame @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    >>> first, last = align_frames(np.stack([turned, frame]))
    >>> bool(np.allclose(first, last))
    True
    """
    aligned = frames - frames.mean(axis=1, keepdims=True, dtype=np.float64)
    successor = None
    for frame in aligned[::-1]:
        if not np.isfinite(frame).all():
            continue
        if successor is None:
            frame[:] = frame @ _axes(frame.T @ frame)
        else:
            # the orthogonal factor of the 2 x 2 overlap; mirrorings are allowed, as
            # distances allow them
            u, _, v = np.linalg.svd(frame.T @ successor)
            frame[:] = frame @ (u @ v)
        successor = frame
    return aligned


def affinities(
    squared: Real[np.ndarray, "exemplar exemplar"], *, neighbours: int = 15
) -> Float[np.ndarray, "exemplar exemplar"]:
    """Symmetric neighbour probabilities of t-SNE.

    p_j|i is proportional to exp(-b_i d_ij^2), j != i, with b_i such that the entropy of row i is
    log(neighbours) (to 1e-5); p_ij = (p_j|i + p_i|j) / 2n, so that all sum to 1. A row with more
    equally near exemplars than `neighbours` shares its weight among these.

    Parameters
    ----------
    squared
        Squared distances of one step.
    neighbours
        Perplexity, from 2 to below the number of exemplars less 1.

    Examples
    --------
    Two heaps on a line: all the weight lies within heaps.

    >>> from ontogeny.stats.embedding import affinities
    >>> place = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> p = affinities((place[:, None] - place) ** 2, neighbours=2)
    >>> round(float(p.sum()), 2), round(float(p[:3, :3].sum()), 2)
    (1.0, 0.5)
    """
    d = squared.astype(np.float32)
    # a point is not its own neighbour, and must not be the nearest one that is taken off
    np.fill_diagonal(d, np.inf)
    # a common factor of a row's weights cancels, and without it exp would underflow in remote rows
    d -= d.min(axis=1, keepdims=True)
    np.fill_diagonal(d, 0)
    p = _calibrated(d, float(np.log(neighbours)))
    p += p.T.copy()
    p /= p.sum(dtype=np.float64)
    return p


def _calibrated(d: np.ndarray, entropy: float) -> np.ndarray:
    """Return rows exp(-b d) / sum with that entropy: Newton's steps in log b inside a bracket."""
    # a width of about the k-th distance is a start from which few of Newton's steps are needed
    kth = np.partition(d, int(np.exp(entropy)), axis=1)[:, int(np.exp(entropy))]
    log_b = -np.log(np.maximum(kth, 1e-6), dtype=np.float64)
    # 13 orders of magnitude to either side hold any width that single precision can tell
    low, high = log_b - 30, log_b + 30
    p, weighted = np.empty_like(d), np.empty_like(d)
    for _ in range(50):
        b = np.exp(log_b)
        np.multiply(d, -b[:, None].astype(np.float32), out=p)
        np.exp(p, out=p)
        np.fill_diagonal(p, 0)
        total = p.sum(axis=1, dtype=np.float64)
        np.multiply(p, d, out=weighted)
        first = weighted.sum(axis=1, dtype=np.float64) / total
        excess = np.log(total) + b * first - entropy
        if np.abs(excess).max() < _ENTROPY_ERROR or (high - low).max() < 1e-6:
            break
        second = np.einsum("ij,ij->i", weighted, d) / total
        low, high = np.where(excess > 0, log_b, low), np.where(excess > 0, high, log_b)
        log_b = _newton(log_b, excess / np.maximum(b**2 * (second - first**2), 1e-9), (low, high))
    p /= p.sum(axis=1, keepdims=True)
    return p


def _newton(at: np.ndarray, step: np.ndarray, bracket: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Take the step where it stays in the bracket, else go to its middle."""
    low, high = bracket
    proposed = at + step
    inside = (proposed > low) & (proposed < high)
    return np.where(inside, proposed, (low + high) / 2)


# --- checks and frames without a map ----------------------------------------------------------


def _check_options(steadiness: float, iterations: int) -> None:
    if not steadiness >= 0 or iterations < 0:
        msg = f"expected steadiness and iterations >= 0, got {steadiness:g} and {iterations}"
        raise InputError(msg)


def _check_neighbours(neighbours: int) -> None:
    if not neighbours >= 2:
        msg = f"expected at least 2 neighbours for a neighbour map, got {neighbours}"
        raise InputError(msg)


def _drawn(
    patterns: np.ndarray, draw: Callable[[np.ndarray], np.ndarray], *, least: int
) -> np.ndarray:
    """Draw the steps that have a map, centred and at unit radius; leave NaN for the others."""
    n_steps, n_exemplars, _ = patterns.shape
    if n_exemplars < least:
        msg = (
            f"expected at least {least} exemplars for this map, got {n_exemplars}: "
            "show more exemplars or ask for fewer neighbours"
        )
        raise InputError(msg)
    x = unit_radius(patterns)
    seen = np.isfinite(x).all(axis=(1, 2)) & (x.shape[2] > 0)
    frames = np.full((n_steps, n_exemplars, 2), np.nan)
    if seen.any():
        frames[seen] = draw(x[seen])
    return frames


# --- linear maps ------------------------------------------------------------------------------


def _axes(covariance: np.ndarray) -> np.ndarray:
    """Return the two principal axes as columns, the largest loading of each positive."""
    axes = np.linalg.eigh(covariance)[1][:, ::-1][:, :2]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
    axes = axes * np.where(largest < 0, -1, 1)
    return np.pad(axes, ((0, 0), (0, 2 - axes.shape[1])))


def _joint_plane(x: np.ndarray) -> np.ndarray:
    covariance = np.zeros((x.shape[2], x.shape[2]))
    for step in x:
        covariance += step.T @ step
    return x @ _axes(covariance)


def _own_planes(x: np.ndarray) -> np.ndarray:
    """Classical scaling of each step: on Euclidean distances, its own principal plane."""
    return np.stack([step @ _axes(step.T @ step) for step in x])


# --- frames held together ---------------------------------------------------------------------


def _stiffness(x: np.ndarray) -> np.ndarray:
    """Return the [step, step] Laplacian of the chain of steps with weights 1 / c_t^2."""
    motion = procrustes_distance(x[:-1], x[1:])
    # bounded, or two steps with the same data would be tied so hard that nothing else counts
    weight = 1 / np.square(np.maximum(motion, _STILLNESS))
    difference = np.diff(np.eye(len(x)), axis=0)
    return difference.T @ (weight[:, None] * difference)


def _tether(stiffness: np.ndarray, strength: float) -> np.ndarray:
    """Return the matrix that solves the steadiness term of all frames at once.

    y = (I + strength * stiffness)^-1 z minimises
    sum_t |y(t) - z(t)|^2 + strength * sum_t |y(t+1) - y(t)|^2 / c_t^2.
    """
    return np.linalg.inv(np.eye(len(stiffness)) + strength * stiffness).astype(np.float32)


def _held(tether: np.ndarray, frames: np.ndarray) -> np.ndarray:
    z = frames.reshape(len(frames), -1)
    return _slender(tether, z, np.empty_like(z)).reshape(frames.shape)


def _slender(left: np.ndarray, right: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Multiply matrices in blocks of rows so small that BLAS keeps to one thread."""
    # blocks by the right side's size, so that each product stays below the library's threshold
    size = max(_ONE_THREAD // right.size, 1)
    for start in range(0, len(left), size):
        np.matmul(left[start : start + size], right, out=out[start : start + size])
    return out


class _Plane:
    """All pairs of exemplars in one frame, with scratch that serves frame after frame."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.pairs, self.forces = np.empty((n, n), np.float32), np.empty((n, n), np.float32)
        self._left, self._right = np.ones((n, 4), np.float32), np.ones((4, n), np.float32)
        self._points = np.ones((n, 3), np.float32)
        self._pulled = np.empty((n, 3), np.float32)

    def squared(self, y: np.ndarray, *, plus: float = 0.0) -> np.ndarray:
        """Return |y_i - y_j|^2 + plus, as one product of inner length 4; overwritten next time."""
        square = np.einsum("ij,ij->i", y, y)
        np.multiply(y, -2, out=self._left[:, :2])
        np.add(square, plus, out=self._left[:, 2])
        self._right[:2] = y.T
        self._right[3] = square
        return _slender(self._left, self._right, self.pairs)

    def pull(self, weights: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return sum_j weights_ij (y_i - y_j)."""
        # a third column of ones gives the row sums in the same product
        self._points[:, :2] = y
        _slender(weights, self._points, self._pulled)
        return self._pulled[:, 2:] * y - self._pulled[:, :2]


class _Planes:
    """Work on frames in a few threads, each with a plane of its own; the result is the same."""

    def __init__(self, n: int) -> None:
        self._planes = [_Plane(n) for _ in range(min(os.cpu_count() or 1, _THREADS))]
        self._pool = ThreadPoolExecutor(len(self._planes))

    def __enter__(self) -> "_Planes":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def each(self, act: Callable[[_Plane, np.ndarray, int], None], frames: np.ndarray) -> None:
        """Let `act` change every frame in place, given a plane, the frame and its step."""

        def share(worker: int) -> None:
            for step in range(worker, len(frames), len(self._planes)):
                act(self._planes[worker], frames[step], step)

        list(self._pool.map(share, range(len(self._planes))))


def _majorise(
    x: np.ndarray, steadiness: float, iterations: int
) -> Float[np.ndarray, "step exemplar 2"]:
    """Go down the stress of all frames: Guttman's transform of each, then the tether of all."""
    y = align_frames(_own_planes(x))
    if not iterations:
        return y
    delta = _matrices(x, _distances)
    tether = _tether(_stiffness(x), steadiness)
    y = y.astype(np.float32)

    def transform(plane: _Plane, frame: np.ndarray, step: int) -> None:
        frame[:] = _guttman(plane, delta[step], frame)

    with _Planes(x.shape[1]) as planes:
        for _ in range(iterations):
            # the bound is a square about each frame's transform, so that the tether gives
            # the least of the sum
            planes.each(transform, y)
            y = _held(tether, y)
    return y.astype(np.float64)


def _matrices(x: np.ndarray, of_step: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return [step, exemplar, exemplar] in single precision, without a second copy of it."""
    n_steps, n_exemplars, _ = x.shape
    matrices = np.empty((n_steps, n_exemplars, n_exemplars), np.float32)
    for step, out in zip(x, matrices, strict=True):
        out[:] = of_step(step)
    return matrices


def _distances(step: np.ndarray) -> np.ndarray:
    squared = squared_euclidean_rdm(step.astype(np.float32))
    squared *= step.shape[1]
    return np.sqrt(squared, out=squared).astype(np.float32)


def _guttman(plane: _Plane, delta: np.ndarray, y: np.ndarray) -> np.ndarray:
    ratio = plane.squared(y)
    np.maximum(ratio, 1e-12, out=ratio)  # coinciding points: any finite ratio serves
    np.sqrt(ratio, out=ratio)
    np.divide(delta, ratio, out=ratio)
    return plane.pull(ratio, y) / plane.n


def _descend(
    x: np.ndarray, neighbours: int, steadiness: float, iterations: int
) -> Float[np.ndarray, "step exemplar 2"]:
    """Go down misfit and motion of all frames: first with weak repulsion, then with all of it."""
    p = _matrices(x, lambda step: affinities(_distances(step) ** 2, neighbours=neighbours))
    y = _joint_plane(x)
    # unit scale whatever the data's, since w = 1 / (1 + d^2) has a length of its own
    y = (y / y.std()).astype(np.float32)
    stiffness = _stiffness(x)
    early = round(_EXAGGERATED * iterations)
    for repulsion, count in ((1 / _EXAGGERATION, early), (1.0, iterations - early)):
        tether = _tether(stiffness, _RATE * repulsion * steadiness / 2)
        y = _slide(y, p, (tether, repulsion, count))
    return y / np.sqrt(2 * np.mean(np.square(y), dtype=np.float64))


def _slide(y: np.ndarray, p: np.ndarray, options: tuple[np.ndarray, float, int]) -> np.ndarray:
    """Accelerated proximal gradient: z = y + momentum (y - before); z - slope; the tether."""
    tether, repulsion, iterations = options
    # in proportion to the exemplars: the affinities sum to 1, so that forces shrink as 1 / n
    rate, before = np.float32(_RATE * y.shape[1]), y

    def descend(plane: _Plane, frame: np.ndarray, step: int) -> None:
        frame -= rate * _kl_slope(plane, p[step], frame, repulsion)

    with _Planes(y.shape[1]) as planes:
        for _ in range(iterations):
            z = y + np.float32(_MOMENTUM) * (y - before)
            planes.each(descend, z)
            before, y = y, _held(tether, z)
    return y


def _kl_slope(plane: _Plane, p: np.ndarray, y: np.ndarray, repulsion: float) -> np.ndarray:
    """Return a quarter of KL's gradient, sum_j (p_ij - repulsion q_ij) w_ij (y_i - y_j)."""
    w = plane.squared(y, plus=1.0)
    np.divide(np.float32(1), w, out=w)
    total = w.sum() - plane.n
    force = np.multiply(w, np.float32(repulsion / total), out=plane.forces)
    np.subtract(p, force, out=force)
    np.multiply(force, w, out=force)
    return plane.pull(force, y)
