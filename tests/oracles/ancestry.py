"""Ancestry by loops over edges, from its definition."""

import numpy as np


def followed(record, step, token, breadth):
    """Flow and net flow of kept units, by following every edge from the token's logit down."""
    at = record.sel(step=step)
    values = at["coupling_contrast"].isel(token=token).values.astype(float)
    edges = list(zip(record["source"].values, record["target"].values, values, strict=True))
    layers = list(dict.fromkeys(record["layer"].values.tolist()))
    flow = {f"{layers[-1]}:{token}": 1.0}
    net, found, links = dict(flow), dict(flow), []
    for _ in layers:
        passed, net_passed, met = {}, {}, []
        for target in flow:
            own = [(s, v) for s, t, v in edges if t == target]
            direction = -1 if sum(v for _, v in own) < 0 else 1
            total = sum(abs(v) for _, v in own)
            for source, value in own:
                passed[source] = passed.get(source, 0) + flow[target] * abs(value) / total
                gain = net[target] * direction * value / total
                net_passed[source] = net_passed.get(source, 0) + gain
                met.append((source, target, direction * value))
        kept = sorted(passed, key=lambda s: -passed[s])[:breadth]
        flow = {s: passed[s] for s in kept}
        net = {s: net_passed[s] for s in kept}
        links += [edge for edge in met if edge[0] in kept]
        found |= flow
    return found, links


def served(record, step, token):
    """Each unit's share of a token's flow, and what of it speaks for the token."""
    values = record["coupling_contrast"].sel(step=step).isel(token=token).values.astype(float)
    edges = list(zip(record["source"].values, record["target"].values, values, strict=True))
    layers = list(dict.fromkeys(record["layer"].values.tolist()))
    flow = {f"{layers[-1]}:{token}": (1.0, 1.0)}
    everything = dict(flow)
    for _ in layers:
        below = {}
        for target, (size, net) in flow.items():
            own = [(s, v) for s, t, v in edges if t == target]
            sign = -1 if sum(v for _, v in own) < 0 else 1
            total = sum(abs(v) for _, v in own)
            for source, value in own:
                a, b = below.get(source, (0.0, 0.0))
                below[source] = (a + size * abs(value) / total, b + net * sign * value / total)
        everything |= below
        flow = below
    return everything


def chance_finds(values, null):
    """Benjamini & Hochberg's q of each value, p from counting null values that are as large."""
    p = np.array([(1 + sum(n >= v for n in null)) / (1 + len(null)) for v in values])
    result = []
    for k in range(len(p)):
        worse = [p[j] * len(p) / sum(p <= p[j]) for j in range(len(p)) if p[j] >= p[k]]
        result.append(min(1.0, *worse))
    return np.array(result)
