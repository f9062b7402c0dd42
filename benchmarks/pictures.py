"""Preferred images: all units of a snapshot, and units of every depth beside dreamlens.

And the exact graph of one picture.
"""

import statistics
import tempfile

import numpy as np
import torch
from torch import nn

import ontogeny as ont
from benchmarks.timing import Row, at_least, missing, paired, release, seconds
from ontogeny.model import PIXEL_MEAN, PIXEL_SCALE, prepare
from ontogeny.pictures.canvas import Palette
from ontogeny.pictures.climb import Climb, Recipe
from ontogeny.pictures.cone import Cone
from ontogeny.pictures.fields import columns
from ontogeny.pictures.preferred import preferred_images

STEPS = 64
BUDGET = 120.0
GRAPH_BUDGET = 1.0
STAND_FOR = {"conv2": 64, "conv4": 128, "conv6": 256, "conv8": 512, "fc1": 261}
"""Layers that are timed, and of how many of the 1,221 units each is taken for the price."""
UNITS = 16
"""Of each of these layers, in one batch."""
COMPARED = {"conv4": 4, "conv6": 4, "conv8": 4, "fc1": 4, "logits": 4}
PEER_RATES = {"its own rate": 0.009, "its best rate": 0.2}
"""Learning rates of dreamlens: its default, and the best of .009, .02, .05, .1, .2 in 64 steps."""
UNPENALISED = Recipe(
    steps=STEPS,
    variation_weight=0,
    prior_weight=0,
    jitter=1 / 16,
    zoom=0.1,
    decay=0.7,
    learning_rate=1.0,
)
"""Ours without what trades activation for readability; dreamlens has no such penalty. The one that
keeps pixels within 0 ... 1 stays: dreamlens cannot leave that range."""


def rows() -> list[Row]:
    model, images = _snapshot()
    return [_all_units(model, images), _graph(model, images), *_beside_dreamlens(model, images)]


def _snapshot() -> tuple[nn.Module, np.ndarray]:
    """Return a briefly trained network and its probe."""
    task = ont.load_task("faces", density=200, size=32)
    with tempfile.TemporaryDirectory() as folder:
        run = ont.train(task, config=ont.Config(steps=200, snapshots=1), out=folder)
        return run.network(200), task.images[task.probe]


def _all_units(model: nn.Module, images: np.ndarray) -> Row:
    took = seconds(lambda: preferred_images(model, images))
    name = f"preferred images, all 1,221 units, 32 px, {Recipe().steps} steps"
    return Row(name, took, None, "", None, f"<= {BUDGET:g} s", took <= BUDGET)


def _graph(model: nn.Module, images: np.ndarray) -> Row:
    """Time the graph of one picture, held against the mean of all, which is the dearer one."""
    mean = images.mean(axis=0)

    def graph() -> None:
        ont.picture_graph_of(model, images[0], 0, reference=mean)

    graph()  # what is imported when it is first used is no part of it
    took = statistics.median(seconds(graph) for _ in range(5))
    name = "exact graph of one picture, 1,221 units, 32 px"
    return Row(name, took, None, "", None, f"<= {GRAPH_BUDGET:g} s", took <= GRAPH_BUDGET)


def _beside_dreamlens(model: nn.Module, images: np.ndarray) -> list[Row]:
    peer = release("dreamlens")
    alone, batched = (
        f"a preferred image, {STEPS} steps, mean of units, against one at a time",
        f"a preferred image, {STEPS} steps, mean of units, against batches of {UNITS}",
    )
    heights = {
        f"activation on the preferred image, {told}, {rate}": (recipe, value)
        for told, recipe in (("defaults", Recipe(steps=STEPS)), ("no penalties", UNPENALISED))
        for rate, value in PEER_RATES.items()
    }
    try:
        theirs = _Dreamlens(model, images, PEER_RATES["its best rate"])
    except ImportError:
        budgets = {alone: ">= 10 x", batched: ">= 1.5 x"} | dict.fromkeys(heights, ">= 1 x")
        return [missing(name, peer, budget, "not installed") for name, budget in budgets.items()]
    mine, single, together = _prices(theirs, model, images)
    return [
        at_least(alone, peer, (mine, single, single / mine), 10),
        at_least(batched, peer, (mine, together, together / mine), 1.5),
        *(
            _heights(name, peer, _Dreamlens(model, images, rate), recipe)
            for name, (recipe, rate) in heights.items()
        ),
    ]


