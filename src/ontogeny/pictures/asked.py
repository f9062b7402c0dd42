"""What a view asks of the network at any step: a map, a preferred image, what a unit is needed for.

Steps between snapshots are trained again, bit for bit, from the checkpoint before them. May import
torch, `ontogeny.pictures`, `train`, `record`.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from threading import Lock

import numpy as np
from torch import Tensor, nn

from ontogeny.errors import InputError
from ontogeny.model import prepare
from ontogeny.pictures.ablation import ablation_effects
from ontogeny.pictures.fields import columns, unit_index
from ontogeny.pictures.preferred import cut, preferred_images
from ontogeny.pictures.responses import each_response
from ontogeny.pictures.shown import Shown
from ontogeny.record import NAME as RECORD
from ontogeny.record import open_record
from ontogeny.run import RunFolder
from ontogeny.train import with_network

KEPT = 4
"""Networks kept at hand, the least lately used going first."""


class Asked:
    """Answers questions about one run's network, one at a time.

    Parameters
    ----------
    run
        The run or its folder; a run whose network was handed over keeps it.
    """

    def __init__(self, run: RunFolder | str | os.PathLike[str]) -> None:
        self.run = with_network(run)
        self._networks: OrderedDict[int, nn.Module] = OrderedDict()
        self._lock = Lock()

    def activation_map(self, step: int, unit: str, exemplar: int) -> np.ndarray:
        """Return a unit's activations on one exemplar, float32 [y, x]; dense units have one place.

        Raises
        ------
        InputError
            If the step was not trained, or the unit or the exemplar does not exist.
        """
        image = self._image(exemplar)
        with self.network(step) as model:
            [(layer, channel)] = self._units(model, unit)
            seen: list[np.ndarray] = []

            def take(name: str, _: slice, maps: Tensor) -> None:
                if name == layer:
                    seen.append(maps[0, channel].float().numpy().copy())

            each_response(model, image, take)
        return seen[0]

    def preferred_image(self, step: int, unit: str) -> np.ndarray:
        """Return a unit's preferred image, uint8 [y, x, channel]; of no size where it has none.

        Raises
        ------
        InputError
            If the step was not trained or the unit does not exist.
        """
        with self.network(step) as model:
            self._units(model, unit)
            return cut(preferred_images(model, self._shown.images, [unit]), unit)

    def without(self, step: int, unit: str) -> dict[str, list]:
        """Return what silencing a unit does: its activation is 0 on all shown exemplars.

        Returns
        -------
        dict
            By token, in their order: `token`, its name; `accuracy` with the unit and
            `accuracy_without` it, shares of the token's exemplars; `logit`, the change of the
            token's logit over all exemplars in its standard deviations, with `logit_low` and
            `logit_high`. What does not vary is None. See `ontogeny.ablation_effects`.

        Raises
        ------
        InputError
            If the step was not trained, the unit does not exist, or it is a logit.
        """
        shown, tokens = self._shown, self.tokens
        token = np.array([tokens.index(name) for name in self._names])
        with self.network(step) as model:
            if self._units(model, unit)[0][0] == "logits":
                msg = f"expected a hidden unit, got {unit}: a logit is what the others act on"
                raise InputError(msg)
            found = ablation_effects(model, shown.images, token, [unit], [], tokens=tokens)
        at = found.isel(source=0)
        rows = {f"logit{end}": at[f"logit_effect{end}"] for end in ("", "_low", "_high")}
        rows |= {"accuracy": at["token_accuracy"], "accuracy_without": at["token_accuracy_without"]}
        numbers = {name: [None if np.isnan(v) else float(v) for v in row.values]
                   for name, row in rows.items()}  # fmt: skip
        return {"token": tokens, **numbers}

    @contextmanager
    def network(self, step: int) -> Iterator[nn.Module]:
        """Give the network at a step to one question at a time.

        Raises
        ------
        InputError
            If the step was not trained.
        """
        with self._lock:
            if step not in self._networks:
                self._networks[step] = self.run.replay(step)
            self._networks.move_to_end(step)
            while len(self._networks) > KEPT:
                self._networks.popitem(last=False)
            yield self._networks[step]

    def exemplar(self, exemplar: int) -> tuple[np.ndarray, str]:
        """Return an exemplar's image, uint8 [1, y, x, channel], and the name of its token.

        Raises
        ------
        InputError
            If the exemplar does not exist.
        """
        image = self._image(exemplar)
        if self.run.is_own_loop:
            return image, self._names[int(np.flatnonzero(self._shown.exemplars == exemplar)[0])]
        return image, self.tokens[int(self.run.task.token[exemplar])]

    @cached_property
    def mean_exemplar(self) -> np.ndarray:
        """Return the mean of all images that are shown, float64 [1, y, x, channel], 0 to 255."""
        return self._shown.images.mean(axis=0, keepdims=True)

    def _units(self, model: nn.Module, unit: str) -> list[tuple[str, int]]:
        found = columns(model, prepare(self._shown.images[:1].copy()))
        return unit_index([unit], [column.stage for column in found.values()])

    def _image(self, exemplar: int) -> np.ndarray:
        if self.run.is_own_loop:
            return self._shown.image(exemplar)
        images = self.run.task.images
        if not 0 <= exemplar < len(images):
            msg = f"expected an exemplar from 0 to {len(images) - 1}, got {exemplar}"
            raise InputError(msg)
        return images[exemplar : exemplar + 1]

    @property
    def tokens(self) -> list[str]:
        """Return the names of all tokens, in the order of the logits."""
        return [str(name) for name in self.run.description["task"]["tokens"]]

    @cached_property
    def _names(self) -> list[str]:
        """Token of each exemplar that is shown."""
        with open_record(self.run.path / RECORD) as record:
            names = record["exemplar_token"].values.astype(str)
            known = dict(zip(record["exemplar"].values.tolist(), names, strict=True))
        return [str(known[int(exemplar)]) for exemplar in self._shown.exemplars]

    @cached_property
    def _shown(self) -> Shown:
        """What the snapshots were shown: a task's probe, or, in a loop of its own, the record's."""
        if self.run.is_own_loop:
            with open_record(self.run.path) as record:
                return Shown.of(record.load())
        task = self.run.task
        return Shown(task.images[task.probe], task.probe, task.group[task.probe])
