"""Independent pieces of torch's work side by side, one thread each. May import torch only.

One piece at a time on several threads makes these wait for each other at the end of every small
operation; where another process takes a core they wait long, and spin. Whole pieces do not wait.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> Iterator[Result]:
    """Yield what `work` returns of each piece, in their order.

    As many pieces at once as torch has threads; torch's number of threads is as before in the end.
    `work` must not change what pieces share, and calls no hooks of a shared network.
    """
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, "pieces", torch.set_num_threads, (1,))
    try:
        yield from pool.map(work, pieces)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)
