"""The loop: step after step to the last, and what is written down on the way.

May import torch, run, files and the training itself.
"""

import copy
from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from ontogeny.files import Background
from ontogeny.progress import Progress
from ontogeny.run import CurveFile, Row, RunFolder
from ontogeny.train.place import undisturbed
from ontogeny.train.training import Training, arrays, refuse_nan

Watcher = Callable[[int, nn.Module], object]
"""Called as `watcher(step, network)` after each snapshot, with a copy of the network."""


def go_on(
    run: RunFolder,
    training: Training,
    watchers: Sequence[Watcher],
    progress: Progress | None,
) -> None:
    """Train from where a training is to its last step, and write it down in the run's folder.

    Raises
    ------
    DivergedError
        If the loss became NaN or infinite; what was recorded until then is kept.
    """
    # a run killed after its checkpoint has rows and snapshots beyond it; they would be
    # written twice
    run.rewind(training.step)
    with run.append_curve() as curve, Background() as background:
        _loop(training, _Scribe(run, training, curve, background, watchers), progress)


def _loop(training: Training, scribe: "_Scribe", progress: Progress | None) -> None:
    config, snapshots = training.config, frozenset(training.config.snapshot_steps)
    if training.step == 0:
        scribe.snapshot()
    while training.step < config.steps:
        row = training.advance()
        scribe.row(row)
        if row.step in snapshots:
            scribe.snapshot()
        if config.is_checkpoint(row.step):
            scribe.checkpoint()
        if progress is not None:
            progress(f"loss {row.loss:.3f}", row.step, config.steps)


class _Scribe:
    """Writes down what happens in a run, behind the training's back, and shows it to watchers.

    Checkpoints wait in line behind the snapshots and rows that they promise.
    """

    def __init__(
        self,
        run: RunFolder,
        training: Training,
        curve: CurveFile,
        background: Background,
        watchers: Sequence[Watcher],
    ) -> None:
        self.run, self.training, self.curve, self.background = run, training, curve, background
        self.watchers = watchers
        # one copy for all snapshots: watchers may do with it what they like
        self.copy = copy.deepcopy(training.model) if watchers else None
        base = (run.description["parent"] or {"step": 0})["step"]
        self.lasting = training.config.lasting_checkpoints | {base}

    def row(self, row: Row) -> None:
        """Append to the learning curve."""
        self.curve.append(row)

    def snapshot(self) -> None:
        """Store the weights, and show a copy of the network to the watchers."""
        step, weights = self.training.step, self.training.weights()
        # copied now, written later: the next step changes the weights in place
        self.background.put(lambda: self.run.write_snapshot(step, arrays(weights)))
        if self.copy is None:
            return
        self.copy.load_state_dict(weights)
        for watcher in self.watchers:
            self.copy.eval()
            with undisturbed():
                watcher(step, self.copy)

    def checkpoint(self) -> None:
        """Store all that a resume needs, after all that came before is durable."""
        step, state = self.training.step, self.training.state()
        refuse_nan(state, step, self.training.config)
        # rows first: a checkpoint promises that the curve up to its step is on the disk
        self.background.put(self.curve.synchronise)
        self.background.put(lambda: self.run.write_checkpoint(step, arrays(state)))
        # old checkpoints go only when the new one is whole
        self.background.put(partial(self.run.keep_checkpoints, self.lasting))
