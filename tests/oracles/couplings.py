"""Couplings and activations of a network: loops from the definitions, slow and plain."""

import numpy as np


def naive_source_contributions(layer, x, n_sources):
    """Return z_ij [source, exemplar, target, ...] by zeroing all sources but one; no bias."""
    import torch

    bias = layer(torch.zeros_like(x))
    if isinstance(layer, torch.nn.Linear):
        blocks = x.unflatten(-1, (n_sources, -1))
        axis = blocks.dim() - 2
    else:
        blocks, axis = x, 1
    contributions = []
    for i in range(n_sources):
        alone = torch.zeros_like(blocks)
        alone.select(axis, i).copy_(blocks.select(axis, i))
        z = layer(alone.reshape(x.shape)) - bias
        contributions.append(z if z.dim() == 4 else z.movedim(-1, 1))
    return torch.stack(contributions).detach().numpy()


def naive_coupling(contributions):
    """Return Cov(z_ij, z_j) / Var(z_j), [target, source], over exemplars and positions."""
    n_sources, n_targets = contributions.shape[0], contributions.shape[2]
    share = np.full((n_targets, n_sources), np.nan)
    z = contributions.sum(axis=0)
    for j in range(n_targets):
        zj = z[:, j].ravel()
        if np.ptp(zj) <= 1e-9 * max(1.0, np.abs(zj).max()):
            continue
        for i in range(n_sources):
            zij = contributions[i, :, j].ravel()
            covariance = np.mean((zij - zij.mean()) * (zj - zj.mean()))
            share[j, i] = covariance / np.mean((zj - zj.mean()) ** 2)
    return share


def naive_token_signal(contributions, token):
    """Return Cov(E[z_ij | c], E[z_j | c]) / Var(z_j), [target, source], by explicit group means."""
    n_sources, n_targets = contributions.shape[0], contributions.shape[2]
    signal = np.full((n_targets, n_sources), np.nan)
    z = contributions.sum(axis=0)
    for j in range(n_targets):
        if np.ptp(z[:, j]) <= 1e-9 * max(1.0, np.abs(z[:, j]).max()):
            continue
        for i in range(n_sources):
            between = 0.0
            for c in sorted(set(token.tolist())):
                mine = token == c
                a = contributions[i, mine, j].mean() - contributions[i, :, j].mean()
                b = z[mine, j].mean() - z[:, j].mean()
                between += mine.mean() * a * b
            signal[j, i] = between / z[:, j].var()
    return signal


def naive_contrast(contributions, token):
    """Return (E[z_ij | c] - E[z_ij | not c]) over the sum of absolute values of a row's terms."""
    n_sources, n_targets = contributions.shape[0], contributions.shape[2]
    tokens = sorted(set(token.tolist()))
    terms = np.full((n_targets, n_sources, len(tokens)), np.nan)
    for j in range(n_targets):
        for k, c in enumerate(tokens):
            for i in range(n_sources):
                mine = token == c
                map_ = contributions[i, :, j]
                terms[j, i, k] = map_[mine].mean() - map_[~mine].mean()
            total = np.abs(terms[j, :, k]).sum()
            terms[j, :, k] = terms[j, :, k] / total if total > 1e-12 else np.nan
    return terms


def naive_activations(model, names, x):
    """Return every named module's output, kept whole, in float64 numpy: [exemplar, unit, place]."""
    kept, handles = {}, []
    modules = dict(model.named_modules())
    for name in names:

        def keep(_module, _args, output, name=name):
            kept[name] = output.detach().double().clone()

        handles.append(modules[name].register_forward_hook(keep))
    model(x)
    for handle in handles:
        handle.remove()
    return {name: a.reshape(len(a), a.shape[1], -1).numpy() for name, a in kept.items()}
