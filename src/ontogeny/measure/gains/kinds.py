"""What a unit can do with what it is given: inherit, select, combine. May import numpy only."""

import numpy as np

LEVEL = 0.05
"""A unit at or below this p is constructed: chance gives as large a share of units."""
INHERITS, SELECTS, COMBINES, UNKNOWN = 0, 1, 2, -1
KINDS = ("inherits", "selects", "combines")
"""What `kind` means; -1: not known."""


def is_beyond(p: np.ndarray) -> np.ndarray:
    """Say which p are at most `LEVEL`: (1 + 0) / (1 + 19) is, whatever it rounds to; NaN is not."""
    return p <= LEVEL + 1e-6
