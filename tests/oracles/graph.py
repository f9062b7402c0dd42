"""Naive twins of the graph kernels: loops, from the definitions."""

import itertools
import math


def transitions(present, hold):
    """One edge at a time, walking through its snapshots."""
    n_snapshots, n_edges = len(present), len(present[0])
    born = [[False] * n_edges for _ in range(n_snapshots)]
    died = [[False] * n_edges for _ in range(n_snapshots)]
    for e in range(n_edges):
        column = [bool(present[k][e]) for k in range(n_snapshots)]
        alive = False
        for k in range(n_snapshots - hold + 1):
            window = column[k : k + hold]
            if not alive and all(window):
                alive, born[k][e] = True, True
            elif alive and not any(window):
                alive, died[k][e] = False, True
    return born, died


def concentration(weight, owner, n):
    out = []
    for o in range(n):
        size = [abs(w) for w, mine in zip(weight, owner, strict=True) if mine == o and w == w]
        total = sum(size)
        out.append(1 / sum((s / total) ** 2 for s in size) if total > 0 else math.nan)
    return out


def sharing(amount):
    total = sum(amount)
    if total <= 0 or len(amount) < 2:
        return math.nan
    shares = [a / total for a in amount]
    return -sum(p * math.log(p) for p in shares if p > 0) / math.log(len(amount))


def flow_down(shares, start, breadth):
    """Follow every edge down: `shares` holds [target][source] of each layer, the highest first."""
    found = [(list(start), list(start))]
    for share in shares:
        flow, net = found[-1]
        n_sources = len(share[0])
        size, signed = [0.0] * n_sources, [0.0] * n_sources
        for j, row in enumerate(share):
            known = [0.0 if value != value else value for value in row]
            total = sum(abs(value) for value in known)
            for i, value in enumerate(known):
                if total > 0:
                    size[i] += flow[j] * abs(value) / total
                    signed[i] += net[j] * value / total
        best = sorted(range(n_sources), key=lambda i, size=size: -size[i])[:breadth]
        for i in range(n_sources):
            if i not in best or size[i] == 0:
                size[i] = signed[i] = 0.0
        found.append((size, signed))
    return found


def best_disjoint(costs, top, k):
    """Try all sets of k paths; return the least sum of costs, None where there is no set."""
    sizes = [len(costs[0][0]), *[len(c) for c in costs]]
    every = []
    for path in itertools.product(*[range(n) for n in sizes[:-1]]):
        whole = (*path, top)
        cost = sum(costs[m][whole[m + 1]][whole[m]] for m in range(len(costs)))
        if math.isfinite(cost):
            every.append((whole, cost))
    best = None
    for chosen in itertools.combinations(every, k):
        inner = [[path[m] for path, _ in chosen] for m in range(1, len(sizes) - 1)]
        if all(len(set(nodes)) == k for nodes in inner):
            total = sum(cost for _, cost in chosen)
            best = total if best is None else min(best, total)
    return best


def modularity(matrix, label, resolution):
    """Sum over all pairs of nodes in the same community."""
    n = len(matrix)
    degree = [sum(row) for row in matrix]
    total = sum(degree)
    return sum(
        matrix[i][j] / total - resolution * degree[i] * degree[j] / total**2
        for i in range(n)
        for j in range(n)
        if label[i] == label[j]
    )


def adjusted_rand(a, b):
    """Count pairs of nodes."""
    both = one = other = pairs = 0
    for i, j in itertools.combinations(range(len(a)), 2):
        pairs += 1
        x, y = a[i] == a[j], b[i] == b[j]
        both, one, other = both + (x and y), one + x, other + y
    expected, largest = one * other / pairs, (one + other) / 2
    return 1.0 if largest == expected else (both - expected) / (largest - expected)


def normalised_information(a, b):
    n = len(a)
    h = {}
    for name, values in (("a", a), ("b", b), ("ab", list(zip(a, b, strict=True)))):
        p = [values.count(v) / n for v in set(values)]
        h[name] = -sum(q * math.log(q) for q in p)
    whole = h["a"] + h["b"]
    return 1.0 if whole == 0 else 2 * (whole - h["ab"]) / whole


def noise_correlation(x, y, token):
    """Pearson correlation of two units' responses after each token's mean is taken off."""

    def residual(values):
        out = list(values)
        for c in set(token):
            mine = [k for k, t in enumerate(token) if t == c]
            mean = sum(values[k] for k in mine) / len(mine)
            for k in mine:
                out[k] = values[k] - mean
        return out

    p, q = residual(x), residual(y)
    top = sum(a * b for a, b in zip(p, q, strict=True))
    return top / math.sqrt(sum(a * a for a in p) * sum(b * b for b in q))


def reuse_by_chance(present, source, target):
    nodes = set(source)
    recruited = 0.0
    for i in nodes:
        missed = 1.0
        for j in {t for s, t in zip(source, target, strict=True) if s == i}:
            into = [e for e in range(len(source)) if target[e] == j]
            missed *= 1 - sum(present[e] for e in into) / len(into)
        recruited += 1 - missed
    return sum(present) / recruited


def fewest_holding(values, share):
    """The smallest of all subsets that hold the share of the sum, the one that holds most."""
    for size in range(len(values) + 1):
        subsets = list(itertools.combinations(range(len(values)), size))
        best = max(subsets, key=lambda some: sum(values[i] for i in some))
        if sum(values[i] for i in best) >= share * sum(values):
            return [i in best for i in range(len(values))]
    raise AssertionError
