"""What layers construct: bounds over deals, curves drawn again, order and parts, one at a time."""

import math


def share_bounds(own, dealt, layers):
    """Largest share of any deal in any layer, in binomial standard deviations, of each layer."""
    n_deals = len(dealt[0])
    chance, largest = 1 / (n_deals + 1), -math.inf
    for units in layers:
        for deal in range(n_deals):
            best = 0
            for u in units:
                others = [dealt[u][d] for d in range(n_deals) if d != deal]
                if not math.isnan(own[u]):
                    others.append(own[u])
                best += all(dealt[u][deal] > other for other in others)
            sd = math.sqrt(chance * (1 - chance) / len(units))
            largest = max(largest, (best / len(units) - chance) / sd)
    return [chance + largest * math.sqrt(chance * (1 - chance) / len(units)) for units in layers]


def jackknife_error(left_out):
    n = len(left_out)
    mean = sum(left_out) / n
    return math.sqrt((n - 1) / n * sum((one - mean) ** 2 for one in left_out))


def drawn_again(value, left_out, normal):
    """One draw of one value."""
    n = len(left_out)
    mean, found = sum(left_out) / n, value
    for one, weight in zip(left_out, normal, strict=True):
        found += math.sqrt((n - 1) / n) * weight * (one - mean)
    return found


def mean_of_units(values, weights):
    """Mean of the values that are known, each as often as it was drawn."""
    drawn = [v for v, w in zip(values, weights, strict=True) for _ in range(int(w))
             if not math.isnan(v)]  # fmt: skip
    return sum(drawn) / len(drawn) if drawn else math.nan


def rank_order(place, time):
    """Kendall's tau-b, pair by pair."""
    agree = tied_place = tied_time = pairs = 0
    for k in range(len(place)):
        for j in range(k):
            a, b = place[k] - place[j], time[k] - time[j]
            agree += int(a * b > 0) - int(a * b < 0)
            tied_place, tied_time, pairs = (
                tied_place + int(a == 0),
                tied_time + int(b == 0),
                pairs + 1,
            )
    size = math.sqrt((pairs - tied_place) * (pairs - tied_time))
    return agree / size if size else math.nan


def selected_before(kinds):
    """1, 0 or NaN of one unit's kinds at the observed snapshots."""
    if kinds[-1] != 2:
        return math.nan
    place = len(kinds) - 1
    while place >= 0 and kinds[place] == 2:
        place -= 1
    return math.nan if place < 0 else float(kinds[place] == 1)
