"""A schematic face from its parts: what the parts can look like, and how a face is drawn.

Coordinates are face units: x to the right, y down, the head from about -1 (crown) to 1 (chin).
Every number that makes an image is a named factor, one value an exemplar. Imports numpy only.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ontogeny.tasks.drawing import Canvas, Plane, arch, coverage, egg, ellipse, stroke, wedge

N_VALUES = 5
"""Discrete values each part can take."""


class Part(NamedTuple):
    """A part of the face: its discrete values, and what they set.

    Attributes
    ----------
    values
        Names of the discrete values.
    attributes
        Attribute -> (its number at each discrete value, largest jitter about it).
    """

    values: tuple[str, ...]
    attributes: dict[str, tuple[tuple[float, ...], float]]


PARTS: dict[str, Part] = {
    "head": Part(
        ("oval", "round", "square", "long", "heart"),
        {
            "head_width": ((0.78, 0.95, 0.86, 0.70, 0.88), 0.03),
            "head_height": ((0.97, 0.92, 0.93, 1.08, 0.98), 0.03),
            "head_taper": ((0.10, 0.00, -0.06, 0.06, 0.32), 0.02),
            "head_square": ((0.10, 0.00, 0.85, 0.40, 0.00), 0.05),
            "skin_red": ((0.95, 0.98, 0.70, 0.84, 0.56), 0.04),
            "skin_green": ((0.74, 0.82, 0.48, 0.62, 0.37), 0.04),
            "skin_blue": ((0.60, 0.72, 0.33, 0.45, 0.26), 0.04),
        },
    ),
    "hair": Part(
        ("crop", "bob", "curls", "parted", "long"),
        {
            "hair_volume": ((0.06, 0.12, 0.17, 0.09, 0.09), 0.02),
            "hair_line": ((-0.62, -0.50, -0.56, -0.58, -0.62), 0.03),
            "hair_fringe": ((0.30, 0.05, 0.35, 0.10, 0.65), 0.05),
            "hair_tilt": ((0.00, 0.00, 0.00, 0.32, 0.00), 0.04),
            "hair_length": ((-0.25, 0.50, 0.25, 0.05, 1.05), 0.06),
            "hair_flare": ((0.03, 0.17, 0.24, 0.06, 0.12), 0.03),
            "hair_curl": ((0.00, 0.00, 0.07, 0.00, 0.02), 0.00),
            "hair_red": ((0.11, 0.45, 0.75, 0.74, 0.92), 0.05),
            "hair_green": ((0.09, 0.24, 0.28, 0.75, 0.74), 0.05),
            "hair_blue": ((0.10, 0.10, 0.08, 0.78, 0.32), 0.05),
        },
    ),
    "brows": Part(
        ("flat", "arched", "angry", "sad", "thick"),
        {
            "brow_height": ((-0.38, -0.38, -0.36, -0.38, -0.39), 0.015),
            "brow_slope": ((0.00, 0.00, -0.55, 0.55, 0.00), 0.06),
            "brow_arch": ((0.00, -0.18, 0.00, 0.00, -0.04), 0.02),
            "brow_width": ((0.24, 0.24, 0.25, 0.24, 0.27), 0.02),
            "brow_thickness": ((0.040, 0.040, 0.055, 0.050, 0.110), 0.008),
        },
    ),
    "eyes": Part(
        ("round", "narrow", "wide", "close", "slanted"),
        {
            "eye_spacing": ((0.39, 0.39, 0.50, 0.29, 0.39), 0.015),
            "eye_width": ((0.235, 0.25, 0.20, 0.20, 0.26), 0.01),
            "eye_height": ((0.225, 0.095, 0.17, 0.17, 0.14), 0.01),
            "eye_slant": ((0.00, 0.00, 0.00, 0.00, -0.45), 0.04),
        },
    ),
    "iris": Part(
        ("brown", "blue", "green", "grey", "amber"),
        {
            "iris_radius": ((0.15, 0.15, 0.15, 0.15, 0.15), 0.008),
            "iris_red": ((0.33, 0.10, 0.10, 0.50, 0.93), 0.04),
            "iris_green": ((0.17, 0.38, 0.60, 0.53, 0.60), 0.04),
            "iris_blue": ((0.07, 0.92, 0.22, 0.58, 0.05), 0.04),
        },
    ),
    "nose": Part(
        ("button", "long", "broad", "pointed", "red"),
        {
            "nose_top": ((0.22, -0.02, 0.14, 0.04, 0.20), 0.02),
            "nose_length": ((0.06, 0.30, 0.13, 0.27, 0.06), 0.02),
            "nose_bridge": ((0.07, 0.040, 0.07, 0.015, 0.13), 0.006),
            "nose_tip": ((0.09, 0.065, 0.19, 0.125, 0.16), 0.008),
            "nose_red": ((0.77, 0.77, 0.77, 0.77, 1.05), 0.04),
            "nose_green": ((0.62, 0.62, 0.62, 0.62, 0.40), 0.04),
            "nose_blue": ((0.60, 0.60, 0.60, 0.60, 0.45), 0.04),
        },
    ),
    "mouth": Part(
        ("smile", "frown", "flat", "open", "pout"),
        {
            "mouth_height": ((0.54, 0.63, 0.59, 0.64, 0.60), 0.02),
            "mouth_width": ((0.40, 0.38, 0.36, 0.21, 0.19), 0.02),
            "mouth_curve": ((0.20, -0.20, 0.00, 0.00, 0.00), 0.02),
            "mouth_opening": ((0.045, 0.015, 0.00, 0.18, 0.07), 0.01),
            "mouth_thickness": ((0.040, 0.040, 0.055, 0.035, 0.035), 0.005),
            "mouth_red": ((0.66, 0.62, 0.60, 0.38, 0.86), 0.04),
            "mouth_green": ((0.16, 0.16, 0.22, 0.06, 0.18), 0.04),
            "mouth_blue": ((0.18, 0.18, 0.22, 0.08, 0.28), 0.04),
        },
    ),
    "ears": Part(
        ("small", "round", "pointed", "low", "ringed"),
        {
            "ear_height": ((0.05, 0.00, -0.22, 0.22, 0.05), 0.02),
            "ear_reach": ((0.03, 0.12, 0.10, 0.05, 0.03), 0.01),
            "ear_width": ((0.10, 0.20, 0.11, 0.13, 0.10), 0.01),
            "ear_length": ((0.15, 0.22, 0.33, 0.26, 0.15), 0.01),
            "ear_lean": ((0.00, 0.00, 0.55, -0.20, 0.00), 0.04),
            "ear_ring": ((0.00, 0.00, 0.00, 0.00, 0.11), 0.00),
        },
    ),
    "mark": Part(
        ("left cheek", "right cheek", "forehead", "chin", "temple"),
        {
            "mark_x": ((-0.50, 0.50, 0.00, 0.22, -0.64), 0.02),
            "mark_y": ((0.36, 0.36, -0.40, 0.82, -0.24), 0.02),
            "mark_radius": ((0.095, 0.095, 0.095, 0.095, 0.095), 0.008),
        },
    ),
}
"""The nine parts, in the order of `Task.parts`."""

NUISANCES: dict[str, tuple[float, float]] = {
    "x": (-0.16, 0.16),
    "y": (-0.14, 0.16),
    "scale": (0.66, 1.04),
    "rotation": (-35.0, 35.0),
    "turn": (-1.0, 1.0),
    "nod": (-1.0, 1.0),
    "gaze_x": (-0.06, 0.06),
    "gaze_y": (-0.03, 0.03),
    "light": (0.0, 360.0),
    "light_strength": (0.10, 0.60),
    "exposure": (0.72, 1.15),
    "cast_red": (0.75, 1.20),
    "cast_green": (0.75, 1.20),
    "cast_blue": (0.75, 1.20),
    "background_red": (0.05, 0.95),
    "background_green": (0.05, 0.95),
    "background_blue": (0.05, 0.95),
    "texture_contrast": (0.0, 0.30),
    "texture_period": (0.15, 0.60),
    "texture_angle": (0.0, 180.0),
    "texture_phase": (0.0, 360.0),
    "occluder_size": (-0.30, 0.22),
    "occluder_x": (-0.5, 0.5),
    "occluder_y": (-0.5, 0.5),
    "occluder_shape": (0.4, 1.6),
    "occluder_red": (0.0, 1.0),
    "occluder_green": (0.0, 1.0),
    "occluder_blue": (0.0, 1.0),
    "noise": (0.02, 0.07),
}
"""What varies whatever the token, each uniform between two bounds.

