"""Folders of made-up photographs, one sub-folder per token, for tests of what reads them."""

import os

import numpy as np
import pytest
from PIL import Image

RNG = np.random.default_rng(0)

photographs = pytest.mark.skipif(
    "ONTOGENY_DATA" not in os.environ and "CI" not in os.environ,
    reason="ONTOGENY_DATA names no photographs",  # continuous integration fails rather than skips
)
"""Of a test that needs the real photographs."""


def photograph(path, size=(40, 30), mode="RGB", **options):
    """Store noise of its own; size is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


def folder_of(root, tokens=("ash", "elm"), n=6, suffix="png", **options):
    for token in tokens:
        for i in range(n):
            photograph(root / token / f"{i}.{suffix}", **options)
    return root
