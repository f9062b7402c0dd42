"""Naive twins of what needs the network: one edge, one token, one ablated pass at a time."""

import copy

import numpy as np


def lattice_twin(size, most=4):
    """The positions along a side that are kept: as many as fit, as far apart as can be."""
    every = 1
    while len(range(0, size, every)) > most:
        every += 1
    return list(range((every - 1) // 2, size, every))


def on_lattice(maps):
    """Keep of maps [..., y, x] the lattice; what has no map stays as it is."""
    rows, columns = lattice_twin(maps.shape[-2]), lattice_twin(maps.shape[-1])
    return maps[..., rows, :][..., columns]


def permuted_twin(module, seed, times):
    """Modules with the layer's weights permuted, one after the other by one generator."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(times):
        twin, weight = copy.deepcopy(module), module.weight.detach().numpy()
        old, new = list(weight.flat), np.empty(weight.shape)
        for to, come_from in enumerate(rng.permutation(len(old))):
            new.flat[to] = old[come_from]
        found.append(_with_weight(twin, new))
    return found


def _with_weight(module, weight):
    import torch

    with torch.no_grad():
        module.weight.copy_(torch.as_tensor(weight))
    return module


def _without(module, target, taps):
    """Set some of a target's weights to 0."""
    weight = module.weight.detach().numpy().copy(order="C")
    weight[target].reshape(-1)[taps] = 0
    return _with_weight(module, weight)


def attribution_twin(model, module, edge, x, token, n_tokens):
    """d E[y_c - mean of y | c] / d g at g = 1, where g multiplies what comes through one edge.

    edge: (target, source, taps): indices of the weights that belong to it. One exemplar at a time.
    """
    import torch

    target, taps = edge
    found = [[] for _ in range(n_tokens)]
    for one, c in zip(x, token, strict=True):
        gate = torch.ones((), dtype=x.dtype, requires_grad=True)

        def through(module, args, z, gate=gate):
            return z + (gate - 1) * _alone(module, args[0], target, taps)

        handle = module.register_forward_hook(through)
        y = model(one[None].clone())[0]
        handle.remove()
        (slope,) = torch.autograd.grad(y[c] - sum(y) / len(y), gate)
        found[c].append(slope.item())
    return [sum(v) / len(v) if v else float("nan") for v in found]


def loss_of_edge_twin(model, module, edge, x, token, n_tokens):
    """E[y_c - mean of y | c] with all edges, less what is left when one edge's weights are 0."""
    import torch

    target, taps = edge
    without = copy.deepcopy(model)
    path = next(name for name, m in model.named_modules() if m is module)
    _without(without.get_submodule(path), target, taps)
    with torch.no_grad():
        a, b = model(x.clone()), without(x.clone())
    own = [(y - y.mean(1, keepdim=True)).numpy() for y in (a, b)]
    return [np.mean((own[0] - own[1])[token == c, c]) for c in range(n_tokens)]


def _alone(module, x, target, taps):
    """What the layer computes for one target out of some of its weights only."""
    import torch

    weight = np.zeros(module.weight.shape)
    weight[target].reshape(-1)[taps] = module.weight[target].detach().flatten()[taps]
    twin = _with_weight(copy.deepcopy(module), weight)
    twin._forward_hooks.clear()
    if twin.bias is not None:
        with torch.no_grad():
            twin.bias.zero_()
    for parameter in twin.parameters():
        parameter.requires_grad_(False)
    return twin(x.detach())


def interaction_twin(stage, x, target, first, second):
    """E[a(11) - a(10) - a(01) + a(00)] by four passes with the parents' weights at 0.

    first and second: indices of the weights that belong to each parent.
    """
    import torch

    total = 0.0
    for is_there, sign in ((True, True), 1), ((True, False), -1), ((False, True), -1), (
        (False, False), 1,
    ):  # fmt: skip
        twin = copy.deepcopy(stage.module)
        for present, taps in zip(is_there, (first, second), strict=True):
            if not present:
                _without(twin, target, taps)
        with torch.no_grad():
            a = twin(x)
            for module in (stage.norm, stage.activation):
                a = a if module is None else copy.deepcopy(module)(a)
        total += sign * (on_lattice(a[:, target]) if a.dim() == 4 else a[..., target]).mean().item()
    return total
