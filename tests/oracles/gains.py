"""Naive twins of recombinations and gains: one network with other weights, one unit, one loop."""

import copy
import itertools
import math

import numpy as np

from oracles.selectivity import eta_squared_twin


def spread_twin(values, token):
    """Eta squared over tokens; 0 where a response does not vary."""
    values = [float(v) for v in values]
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
    if deviation <= 1e-6 * max(abs(v) for v in values):
        return 0.0
    return eta_squared_twin(values, list(token))


def left_out_twin(values, token, fold, gone):
    """The same with one fold left out; what varies at all is judged by all exemplars."""
    if spread_twin(values, range(len(values))) == 0:
        return 0.0
    kept = [i for i, f in enumerate(fold) if f != gone]
    rest = [float(values[i]) for i in kept]
    if len(set(rest)) == 1:
        return 0.0
    return eta_squared_twin(rest, [token[i] for i in kept])


def linear_modules(network):
    """The layers of a Sequential, from the lowest up."""
    return [m for m in network if type(m).__name__ in {"Conv2d", "Linear"}]


def with_weights(network, changed):
    """A copy of a Sequential in which layers, `changed` index -> weights, have other weights."""
    import torch

    twin = copy.deepcopy(network)
    with torch.no_grad():
        for k, weight in changed.items():
            module = linear_modules(twin)[k]
            module.weight.copy_(torch.as_tensor(np.asarray(weight)).reshape(module.weight.shape))
    return twin


def responses_twin(network, images):
    """Mean over positions of pre-activation and of response, a list of [exemplar, unit] of each."""
    import torch

    plain, given = [], []
    with torch.no_grad():
        for exemplar in images:
            x, z_means, a_means = exemplar[None], [], []
            for module in network:
                x = module(x.clone())
                kind = type(module).__name__
                mean = x[0].flatten(1).mean(1) if x.dim() == 4 else x[0]
                if kind in {"Conv2d", "Linear"}:
                    z_means.append(mean.clone())
                    a_means.append(mean.clone())
                elif "BatchNorm" in kind or kind in {"ReLU", "Tanh", "LeakyReLU"}:
                    a_means[-1] = mean.clone()
            plain.append(z_means)
            given.append(a_means)
    n = len(plain[0])
    return tuple([np.stack([np.asarray(row[k]) for row in rows]) for k in range(n)]
                 for rows in (plain, given))  # fmt: skip


def recombinations_twin(network, images, token, dealt, k):
    """Selectivities [unit, deal] of layer k with each deal's weights, linear and of responses.

    `dealt` is [deal, target, source, tap].
    """
    found = []
    for weight in dealt:
        plain, given = responses_twin(with_weights(network, {k: weight}), images)
        found.append((plain[k], given[k]))
    units = range(found[0][0].shape[1])
    return tuple(np.array([[spread_twin(deal[part][:, j], token) for deal in found] for j in units])
                 for part in (0, 1)), [given for _, given in found]  # fmt: skip


def on_dealt_twin(network, images, token, deals, k, depth):
    """[unit] means over the given deals of S_rd and of S_dd; None where nothing lies so far below.

    `deals` is a list over layers of weights [deal, target, source, tap].
    """
    below = k - depth
    if below < 0:
        return None
    sums = [0.0, 0.0]
    for d in range(len(deals[k])):
        for part, changed in enumerate(
            ({below: deals[below][d]}, {below: deals[below][d], k: deals[k][d]})
        ):
            given = responses_twin(with_weights(network, changed), images)[1][k]
            sums[part] = sums[part] + np.array([spread_twin(v, token) for v in given.T])
    return [total / len(deals[k]) for total in sums]


