"""Grafts from their definition: a new network, one weight after another."""

import copy

import torch


def naive_graft(lower, upper, cut, x):
    """Logits of a new network with the weights up to the layer `cut` of one, the rest of another.

    Layers are the children of a network of ours, in order; a norm goes with the layer before it.
    """
    graft = copy.deepcopy(upper)
    state = dict(graft.state_dict())
    is_lower, taken = True, set()
    for name, _ in upper.named_children():
        has_units = isinstance(upper.get_submodule(name), torch.nn.Conv2d | torch.nn.Linear)
        if has_units and cut in taken:
            is_lower = False
        taken.add(name)
        if is_lower:
            for key, value in lower.state_dict().items():
                if key.startswith(f"{name}."):
                    state[key] = value.clone()
    graft.load_state_dict(state)
    graft.eval()
    with torch.no_grad():
        return graft(x)


def naive_selectivity(values, token):
    """Mean over units that vary of the share of variance between tokens."""
    shares = []
    for unit in values.T:
        whole = sum((v - unit.mean()) ** 2 for v in unit)
        if whole > 0:
            means = [unit[token == token[k]].mean() for k in range(len(unit))]
            shares.append(sum((m - unit.mean()) ** 2 for m in means) / whole)
    return sum(shares) / len(shares)
