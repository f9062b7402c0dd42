"""Grafts across time: the lower layers of one step under the upper layers of another.

May import xarray, construction, pictures.store, measure, train, hooks and schedule.

References
----------
Raghu et al. 2017, SVCCA (freeze training); Zhang, Bengio & Singer 2022, Are All Layers Created
Equal?; Chatterji, Neyshabur & Sedghi 2020 (module criticality); Lenc & Vedaldi 2015 (stitching).
"""

import os
from collections.abc import Sequence

import numpy as np
import xarray as xr

from ontogeny.construction.grafting import Grafting
from ontogeny.construction.halves import Halves, refuse_what_is_no_chain
from ontogeny.construction.readiness import Shown, described, labelled, loss_time_of
from ontogeny.errors import InputError, RunError
from ontogeny.hooks import Probe, observable
from ontogeny.measure.keeping import GRAFTS, Making, keep
from ontogeny.measure.probe import held_out
from ontogeny.pictures.store import film_steps
from ontogeny.progress import Parts, Progress, silent
from ontogeny.run import RunFolder
from ontogeny.schedule import evenly_spaced
from ontogeny.train import Run, with_network

__all__ = ["grafts"]

STEPS = 12
"""Steps of the grid unless they are chosen."""
STITCHED = 6
"""Of these, so many are stitched to each other."""
EXEMPLARS = 80
"""Shown to each graft."""