def building_left_out_twin(network, images, token, fold, deals, k, depth):
    """[unit, fold] (S_rr - S_dr) - (S_rd - S_dd) with each fold left out."""
    below = k - depth
    total = 0.0
    for d in range(len(deals[k])):
        parts = []
        for changed in ({}, {k: deals[k][d]}, {below: deals[below][d]},
                        {k: deals[k][d], below: deals[below][d]}):  # fmt: skip
            given = responses_twin(with_weights(network, changed), images)[1][k]
            parts.append(np.array([[left_out_twin(v, token, fold, f)
                                    for f in range(max(fold) + 1)] for v in given.T]))  # fmt: skip
        total = total + (parts[0] - parts[1]) - (parts[2] - parts[3])
    return total / len(deals[k])


def edge_gain_twin(network, images, token, drawn, k):
    """[target, source] drop of the target's selectivity when one slice is replaced.

    `drawn` is [deal, target, source, tap].
    """
    weight = linear_modules(network)[k].weight.detach().numpy().reshape(drawn.shape[1:])
    own = responses_twin(network, images)[1][k]
    own = np.array([spread_twin(v, token) for v in own.T])
    gain = np.zeros(weight.shape[:2])
    for i in range(weight.shape[1]):
        for new in drawn:
            changed = weight.copy()
            changed[:, i] = new[:, i]  # targets do not meet: all have their slice replaced at once
            given = responses_twin(with_weights(network, {k: changed}), images)[1][k]
            gain[:, i] += (own - np.array([spread_twin(v, token) for v in given.T])) / len(drawn)
    return gain


def reach_p_twin(own, dealt):
    """(1 + deals that reach it) / (1 + deals), for one unit."""
    return (1 + sum(1 for s in dealt if s >= own - 1e-6)) / (1 + len(dealt))


def best_gain_bound_twin(dealt):
    """The largest gain that any deal of any unit has over the unit's other deals."""
    gains = []
    for row in dealt:
        for d in range(len(row)):
            others = [s for e, s in enumerate(row) if e != d]
            gains.append(row[d] - sum(others) / len(others))
    return max(gains)


def jackknife_twin(value, left_out):
    """value -+ 1.96 sd, the delete-a-group jackknife's."""
    n = len(left_out)
    mean = sum(left_out) / n
    sd = math.sqrt((n - 1) / n * sum((v - mean) ** 2 for v in left_out))
    return value - 1.959964 * sd, value + 1.959964 * sd


def matched_twin(gain, amplitude, count):
    """Mean and p of the window of `count` others around each source in the order of amplitude."""
    n_units, n = len(gain), len(amplitude)
    mean = [[math.nan] * n for _ in range(n_units)]
    p = [[math.nan] * n for _ in range(n_units)]
    order = sorted(range(n), key=lambda i: amplitude[i])
    for place, i in enumerate(order):
        if n <= count:
            continue
        start = place - count // 2
        start = max(0, min(start, n - 1 - count))
        near = [s for s in order[start : start + count + 1] if s != i]
        for j in range(n_units):
            others = [gain[j][s] for s in near]
            if all(math.isfinite(v) for v in [*others, gain[j][i]]):
                mean[j][i] = sum(others) / count
                p[j][i] = (1 + sum(v >= gain[j][i] - 1e-6 for v in others)) / (1 + count)
    return mean, p


def kinds_twin(name, values, words):
    """Each value of a factor of 2 to 12 kinds, as (name, the exemplars that have it)."""
    values = np.asarray(values).tolist()
    if isinstance(values[0], float) or not 2 <= len(set(values)) <= 12:
        return []
    found = []
    for v in sorted(set(values)):
        word = words[v] if isinstance(v, int) and v < len(words) else str(v)
        found.append((f"{name} {word}", {i for i, u in enumerate(values) if u == v}))
    return found


