"""Groups and splits of a task: one exemplar at a time."""

import numpy as np


def join_groups_twin(images, group):
    """Walk from exemplar to exemplar while a group or all pixels are shared."""
    n = len(images)
    joined = [-1] * n
    for start in range(n):
        waiting = [start] if joined[start] < 0 else []
        while waiting:
            i = waiting.pop()
            joined[i] = start
            for j in range(n):
                linked = group[i] == group[j] or (images[i] == images[j]).all()
                if linked and joined[j] < 0:
                    waiting.append(j)
    return joined


def draw_split_twin(token, names, group, density, probe, seed):
    """Groups in the order of their first exemplar's key: whole into the probe, then one by one."""
    import zlib

    key = {}
    for t, name in enumerate(names):
        own = [i for i in range(len(token)) if token[i] == t]
        keys = np.random.default_rng([seed, zlib.crc32(name.encode())]).random(len(own))
        key |= dict(zip(own, keys, strict=True))
    firsts = sorted({min(j for j in key if group[j] == group[i]) for i in key}, key=key.__getitem__)
    split = [2] * len(token)
    for first in firsts:
        own = [i for i in range(len(token)) if group[i] == group[first]]
        after = [i for i in range(len(token)) if split[i] == 1 or i in own]
        full = [sum(token[i] == t for i in after) > probe for t in range(len(names))]
        if not any(full[token[i]] for i in own):
            for i in own:
                split[i] = 1
    for first in firsts:
        for i in range(len(token)):
            trained = sum(split[j] == 0 and token[j] == token[i] for j in range(len(token)))
            if group[i] == group[first] and split[i] == 2 and trained < density:
                split[i] = 0
    return split
