"""Naive twins: each measure written from its definition with loops, slow and plain."""

import numpy as np

# --- selectivity, shuffling, onsets: loops from the definitions -----------------------------------


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


# --- category structure: tokens, groups, RDMs -------------------------------------------------


def naive_token_means(patterns, token, n_tokens):
    """Mean pattern of each token, one exemplar at a time."""
    means = np.full((n_tokens, patterns.shape[1]), np.nan)
    for c in range(n_tokens):
        rows = [patterns[i] for i in range(len(patterns)) if token[i] == c]
        if rows:
            means[c] = sum(rows) / len(rows)
    return means


def naive_squared_euclidean(patterns):
    """sum_u (x_au - x_bu)^2 / n_units (Walther 2016)."""
    n, units = patterns.shape
    rdm = np.zeros((n, n))
    for a in range(n):
        for b in range(n):
            rdm[a, b] = sum((patterns[a, u] - patterns[b, u]) ** 2 for u in range(units)) / units
    return rdm


def naive_correlation_distance(patterns):
    """1 - Pearson correlation across units (Kriegeskorte 2008)."""
    n = len(patterns)
    rdm = np.zeros((n, n))
    for a in range(n):
        for b in range(n):
            if a != b:
                x, y = patterns[a] - patterns[a].mean(), patterns[b] - patterns[b].mean()
                rdm[a, b] = 1 - sum(x * y) / np.sqrt(sum(x * x) * sum(y * y))
    return rdm


def naive_mahalanobis(patterns, precision):
    """(x_a - x_b)' P (x_a - x_b) / n_units."""
    n, units = patterns.shape
    rdm = np.zeros((n, n))
    for a in range(n):
        for b in range(n):
            difference = patterns[a] - patterns[b]
            rdm[a, b] = difference @ precision @ difference / units
    return rdm


def naive_shrunk_covariance(patterns, token):
    """Schäfer & Strimmer 2005, target D (diagonal, unequal variances), on token residuals."""
    residuals = patterns - np.stack([patterns[token == c].mean(axis=0) for c in token])
    n, units = residuals.shape
    dof = n - len(set(token.tolist()))
    standard = residuals / np.sqrt((residuals**2).mean(axis=0))
    variance_of_r = strength = 0.0
    for i in range(units):
        for j in range(units):
            if i != j:
                w = standard[:, i] * standard[:, j]
                variance_of_r += n / (n - 1) ** 3 * sum((w - w.mean()) ** 2)
                strength += (n / (n - 1) * w.mean()) ** 2
    shrink = min(1.0, variance_of_r / strength)
    covariance = residuals.T @ residuals / dof
    for i in range(units):
        for j in range(units):
            if i != j:
                covariance[i, j] *= 1 - shrink
    return covariance


def naive_crossnobis(patterns, token, fold, n_tokens, precision):
    """Mean over ordered pairs of folds of the cross product of mean differences (Walther 2016)."""
    folds = sorted(set(fold.tolist()))
    units = patterns.shape[1]
    rdm = np.zeros((n_tokens, n_tokens))
    for a in range(n_tokens):
        for b in range(n_tokens):
            products = []
            for f in folds:
                for g in folds:
                    if f != g:
                        one, other = (
                            patterns[(token == a) & (fold == k)].mean(axis=0)
                            - patterns[(token == b) & (fold == k)].mean(axis=0)
                            for k in (f, g)
                        )
                        products.append(one @ precision @ other / units)
            rdm[a, b] = np.mean(products)
    return rdm


def naive_rho_a(x, y, rng, repeats=4000):
    """Spearman correlation with ties broken at random, averaged over many draws."""
    values = []
    for _ in range(repeats):
        ranks = []
        for v in (x, y):
            order = np.lexsort((rng.random(len(v)), v))
            rank = np.empty(len(v))
            rank[order] = np.arange(len(v))
            ranks.append(rank)
        values.append(np.corrcoef(*ranks)[0, 1])
    return np.mean(values)


# --- category structure: CKA and Procrustes --------------------------------------------------


