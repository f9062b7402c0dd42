"""Naive twins of what is grafted: one unit's weights copied into one network at a time."""

import copy

import numpy as np


def rolled_back_network(last, earlier, layer, channel, norm=None):
    """Return the last network with one unit's weights, bias and batch norm of an earlier one."""
    import torch

    net = copy.deepcopy(last)
    with torch.no_grad():
        for name in (layer, norm):
            if name is None:
                continue
            mine, theirs = net.get_submodule(name), earlier.get_submodule(name)
            for key, value in mine.state_dict(keep_vars=True).items():
                if value.dim() > 0:
                    value.data[channel] = theirs.state_dict()[key][channel]
    return net.eval()


def margin_twin(logits, token):
    """The logit of the token less the largest other one, one exemplar at a time."""
    found = []
    for row, c in zip(logits, token, strict=True):
        others = [value for k, value in enumerate(row) if k != c]
        found.append(row[c] - max(others))
    return np.array(found)


def folds_left_out_twin(values, fold):
    """Mean and 95 % interval from means with one fold after another left out."""
    kinds, mean = sorted(set(fold.tolist())), float(np.mean(values))
    without = [float(np.mean([v for v, f in zip(values, fold, strict=True) if f != k]))
               for k in kinds]  # fmt: skip
    centre, n = sum(without) / len(without), len(without)
    sd = ((n - 1) / n * sum((w - centre) ** 2 for w in without)) ** 0.5
    return mean, mean - 1.959964 * sd, mean + 1.959964 * sd
