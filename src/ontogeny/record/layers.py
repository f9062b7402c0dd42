"""Names of layers: those that learn are neither the image nor the network's output.

May import nothing of Ontogeny.
"""

from collections.abc import Iterable

PIXELS, LOGITS = "pixels", "logits"
"""The image, where it stands beside the layers, and the network's output."""


def hidden(names: Iterable[object]) -> list[str]:
    """Return the hidden layers in their order: all but the pixels and the logits."""
    return [str(name) for name in names if str(name) not in {PIXELS, LOGITS}]


def last_hidden(names: Iterable[object]) -> str:
    """Return the layer below the logits, or the last of all where there is no hidden one."""
    every = [str(name) for name in names]
    return (hidden(every) or every)[-1]