def listed_twin(token, tokens, factors, words):
    """All candidates in their order, and whether each is no conjunction."""
    of = {c: {i for i, t in enumerate(token) if t == c} for c in range(len(tokens))}
    listed = [(name, of[c], True) for c, name in enumerate(tokens)]
    kinds = [kinds_twin(name, values, words.get(name, ())) for name, values in factors.items()]
    listed += [(*pair, True) for each in kinds for pair in each]
    for a, b in itertools.combinations(range(len(kinds)), 2):
        for one, first in kinds[a]:
            for other, second in kinds[b]:
                listed.append((f"{one} and {other}", first & second, False))
    for a, b in itertools.combinations(range(len(tokens)), 2):
        listed.append((f"{tokens[a]} or {tokens[b]}", of[a] | of[b], True))
    return listed


def features_twin(token, tokens, factors, words, *, most=64, fewest=4):
    """Features in their order, each with the exemplars that have it, and their other names."""
    everyone, found, also = set(range(len(token))), [], {}
    for name, member, is_plain in listed_twin(token, tokens, factors, words):
        rest = everyone - member
        if len(member) < fewest or len(rest) < fewest:
            continue
        same = [known for known, has in found if has in (member, rest)]
        if same and is_plain:
            also[same[0]].append(name)
        elif not same and len(found) < most:
            found.append((name, member))
            also[name] = []
    return found, also


def inactive_twin(record, step, unit):
    """Whether the unit's mean |response| is at most .025 of the mean over its layer's units."""
    mine = np.flatnonzero(record["exemplar_fold"].values >= 0)
    layer = record["layer"].values
    size = []
    for other in np.flatnonzero(layer == layer[unit]):
        values = record["activation"].values[step, mine, other].tolist()
        size.append((other, sum(abs(v) for v in values) / len(values)))
    mean = sum(s for _, s in size) / len(size)
    return dict(size)[unit] <= 0.025 * mean


def node_values(record, step, node):
    """Responses of a unit by its name, or the mean of a colour of the images."""
    names = record["unit"].values.tolist()
    if node in names:
        return record["activation"].values[step, :, names.index(node)].astype(float)
    if "image" not in record:
        return np.full(record.sizes["exemplar"], math.nan)
    colour = int(node.split(":")[1])
    return np.array([image[:, :, colour].mean() for image in record["image"].values])


def among(record, values, places):
    """Eta squared over tokens among exemplars at some places; NaN where constant."""
    token = record["exemplar_token"].values
    mine = [float(values[i]) for i in places]
    if not all(math.isfinite(v) for v in mine):
        return math.nan
    mean = sum(mine) / len(mine)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in mine) / len(mine))
    if deviation <= 1e-6 * max(abs(v) for v in mine):
        return math.nan
    return eta_squared_twin(mine, [token[i] for i in places])


def construction_twin(record, step, unit):
    """What construction_gain says of one unit at one step, from the definitions."""
    fold = record["exemplar_fold"].values
    scores, chooses = np.flatnonzero(fold >= 0), np.flatnonzero(fold < 0)
    name = str(record["unit"].values[unit])
    values = node_values(record, step, name)
    own = among(record, values, scores)
    if math.isnan(own) or inactive_twin(record, step, unit):
        return None
    dealt = [float(s) for s in record["recombined"].values[step, unit]]
    linear = float(record["selectivity_linear"].values[step, unit])
    found = {"selectivity": own, "selectivity_linear": linear}
    if all(math.isfinite(s) for s in dealt):
        found["inherited"] = sum(dealt) / len(dealt)
        found["gain"] = own - found["inherited"]
        found["p"] = reach_p_twin(own, dealt)
    for kind, end in (("rows", ""), ("slices", "_slices"), ("taps", "_taps")):
        rows = [float(s) for s in record[f"recombined_linear_{kind}"].values[step, unit]]
        if all(math.isfinite(s) for s in rows):
            found[f"inherited_linear{end}"] = sum(rows) / len(rows)
            found[f"gain_linear{end}"] = linear - sum(rows) / len(rows)
            found[f"p_linear{end}"] = reach_p_twin(linear, rows)
    found |= emergence_twin(record, step, name, scores, chooses, own)
    if "p" in found:
        constructed = found["p"] <= 0.05 + 1e-9
        combines = found.get("emergent_low", -1) > 0
        found["kind"] = (2 if combines else 1) if constructed else 0
    return found


