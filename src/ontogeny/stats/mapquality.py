"""How far a map of the exemplars can be trusted: within a step, and from one step to the next.

Every number compares the map with the patterns it was drawn from, so that a figure or the page can
print it beside the map. May import numpy, `ontogeny.errors` and `ontogeny.stats` only.

References
----------
Venna & Kaski 2001, ICANN, Lecture Notes in Computer Science 2130:485-491.
Gower 1975, Psychometrika 40:33-51 (least motion by rotation).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Real

from ontogeny.errors import InputError
from ontogeny.stats.rdm import squared_euclidean_rdm


class MapQuality(NamedTuple):
    """What a map keeps of the neighbourhoods of its patterns, for every step."""

    trustworthiness: np.ndarray
    """Are neighbours on the map neighbours in truth? 1: all; about 0.5: a random map."""
    continuity: np.ndarray
    """Are neighbours in truth neighbours on the map? 1: all; about 0.5: a random map."""


class MapMotion(NamedTuple):
    """Motion between consecutive steps; lengths are in radii (root mean square distance)."""

    shown: np.ndarray
    """Mean distance over which exemplars move on the map."""
    called_for: np.ndarray
    """Mean distance over which they move in the data, whose rotations do not count."""
    jitter: np.ndarray
    """Mean motion of an exemplar on the map beyond its own motion in the data, >= 0."""


def unit_radius(
    patterns: Real[np.ndarray, "*batch exemplar unit"],
) -> Float[np.ndarray, "*batch exemplar unit"]:
    """Centre every batch member and divide it by its radius.

    x_i -> (x_i - mean) / r with r^2 = mean_i |x_i - mean|^2. Sizes of different steps, which differ
    by orders of magnitude while a network grows, become comparable.

    Returns
    -------
        float64; NaN for a whole member that holds NaN or infinity, or in which all exemplars
        coincide (a dead or constant layer has no map).
    """
    x = np.asarray(patterns, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # infinity minus infinity: becomes NaN, as promised
        mean = x.mean(axis=-2, keepdims=True)
        x = x - mean
        radius = np.sqrt(np.einsum("...eu,...eu->...", x, x) / x.shape[-2])
        noise = 1e-13 * np.sqrt(np.einsum("...eu,...eu->...", mean, mean))
        radius = np.where((radius > noise) & np.isfinite(radius), radius, np.nan)
    x /= radius[..., None, None]
    return x


def data_motion(
    patterns: Real[np.ndarray, "step exemplar unit"],
) -> Float[np.ndarray, "step-1 exemplar"]:
    """Motion of each exemplar between consecutive steps that no rotation of the data explains.

    Both steps at unit radius; m_i = |R x_i(t) - x_i(t + 1)| with the orthogonal R that makes
    sum_i m_i^2 least. A map of distances has to show this much and no more; the root mean square
    is the Procrustes distance of the two steps, from 0 to sqrt(2).

    Returns
    -------
        In radii; NaN where one of the two steps has no map (see :func:`unit_radius`).
    """
    x = unit_radius(patterns)
    motion = np.full((max(len(x) - 1, 0), x.shape[1]), np.nan)
    for before, after, out in zip(x[:-1], x[1:], motion, strict=True):
        if np.isfinite(before).all() and np.isfinite(after).all():
            u, _, v = np.linalg.svd(before.T @ after, full_matrices=False)
            out[:] = np.linalg.norm(before @ (u @ v) - after, axis=-1)
    return motion


def map_motion(
    patterns: Real[np.ndarray, "step exemplar unit"],
    frames: Real[np.ndarray, "step exemplar 2"],
    *,
    in_data: Float[np.ndarray, "step-1 exemplar"] | None = None,
) -> MapMotion:
    """Motion on the map between consecutive steps, beside the motion that the data calls for.

    shown = mean_i |y_i(t+1) - y_i(t)| / r, r the geometric mean of the two frames' radii; the
    frames are not aligned first, since the viewer's eye is not either. With m_i from
    :func:`data_motion`, called_for = mean_i m_i and jitter = mean_i max(0, shown_i - m_i).
    A frozen map has no jitter, and no trustworthiness: read the two together.

    Parameters
    ----------
    patterns, frames
        The data and its map, step by step.
    in_data
        What :func:`data_motion` gives for the patterns, where several maps of them are compared.

    Returns
    -------
        Each [step - 1], in radii, shown about 0 ... 2; NaN next to a step without a map.
    """
    moved = np.linalg.norm(np.diff(frames.astype(np.float64), axis=0), axis=-1)
    shown = moved / _pair_radius(frames)[:, None]
    called_for = data_motion(patterns) if in_data is None else in_data
    excess = np.maximum(shown - called_for, 0)
    return MapMotion(shown.mean(axis=-1), called_for.mean(axis=-1), excess.mean(axis=-1))


def _pair_radius(frames: np.ndarray) -> np.ndarray:
    """Return the geometric mean radius of each two consecutive frames, NaN where there is none."""
    centred = frames - frames.mean(axis=1, keepdims=True)
    radius = np.sqrt(np.mean(np.sum(np.square(centred), axis=-1, dtype=np.float64), axis=-1))
    radius = np.where(radius > 0, radius, np.nan)
    return np.sqrt(radius[:-1] * radius[1:])


def map_quality(
    patterns: Real[np.ndarray, "step exemplar unit"],
    frames: Real[np.ndarray, "step exemplar 2"],
    *,
    neighbours: int = 10,
) -> MapQuality:
    """Trustworthiness and continuity of every step of a map.

    T(k) = 1 - 2 / (n k (2n - 3k - 1)) sum_i sum_(j in U_k(i)) (r(i, j) - k), where U_k(i) are the
    exemplars among the k nearest of i on the map but not in the data, and r(i, j) is the rank of j
    among the neighbours of i in the data. Continuity exchanges map and data.

    Equal distances share the better rank, so that a tie is no fault (scikit-learn's
    `trustworthiness` breaks ties by sorting; without ties the two agree).

    Parameters
    ----------
    patterns, frames
        The data and its map, step by step.
    neighbours
        k, at least 1 and less than half the number of exemplars.

    Returns
    -------
        Each [step]; NaN where data or map holds NaN, or where all exemplars coincide.

    Raises
    ------
    InputError
        If `neighbours` is out of range, for which the formula does not hold.

    Examples
    --------
    A map that leaves out nothing, and one that has lost an axis:

    >>> from ontogeny.stats.mapquality import map_quality
    >>> flat = np.random.default_rng(0).standard_normal((1, 60, 2))
    >>> lost = flat * [1, 0]
    >>> [round(float(map_quality(flat, x).trustworthiness[0]), 2) for x in (flat, lost)]
    [1.0, 0.75]
    """
    n_steps, n_exemplars = frames.shape[:2]
    if not 1 <= neighbours < n_exemplars / 2:
        msg = (
            f"expected 1 <= neighbours < half of the {n_exemplars} exemplars, got {neighbours}: "
            "ask for fewer neighbours or map more exemplars"
        )
        raise InputError(msg)
    rows = np.full((n_steps, 2), np.nan)
    for data, frame, row in zip(patterns, frames, rows, strict=True):
        if _has_map(data) and _has_map(frame):
            row[:] = _frame_quality(data, frame, neighbours)
    return MapQuality(*rows.T)


def _has_map(frame: np.ndarray) -> bool:
    return bool(np.isfinite(frame).all() and np.isfinite(unit_radius(frame)).all())


def _frame_quality(data: np.ndarray, frame: np.ndarray, k: int) -> tuple[float, float]:
    far, near = squared_euclidean_rdm(data), squared_euclidean_rdm(frame)
    n = len(far)
    # the largest sum that is possible, by which Venna and Kaski scale to 0 ... 1
    worst = n * k * (2 * n - 3 * k - 1) / 2
    shown, truth = _Neighbours(near, k), _Neighbours(far, k)
    return 1 - shown.intrusion(truth) / worst, 1 - truth.intrusion(shown) / worst


class _Neighbours:
    """Distances of one step and, sorted, where each stands among those of its exemplar."""

    def __init__(self, square: np.ndarray, k: int) -> None:
        self.k = k
        self.distance = square.astype(np.float32)  # ranks need no more
        np.fill_diagonal(self.distance, np.inf)
        self.ascending = np.sort(self.distance, axis=1)

    def nearest(self) -> np.ndarray:
        """Mark k exemplars for each, the first of those that are equally far."""
        last = self.ascending[:, self.k - 1 : self.k]
        chosen = self.distance <= last
        for row in np.flatnonzero(np.count_nonzero(chosen, axis=1) > self.k):
            tied = np.flatnonzero(self.distance[row] == last[row])
            inside = np.count_nonzero(self.distance[row] < last[row])
            chosen[row, tied[self.k - inside :]] = False
        return chosen

    def intrusion(self, truth: "_Neighbours") -> int:
        """Sum over the k nearest of how far their rank in truth lies beyond k."""
        beyond = self.nearest() & (truth.distance > truth.ascending[:, self.k - 1 : self.k])
        row, column = np.nonzero(beyond)
        bounds = np.searchsorted(row, np.arange(len(beyond) + 1))
        strangers = truth.distance[row, column]
        # only the ranks of strangers are looked up: ranking all pairs would cost a second sort
        closer = [
            order.searchsorted(strangers[i:j])
            for order, i, j in zip(truth.ascending, bounds[:-1], bounds[1:], strict=True)
        ]
        return int(np.concatenate(closer).sum()) + len(strangers) * (1 - self.k)
