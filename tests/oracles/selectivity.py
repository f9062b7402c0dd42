"""Selectivity, its nulls and onsets: loops from the definitions, slow and plain."""


def eta_squared_twin(values, token):
    """Between-token sum of squares over the total one, for one unit (Fisher 1925)."""
    mean = sum(values) / len(values)
    total = sum((v - mean) ** 2 for v in values)
    between = 0.0
    for name in sorted(set(token)):
        own = [v for v, t in zip(values, token, strict=True) if t == name]
        between += len(own) * (sum(own) / len(own) - mean) ** 2
    return between / total


def epsilon_squared_twin(values, token):
    """Kelley's unbiased correlation ratio: 1 - within mean square / total mean square."""
    n, n_tokens = len(values), len(set(token))
    mean = sum(values) / n
    total = sum((v - mean) ** 2 for v in values)
    within = total * (1 - eta_squared_twin(values, token))
    return 1 - (within / (n - n_tokens)) / (total / (n - 1))


def resampled_eta_squared_twin(values, token, counts):
    """Eta squared of the list in which exemplar i is written down counts[i] times."""
    drawn = [i for i, c in enumerate(counts) for _ in range(int(c))]
    return eta_squared_twin([values[i] for i in drawn], [token[i] for i in drawn])


def token_margin_twin(answer, token, name):
    """Share of `name` among the answers to its own exemplars, less its share among all answers."""
    own = [a for a, t in zip(answer, token, strict=True) if t == name]
    return own.count(name) / len(own) - list(answer).count(name) / len(answer)


def upper_quantile_twin(null, level):
    """The smallest shuffled value v with #(null <= v) / (n + 1) >= level."""
    for v in sorted(null):
        if sum(x <= v for x in null) / (len(null) + 1) >= level - 1e-12:
            return v
    return float("inf")


def corrected_threshold_twin(null, level):
    """Westfall and Young's single-step maximum of studentised members; null[shuffle][member]."""
    n, n_members = len(null), len(null[0])
    means = [sum(row[j] for row in null) / n for j in range(n_members)]
    deviations = [
        (sum((row[j] - means[j]) ** 2 for row in null) / (n - 1)) ** 0.5 for j in range(n_members)
    ]
    largest = [max((r[j] - means[j]) / deviations[j] for j in range(n_members)) for r in null]
    z = upper_quantile_twin(largest, level)
    return [m + z * d for m, d in zip(means, deviations, strict=True)]


def onset_twin(beyond, hold):
    """First snapshot from which all are beyond, if these are `hold` or more; else their number."""
    for k in range(len(beyond)):
        if all(beyond[k:]) and len(beyond) - k >= hold:
            return k
    return len(beyond)


def excursions_twin(beyond, hold):
    """Maximal stretches of `hold` or more that end before the record does."""
    count, length = 0, 0
    for inside in beyond:
        if not inside and length >= hold:
            count += 1
        length = length + 1 if inside else 0
    return count
