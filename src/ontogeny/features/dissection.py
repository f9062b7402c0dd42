"""Dissection: how well the places where a unit is strongly active coincide with a known part.

The part maps come from the renderer, so that the overlap is exact and not an annotator's.
May import torch and `ontogeny.features`, `hooks`.

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
from ontogeny.features.fields import SEPARATOR
from ontogeny.features.responses import each_response

ACTIVE = 0.005
"""Share of places at which a unit counts as strongly active."""
DETECTOR = 0.04
"""Overlap above which a unit is called a detector of a part."""
_AT_ONCE = 32


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
    is_part = torch.from_numpy(
        np.stack([part_map == k for k in range(1, len(parts) + 1)]).reshape(len(parts), -1)
    ).float()
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
        found[layer] = _overlaps(maps, is_part, images.shape[1:3], active)
    return _dataset(found, parts, rotate)


def overlap(mask: Tensor, is_part: Tensor) -> Tensor:
    """Return the intersection over union of masks with parts, [unit, part].

    Parameters
    ----------
    mask, is_part
        0 or 1, float32, [unit, pixel] and [part, pixel].
    """
    both = mask @ is_part.T
    either = mask.sum(1)[:, None] + is_part.sum(1) - both
    known = (mask.sum(1)[:, None] > 0) & (is_part.sum(1) > 0)
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


def _overlaps(
    maps: Tensor, is_part: Tensor, size: Sequence[int], active: float
) -> tuple[Tensor, Tensor]:
    """Return IoU [unit, part] and thresholds [unit] of one layer, some units at a time."""
    threshold = thresholds(maps, active)
    rows = []
    for first in range(0, maps.shape[1], _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        large = F.interpolate(maps[:, some], size=tuple(size), mode="bilinear", align_corners=False)
        mask = (large > threshold[some, None, None]).transpose(0, 1).flatten(1)
        rows.append(overlap(mask.float(), is_part))
    return torch.cat(rows), threshold


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
            f"within 0 ... 1, got {', '.join(wrong)}: mend these"
        )
        raise InputError(msg)
