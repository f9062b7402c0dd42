"""Training: a loop that reads top to bottom, and a run that can go on, be replayed and be forked.

The order of exemplars is a pure function of the seed, and everything else that the next step
depends on is in a checkpoint; so a run that was killed ends in the same bits as one that was not,
on the same machine with the same threads and versions.
May import everything below the hooks: config, tasks, model, schedule, run, files, errors.
"""

from ontogeny.config import Config
from ontogeny.train.begin import train
from ontogeny.train.loop import Watcher
from ontogeny.train.place import settled
from ontogeny.train.run import Run, with_network
from ontogeny.train.training import Order, Training

__all__ = [
    "Config",
    "Order",
    "Run",
    "Training",
    "Watcher",
    "settled",
    "train",
    "with_network",
]
