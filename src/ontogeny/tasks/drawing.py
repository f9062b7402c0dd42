"""Anti-aliased shapes by signed distance, and a canvas that knows which part shows where.

Shapes are functions of coordinates in face units and return a signed distance (negative
inside) to first order near the outline, where alone it matters. The canvas is painted from
front to back. Imports numpy only.

References
----------
Duff, Compositing 3-D rendered images, SIGGRAPH 1985 (the "over" operator, front to back).
Taubin, Distance approximations for rasterizing implicit curves, ACM TOG 13(1), 1994.
"""

from collections.abc import Sequence

import numpy as np

Plane = np.ndarray
"""float32, broadcastable to [exemplar, y, x]; one value an exemplar is [exemplar, 1, 1]."""
Value = np.ndarray | np.floating | float
"""A plane, or one number for all exemplars."""

_TINY = np.float32(1e-6)


def coverage(distance: Plane, scale: Value) -> Plane:
    """Share of each pixel inside a shape, clip(1/2 - distance x scale, 0, 1).

    Parameters
    ----------
    distance
        Signed distance of the pixel's centre in face units.
    scale
        Pixels per face unit.

    Returns
    -------
    Plane
        Between 0 and 1; exact for a straight edge along a pixel axis.
    """
    share = 0.5 - distance * scale
    return np.clip(share, 0.0, 1.0, out=share)


def ellipse(x: Plane, y: Plane, width: Value, height: Value) -> Plane:
    """Signed distance to the ellipse (x/width)^2 + (y/height)^2 = 1, to first order.

    d = q (q - 1) / |(x/width^2, y/height^2)| with q = |(x/width, y/height)|.
    """
    u, v = x / width, y / height
    q = np.sqrt(u * u + v * v + _TINY)
    u /= width
    v /= height
    slope = np.sqrt(u * u + v * v + _TINY)
    return q * (q - 1.0) / slope


def egg(x: Plane, y: Plane, size: tuple[Value, Value], taper: Value, square: Value) -> Plane:
    """Signed radial distance to a head's outline: an ellipse, tapered and squared.

    Parameters
    ----------
    x, y
        Coordinates.
    size
        Half width and half height.
    taper
        Narrowing towards the chin: the half width is multiplied by 1 - taper y.
    square
        0 = ellipse |.|_2, 1 = superellipse |.|_4, between them mixed.
    """
    u = np.square(x / (size[0] * (1.0 - taper * y)))
    v = np.square(y / size[1])
    q = np.sqrt(u + v + _TINY)
    q += square * (np.sqrt(np.sqrt(u * u + v * v + _TINY)) - q)
    radius = np.sqrt(x * x + y * y + _TINY)
    return radius - radius / q


def arch(x: Plane, y: Plane, width: Value, height: Value) -> Plane:
    """Signed distance to a half ellipse above y = 0 that stands on a strip |x| < width."""
    return ellipse(x, np.minimum(y, 0.0), width, height)


def stroke(x: Plane, y: Plane, width: Value, thickness: Value, bend: Sequence[Value]) -> Plane:
    """Signed distance to a bent stroke, open or closed: brows and mouths.

    The midline is slope x + curve (1 - (x/width)^2), the half thickness is
    thickness + opening (1 - (x/width)^2), for |x| < width.

    Parameters
    ----------
    x, y
        Coordinates.
    width
        Half width.
    thickness
        Half thickness at the ends.
    bend
        Slope, curve and opening.
    """
    slope, curve, opening = bend
    bow = 1.0 - np.square(x / width)
    tilt = slope - 2.0 * curve * x / (width * width)
    side = np.abs(y - slope * x - curve * bow) - thickness - opening * bow
    side /= np.sqrt(1.0 + tilt * tilt)
    return np.maximum(side, np.abs(x) - width)


def wedge(x: Plane, y: Plane, length: Value, top: Value, bottom: Value) -> Plane:
    """Signed distance to a rounded wedge from (0, 0) to (0, length): a nose.

    Its radius grows from `top` to `bottom` along the axis.
    """
    along = np.clip(y / length, 0.0, 1.0)
    across = y - along * length
    return np.sqrt(x * x + across * across + _TINY) - top - (bottom - top) * along


class Canvas:
    """Exemplars painted from front to back.

    What is painted later lies behind; each layer gets the weight coverage x transmittance.
    Weights of a pixel sum to 1 once the background, with coverage 1, has been painted.

    Attributes
    ----------
    image
        float32 [exemplar, y, x, channel], 0 to 1 before shading.
    shade
        Brightness of lit layers, [exemplar, y, x].
    """

    def __init__(self, shade: Plane, n_parts: int, without: frozenset[int] = frozenset()) -> None:
        self.shade = shade
        self.image = np.zeros((3, *shade.shape), np.float32)
        self._through = np.ones_like(shade)
        self._weight: list[np.ndarray | None] = [None] * (n_parts + 1)
        self._without = without

    def paint(self, part: int, cover: Plane, colour: Sequence[Value], *, lit: bool = True) -> None:
        """Put a layer behind all that has been painted.

        Parameters
        ----------
        part
            Index of the part the layer belongs to; 0 for what is no part.
        cover
            Coverage, 0 to 1.
        colour
            Red, green, blue.
        lit
            Whether the light falls on it.
        """
        if part in self._without:
            return
        weight = cover * self._through
        self._through -= weight
        known = self._weight[part]
        self._weight[part] = weight if known is None else known + weight
        light = weight * self.shade if lit else weight
        for plane, value in zip(self.image, colour, strict=True):
            plane += light * value

    def part_map(self) -> np.ndarray:
        """Part of the largest weight in each pixel, uint8 [exemplar, y, x]; 0 wins a tie."""
        best = self._weight[0]
        best = np.zeros_like(self._through) if best is None else best
        label = np.zeros(self._through.shape, np.uint8)
        for part, weight in enumerate(self._weight):
            if part == 0 or weight is None:
                continue
            np.copyto(label, np.uint8(part), where=weight > best)
            best = np.maximum(best, weight)
        return label
