"""The graph of one picture by its definition: an edge is taken away while all gates stay as they
were, and the output is looked at. Loops over targets, sources, places and taps.

A network is a list of operations: ("conv", weight, bias), padded by 1; ("norm", scale, shift);
("gate", slope), slope that of the negative side; ("max",) over 2 x 2 places; ("mean",) over all
places; ("dense", weight, bias).
"""

import numpy as np

NOTHING = (None, None, None)
"""No layer, target and source is taken away."""
BIAS = "bias"


def run(ops, x, gates=None, without=NOTHING):
    """Return the output, the gates, and the input of each layer with weights.

    `without` is (layer, target, source or "bias"): what the source adds to the target's
    pre-activation is taken away; a bias goes with the shift of the batch norm behind it.
    """
    seen, inputs, layer = [], [], -1
    for k, (kind, *given) in enumerate(ops):
        if kind in ("conv", "dense"):
            layer += 1
            inputs.append(x)
            target, source = without[1:] if without[0] == layer else (None, None)
            x = (conv if kind == "conv" else dense)(x, *given, target, source)
        elif kind == "norm":
            target, source = without[1:] if without[0] == layer else (None, None)
            x = np.stack([
                given[0][j] * x[j] + (0 if (j, BIAS) == (target, source) else given[1][j])
                for j in range(len(x))
            ])  # fmt: skip
        elif kind == "mean":
            x = np.array([row.mean() for row in x])
        else:
            gate = (sides if kind == "gate" else places)(x, *given) if gates is None else gates[k]
            x = x * gate if kind == "gate" else at(x, gate)
            seen.append((k, gate))
    return x, dict(seen), inputs


def conv(x, weight, bias, target, source):
    """Convolve with 3 x 3 kernels and zeros around."""
    _, height, width = x.shape
    z = np.zeros((len(weight), height, width))
    for j in range(len(weight)):
        for y in range(height):
            for c in range(width):
                z[j, y, c] = 0 if (j, BIAS) == (target, source) else bias[j]
                for i in range(len(x)):
                    if (j, i) != (target, source):
                        z[j, y, c] += reached(x[i], weight[j, i], y, c)
    return z


def reached(plane, kernel, y, c):
    """Sum weight times input over the taps that lie on the map."""
    total = 0.0
    for dy in range(3):
        for dc in range(3):
            row, column = y + dy - 1, c + dc - 1
            if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
                total += kernel[dy, dc] * plane[row, column]
    return total


def dense(x, weight, bias, target, source):
    z = np.zeros(len(weight))
    for j in range(len(weight)):
        z[j] = 0 if (j, BIAS) == (target, source) else bias[j]
        for i in range(len(x)):
            if (j, i) != (target, source):
                z[j] += weight[j, i] * x[i]
    return z


def sides(x, slope):
    return np.where(x > 0, 1.0, slope)


def places(x):
    """Say for each 2 x 2 window which place holds the largest value, the first of equals."""
    n, height, width = x.shape
    gate = np.zeros((n, height // 2, width // 2), dtype=int)
    for i in range(n):
        for y in range(height // 2):
            for c in range(width // 2):
                window = x[i, 2 * y : 2 * y + 2, 2 * c : 2 * c + 2].ravel()
                gate[i, y, c] = int(np.argmax(window))
    return gate


def at(x, gate):
    found = np.zeros(gate.shape)
    for i, y, c in np.ndindex(gate.shape):
        dy, dc = divmod(int(gate[i, y, c]), 2)
        found[i, y, c] = x[i, 2 * y + dy, 2 * c + dc]
    return found


def explained(logits, token, contrast):
    return logits[token] - (sum(logits) / len(logits) if contrast else 0)


def attribution(ops, x, gates, edge, token, contrast):
    """What is explained with the edge, less what it is without it, the gates as they are."""
    plain = explained(run(ops, x, gates)[0], token, contrast)
    return plain - explained(run(ops, x, gates, edge)[0], token, contrast)


def influence(into, node):
    """The sum over all paths from a node (level, index) to the output of the product of portions.

    `into[k]` is [target, source]: what flows into each node of level k + 1.
    """
    level, index = node
    if level == len(into):
        return 1.0
    total = 0.0
    for target in range(len(into[level])):
        size = sum(abs(value) for value in into[level][target])
        if size > 0:
            share = abs(into[level][target][index]) / size
            total += share * influence(into, (level + 1, target))
    return total
