"""A network whose weights are set by hand, its exemplars, and naive twins of pictures.ablation.

Glyphs (dash, bar, slash, back) are 3 x 3 pixels, a pair is two glyphs side by side, a figure two
pairs one above the other, and each token is a figure. The ring makes parts shared: each glyph is in
two pairs, each pair in two tokens, so that no part alone gives a token away. conv1:0 ... 3 see the
glyphs, conv2:0 ... 3 the pairs, conv3:0 ... 3 and fc1:0 ... 3 the figures; all other weights are
random.
"""

import functools

import numpy as np
import torch

from ontogeny.hooks import observe_network
from ontogeny.model import vgg
from ontogeny.observe import Exemplars, template
from ontogeny.record import definition

TOKENS = ("ada", "bo", "cy", "dee")
GLYPHS = np.array([
    [[0, 0, 0], [1, 1, 1], [0, 0, 0]], [[0, 1, 0], [0, 1, 0], [0, 1, 0]],
    [[0, 0, 1], [0, 1, 0], [1, 0, 0]], [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
])  # fmt: skip
PARTS = ((0, 1), (1, 2), (2, 3), (3, 0))
"""Glyphs of a pair (left, right), and pairs of a figure (top, bottom)."""
PARENTS = {
    f"{layer}:{k}": {f"{below}:{p}" for p in parts}
    for layer, below, table in (
        ("conv2", "conv1", PARTS), ("conv3", "conv2", PARTS),
        ("fc1", "conv3", tuple((k,) for k in range(4))),
        ("logits", "fc1", tuple((k,) for k in range(4))),
    )
    for k, parts in enumerate(table)
}  # fmt: skip
SERVED = {
    **{f"conv2:{k}": (k, (k - 1) % 4) for k in range(4)},
    **{f"{layer}:{k}": (k,) for layer in ("conv3", "fc1", "logits") for k in range(4)},
}
"""Tokens whose figure a planted unit's feature is part of."""
WIDTH, CELLS, CELL, SIZE = 16, 7, 4, 32
PLANTED = {"conv1": 1 / 3, "conv2": 2.0, "conv3": 2.0, "fc1": 16.0, "logits": 2.0}
"""Size of a planted weight in each layer."""
OTHER = {"conv1": 0.15, "conv2": 0.25, "conv3": 0.2, "fc1": 0.5, "logits": 0.0}
"""Standard deviation of the weights of units without a part, in planted weights."""
WEAK = 0.004
"""Likewise of a planted unit's other weights."""


def exemplars(per_token=30, seed=0):
    """Draw figures at random places among single glyphs and a pair, in noise; and their tokens."""
    rng = np.random.default_rng(seed)
    token = np.repeat(np.arange(len(TOKENS)), per_token)
    return np.stack([_exemplar(c, rng) for c in token]), token


def _exemplar(token, rng):
    image = 127 + 12 * rng.standard_normal((SIZE, SIZE))
    down, right = 2 * rng.integers(0, 2, 2)
    free = np.ones((CELLS, CELLS), dtype=bool)
    row, column = rng.integers(0, CELLS - 2), rng.integers(0, CELLS - 1)
    free[max(row - 1, 0) : row + 4, max(column - 1, 0) : column + 3] = False
    placed = [
        (row + 2 * i, column + j, glyph)
        for i, pair in enumerate(PARTS[token])
        for j, glyph in enumerate(PARTS[pair])
    ]
    places = rng.permutation(np.argwhere(free))
    placed += [(y, x, rng.integers(4)) for y, x in places[:3]]
    pairs = [(y, x) for y, x in places[3:] if x + 1 < CELLS and free[y, x + 1]][:1]
    glyphs = PARTS[rng.integers(4)]
    placed += [(y, x + j, glyphs[j]) for y, x in pairs for j in range(2)]
    for y, x, glyph in placed:
        top, left = CELL * y + down, CELL * x + right
        image[top : top + 3, left : left + 3] += 120 * GLYPHS[glyph]
    return np.clip(image, 0, 255).astype(np.uint8)[..., None]


def network(seed=0):
    """Build the planted network."""
    net = vgg(channels=1, tokens=4, widths=(WIDTH,) * 3, dense=WIDTH, depth=1, seed=seed).eval()
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, planted in PLANTED.items():
            layer = net.get_submodule(name)
            scale = torch.full((len(layer.weight), *[1] * (layer.weight.ndim - 1)), OTHER[name])
            scale[:4] = WEAK
            noise = torch.randn(layer.weight.shape, generator=rng)
            layer.weight.copy_(planted * scale * noise)
            layer.bias.zero_()
        _plant(net)
    return net


def _plant(net):
    """Let conv1 match glyphs, and each later planted unit answer where all of its parts are."""
    glyphs = torch.tensor(GLYPHS, dtype=torch.float32)
    net.conv1.weight[:4, 0] = glyphs / 3 - (1 - glyphs) / 6
    net.conv1.bias[:4] = -1.0
    for k, (first, second) in enumerate(PARTS):
        net.conv2.weight[k, first, 1, 0] += PLANTED["conv2"]
        net.conv2.weight[k, second, 1, 2] += PLANTED["conv2"]
        net.conv3.weight[k, first, 0, 1] += PLANTED["conv3"]
        net.conv3.weight[k, second, 2, 1] += PLANTED["conv3"]
        net.fc1.weight[k, k] += PLANTED["fc1"]
        net.logits.weight[k, k] += PLANTED["logits"]
    net.conv2.bias[:4] = -2.2
    net.conv3.bias[:4] = -2.2


def permuted(net, seed):
    """Return a twin whose weights are permuted within each layer."""
    twin, rng = network(), np.random.default_rng(seed)
    with torch.no_grad():
        for mine, its in zip(twin.parameters(), net.parameters(), strict=True):
            order = rng.permutation(its.numel())
            mine.copy_(its.flatten()[torch.as_tensor(order)].view(its.shape))
    return twin


def record_of(networks, images, token, tokens=TOKENS, *, recombined=False, extras=True):
    """Return the record of networks as the snapshots 0, 1, ... of a run."""
    shown = Exemplars(images, tokens, token)
    how = shown.scored.recombination if recombined else None
    rows = [observe_network(net, shown.probe, extras=extras, recombination=how) for net in networks]
    kept = [
        {n: v for n, v in vars(row).items() if isinstance(v, np.ndarray)} | dict(row.recombined)
        for row in rows
    ]
    empty = template(shown, rows[0].blueprint, kept[0], {})
    grown = {
        name: (empty[name].dims, np.stack([row[name] for row in kept]).astype(
            definition(name).dtype)) for name in kept[0]
    }  # fmt: skip
    fixed = empty.drop_vars([name for name in empty.variables if "step" in empty[name].dims])
    return fixed.assign(grown).assign_coords(step=np.arange(len(rows)))


@functools.cache
def planted_record():
    """Return the record of an untrained network and the planted one, and the exemplars."""
    images, token = exemplars()
    untrained = vgg(channels=1, tokens=4, widths=(WIDTH,) * 3, dense=WIDTH, depth=1, seed=9).eval()
    return record_of([untrained, network()], images, token)


def naive_expanded_weights(net, x, unit, place):
    """Mean over exemplars, one by one, of autograd's Jacobian of a unit's pre-activation."""
    layer, channel = unit.split(":")
    modules = list(net.named_children())
    stop = [name for name, _ in modules].index(layer) + 1

    def response(one):
        for _, module in modules[:stop]:
            one = module(one)
        z = one[0, int(channel)]
        return z[place] if z.ndim else z

    rows = [torch.autograd.functional.jacobian(response, one[None])[0] for one in x]
    return torch.stack(rows).mean(0).numpy()


def naive_ablation(net, x, sources, targets, *, how, seed):
    """Walk through the modules; return effects on targets and on logits, in sd of the response."""
    order = np.random.default_rng(seed).permutation(len(x))
    plain, logit = _walked(net, x, targets)
    effect = np.full((len(sources), len(targets)), np.nan)
    on_logit = np.zeros((len(sources), logit.shape[1]))
    layers = [name for name, _ in net.named_children()]
    for i, source in enumerate(sources):
        gone, logit_gone = _walked(net, x, targets, source, how, order)
        for k, target in enumerate(targets):
            if layers.index(target.split(":")[0]) > layers.index(source.split(":")[0]):
                effect[i, k] = (gone[k] - plain[k]).mean() / plain[k].std()
        for c in range(logit.shape[1]):
            on_logit[i, c] = (logit_gone[:, c] - logit[:, c]).mean() / logit[:, c].std()
    return effect, on_logit


def _walked(net, x, targets, source=None, how="zero", order=None):
    seen, silenced = {}, "" if source is None else source.split(":")[0]
    behind = {f"relu_{silenced}", silenced.replace("conv", "relu")}
    with torch.no_grad():
        for name, module in net.named_children():
            x = module(x)
            for k, target in enumerate(targets):
                if name == target.split(":")[0]:
                    z = x[:, int(target.split(":")[1])].numpy()
                    seen[k] = np.array([each.mean() for each in z])
            if name in behind:
                channel, x = int(source.split(":")[1]), x.clone()
                own = x[:, channel].clone()
                for n in range(len(x)):
                    x[n, channel] = {"zero": 0 * own[n], "mean": own.mean(0),
                                     "resample": own[order[n]]}[how]  # fmt: skip
    return [seen[k] for k in range(len(targets))], x.numpy()
