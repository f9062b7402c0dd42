"""Dissection: how well the places where a unit is strongly active coincide with a known part.

The part maps come from the renderer, so that the overlap is exact and not an annotator's.
May import torch and `ontogeny.pictures`, `hooks`.

References
----------
Bau, Zhou, Khosla, Oliva & Torralba 2017, Network dissection.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from torch import Tensor, nn

from ontogeny.errors import InputError
from ontogeny.pictures.fields import SEPARATOR
from ontogeny.pictures.responses import each_response

ACTIVE = 0.005
"""Share of places at which a unit counts as strongly active."""
DETECTOR = 0.04
"""Overlap above which a unit is called a detector of a part."""
_AT_ONCE = 2048
"""Maps that are enlarged together."""


def dissect(
    model: nn.Module,
    images: np.ndarray,
    part_map: np.ndarray,
    parts: Sequence[str],
    *,
    active: float = ACTIVE,
    rotate: int | None = None,
) -> xr.Dataset:
    """Return each convolutional unit's overlap with each part.

    IoU = sum |M and L| / sum |M or L| over exemplars and pixels, L where the part is visible and
    M where the unit's map, brought bilinearly to the image's size, exceeds the threshold T with
    P(a > T) = `active` over exemplars and places of the map. Range 0 ... 1; NaN for a unit that
    exceeds its threshold nowhere and for a part that is nowhere visible.

    Parameters
    ----------
    model
        The network; it is left as it was.
    images
        uint8 exemplars [exemplar, y, x, channel].
    part_map
        [exemplar, y, x]: 0 = no part, k = `parts[k - 1]`.
    parts
        Names of the parts.
    active
        Share of places.
    rotate
        Seed of a random rotation of each layer's units, the control: the same information in
        directions that are no units.

    Returns
    -------
    xarray.Dataset
        `iou` (unit, part); `threshold` (unit); `best_part` (unit), the name of the part with the
        largest overlap, "" without any; `detector` (unit): its overlap is above .04.

    Raises
    ------
    InputError
        If the part maps do not fit the images or the names, or there is no convolutional layer.
    """
    _check(images, part_map, parts, active)
    part = torch.from_numpy(part_map.astype(np.int64))
    gathered: dict[str, list[Tensor]] = {}

    def take(layer: str, _: slice, maps: Tensor) -> None:
        if maps.shape[2] * maps.shape[3] > 1:
            gathered.setdefault(layer, []).append(maps.cpu().clone())

    each_response(model, images, take)
    if not gathered:
        msg = "expected a convolutional layer, whose maps can be laid over parts, got none"
        raise InputError(msg)
    found = {}
    for layer, blocks in gathered.items():
        maps = torch.cat(blocks) if rotate is None else rotated(torch.cat(blocks), rotate)
        found[layer] = _overlaps(maps, part, len(parts), active)
    return _dataset(found, parts, rotate)


def overlap(both: Tensor, marked: Tensor, visible: Tensor) -> Tensor:
    """Return the intersection over union of masks with parts, [unit, part]; NaN for empty ones.

    Parameters
    ----------
    both
        Pixels that lie in the mask and in the part, [unit, part].
    marked, visible
        Pixels of each mask, [unit], and of each part, [part].
    """
    either = marked[:, None] + visible - both
    known = (marked[:, None] > 0) & (visible > 0)
    return torch.where(known, both / either.clamp_min(1), torch.nan)


def thresholds(maps: Tensor, active: float) -> Tensor:
    """Return the response that a share `active` of a unit's places exceed, [unit].

    The k-th largest of n values with k = floor(active n) + 1: at most k - 1 exceed it.
    """
    values = maps.transpose(0, 1).flatten(1)
    rank = values.shape[1] - int(active * values.shape[1])
    return values.kthvalue(rank, dim=1).values


def rotated(maps: Tensor, seed: int) -> Tensor:
    """Return maps [exemplar, unit, y, x] along random orthogonal directions instead of units."""
    generator = torch.Generator().manual_seed(seed)
    basis, _ = torch.linalg.qr(torch.randn(maps.shape[1], maps.shape[1], generator=generator))
    return torch.einsum("vu,nuyx->nvyx", basis, maps)


def _overlaps(maps: Tensor, part: Tensor, n: int, active: float) -> tuple[Tensor, Tensor]:
    """Return IoU [unit, part] and thresholds [unit] of one layer; `part` [exemplar, y, x].

    Only exemplars whose map exceeds the threshold somewhere are enlarged: what lies between places
    is a mean of them and exceeds none that they do not.
    """
    threshold = thresholds(maps, active)
    counts = torch.zeros(maps.shape[1], n + 1, dtype=torch.int64)
    unit, exemplar = (maps.amax((2, 3)) > threshold).T.nonzero().T
    for first in range(0, len(unit), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        small = maps[exemplar[some], unit[some]][:, None]
        large = F.interpolate(small, size=part.shape[1:], mode="bilinear", align_corners=False)
        row, y, x = (large[:, 0] > threshold[unit[some], None, None]).nonzero().T
        seen = unit[some][row] * (n + 1) + part[exemplar[some][row], y, x]
        counts += torch.bincount(seen, minlength=counts.numel()).reshape(counts.shape)
    visible = torch.bincount(part.flatten(), minlength=n + 1)
    return overlap(counts[:, 1:].float(), counts.sum(1).float(), visible[1:].float()), threshold


def _dataset(
    found: dict[str, tuple[Tensor, Tensor]], parts: Sequence[str], rotate: int | None
) -> xr.Dataset:
    """Return the overlaps with their names."""
    iou = torch.cat([values for values, _ in found.values()]).numpy()
    names = [f"{layer}{SEPARATOR}{k}" for layer, (v, _) in found.items() for k in range(len(v))]
    layers = [name.rpartition(SEPARATOR)[0] for name in names]
    known = np.nan_to_num(iou, nan=-1.0)
    best = np.array([*parts, ""], dtype=str)[
        np.where(known.max(1) > 0, known.argmax(1), len(parts))
    ]
    data = {
        "iou": (("unit", "part"), iou, {"long_name": "intersection over union", "units": "1"}),
        "threshold": ("unit", torch.cat([t for _, t in found.values()]).numpy(),
                      {"long_name": "activation above which a place is active", "units": "1"}),
        "best_part": ("unit", best, {"long_name": "part of largest overlap", "units": "1"}),
        "detector": ("unit", known.max(1) > DETECTOR,
                     {"long_name": "overlap above .04", "units": "1"}),
    }  # fmt: skip
    coordinates = {
        "unit": np.array(names, dtype=str),
        "layer": ("unit", np.array(layers, dtype=str)),
        "part": np.array(parts, dtype=str),
    }
    return xr.Dataset(data, coords=coordinates, attrs={"rotated": int(rotate is not None)})


def _check(images: np.ndarray, part_map: np.ndarray, parts: Sequence[str], active: float) -> None:
    """Refuse maps that do not belong to the images, all at once."""
    wrong = []
    if tuple(part_map.shape) != tuple(images.shape[:3]):
        wrong.append(f"part maps {list(part_map.shape)} for images {list(images.shape)}")
    elif part_map.size and int(part_map.max()) > len(parts):
        wrong.append(f"part {int(part_map.max())} with {len(parts)} names")
    if not parts:
        wrong.append("no names of parts")
    if not 0 < active < 1:
        wrong.append(f"active {active}")
    if wrong:
        msg = (
            "expected a part map [exemplar, y, x] of every image, a name of every part and a share "
            f"within 0 ... 1, got {', '.join(wrong)}: change these"
        )
        raise InputError(msg)