x, y, periods and occluder in parts of the image's width, scale relative, angles in degrees,
turn and nod from -1 to 1, colours and noise (standard deviation) in parts of full brightness.
`occluder_size` below 0 is set to 0: no occluder.
"""

FACE_UNIT = 0.40
"""Image widths in a face unit at scale 1."""

_DARK = (0.16, 0.10, 0.09)
_MARK = (0.24, 0.09, 0.07)
_WHITE = (0.97, 0.97, 0.96)
_GOLD = (0.98, 0.80, 0.18)

_INDEX = {part: k for k, part in enumerate(PARTS, start=1)}


class _Pose(NamedTuple):
    """Where the face lies in the images: coordinates as [exemplar, y, x] planes."""

    face: tuple[Plane, Plane]  # outline and hair
    front: tuple[Plane, Plane]  # features, shifted by turn and nod
    image: tuple[Plane, Plane]  # in image widths from the centre
    scale: Plane  # pixels per face unit


def draw(
    factors: Mapping[str, np.ndarray], size: int, *, without: frozenset[str] = frozenset()
) -> tuple[np.ndarray, np.ndarray]:
    """Draw exemplars without noise.

    Parameters
    ----------
    factors
        Every attribute of `PARTS` and every nuisance of `NUISANCES`, each of shape [exemplar].
    size
        Height and width in pixels.
    without
        Parts to leave out.

    Returns
    -------
    tuple
        Images float32 [channel, exemplar, y, x], not clipped, and the part map uint8
        [exemplar, y, x]: 0 for none, k for the k-th part.
    """
    f = {name: value.astype(np.float32)[:, None, None] for name, value in factors.items()}
    pose = _pose(f, size)
    left_out = frozenset(_INDEX[part] for part in without)
    canvas = Canvas(_shade(f, pose), len(PARTS), left_out)
    _occluder(canvas, f, pose, size)
    outline = egg(
        *pose.face, (f["head_width"], f["head_height"]), f["head_taper"], f["head_square"]
    )
    curls = _curls(f, pose)
    _front_hair(canvas, f, pose, outline - curls)
    _eyes_and_brows(canvas, f, pose)
    _nose_mouth_mark(canvas, f, pose)
    canvas.paint(_INDEX["head"], coverage(outline, pose.scale), _colour(f, "skin"))
    _ears(canvas, f, pose)
    _back_hair(canvas, f, pose, curls)
    _background(canvas, f, pose)
    for plane, name in zip(canvas.image, ("cast_red", "cast_green", "cast_blue"), strict=True):
        plane *= f[name] * f["exposure"]
    return canvas.image, canvas.part_map()


def _pose(f: Mapping[str, Plane], size: int) -> _Pose:
    grid = ((np.arange(size, dtype=np.float32) + 0.5) / size - 0.5).astype(np.float32)
    x, y = grid[None, None, :] - f["x"], grid[None, :, None] - f["y"]
    angle = np.deg2rad(f["rotation"])
    unit = FACE_UNIT * f["scale"]
    cos, sin = np.cos(angle) / unit, np.sin(angle) / unit
    u, v = cos * x + sin * y, cos * y - sin * x
    front = (u - 0.09 * f["turn"], v - 0.06 * f["nod"])
    return _Pose((u, v), front, (grid[None, None, :], grid[None, :, None]), unit * size)


def _shade(f: Mapping[str, Plane], pose: _Pose) -> Plane:
    angle = np.deg2rad(f["light"])
    across = np.cos(angle) * pose.image[0] + np.sin(angle) * pose.image[1]
    return 1.0 + 2.0 * f["light_strength"] * across


def _occluder(canvas: Canvas, f: Mapping[str, Plane], pose: _Pose, size: int) -> None:
    extent = np.maximum(f["occluder_size"], 1e-3)
    x, y = pose.image[0] - f["occluder_x"], pose.image[1] - f["occluder_y"]
    distance = ellipse(x, y, extent * f["occluder_shape"], extent / f["occluder_shape"])
    cover = coverage(distance, float(size)) * (f["occluder_size"] > 0)
    canvas.paint(0, cover, _colour(f, "occluder"), lit=False)


def _curls(f: Mapping[str, Plane], pose: _Pose) -> Plane:
    x, y = pose.face
    return f["hair_curl"] * np.sin(11.0 * x) * np.sin(11.0 * y)


def _colour(f: Mapping[str, Plane], what: str, factor: float = 1.0) -> list[Plane]:
    return [factor * f[f"{what}_{c}"] for c in ("red", "green", "blue")]


def _front_hair(canvas: Canvas, f: Mapping[str, Plane], pose: _Pose, outline: Plane) -> None:
    x, y = pose.face
    line = f["hair_line"] + (f["hair_fringe"] * x + f["hair_tilt"]) * x
    distance = np.maximum(outline - f["hair_volume"], y - line)
    canvas.paint(_INDEX["hair"], coverage(distance, pose.scale), _colour(f, "hair"))


def _back_hair(canvas: Canvas, f: Mapping[str, Plane], pose: _Pose, curls: Plane) -> None:
    x, y = pose.face
    height = f["head_height"] + f["hair_volume"]
    distance = arch(x, y, f["head_width"] + f["hair_flare"], height)
    distance = np.maximum(distance - curls, y - f["hair_length"])
    canvas.paint(_INDEX["hair"], coverage(distance, pose.scale), _colour(f, "hair", 0.8))


def _eyes_and_brows(canvas: Canvas, f: Mapping[str, Plane], pose: _Pose) -> None:
    x, y = pose.front
    out = np.abs(x) - f["eye_spacing"]  # 0 at the middle of either eye, growing outwards
    bend = (f["brow_slope"], f["brow_arch"], 0.0)
    distance = stroke(out, y - f["brow_height"], f["brow_width"], f["brow_thickness"], bend)
    canvas.paint(_INDEX["brows"], coverage(distance, pose.scale), _DARK)

    level = y - f["eye_slant"] * out
    opening = ellipse(out, level, f["eye_width"], f["eye_height"])
    eye = coverage(opening, pose.scale)
    across = np.copysign(out, x * out) - f["gaze_x"]
    down = y - f["gaze_y"]
    centre = np.sqrt(across * across + down * down)
    iris, pupil = f["iris_radius"], 0.45 * f["iris_radius"]
    canvas.paint(_INDEX["iris"], coverage(centre - pupil, pose.scale) * eye, _DARK)
    canvas.paint(_INDEX["iris"], coverage(centre - iris, pose.scale) * eye, _colour(f, "iris"))
    canvas.paint(_INDEX["eyes"], eye, _WHITE)
    canvas.paint(_INDEX["eyes"], coverage(opening - 0.035, pose.scale), _DARK)


def _nose_mouth_mark(canvas: Canvas, f: Mapping[str, Plane], pose: _Pose) -> None:
    x, y = pose.front
    dx, dy = x - f["mark_x"], y - f["mark_y"]
    distance = np.sqrt(dx * dx + dy * dy) - f["mark_radius"]
    canvas.paint(_INDEX["mark"], coverage(distance, pose.scale), _MARK)
    distance = wedge(x, y - f["nose_top"], f["nose_length"], f["nose_bridge"], f["nose_tip"])
    colour = [a * b for a, b in zip(_colour(f, "nose"), _colour(f, "skin"), strict=True)]
    canvas.paint(_INDEX["nose"], coverage(distance, pose.scale), colour)
    bend = (0.0, f["mouth_curve"], f["mouth_opening"])
    distance = stroke(x, y - f["mouth_height"], f["mouth_width"], f["mouth_thickness"], bend)
    canvas.paint(_INDEX["mouth"], coverage(distance, pose.scale), _colour(f, "mouth"))


def _ears(canvas: Canvas, f: Mapping[str, Plane], pose: _Pose) -> None:
    x, y = pose.face
    out = np.abs(x) - f["head_width"] - f["ear_reach"]
    down = y - f["ear_height"]
    ring = np.sqrt(np.square(out) + np.square(down - f["ear_length"] - 0.08))
    cover = coverage(ring - f["ear_ring"], pose.scale) * (f["ear_ring"] > 0)
    canvas.paint(_INDEX["ears"], cover, _GOLD)
    out = out + f["ear_lean"] * down  # the tip leans outwards
    distance = ellipse(out, down, f["ear_width"], f["ear_length"])
    canvas.paint(_INDEX["ears"], coverage(distance, pose.scale), _colour(f, "skin", 0.86))


def _background(canvas: Canvas, f: Mapping[str, Plane], pose: _Pose) -> None:
    angle = np.deg2rad(f["texture_angle"])
    along = np.cos(angle) * pose.image[0] + np.sin(angle) * pose.image[1]
    across = np.cos(angle) * pose.image[1] - np.sin(angle) * pose.image[0]
    wave = 2.0 * np.pi / f["texture_period"]
    phase = np.deg2rad(f["texture_phase"])
    weave = f["texture_contrast"] * np.sin(wave * along + phase) * np.sin(0.7 * wave * across)
    colour = [channel + weave for channel in _colour(f, "background")]
    canvas.paint(0, np.ones_like(weave), colour, lit=False)
