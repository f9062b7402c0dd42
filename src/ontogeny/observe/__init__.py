"""Observing: snapshots of a run, live or afterwards, into its record.

A row of the record knows the hash of the weights that it was taken from; so what is done and fresh
is skipped, what is stale is observed anew, and an observation that was killed goes on.
May import hooks, train, run, tasks, schedule, record, files and errors.
"""

from ontogeny.observe.exemplars import TRAIN_EXEMPLARS, Clones, Exemplars, halves
from ontogeny.observe.following import follow, following
from ontogeny.observe.layout import template
from ontogeny.observe.recorder import GROWTH, Recorder
from ontogeny.observe.row import score, weights_hash
from ontogeny.observe.snapshots import PATIENCE, Observer, observe

__all__ = [
    "GROWTH",
    "PATIENCE",
    "TRAIN_EXEMPLARS",
    "Clones",
    "Exemplars",
    "Observer",
    "Recorder",
    "follow",
    "following",
    "halves",
    "observe",
    "score",
    "template",
    "weights_hash",
]
