"""Shapes and compositing of the faces task: supersampling, painting from back to front."""

import numpy as np


def ellipse_inside(x, y, width, height):
    """Whether a point lies in an ellipse, from its equation."""
    return (x / width) ** 2 + (y / height) ** 2 < 1


def egg_inside(x, y, width, height, taper, square):
    """Whether a point lies in a head's outline: |.|_2 and |.|_4 mixed, tapered towards y > 0."""
    u, v = abs(x) / (width * (1 - taper * y)), abs(y) / height
    return (1 - square) * (u**2 + v**2) ** 0.5 + square * (u**4 + v**4) ** 0.25 < 1


def stroke_inside(x, y, width, thickness, slope, curve, opening):
    """Whether a point lies in a bent stroke, its midline and half thickness functions of x."""
    bow = 1 - (x / width) ** 2
    middle = slope * x + curve * bow
    return abs(x) < width and abs(y - middle) < thickness + opening * bow


def wedge_inside(x, y, length, top, bottom):
    """Whether a point lies in a rounded wedge: within one of many discs along its axis."""
    for k in range(61):
        along = k / 60
        if x**2 + (y - along * length) ** 2 < (top + (bottom - top) * along) ** 2:
            return True
    return False


def coverage_twin(inside, size, scale, samples):
    """Share of each pixel inside a shape, by counting samples x samples points in it."""
    share = np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            hits = 0
            for a in range(samples):
                for b in range(samples):
                    x = (column + (b + 0.5) / samples - size / 2) / scale
                    y = (row + (a + 0.5) / samples - size / 2) / scale
                    hits += inside(x, y)
            share[row, column] = hits / samples**2
    return share


def over_twin(layers, n_parts):
    """Paint layers (front first) from the back: image and the part of the largest weight."""
    shape = layers[0][1].shape
    image = np.zeros((3, *shape))
    part_map = np.zeros(shape, dtype=int)
    for place in np.ndindex(shape):
        colour, weight = [0.0, 0.0, 0.0], [0.0] * (n_parts + 1)
        for part, cover, paint in reversed(layers):
            a = float(cover[place])
            colour = [c * (1 - a) + a * p for c, p in zip(colour, paint, strict=True)]
            weight = [w * (1 - a) for w in weight]
            weight[part] += a
        image[(slice(None), *place)] = colour
        part_map[place] = weight.index(max(weight))
    return image, part_map
