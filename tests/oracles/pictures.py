"""Pictures of a detector: loops from the definitions, slow and plain."""

import numpy as np


def naive_field(respond, image, rng, tries=4):
    """Rows and columns of the pixels that change a response when they are changed, as a box.

    Several images, since a pixel behind a silent ReLU or a max-pool changes nothing.
    """
    found = set()
    for _ in range(tries):
        base = rng.standard_normal(image.shape)
        before = respond(base)
        for y in range(image.shape[0]):
            for x in range(image.shape[1]):
                changed = base.copy()
                changed[y, x] += 100.0
                if respond(changed) != before:
                    found.add((y, x))
    rows, columns = [y for y, _ in found], [x for _, x in found]
    return min(rows), max(rows) + 1, min(columns), max(columns) + 1


def naive_cosines(image):
    """Two-dimensional DCT-II of one channel, orthonormal, from its sum (Ahmed 1974)."""
    h, w = image.shape
    result = np.zeros((h, w))
    for u in range(h):
        for v in range(w):
            total = 0.0
            for y in range(h):
                for x in range(w):
                    wave = np.cos(np.pi * u * (2 * y + 1) / (2 * h))
                    total += image[y, x] * wave * np.cos(np.pi * v * (2 * x + 1) / (2 * w))
            norm = np.sqrt((1 if u == 0 else 2) / h) * np.sqrt((1 if v == 0 else 2) / w)
            result[u, v] = norm * total
    return result


def naive_top(maps, groups, top):
    """For one unit's maps [exemplar, y, x]: the best exemplar of each group, best first."""
    best = {}
    for k in range(len(maps)):
        value = max(maps[k][y][x] for y in range(maps.shape[1]) for x in range(maps.shape[2]))
        if groups[k] not in best or value > best[groups[k]][0]:
            best[groups[k]] = (value, k)
    ranked = sorted(best.values(), key=lambda pair: (-pair[0], pair[1]))
    return [k for _, k in ranked[:top]]


def naive_bilinear(small, size):
    """Enlarge a map; a cell's value belongs to the cell's middle, the border is repeated."""
    large = np.zeros(size)
    for y in range(size[0]):
        for x in range(size[1]):
            sy = min(max((y + 0.5) * small.shape[0] / size[0] - 0.5, 0), small.shape[0] - 1)
            sx = min(max((x + 0.5) * small.shape[1] / size[1] - 0.5, 0), small.shape[1] - 1)
            y0, x0 = int(sy), int(sx)
            y1, x1 = min(y0 + 1, small.shape[0] - 1), min(x0 + 1, small.shape[1] - 1)
            top = small[y0, x0] * (1 - (sx - x0)) + small[y0, x1] * (sx - x0)
            bottom = small[y1, x0] * (1 - (sx - x0)) + small[y1, x1] * (sx - x0)
            large[y, x] = top * (1 - (sy - y0)) + bottom * (sy - y0)
    return large


def naive_iou(maps, part_map, part, active):
    """Bau 2017 for one unit and part: threshold, enlarge, count pixels."""
    values = sorted((v for m in maps for v in m.ravel()), reverse=True)
    threshold = values[int(active * len(values))]
    both = either = 0
    for m, parts in zip(maps, part_map, strict=True):
        large = naive_bilinear(m, parts.shape)
        for y in range(parts.shape[0]):
            for x in range(parts.shape[1]):
                is_active, is_part = large[y, x] > threshold, parts[y, x] == part
                both += is_active and is_part
                either += is_active or is_part
    return both / either