def _prices(
    theirs: "_Dreamlens", model: nn.Module, images: np.ndarray
) -> tuple[float, float, float]:
    """Return seconds an image: ours, theirs one at a time, theirs in batches."""
    total = np.zeros(3)
    for layer, count in STAND_FOR.items():
        climb, channels = _climb(model, images, layer), torch.arange(UNITS)

        def ours(climb: Climb = climb, channels: torch.Tensor = channels) -> None:
            spectrum = climb.run(climb.start(UNITS), channels, torch.ones(UNITS))
            climb.develop(spectrum, channels)

        def one_at_a_time(layer: str = layer) -> None:
            theirs.draw(layer, [1], together=False)

        def in_a_batch(layer: str = layer) -> None:
            theirs.draw(layer, list(range(UNITS)))

        mine, single, _ = paired(ours, one_at_a_time, repeats=3)
        again, together, _ = paired(ours, in_a_batch, repeats=3)
        own = (mine + again) / 2 / UNITS
        total += count * np.array([own, single, together / UNITS])
    mine, single, together = (total / sum(STAND_FOR.values())).tolist()
    return mine, single, together


def _climb(model: nn.Module, images: np.ndarray, layer: str) -> Climb:
    column = columns(model, prepare(images[:1].copy()))[layer]
    return Climb(Cone(model, column), Palette.of(images), Recipe(steps=STEPS))


def _heights(name: str, peer: str, theirs: "_Dreamlens", recipe: Recipe) -> Row:
    """Compare what the pictures of both achieve in units that ours found a picture for or not."""
    mine, other = [], []
    for layer, count in COMPARED.items():
        units = [f"{layer}:{k}" for k in range(count)]
        found = preferred_images(theirs.model, theirs.images, units, recipe=recipe)
        wanted = np.flatnonzero(found.best_exemplar.values > 0).tolist()
        if wanted:
            mine += found.achieved.values[wanted].tolist()
            other += theirs.draw(layer, wanted)
    ratios = [a / max(b, 1e-6) for a, b in zip(mine, other, strict=True)]
    middle = statistics.median(ratios)
    medians = statistics.median(mine), statistics.median(other)
    return Row(name, *medians, peer, middle, ">= 1 x", middle >= 1, unit="")


class _Dreamlens:
    """dreamlens, drawing at the size of the exemplars with jitter like ours."""

    def __init__(self, model: nn.Module, images: np.ndarray, rate: float) -> None:
        from dreamlens import FeatureVisualizer
        from dreamlens.optimization import RenderConfig, TransformConfig

        self.model, self.images, self._size = model, images, images.shape[1]
        jitter = TransformConfig(
            rotate_degrees=0, scale_min=0.9, scale_max=1.1, translate_x=1 / 16, translate_y=1 / 16
        )
        self._config = RenderConfig(
            width=self._size, height=self._size, steps=STEPS, lr=rate, transform=jitter
        )
        self._visualizer = FeatureVisualizer(model, quiet=True, preprocess=_prepared)

    def draw(self, layer: str, channels: list[int], *, together: bool = True) -> list[float]:
        """Draw units at the middle of their map; return what the clipped pictures achieve."""
        output = self._output(layer, torch.zeros(1, 3, self._size, self._size))
        places = int(np.prod(output.shape[2:]))
        middle = (output.shape[-1] * (output.shape[-1] // 2) + output.shape[-1] // 2) % places
        flat = [channel * places + middle for channel in channels]
        if together:
            result = self._visualizer.maximize_neurons(layer, flat, self._config)
        else:
            result = self._visualizer.maximize_neuron(layer, flat[0], self._config)
        with torch.no_grad():
            pictures = result.image().clamp(0, 1)
            values = self._output(layer, _prepared(pictures)).flatten(1)
        own = values[torch.arange(len(channels)), flat]
        return (own if layer == "logits" else own.relu()).tolist()

    def _output(self, layer: str, x: torch.Tensor) -> torch.Tensor:
        children = dict(self.model.named_children())
        with torch.no_grad():
            for name, module in children.items():
                x = module(x)
                if name == layer:
                    break
        return x


def _prepared(image: torch.Tensor) -> torch.Tensor:
    return (255 * image - PIXEL_MEAN) / PIXEL_SCALE
