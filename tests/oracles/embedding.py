"""Maps that can be compared between steps: loops from the definitions, slow and plain."""

import numpy as np


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
