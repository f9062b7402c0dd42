"""Shapes against supersampling from their definitions; the canvas against painting backwards."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ontogeny.tasks.drawing import Canvas, arch, coverage, egg, ellipse, stroke, wedge
from oracles.drawing import (
    coverage_twin,
    egg_inside,
    ellipse_inside,
    over_twin,
    stroke_inside,
    wedge_inside,
)

SIZE, SCALE = 32, 12.0  # pixels, and pixels per face unit: a face at about 32 px

CASES = {
    "ellipse": (lambda x, y: ellipse(x, y, 0.9, 0.6), lambda x, y: ellipse_inside(x, y, 0.9, 0.6)),
    "small ellipse": (
        lambda x, y: ellipse(x, y, 0.20, 0.13),
        lambda x, y: ellipse_inside(x, y, 0.20, 0.13),
    ),
    "egg": (
        lambda x, y: egg(x, y, (0.8, 1.0), 0.3, 0.0),
        lambda x, y: egg_inside(x, y, 0.8, 1.0, 0.3, 0.0),
    ),
    "square egg": (
        lambda x, y: egg(x, y, (0.85, 0.93), -0.06, 0.85),
        lambda x, y: egg_inside(x, y, 0.85, 0.93, -0.06, 0.85),
    ),
    "arch": (
        lambda x, y: arch(x, y, 0.8, 1.0),
        lambda x, y: ellipse_inside(x, min(y, 0.0), 0.8, 1.0),
    ),
    "smile": (
        lambda x, y: stroke(x, y, 0.34, 0.05, (0.0, 0.17, 0.03)),
        lambda x, y: stroke_inside(x, y, 0.34, 0.05, 0.0, 0.17, 0.03),
    ),
    "angry brow": (
        lambda x, y: stroke(x, y, 0.22, 0.045, (-0.55, 0.0, 0.0)),
        lambda x, y: stroke_inside(x, y, 0.22, 0.045, -0.55, 0.0, 0.0),
    ),
    "nose": (
        lambda x, y: wedge(x, y, 0.3, 0.04, 0.11),
        lambda x, y: wedge_inside(x, y, 0.3, 0.04, 0.11),
    ),
}


def _grid() -> tuple[np.ndarray, np.ndarray]:
    centre = (np.arange(SIZE, dtype=np.float32) + 0.5 - SIZE / 2) / SCALE
    return np.meshgrid(centre, centre)


@pytest.mark.parametrize("name", CASES)
def test_coverage_is_close_to_supersampling_from_the_definition(name):
    shape, inside = CASES[name]
    got = coverage(shape(*_grid()), SCALE)
    expected = coverage_twin(inside, SIZE, SCALE, 8)
    # A pixel's share from one distance is exact for axis-parallel edges only; corners and the
    # far sides of curved strokes are off by at most a quarter of a pixel, areas by a few percent.
    assert_allclose(got, expected, rtol=0, atol=0.25)
    assert_allclose(got.sum(), expected.sum(), rtol=0.06, atol=0.3)
    assert np.abs(got - expected).mean() < 0.006


def test_coverage_of_a_straight_edge_is_exact():
    x = np.array([-0.3, -0.1, 0.0, 0.04, 0.5], np.float32)
    assert_allclose(coverage(x, 4.0), [1.0, 0.9, 0.5, 0.34, 0.0], rtol=0, atol=1e-6)


def test_ellipse_distance_is_exact_for_a_circle():
    x, y = _grid()
    expected = np.hypot(x.astype(float), y.astype(float)) - 0.7
    assert_allclose(ellipse(x, y, 0.7, 0.7), expected, rtol=0, atol=2e-3)  # 1e-6 under the roots


def test_stroke_distance_is_measured_across_its_slope():
    y = np.linspace(-0.2, 0.2, 9, dtype=np.float32)
    got = stroke(np.zeros_like(y), y, 1.0, 0.05, (1.0, 0.0, 0.0))
    assert_allclose(got, (np.abs(y) - 0.05) / np.sqrt(2), rtol=1e-5, atol=1e-7)


def test_shapes_are_finite_at_their_centre():
    zero = np.zeros(1, np.float32)
    for name, (shape, _) in CASES.items():
        assert np.isfinite(shape(zero, zero)).all(), name


def _layers(random: np.random.Generator) -> list[tuple[int, np.ndarray, tuple[float, ...]]]:
    parts = [0, 2, 1, 2, 3, 0]
    layers = [
        (part, random.random((2, 4, 4)).astype(np.float32), tuple(random.random(3).tolist()))
        for part in parts
    ]
    part, cover, colour = layers[-1]
    return [*layers[:-1], (part, np.ones_like(cover), colour)]


def test_canvas_equals_painting_from_back_to_front():
    layers = _layers(np.random.default_rng(0))
    canvas = Canvas(np.ones((2, 4, 4), np.float32), 3)
    for part, cover, colour in layers:
        canvas.paint(part, cover, colour)
    image, part_map = over_twin(layers, 3)
    assert_allclose(canvas.image, image, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(canvas.part_map(), part_map)


def test_canvas_leaves_parts_out():
    layers = _layers(np.random.default_rng(1))
    canvas = Canvas(np.ones((2, 4, 4), np.float32), 3, frozenset({2}))
    for part, cover, colour in layers:
        canvas.paint(part, cover, colour)
    image, part_map = over_twin([layer for layer in layers if layer[0] != 2], 3)
    assert_allclose(canvas.image, image, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(canvas.part_map(), part_map)


def test_light_falls_on_lit_layers_only():
    shade = np.full((1, 2, 2), 0.5, np.float32)
    half = np.full_like(shade, 0.5)
    canvas = Canvas(shade, 1)
    canvas.paint(1, half, (1.0, 1.0, 1.0))
    canvas.paint(0, np.ones_like(shade), (1.0, 1.0, 1.0), lit=False)
    assert_allclose(canvas.image, 0.75, rtol=1e-6)
