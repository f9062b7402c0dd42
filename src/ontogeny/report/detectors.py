"""The report on detectors: what carries each token, what that is built from, as pictures and text.

Pictures come from pictures.zarr; where there are none, a section says so and is not drawn.
May import matplotlib, numpy, xarray, ontogeny.plot, ontogeny.measure, ontogeny.pictures.album.
"""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from ontogeny.measure.couplings.ancestry import FALSE, construction, describe, flows_at
from ontogeny.pictures.album import Album, open_album
from ontogeny.plot.ancestry import ancestry_pictures
from ontogeny.plot.sheets import Labelled, Sheet, detector_sheet, layer_sheet
from ontogeny.plot.style import TEXT, plain, token_colour
from ontogeny.report.figures import Material, Section, Shown
from ontogeny.statements import words

TOKENS_SHOWN = 6
_BREADTH, _RELATIVES, _PER_LAYER = 3, 3, 12


def carriers(material: Material) -> Section:
    """Draw each token's ancestry with the pictures of its detectors."""
    album, names = _album(material), material.tokens[:TOKENS_SHOWN]
    trees = [_tree(material, album, name) for name in names]
    figure = Figure(figsize=(13.0, 2.75 * len(names)), layout="constrained")
    for tree, name, ax in zip(
        trees, names, figure.subplots(len(names), 1, squeeze=False).ravel(), strict=True
    ):
        nodes = tree["node"].values.astype(str).tolist()
        ancestry_pictures(tree, _both(album, nodes), tokens=material.tokens, ax=ax)
        ax.set_title(plain(name), loc="left", fontsize=TEXT + 3, fontweight="bold",
                     color=token_colour(material.tokens.index(name)))  # fmt: skip
    rest = len(material.tokens) - len(names)
    more = f" {rest} more tokens are not drawn." if rest else ""
    return Section(
        "carriers", material.said["carriers"].sentence, figure,
        "\n".join(describe(tree) for tree in trees) + more,
        "Contrast share: part of the difference between a unit's mean response to the token and to "
        f"all others that comes through one source; the {_BREADTH} units of each layer through "
        "which most of it passes. Each is drawn as its preferred picture (left: made by gradient "
        "ascent on its response) and the part of its best exemplar to which it responds (right). "
        "Above it: its name, and the token to which it responds most. Blue couplings raise the "
        "response of their target, orange ones lower it. A dashed frame marks a unit that "
        "responds less to the token than to the others.",
        f"Dotted curves: {trees[0].attrs['null']} are larger. Units that carry a token more than "
        "before training are compared with the same shares in the untrained network; at most "
        f"{words.percent(FALSE)} of such finds in a layer are chance (Benjamini-Hochberg).",
    )  # fmt: skip


def sheets(material: Material) -> Section:
    """Draw, for each token, the sheet of the detector that carries it most."""
    album, names = _album(material), material.tokens[:TOKENS_SHOWN]
    trees = {name: _tree(material, album, name) for name in names}
    chosen = {name: _strongest(tree, album, name) for name, tree in trees.items()}
    own = {unit: _tree(material, album, unit) for unit in dict.fromkeys(chosen.values())}
    tuning = _tuning(material.record, list(own))
    figure = Figure(figsize=(9.6, 5.3 * len(own)), layout="constrained")
    parts = np.atleast_1d(np.asarray(figure.subfigures(len(own), 1, hspace=0.03)))
    for part, (unit, tree) in zip(parts, own.items(), strict=True):
        serves = [name for name in names if chosen[name] == unit]
        part.suptitle(plain(f"{unit}, for {words.listed(serves)}"), x=0.01, ha="left",
                      fontsize=TEXT + 2, fontweight="bold")  # fmt: skip
        detector_sheet(_sheet(album, tree, unit, tuning.sel(unit=unit)), part)
    return Section(
        "sheets", "The detectors that carry most of what distinguishes the tokens: "
        f"{words.listed(list(own))}", figure,
        "\n".join(describe(tree) for tree in own.values()),
        "For each token, the hidden unit that responds to it most and through which most of what "
        "distinguishes it passes. First row: its preferred picture, crops of the exemplars to "
        "which it responds most, and of those at quantiles of its responses; second row: the "
        "preferred picture over steps; below: mean activation for each token, and the "
        "strongest couplings from below and to above, as shares of the target's variance.",
        "A coupling is counted as a finding only where it is beyond its null: "
        f"{trees[names[0]].attrs['null']}.",
    )  # fmt: skip


def layers(material: Material) -> Section:
    """Draw the units of each layer that carry most of what distinguishes tokens."""
    album = _album(material)
    figure_rows = _by_layer(album)
    figure = Figure(figsize=(11.0, 0.85 * len(figure_rows)), layout="constrained")
    axes = figure.subplots(len(figure_rows), 1, squeeze=False).ravel()
    for (layer, units), ax in zip(figure_rows.items(), axes, strict=True):
        layer_sheet(_both(album, units), columns=_PER_LAYER, ax=ax)
        ax.set_title(layer, loc="left", fontsize=TEXT, pad=1)
    data = album.pictures
    pictured, shown = data["pictured"].values, data["has_picture"].values
    known = shown & (data["best_exemplar"].values > 0)
    ratio = data["achieved"].values[known] / data["best_exemplar"].values[known]
    share, left = words.percent(float(shown[pictured].mean())), int((~pictured).sum())
    return Section(
        "preferred", f"{share} of the units looked at have a preferred picture; half of these "
        f"respond to it at least {np.median(ratio):.1f} times as strongly as to their best "
        "exemplar", figure,
        f"Pictures were looked for in {int(pictured.sum())} units; {left} others, through which "
        "less of what distinguishes tokens passes, are shown by their best exemplar alone. For "
        f"{int((pictured & ~shown).sum())} units no image with a positive response was found. A "
        "picture that looks like noise may be what the unit responds to, or the result of a "
        "failed ascent: compare it with the crop next to it.",
        "Preferred picture: Fourier and colour-decorrelated, displaced and scaled at random, "
        f"{data.attrs['steps']} steps, the same penalties for all units. Beside it the crop of the "
        "best exemplar at the unit's receptive field.",
        "None: pictures are illustrations; read them with the top exemplars.",
    )  # fmt: skip