def naive_hsic1(x, y):
    """Song 2012, equation 5, written with matrices of zero diagonal."""
    n = len(x)
    k, m = x @ x.T, y @ y.T
    np.fill_diagonal(k, 0)
    np.fill_diagonal(m, 0)
    one = np.ones(n)
    value = np.trace(k @ m) + (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
    return (value - 2 / (n - 2) * one @ k @ m @ one) / (n * (n - 3))


def naive_debiased_cka(x, y):
    """HSIC_1 over the root of the product of the self-terms."""
    return naive_hsic1(x, y) / np.sqrt(naive_hsic1(x, x) * naive_hsic1(y, y))


def naive_linear_cka(x, y):
    """||Y'X||_F^2 / (||X'X||_F ||Y'Y||_F) on centred columns (Kornblith 2019)."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    return np.sum((y.T @ x) ** 2) / np.sqrt(np.sum((x.T @ x) ** 2) * np.sum((y.T @ y) ** 2))


def naive_within_token_cka(x, y, token):
    """Sum over tokens of HSIC_1 among the token's exemplars, normalised."""
    values = [0.0, 0.0, 0.0]
    for c in sorted(set(token.tolist())):
        a, b = x[token == c], y[token == c]
        for k, (p, q) in enumerate(((a, b), (a, a), (b, b))):
            values[k] += naive_hsic1(p, q)
    return values[0] / np.sqrt(values[1] * values[2])


def naive_procrustes(x, y):
    """Rotate y onto x with the optimal rotation, then measure the distance."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    u, _, vt = np.linalg.svd(y.T @ x)
    return np.linalg.norm(y @ (u @ vt) - x)


# --- tasks: groups and splits, one exemplar at a time ---------------------------------------------


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
    """Groups in the order of their first exemplar's key: into the probe, else train, else spare."""
    import zlib

    key = {}
    for t, name in enumerate(names):
        own = [i for i in range(len(token)) if token[i] == t]
        keys = np.random.default_rng([seed, zlib.crc32(name.encode())]).random(len(own))
        key |= dict(zip(own, keys, strict=True))
    firsts = sorted({min(j for j in key if group[j] == group[i]) for i in key}, key=key.__getitem__)
    split = [2] * len(token)
    for which, wanted in ((1, probe), (0, density)):
        for first in firsts:
            own = [i for i in range(len(token)) if group[i] == group[first]]
            after = [i for i in range(len(token)) if split[i] == which or i in own]
            full = [sum(token[i] == t for i in after) > wanted for t in range(len(names))]
            touched = {token[i] for i in own}
            if split[first] == 2 and not any(full[t] for t in touched):
                for i in own:
                    split[i] = which
    return split


# --- category structure: neural collapse -----------------------------------------------------


def naive_nc1(patterns, token, n_tokens):
    """Tr(S_W pinv(S_B)) / C with the matrices written out (Papyan 2020)."""
    units = patterns.shape[1]
    means = np.stack([patterns[token == c].mean(axis=0) for c in range(n_tokens)])
    within, between = np.zeros((units, units)), np.zeros((units, units))
    for c in range(n_tokens):
        rows = patterns[token == c]
        for row in rows:
            within += np.outer(row - means[c], row - means[c]) / len(rows) / n_tokens
        shift = means[c] - means.mean(axis=0)
        between += np.outer(shift, shift) / n_tokens
    values, vectors = np.linalg.eigh(between)
    inverse = np.zeros((units, units))
    for k in np.argsort(values)[::-1][: n_tokens - 1]:
        inverse += np.outer(vectors[:, k], vectors[:, k]) / values[k]
    return np.trace(within @ inverse) / n_tokens


def naive_cdnv(patterns, token, a, b):
    """(Var_a + Var_b) / (2 ||mu_a - mu_b||^2) (Galanti 2022)."""
    one, other = patterns[token == a], patterns[token == b]
    spread = [
        np.mean([np.sum((r - rows.mean(axis=0)) ** 2) for r in rows]) for rows in (one, other)
    ]
    return sum(spread) / (2 * np.sum((one.mean(axis=0) - other.mean(axis=0)) ** 2))


def naive_equiangularity(vectors):
    """Average over c != c' of |cos + 1 / (C - 1)|."""
    total, count = 0.0, len(vectors)
    for c in range(count):
        for d in range(count):
            if c != d:
                cosine = vectors[c] @ vectors[d]
                cosine /= np.linalg.norm(vectors[c]) * np.linalg.norm(vectors[d])
                total += abs(cosine + 1 / (count - 1)) / (count * (count - 1))
    return total


def naive_self_duality(weight, means):
    """||W / ||W|| - M / ||M|| || with M the centred means."""
    centred = means - means.mean(axis=0)
    return np.linalg.norm(weight / np.linalg.norm(weight) - centred / np.linalg.norm(centred))


# --- category structure: dimension -----------------------------------------------------------


def naive_participation_ratio(patterns):
    """Squared sum over sum of squares of the covariance's eigenvalues (Gao 2017)."""
    values = np.linalg.eigvalsh(np.atleast_2d(np.cov(patterns.T)))
    return values.sum() ** 2 / np.sum(values**2)


def naive_unbiased_participation_ratio(patterns):
    """Both traces averaged over all ordered quadruples of distinct exemplars."""
    n = len(patterns)
    top, bottom, count = 0.0, 0.0, 0
    for i in range(n):
        for j in range(n):
            for k in range(n):
                for m in range(n):
                    if len({i, j, k, m}) == 4:
                        one, other = patterns[i] - patterns[j], patterns[k] - patterns[m]
                        top += (one @ one) * (other @ other) / 4
                        bottom += (one @ other) ** 2 / 4
                        count += 1
    return top / bottom


def naive_two_nn(patterns):
    """(N - 1) over the sum of log ratios of the two nearest distances (Denti 2022)."""
    total = 0.0
    for a in range(len(patterns)):
        others = [patterns[b] for b in range(len(patterns)) if b != a]
        distance = sorted(np.sqrt(np.sum((patterns[a] - other) ** 2)) for other in others)
        total += np.log(distance[1] / distance[0])
    return (len(patterns) - 1) / total


def naive_gride_log_likelihood(patterns, k, d):
    """Log-likelihood of Denti 2022 at d, with N - 1 in place of N for ln d."""
    total = -np.log(d)
    for a in range(len(patterns)):
        others = [patterns[b] for b in range(len(patterns)) if b != a]
        distance = sorted(np.sqrt(np.sum((patterns[a] - other) ** 2)) for other in others)
        mu = distance[2 * k - 1] / distance[k - 1]
        total += np.log(d) + (k - 1) * np.log(mu**d - 1) - ((2 * k - 1) * d + 1) * np.log(mu)
    return total


# --- shapes and compositing of the faces task: supersampling, painting from back to front ---------


def ellipse_inside(x, y, width, height):
    """Whether a point lies in an ellipse, from its equation."""
    return (x / width) ** 2 + (y / height) ** 2 < 1


def egg_inside(x, y, width, height, taper, square):
    """Whether a point lies in a head's outline: |.|_2 and |.|_4 mixed, tapered towards y > 0."""
    u, v = abs(x) / (width * (1 - taper * y)), abs(y) / height
    return (1 - square) * (u**2 + v**2) ** 0.5 + square * (u**4 + v**4) ** 0.25 < 1


def stroke_inside(x, y, width, thickness, slope, curve, opening):
    """Whether a point lies in a bent stroke, its midline and half thickness functions of x."""
    bow = 1 - (x / width) ** 2
    middle = slope * x + curve * bow
    return abs(x) < width and abs(y - middle) < thickness + opening * bow


def wedge_inside(x, y, length, top, bottom):
    """Whether a point lies in a rounded wedge: within one of many discs along its axis."""
    for k in range(61):
        along = k / 60
        if x**2 + (y - along * length) ** 2 < (top + (bottom - top) * along) ** 2:
            return True
    return False


def coverage_twin(inside, size, scale, samples):
    """Share of each pixel inside a shape, by counting samples x samples points in it."""
    share = np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            hits = 0
            for a in range(samples):
                for b in range(samples):
                    x = (column + (b + 0.5) / samples - size / 2) / scale
                    y = (row + (a + 0.5) / samples - size / 2) / scale
                    hits += inside(x, y)
            share[row, column] = hits / samples**2
    return share


def over_twin(layers, n_parts):
    """Paint layers (front first) from the back: image and the part of the largest weight."""
    shape = layers[0][1].shape
    image = np.zeros((3, *shape))
    part_map = np.zeros(shape, dtype=int)
    for place in np.ndindex(shape):
        colour, weight = [0.0, 0.0, 0.0], [0.0] * (n_parts + 1)
        for part, cover, paint in reversed(layers):
            a = float(cover[place])
            colour = [c * (1 - a) + a * p for c, p in zip(colour, paint, strict=True)]
            weight = [w * (1 - a) for w in weight]
            weight[part] += a
        image[(slice(None), *place)] = colour
        part_map[place] = weight.index(max(weight))
    return image, part_map


# --- category structure: linear read-out -----------------------------------------------------


def naive_ridge(patterns, targets, new, penalty):
    """Ridge regression with a free constant, by the normal equations of centred data."""
    mean, base = patterns.mean(axis=0), targets.mean(axis=0)
    x, y = patterns - mean, targets - base
    weight = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return (new - mean) @ weight + base


def naive_ridge_readout(patterns, targets, fold, ridge):
    """One fit for each fold, on the exemplars outside it."""
    penalty = ridge * np.sum((patterns - patterns.mean(axis=0)) ** 2) / patterns.shape[1]
    predicted = np.zeros(targets.shape)
    for f in sorted(set(fold.tolist())):
        out = fold == f
        predicted[out] = naive_ridge(patterns[~out], targets[~out], patterns[out], penalty)
    return predicted


def naive_few_shot(patterns, token, group, rows, ridge):
    """Fit on the rows, test on all exemplars of other groups, mean over tokens."""
    names = sorted(set(token.tolist()))
    targets = np.array([[float(token[i] == c) for c in names] for i in rows])
    x = patterns[rows]
    penalty = ridge * np.sum((x - x.mean(axis=0)) ** 2) / x.shape[1]
    seen = set(group[rows].tolist())
    shares = []
    for c in names:
        tested = [i for i in range(len(token)) if token[i] == c and group[i] not in seen]
        score = naive_ridge(x, targets, patterns[tested], penalty)
        shares.append(np.mean([names[k] == c for k in score.argmax(axis=1)]))
    return np.mean(shares)


# --- category structure: differentiation -----------------------------------------------------


def naive_cross_covariance(patterns, token, n_tokens):
    """Covariance of each token's indicator with each unit, exemplar by exemplar."""
    n, units = patterns.shape
    cross = np.zeros((n_tokens, units))
    for c in range(n_tokens):
        indicator = np.array([float(t == c) for t in token])
        for u in range(units):
            for i in range(n):
                cross[c, u] += (indicator[i] - indicator.mean()) * (
                    patterns[i, u] - patterns[:, u].mean()
                )
    return cross / n


def naive_deep_linear_descent(strength, initial, rate, steps):
    """Gradient descent on (s - w2 w1)^2 / 2 of one mode from a balanced start (Saxe 2014)."""
    first = second = np.sqrt(initial)
    product = []
    for _ in range(steps + 1):
        product.append(first * second)
        error = strength - first * second
        first, second = first + rate * second * error, second + rate * first * error
    return np.array(product)


# --- maps that can be compared between steps -------------------------------------------------


def naive_ranks(points):
    """ranks[i][j] = 1 + number of others that are nearer to i than j is."""
    n = len(points)
    d = [[float(np.sum((points[i] - points[j]) ** 2)) for j in range(n)] for i in range(n)]
    return [
        [1 + sum(d[i][m] < d[i][j] for m in range(n) if m not in (i, j)) for j in range(n)]
        for i in range(n)
    ]


def naive_trustworthiness(data, frame, k):
    """Venna and Kaski's formula; continuity is the same with data and frame exchanged."""
    n, truth, shown = len(data), naive_ranks(data), naive_ranks(frame)
    fault = 0
    for i in range(n):
        for j in range(n):
            if i != j and shown[i][j] <= k and truth[i][j] > k:
                fault += truth[i][j] - k
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * fault


def naive_stress(data, frame, scale):
    """Kruskal's stress-1 of a map blown up by `scale`."""
    fault = size = 0.0
    for i in range(len(data)):
        for j in range(i):
            d = scale * np.linalg.norm(frame[i] - frame[j])
            fault += (d - np.linalg.norm(data[i] - data[j])) ** 2
            size += d**2
    return np.sqrt(fault / size)


def naive_unit_radius(x):
    """Centre one step and divide it by its root mean square distance from the centre."""
    centred = x - x.mean(axis=0)
    return centred / np.sqrt(sum(float(row @ row) for row in centred) / len(x))


def naive_affinities(points, neighbours):
    """Neighbour probabilities of t-SNE, the width of each row found by bisection."""
    n = len(points)
    p = np.zeros((n, n))
    for i in range(n):
        others = [j for j in range(n) if j != i]
        d = np.array([np.sum((points[i] - points[j]) ** 2) for j in others])
        low, high = 1e-12, 1e12
        for _ in range(200):
            b = np.sqrt(low * high)
            row = np.exp(-b * (d - d.min()))
            row /= row.sum()
            entropy = -sum(v * np.log(v) for v in row if v > 0)
            low, high = (b, high) if entropy > np.log(neighbours) else (low, b)
        p[i, others] = row
    return (p + p.T) / (2 * n)


def naive_kl(p, y):
    """KL divergence of the map's Cauchy affinities from p, pair by pair."""
    n = len(y)
    pairs = [(i, j) for i in range(n) for j in range(n) if i != j]
    w = {(i, j): 1 / (1 + float(np.sum((y[i] - y[j]) ** 2))) for i, j in pairs}
    total = sum(w.values())
    return sum(p[ij] * np.log(p[ij] / (w[ij] / total)) for ij in pairs if p[ij] > 0)


def naive_kl_gradient(p, y, repulsion=1.0):
    """4 sum_j (p_ij - repulsion q_ij) w_ij (y_i - y_j), pair by pair."""
    n = len(y)
    w = np.array([[1 / (1 + float(np.sum((a - b) ** 2))) for b in y] for a in y])
    total = w.sum() - n
    gradient = np.zeros(y.shape)
    for i in range(n):
        for j in range(n):
            gradient[i] += 4 * (p[i, j] - repulsion * w[i, j] / total) * w[i, j] * (y[i] - y[j])
    return gradient


def naive_least_motion(before, after):
    """Root mean square motion between two steps at unit radius that no rotation explains."""
    x, y = naive_unit_radius(before), naive_unit_radius(after)
    return np.sqrt(max(0.0, 2 - 2 * np.linalg.svd(x.T @ y / len(x))[1].sum()))


def naive_steadiness(x, y):
    """sum_t mean_i |y_i(t+1) - y_i(t)|^2 / c_t^2, c_t at least .02."""
    total = 0.0
    for t in range(len(x) - 1):
        c = max(naive_least_motion(x[t], x[t + 1]), 0.02)
        total += np.mean([np.sum((y[t + 1, i] - y[t, i]) ** 2) for i in range(y.shape[1])]) / c**2
    return total


def naive_tethered(x, z, strength):
    """Least y of sum_t |y(t)-z(t)|^2 + strength sum_t |y(t+1)-y(t)|^2 / c_t^2, by least squares."""
    n_steps = len(x)
    rows, goal = [np.eye(n_steps)], [z.reshape(n_steps, -1)]
    for t in range(n_steps - 1):
        row = np.zeros((1, n_steps))
        row[0, t], row[0, t + 1] = -1, 1
        c = max(naive_least_motion(x[t], x[t + 1]), 0.02)
        rows.append(row * np.sqrt(strength) / c)
        goal.append(np.zeros((1, goal[0].shape[1])))
    return np.linalg.lstsq(np.vstack(rows), np.vstack(goal), rcond=None)[0].reshape(z.shape)


def naive_neighbour_map(x, start, neighbours, steadiness, iterations):
    """Dynamic t-SNE from a given start, one frame and one pair at a time, in double precision."""
    n = x.shape[1]
    p = [naive_affinities(naive_unit_radius(step), neighbours) for step in x]
    y = before = start / start.std()
    for iteration in range(iterations):
        early = iteration < round(0.3 * iterations)
        if iteration == round(0.3 * iterations):
            before = y
        repulsion = 0.25 if early else 1.0
        z = y + 0.9 * (y - before)
        for t in range(len(x)):
            z[t] = z[t] - 2 * n * naive_kl_gradient(p[t], z[t], repulsion) / 4
        before, y = y, naive_tethered(x, z, 2 * repulsion * steadiness / 2)
    return y / np.sqrt(np.mean(np.sum(y**2, axis=-1)))


def naive_mds_misfit(x, y):
    """sum_t mean_ij (d_ij - delta_ij)^2 / 2, delta the distances at unit radius."""
    total = 0.0
    for step, frame in zip(x, y, strict=True):
        data = naive_unit_radius(step)
        gaps = [
            (np.linalg.norm(frame[i] - frame[j]) - np.linalg.norm(data[i] - data[j])) ** 2
            for i in range(len(data))
            for j in range(len(data))
        ]
        total += np.mean(gaps) / 2
    return total


# --- category structure: Gaussian clones -----------------------------------------------------


def naive_clone_moments(images, token, c):
    """Mean and sample covariance of a token's flattened images, pair by pair of pixels."""
    own = np.array([images[i].ravel() for i in range(len(images)) if token[i] == c], dtype=float)
    mean = sum(own) / len(own)
    covariance = sum(np.outer(row - mean, row - mean) for row in own) / (len(own) - 1)
    return mean, covariance


# --- category structure: lives of exemplars --------------------------------------------------


def naive_life(predicted, token, steps):
    """First and last learning, forgettings and flips of one exemplar, read off in order."""
    right = [p == token for p in predicted]
    life = {"first": (np.nan, np.nan), "good": (np.nan, np.nan), "forgotten": np.nan, "flips": 0}
    for k in range(len(steps)):
        if right[k]:
            life["first"] = (steps[max(k - 1, 0)], steps[k])
            break
    for k in range(len(steps)):
        if all(right[k:]):
            life["good"] = (steps[max(k - 1, 0)], steps[k])
            break
    if any(right):
        life["forgotten"] = sum(right[k] and not right[k + 1] for k in range(len(steps) - 1))
    life["flips"] = sum(predicted[k] != predicted[k + 1] for k in range(len(steps) - 1))
    return life


def naive_centre_distance(patterns, token):
    """Distance to the mean of the token's other exemplars over its root mean square."""
    distance = []
    for i in range(len(patterns)):
        others = [patterns[j] for j in range(len(patterns)) if token[j] == token[i] and j != i]
        distance.append(np.linalg.norm(patterns[i] - sum(others) / len(others)))
    distance = np.array(distance)
    spread = [np.sqrt(np.mean(distance[token == t] ** 2)) for t in token]
    return distance / np.array(spread)


# --- couplings and activations of a network ------------------------------------------------------


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


# --- category structure: clusters and change points ------------------------------------------


def naive_clusters(above):
    """Cells joined over shared edges, by flood fill."""
    numbers, count = np.zeros(above.shape, dtype=int), 0
    for start in zip(*np.nonzero(above), strict=True):
        if numbers[start]:
            continue
        count += 1
        todo = [start]
        while todo:
            r, c = todo.pop()
            inside = 0 <= r < above.shape[0] and 0 <= c < above.shape[1]
            if inside and above[r, c] and not numbers[r, c]:
                numbers[r, c] = count
                todo += [(r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)]
    return numbers


def naive_two_phases(series, position, min_size):
    """The one change with the least squared error of a line on either side."""
    errors = {}
    for k in range(min_size, len(series) - min_size + 1):
        errors[k] = 0.0
        for part in (slice(None, k), slice(k, None)):
            line = np.polyfit(position[part], series[part], 1)
            errors[k] += np.sum((series[part] - np.polyval(line, position[part])) ** 2)
    return min(errors, key=errors.get)


# --- pictures of a detector: loops from the definitions -------------------------------------------


def naive_field(respond, image, rng, tries=4):
    """Rows and columns of the pixels that change a response when they are changed, as a box.

    Several images, since a pixel behind a silent ReLU or a max-pool changes nothing.
    """
    found = set()
    for _ in range(tries):
        base = rng.standard_normal(image.shape)
        before = respond(base)
        for y in range(image.shape[0]):
            for x in range(image.shape[1]):
                changed = base.copy()
                changed[y, x] += 100.0
                if respond(changed) != before:
                    found.add((y, x))
    rows, columns = [y for y, _ in found], [x for _, x in found]
    return min(rows), max(rows) + 1, min(columns), max(columns) + 1


def naive_cosines(image):
    """Two-dimensional DCT-II of one channel, orthonormal, from its sum (Ahmed 1974)."""
    h, w = image.shape
    result = np.zeros((h, w))
    for u in range(h):
        for v in range(w):
            total = 0.0
            for y in range(h):
                for x in range(w):
                    wave = np.cos(np.pi * u * (2 * y + 1) / (2 * h))
                    total += image[y, x] * wave * np.cos(np.pi * v * (2 * x + 1) / (2 * w))
            norm = np.sqrt((1 if u == 0 else 2) / h) * np.sqrt((1 if v == 0 else 2) / w)
            result[u, v] = norm * total
    return result


def naive_top(maps, groups, top):
    """For one unit's maps [exemplar, y, x]: the best exemplar of each group, best first."""
    best = {}
    for k in range(len(maps)):
        value = max(maps[k][y][x] for y in range(maps.shape[1]) for x in range(maps.shape[2]))
        if groups[k] not in best or value > best[groups[k]][0]:
            best[groups[k]] = (value, k)
    ranked = sorted(best.values(), key=lambda pair: (-pair[0], pair[1]))
    return [k for _, k in ranked[:top]]


def naive_bilinear(small, size):
    """Enlarge a map; a cell's value belongs to the cell's middle, the border is repeated."""
    large = np.zeros(size)
    for y in range(size[0]):
        for x in range(size[1]):
            sy = min(max((y + 0.5) * small.shape[0] / size[0] - 0.5, 0), small.shape[0] - 1)
            sx = min(max((x + 0.5) * small.shape[1] / size[1] - 0.5, 0), small.shape[1] - 1)
            y0, x0 = int(sy), int(sx)
            y1, x1 = min(y0 + 1, small.shape[0] - 1), min(x0 + 1, small.shape[1] - 1)
            top = small[y0, x0] * (1 - (sx - x0)) + small[y0, x1] * (sx - x0)
            bottom = small[y1, x0] * (1 - (sx - x0)) + small[y1, x1] * (sx - x0)
            large[y, x] = top * (1 - (sy - y0)) + bottom * (sy - y0)
    return large


def naive_iou(maps, part_map, part, active):
    """Bau 2017 for one unit and part: threshold, enlarge, count pixels."""
    values = sorted((v for m in maps for v in m.ravel()), reverse=True)
    threshold = values[int(active * len(values))]
    both = either = 0
    for m, parts in zip(maps, part_map, strict=True):
        large = naive_bilinear(m, parts.shape)
        for y in range(parts.shape[0]):
            for x in range(parts.shape[1]):
                is_active, is_part = large[y, x] > threshold, parts[y, x] == part
                both += is_active and is_part
                either += is_active or is_part
    return both / either


# --- category structure over layers -----------------------------------------------------------


def separation_twin(patterns, token, n_tokens):
    """Distance of two tokens' centres over the root of their mean variance, for every pair."""
    centre, variance = [], []
    for c in range(n_tokens):
        own = [x for x, t in zip(patterns, token, strict=True) if t == c]
        mean = [sum(column) / len(own) for column in zip(*own, strict=True)]
        centre.append(mean)
        variance.append(
            sum(sum((a - b) ** 2 for a, b in zip(x, mean, strict=True)) for x in own) / len(own)
        )
    table = [[0.0] * n_tokens for _ in range(n_tokens)]
    for a in range(n_tokens):
        for b in range(n_tokens):
            square = sum((p - q) ** 2 for p, q in zip(centre[a], centre[b], strict=True))
            table[a][b] = (square / ((variance[a] + variance[b]) / 2)) ** 0.5
    return table