def emergence_twin(record, step, name, scores, chooses, own):
    """Selectivity beyond the best parent's, its interval, and the parent's channel."""
    fold = record["exemplar_fold"].values
    parents = record["source"].values[record["target"].values == name].tolist()
    best, highest = None, -1.0
    for parent in parents:
        score = among(record, node_values(record, step, parent), chooses)
        if score > highest:
            best, highest = parent, score
    if best is None:
        return {}
    values = node_values(record, step, best)
    beyond = own - among(record, values, scores)
    left_out = []
    for gone in range(max(fold) + 1):
        rest = [i for i in scores if fold[i] != gone]
        mine = among(record, node_values(record, step, name), rest)
        left_out.append(mine - among(record, values, rest))
    low, high = jackknife_twin(beyond, left_out)
    return {"emergent": beyond, "emergent_low": low, "emergent_high": high,
            "best_parent": int(best.split(":")[1]), "left_out": left_out}  # fmt: skip


def feature_twin(record, step, unit, feature):
    """Eta squared between exemplars with and without the feature; NaN where either is."""
    scores = np.flatnonzero(record["exemplar_fold"].values >= 0)
    member = record["feature_member"].values[feature, scores].tolist()
    values = record["activation"].values[step, scores, unit].astype(float).tolist()
    if len(set(member)) < 2 or len(set(values)) < 2:
        return math.nan
    return eta_squared_twin(values, member)


def building_twin(record, step, unit, depth, n_deals):
    """(S_rr, S_dr, S_rd, S_dd, B); None where a part is not known or the unit is inactive."""
    scores = np.flatnonzero(record["exemplar_fold"].values >= 0)
    values = record["activation"].values[step, :, unit].astype(float)
    own = among(record, values, scores)
    on_dealt = float(record["on_recombined"].values[step, unit, depth])
    both = float(record["recombined_on_recombined"].values[step, unit, depth])
    if math.isnan(own) or math.isnan(on_dealt) or inactive_twin(record, step, unit):
        return None
    dealt = [float(s) for s in record["recombined"].values[step, unit, :n_deals]]
    dealt = sum(dealt) / n_deals
    return own, dealt, on_dealt, both, (own - dealt) - (on_dealt - both)


def gain_scores_twin(own, dealt):
    """Standard deviations above the other deals: of the own value, of each deal."""
    n, mean = len(dealt), sum(dealt) / len(dealt)
    spread = (sum((d - mean) ** 2 for d in dealt) / (n - 1)) ** 0.5
    scores = []
    for k, value in enumerate(dealt):
        others = [d for j, d in enumerate(dealt) if j != k]
        about = sum(others) / len(others)
        sd = (sum((d - about) ** 2 for d in others) / (len(others) - 1)) ** 0.5
        scores.append((value - about) / sd)
    return (own - mean) / spread, scores


def readout_twin(response, member, part, ridge):
    """1 - error / that of the mean, of ridge read-outs through all units, in primal form.

    response [exemplar, unit], member [exemplar] of one feature, part [exemplar].
    """
    error = spread = 0.0
    for k in sorted(set(part.tolist())):
        fits, tests = part != k, part == k
        mean, level = response[fits].mean(0), member[fits].mean()
        x, y = response[fits] - mean, member[fits] - level
        size = sum(row @ row for row in x) / len(x)
        weight = np.linalg.solve(x.T @ x + ridge * size * np.eye(x.shape[1]), x.T @ y)
        for row, true in zip(response[tests], member[tests], strict=True):
            error += (true - level - (row - mean) @ weight) ** 2
            spread += (true - level) ** 2
    return 1 - error / spread
