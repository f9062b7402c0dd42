"""Finds, ratios, turns and leads from their definitions, one thing at a time."""

from itertools import combinations, product
from math import comb

import numpy as np


def dealt_counts(finds):
    """Every way to give each token as many units: (units with several, units with one)."""
    n = len(finds)
    ways = [list(combinations(range(n), sum(row[k] for row in finds)))
            for k in range(len(finds[0]))]  # fmt: skip
    found = []
    for owners in product(*ways):
        count = [sum(unit in mine for mine in owners) for unit in range(n)]
        found.append((sum(c > 1 for c in count), sum(c == 1 for c in count)))
    return found


def tail(count, of, chance):
    """P(at least `count` successes)."""
    return sum(comb(of, k) * chance**k * (1 - chance) ** (of - k) for k in range(count, of + 1))


def count_interval(count, of):
    """Clopper and Pearson: the chances at which either tail is 2.5 %, found by halving."""

    def root(rises, at):
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if rises(middle) < at else (low, middle)
        return low

    low = 0.0 if count == 0 else root(lambda p: tail(count, of, p), 0.025)
    high = 1.0 if count == of else root(lambda p: tail(count + 1, of, p), 0.975)
    return of * low, of * high


def ratios(part, whole):
    """The ratio of sums of every resample of rows, all equally likely."""
    n = len(part)
    return [sum(part[i] for i in rows) / max(sum(whole[i] for i in rows), 1)
            for rows in product(range(n), repeat=n)]  # fmt: skip


def turn(value, half, hold, sign):
    """(place, effect, reach) of the largest rise and fall, or fall and rise, of a course."""
    course = [sign * v for v in value]
    ends = max(course[:hold] + course[-hold:])
    best = None
    for start in range(len(course) - hold + 1):
        held = course[start : start + hold]
        effect = min(held) - ends
        if best is None or effect > best[1]:
            width = max(half[start : start + hold])
            reach = (width**2 + max(half[0], half[-1]) ** 2) ** 0.5
            best = (start + held.index(max(held)), effect, reach)
    return best


def share(begun, chosen, snapshot):
    """Share of the chosen units in which something has begun by a snapshot."""
    mine = [unit for unit in range(len(begun)) if chosen[unit]]
    return sum(bool(begun[unit][snapshot]) for unit in mine) / len(mine)


def lead_bound(begun, dealt, token, n_tokens, snapshot):
    """What the lead of a token stays below when units' tokens are those of `dealt`."""
    null = []
    for tokens in dealt:
        own = [t == token for t in tokens]
        other = [t != token for t in tokens]
        null.append(share(begun, own, snapshot) - share(begun, other, snapshot))
    return np.quantile(null, 1 - 0.05 / n_tokens)