def _album(material: Material) -> Album:
    return material.once("album", lambda: open_album(material.run, material.record))


def _tree(material: Material, album: Album, name: str) -> xr.Dataset:
    """Return a construction with the parts that its units mark, where these are known."""
    return material.once(f"tree of {name}", lambda: _with_parts(material, album, name))


def _with_parts(material: Material, album: Album, name: str) -> xr.Dataset:
    step = int(album.pictures["film_step"][-1])
    flows = material.once("flows", lambda: flows_at(material.record, step))
    tree = construction(material.record, name, flows, breadth=_BREADTH, measures=material.measures)
    if "unit_part" not in album.pictures:
        return tree
    units = album.pictures["conv_unit"].values.astype(str).tolist()
    part = dict(zip(units, album.pictures["unit_part"].values.astype(str), strict=True))
    found = [part.get(node, "") for node in tree["node"].values.astype(str).tolist()]
    return tree.assign_coords(part=("node", np.array(found, dtype=str)))


def _both(album: Album, units: list[str]) -> dict[str, list[np.ndarray]]:
    """Return each unit's preferred picture and its best exemplar's crop."""
    known = set(album.pictures["unit"].values.astype(str).tolist())
    none = np.zeros((0, 0, album.images.shape[-1]), np.uint8)
    return {u: [album.preferred(u), *(album.best(u)[:1] or [none])] for u in units if u in known}


def _strongest(tree: xr.Dataset, album: Album, token: str) -> str:
    """Return the unit of the upper hidden layers that carries a token most.

    Units with a film that answer the token come first; flow is taken relative to an even share of
    the layer, since narrow layers have more of it in each unit.
    """
    layers = tree.attrs["layers"]
    upper = layers[(len(layers) + 1) // 2 : -1] or layers[1:-1]
    one = tree.isel(node=np.flatnonzero(np.isin(tree["node_layer"].values.astype(str), upper)))
    width = (album.pictures["layer"].values[:, None] == one["node_layer"].values).sum(axis=0)
    filmed = np.isin(one["node"].values.astype(str), album.filmed)
    answers = (one["preferred_token"].values == token) & (one["evidence"].values > 0)
    flow = one["serves"].sel(token=token).values * width
    return str(one["node"].values[int(np.lexsort((flow, answers, filmed))[-1])])


def _tuning(record: xr.Dataset, units: list[str]) -> xr.DataArray:
    """Return units' mean activation (step, unit, token)."""
    names = record["unit"].values.astype(str).tolist()
    values = record["activation"].isel(unit=[names.index(unit) for unit in units]).load()
    tokens = [str(token) for token in record["token"].values]
    shown = record["exemplar_token"].values.astype(str)
    means = [values.isel(exemplar=np.flatnonzero(shown == t)).mean("exemplar") for t in tokens]
    axis = xr.DataArray(tokens, dims="token", name="token")
    found = xr.concat(means, axis, join="override", coords="minimal", compat="override")
    return found.transpose("step", "unit", "token")


def _sheet(album: Album, tree: xr.Dataset, unit: str, tuning: xr.DataArray) -> Sheet:
    quantiles = album.pictures["quantile"].values.tolist()
    frames = album.strip(unit) if unit in album.filmed else []
    film = zip((f"step {step:,}" for step in album.steps), frames, strict=False)
    return Sheet(
        name=unit,
        preferred=album.preferred(unit),
        best=album.best(unit),
        spectrum=list(zip((f"{100 * q:.0f} %" for q in quantiles), album.spectrum(unit),
                          strict=False)),
        film=list(film),
        tuning=tuning,
        parents=_relatives(album, tree, "source", "target"),
        uses=_relatives(album, tree, "target", "source"),
    )  # fmt: skip


def _relatives(album: Album, tree: xr.Dataset, other: str, mine: str) -> list[Labelled]:
    """Return the strongest couplings of the start to one side, with pictures."""
    here = np.flatnonzero(tree[mine].values.astype(str) == tree.attrs["start"])
    here = here[np.argsort(-np.abs(tree["share"].values[here]), kind="stable")][:_RELATIVES]
    names = tree[other].values.astype(str)
    both = _both(album, [str(names[k]) for k in here])
    return [(f"{names[k]}\n{100 * float(tree['share'][k]):+.0f} %", both[str(names[k])])
            for k in here if str(names[k]) in both]  # fmt: skip


def _by_layer(album: Album) -> dict[str, list[str]]:
    """Return the units with a film by layer, from below, at most a row of each."""
    order = list(dict.fromkeys(album.pictures["layer"].values.astype(str).tolist()))
    found = {layer: [u for u in album.filmed if u.rpartition(":")[0] == layer] for layer in order}
    return {layer: units[:_PER_LAYER] for layer, units in found.items() if units}


FIGURES = (
    Shown("carriers", "Detectors", "detectors that carry each token", carriers),
    Shown("sheets", "Detectors", "sheets of detectors", sheets),
    Shown("preferred", "Detectors", "preferred pictures of layers", layers),
)
