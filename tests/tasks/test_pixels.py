"""Images of other types: what is advised keeps their order and their range."""

import re

import numpy as np
import pytest

from ontogeny.errors import InputError
from ontogeny.tasks import Task
from ontogeny.tasks.pixels import advice, image_problems

RAMP = np.linspace(0, 1, 40 * 4).reshape(40, 2, 2)
STORED = {
    "16 bits": (RAMP * 65535).round().astype(np.uint16),
    "12 bits": (RAMP * 4095).round().astype(np.uint16),
    "10 bits, big-endian": (RAMP * 1023).round().astype(">u2"),
    "8 bits, wide": (RAMP * 255).round().astype(np.int64),
    "fractions": RAMP.astype(np.float32),
    "half precision": RAMP.astype(np.float16),
    "floats to 255": RAMP * 255,
    "floats to 65535": RAMP * 65535,
    "standardised": (RAMP - 0.5) * 4,
    "signed": (RAMP * 65535 - 32768).round().astype(np.int16),
    "yes or no": RAMP > 0.5,
}


@pytest.mark.parametrize("kind", STORED)
def test_the_advice_keeps_order_and_range(kind):
    images = STORED[kind]
    with pytest.raises(InputError, match=f"expected uint8, got {images.dtype}") as caught:
        Task.from_arrays(images, np.repeat(["ash", "elm"], 20))
    code = re.search(r"give (.+?\.astype\(np\.uint8\)( \* 255)?)[,)]", str(caught.value))
    assert code is not None, caught.value
    made = eval(code[1], {"images": images, "np": np})
    assert made.dtype == np.uint8
    assert (made.min(), made.max()) == (0, 255)
    order = np.diff(made.ravel().astype(int)[np.argsort(images, axis=None, kind="stable")])
    assert (order >= 0).all()
    assert not image_problems(made[..., None])


def test_what_is_no_number_is_named():
    assert advice(np.array([[np.nan, 1.0]])).startswith("some values are NaN or infinite: replace")
    assert advice(np.array(["a"])) == "give numbers from 0 to 255"
    assert advice(np.full((2, 2), -1.0)).endswith("give (images * 0.0).round().astype(np.uint8)")