def grafts(
    run: RunFolder | str | os.PathLike[str],
    *,
    steps: Sequence[int] | None = None,
    layers: Sequence[str] | None = None,
    exemplars: int = EXEMPLARS,
    seed: int = 0,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Graft lower layers of a run's steps under upper layers of others, or return what is fresh.

    G(l; s, t) has the layers up to l of step s, batch norm and its statistics included, and the
    others of step t. What the upper layers of step t need of the lower ones was there at step s
    if G(l; s, t) classifies as well as the network of step t. The dataset lies in grafts.zarr.

    Parameters
    ----------
    run
        A run with a record, snapshots and tokens, or its folder. Where the network is of a class
        of your own, the run opened with it: `ontogeny.Run.open(folder, model=MyNetwork)`.
    steps
        Recorded steps, at least two; None: 12, evenly spaced along log(1 + step).
    layers
        Layers at which networks are cut; None: all but the last.
    exemplars
        Held-out exemplars shown, as many of each token and of as many groups as can be.
    seed
        Of the choice of exemplars, their halves and resamples.
    progress
        Told what is being done and how far it is (`ontogeny.progress`).

    Returns
    -------
    xr.Dataset
        Over `cut` (topmost layer that is of `step`), `step` and `step_b` (that of the layers
        above): `graft_accuracy` with its interval, `graft_token_accuracy` (..., token),
        `graft_selectivity` (..., layer), mean eta squared over tokens of the layers above;
        `graft_difference`, accuracy minus that of the network of step_b, with the interval of the
        resampled groups of exemplars; `stitched_accuracy`, `stitched_difference`, `stitched_gain`
        of every second step, with a ridge map between the halves. Over (cut, step_b): the
        interval (`ready_after`, `ready_by`] of steps from which on no graft is shown to be worse,
        `equal_by` from which on each is shown to lose less than .05, `lead`, `lead_high` in
        doublings of the step, `lead_loss_time`. `loss_time` (step), `chance`.

    Raises
    ------
    RunError
        If there is no run, no record, or fewer than two recorded steps with a snapshot.
    InputError
        If a step or a layer is not there, the network is no chain of layers or cannot be made, or
        the run has no images or no tokens.

    Examples
    --------
    The network of step 300 does not need more of its first layer than was there at step 45:

    >>> found = ont.grafts(run, steps=[0, 45, 300], exemplars=60)
    >>> found.graft_accuracy.sel(cut="conv1", step_b=300).dims
    ('step',)
    >>> bool((found.ready_by <= found.step_b).sel(step_b=300).all())
    True
    """
    folder, say = with_network(run), progress or silent
    choice = {
        "steps": None if steps is None else sorted({int(step) for step in steps}),
        "layers": None if layers is None else list(layers), "exemplars": exemplars, "seed": seed,
    }  # fmt: skip

    def make(record: xr.Dataset, _: object) -> xr.Dataset:
        grid = _grid(folder, record, choice["steps"])
        rows, shown = _exemplars(record, exemplars, seed)
        probe = Probe(_images(record, rows))
        networks = _networks(folder, grid, probe)
        cuts = _cuts(networks[0], layers)
        parts = Parts(say, {"plain": 4.0, "stitched": 1.0})
        grafting = Grafting(networks, probe.x, shown, cuts, seed)
        right, selectivity = grafting.plain(parts.of("plain"))
        found = described(right, grid, shown, spent=loss_time_of(record, grid), seed=seed)
        found |= {"graft_selectivity": selectivity}
        found |= grafting.stitched(right, evenly_spaced(len(grid), STITCHED), parts.of("stitched"))
        layer = [stage.name for stage in networks[0].found]
        return labelled(found, [layer[k] for k in cuts], grid, shown, layer)

    return keep(folder, Making(GRAFTS, choice, make), say)


def _grid(run: Run, record: xr.Dataset, steps: list[int] | None) -> np.ndarray:
    """Return the steps of the grid: recorded ones, with their weights."""
    there = [int(step) for step in record["step"].values if int(step) in run.steps]
    if len(there) < 2:
        msg = (
            f"expected at least two recorded steps with their weights in {run.path}, got "
            f"{len(there)}: grafts need the weights of two steps; record more, with weights=True"
        )
        raise RunError(msg)
    if steps is None:
        return np.array(film_steps(there, STEPS))
    missing = [step for step in steps if step not in there]
    if missing or len(steps) < 2:
        what = ", ".join(map(str, missing)) or f"{len(steps)} step"
        shown = there if len(there) <= STEPS else [*there[:6], "...", *there[-3:]]
        msg = (
            f"expected at least two recorded steps ({', '.join(map(str, shown))}), got {what}: "
            "choose of these"
        )
        raise InputError(msg)
    return np.array(steps)


def _exemplars(record: xr.Dataset, count: int, seed: int) -> tuple[np.ndarray, Shown]:
    """Return positions of the chosen held-out exemplars in a record, and what is known of them."""
    if "exemplar_token" not in record:
        msg = (
            "expected a run whose exemplars have tokens, got one without: accuracies of grafts "
            "need them; give the recorder tokens"
        )
        raise InputError(msg)
    probe = held_out(record)
    n_tokens = len(np.unique(probe.token))
    if count < 2 * n_tokens:
        msg = f"expected at least two exemplars of each of {n_tokens} tokens, got {count}"
        raise InputError(msg)
    rows = balanced(probe.token, probe.group, count // n_tokens, np.random.default_rng(seed))
    return probe.position[rows], Shown(probe.token[rows], probe.group[rows], probe.tokens)


def balanced(
    token: np.ndarray, group: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return up to `count` exemplars of each token, ascending, of as many groups as can be.

    One of each group is taken before any group gives a second one.
    """
    chosen = []
    for c in np.unique(token):
        mine = rng.permutation(np.flatnonzero(token == c))
        turn = np.zeros(len(mine), dtype=int)
        for name in np.unique(group[mine]):
            members = group[mine] == name
            turn[members] = np.arange(members.sum())
        chosen.append(mine[np.argsort(turn, kind="stable")][:count])
    return np.sort(np.concatenate(chosen))


def _images(record: xr.Dataset, rows: np.ndarray) -> np.ndarray:
    if "image" not in record:
        msg = (
            "expected a record with the images of its exemplars, got one whose network was shown "
            "other input: grafts need a probe of uint8 images [exemplar, y, x, channel]"
        )
        raise InputError(msg)
    return record["image"].isel(exemplar=rows).values


def _networks(run: Run, steps: np.ndarray, probe: Probe) -> list[Halves]:
    """Return the network of each step."""
    found = [Halves(observable(run.network(int(step)), probe), probe.example) for step in steps]
    refuse_what_is_no_chain(found[0], probe.example)
    return found


def _cuts(network: Halves, layers: Sequence[str] | None) -> list[int]:
    """Return the indices of the layers at which networks are cut."""
    names = [stage.name for stage in network.found[:-1]]
    chosen = names if layers is None else list(layers)
    unknown = [name for name in chosen if name not in names]
    if unknown or not chosen:
        got = ", ".join(unknown) or "none"
        msg = (
            f"expected layers with one above them ({', '.join(names)}), got {got}: choose of these"
        )
        raise InputError(msg)
    return [names.index(name) for name in chosen]
