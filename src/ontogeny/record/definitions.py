"""What the names in a record mean: dimensions, types, units and words.

May import errors only.
"""

from dataclasses import dataclass

from ontogeny.errors import InputError

SCHEMA = 5
"""1: without nulls, attribution, interaction and clones. 2: effects (attribution, interaction) at
every step, nulls of all permuted targets over all exemplars. 3: without checksums. 4: without
recombinations."""
SEALED = 4
"""The first schema whose chunks and metadata carry checksums."""
NAME = "record.zarr"
"""The record's folder in the folder of a run."""

# Dimensions
STEP, EXEMPLAR, UNIT, EDGE, TOKEN, SPLIT = "step", "exemplar", "unit", "edge", "token", "split"
LEVEL, PAIR = "level", "pair"
DEAL, DEPTH, FEATURE, FOLD, STAGE = "deal", "depth", "feature", "fold", "stage"
Y, X, COLOUR = "y", "x", "channel"

# Coordinates
EPOCH, EXAMPLES_SEEN, WEIGHTS = "epoch", "examples_seen", "weights_hash"
LAYER, CHANNEL, SOURCE, TARGET = "layer", "channel", "source", "target"
EXEMPLAR_TOKEN, EXEMPLAR_SPLIT, EXEMPLAR_HALF, GROUP = (
    "exemplar_token", "exemplar_split", "exemplar_half", "group",
)  # fmt: skip
EXEMPLAR_FOLD, FEATURE_ALSO = "exemplar_fold", "feature_also"
FEATURE_MEMBER = "feature_member"
FACTOR = "factor_"

# Variables
LOSS, ACCURACY, TOKEN_ACCURACY = "loss", "accuracy", "token_accuracy"
ACTIVATION, ACTIVATION_MAXIMUM, LOGIT = "activation", "activation_maximum", "logit"
UNIT_MEAN, UNIT_VARIANCE, UNIT_MAXIMUM = "unit_mean", "unit_variance", "unit_maximum"
COUPLING, COUPLING_TOKEN_SIGNAL = "coupling", "coupling_token_signal"
COUPLING_CONTRAST, IMAGE = "coupling_contrast", "image"
COUPLING_NULL, COUPLING_CONTRAST_NULL = "coupling_null", "coupling_contrast_null"
EDGE_ATTRIBUTION, INTERACTION = "edge_attribution", "interaction"
INTERACTION_FIRST, INTERACTION_SECOND = "interaction_first", "interaction_second"
SELECTIVITY_LINEAR, EDGE_GAIN = "selectivity_linear", "edge_gain"
RECOMBINED, RECOMBINED_LINEAR = "recombined", "recombined_linear_rows"
RECOMBINED_SLICES, RECOMBINED_TAPS = "recombined_linear_slices", "recombined_linear_taps"
RECOMBINED_FEATURE, REACHED_FEATURE = "recombined_feature", "reached_feature"
REACHED_LEFT_OUT = "reached_left_out"
ON_RECOMBINED, RECOMBINED_ON_RECOMBINED = "on_recombined", "recombined_on_recombined"
BUILDING_LEFT_OUT = "building_left_out"
READOUT, READOUT_RECOMBINED = "readout", "readout_recombined"
RECOMBINATIONS = (
    SELECTIVITY_LINEAR, RECOMBINED, RECOMBINED_LINEAR, RECOMBINED_SLICES, RECOMBINED_TAPS,
    RECOMBINED_FEATURE, REACHED_FEATURE, REACHED_LEFT_OUT, ON_RECOMBINED, RECOMBINED_ON_RECOMBINED,
    BUILDING_LEFT_OUT, EDGE_GAIN, READOUT, READOUT_RECOMBINED,
)  # fmt: skip
"""All that is observed of recombinations; in a record together or not at all."""
CLONE_LOSS, CLONE_ACCURACY = "clone_loss", "clone_accuracy"
CLONE_TOKEN_ACCURACY = "clone_token_accuracy"
HOLDOUT_LOSS, HOLDOUT_ACCURACY = "holdout_loss", "holdout_accuracy"
HOLDOUT_TOKEN_ACCURACY = "holdout_token_accuracy"

SPLITS = ("train", "probe")
"""Coordinates of `split`."""
LEVELS = (0.95, 0.99, 0.999)
"""Coordinates of `level`."""
SLICE_DEALS = 4
"""Draws of each kernel slice that `edge_gain` is the mean of."""
PAIRS = ((0, 1), (0, 2), (1, 2))
"""Ranks (0 is the strongest) of the two parents that each coordinate of `pair` stands for."""
ATTRIBUTES = ("schema", "config", "seed", "data_hash", "versions", "tokens", "layers")
"""Every record has these attributes; None where they are unknown."""
WITHOUT_COUPLINGS = "without_couplings"
"""The attribute of a record without couplings that says why it has none."""


@dataclass(frozen=True)
class Variable:
    """What a name in the record means."""

    dims: tuple[str, ...]
    dtype: str
    """A numpy type; "string" for text; "" where it may be either."""
    units: str
    long_name: str
    is_coordinate: bool = False
    is_required: bool = False


def _coordinate(
    dims: str, dtype: str, units: str, long_name: str, *, required: bool = False
) -> Variable:
    return Variable(tuple(dims.split()), dtype, units, long_name, True, required)


_DETAILED = "; NaN at snapshots between those at which it is observed (`schedule.detailed_steps`)"
_AT_SOME = "; NaN at snapshots without recombinations (`schedule.detail_at`)"
_THINNED = "; NaN at snapshots without most detail (`schedule.detail_at`)"
_SCORED = "over the exemplars that score (exemplar_fold >= 0)"
_DEALT = "the same deals at all steps"
_OVER = "over the probe's exemplars and, for maps, positions"

VARIABLES: dict[str, Variable] = {
    STEP: _coordinate("step", "int64", "1", "optimiser updates done", required=True),
    EPOCH: _coordinate("step", "float64", "1", "examples seen / training exemplars"),
    EXAMPLES_SEEN: _coordinate("step", "int64", "1", "training exemplars shown, with repeats"),
    WEIGHTS: _coordinate(
        "step", "string", "", "SHA-256 of the weights that were observed", required=True
    ),
    EXEMPLAR: _coordinate("exemplar", "int64", "1", "index in the task", required=True),
    EXEMPLAR_TOKEN: _coordinate("exemplar", "string", "", "the exemplar's token"),
    EXEMPLAR_SPLIT: _coordinate("exemplar", "string", "", "part of the task it belongs to"),
    EXEMPLAR_HALF: _coordinate(
        "exemplar", "int8", "1", "0 or 1, in turns within each token: halves for choosing and "
        "for reporting",
    ),
    GROUP: _coordinate("exemplar", "int64", "1", "exemplars that belong together"),
    UNIT: _coordinate("unit", "string", "", "layer:channel of the unit", required=True),
    LAYER: _coordinate("unit", "string", "", "the unit's layer", required=True),
    CHANNEL: _coordinate("unit", "int64", "1", "the unit's index in its layer", required=True),
    EDGE: _coordinate("edge", "int64", "1", "index of the edge; by layer, target, source"),
    SOURCE: _coordinate("edge", "string", "", "unit below, or pixels:channel"),
    TARGET: _coordinate("edge", "string", "", "unit above"),
    TOKEN: _coordinate("token", "string", "", "network output: the token", required=True),
    SPLIT: _coordinate("split", "string", "", "exemplars that a curve is taken over"),
    LEVEL: _coordinate("level", "float64", "1", "share of a null's edges that stay below a value"),
    PAIR: _coordinate(
        "pair", "int64", "1", "pairs of a unit's three strongest parents: 0 first and second, "
        "1 first and third, 2 second and third",
    ),
    EXEMPLAR_FOLD: _coordinate(
        "exemplar", "int8", "1", "part of the exemplars that score recombinations, 0, 1, ...; -1: "
        "of the other half, which chooses; groups are whole in either",
    ),
    FEATURE: _coordinate(
        "feature", "string", "", "what an exemplar has or lacks: a token, a value of a known "
        "factor, two values at once, or one of two tokens",
    ),
    FEATURE_ALSO: _coordinate(
        "feature", "string", "", "other names of the feature: they part the exemplars alike",
    ),
    DEAL: _coordinate("deal", "int64", "1", "which deal of a unit's incoming weights"),
    DEPTH: _coordinate(
        "depth", "int64", "1", "1: the weights into the parents are dealt anew; 2: those into the "
        "parents' parents",
    ),
    STAGE: _coordinate("stage", "string", "", "layer, in forward order"),
    FOLD: _coordinate("fold", "int64", "1", "which fold of the exemplars is left out"),
    LOSS: Variable(
        (STEP, SPLIT), "float64", "nat", "mean cross-entropy; probe: all its exemplars; train: a "
        "fixed part of the training exemplars, without augmentation (attribute train_exemplars), "
        "or the training's own batch where none is known",
    ),
    ACCURACY: Variable(
        (STEP, SPLIT), "float64", "1", "share of exemplars whose largest logit is their token's; "
        "exemplars as for loss",
    ),
    TOKEN_ACCURACY: Variable(
        (STEP, SPLIT, TOKEN), "float64", "1", "accuracy among the exemplars of one token",
    ),
    ACTIVATION: Variable(
        (STEP, EXEMPLAR, UNIT), "float32", "a.u.", "output behind the nonlinearity, mean over "
        "positions; the last layer's is its raw output", is_required=True,
    ),
    ACTIVATION_MAXIMUM: Variable(
        (STEP, EXEMPLAR, UNIT), "float32", "a.u.", "output behind the nonlinearity, maximum over "
        "positions", is_required=True,
    ),
    LOGIT: Variable(
        (STEP, EXEMPLAR, TOKEN), "float32", "nat", "the network's output", is_required=True,
    ),
    UNIT_MEAN: Variable(
        (STEP, UNIT), "float32", "a.u.", f"mean activation {_OVER}", is_required=True,
    ),
    UNIT_VARIANCE: Variable(
        (STEP, UNIT), "float32", "a.u.^2", f"population variance of the activation {_OVER}",
        is_required=True,
    ),
    UNIT_MAXIMUM: Variable(
        (STEP, UNIT), "float32", "a.u.", f"maximum activation {_OVER}", is_required=True,
    ),
    COUPLING: Variable(
        (STEP, EDGE), "float32", "1", "Cov(z_ij, z_j) / Var(z_j): share of the target's "
        f"pre-activation variance that comes through the source, {_OVER}; sums to 1 over sources; "
        "NaN for dead targets",
    ),
    COUPLING_TOKEN_SIGNAL: Variable(
        (STEP, EDGE), "float32", "1", "Cov(E[z_ij | token], E[z_j | token]) / Var(z_j): the part "
        "of the coupling that lies between tokens; sums to the target's eta squared",
    ),
    COUPLING_CONTRAST: Variable(
        (STEP, EDGE, TOKEN), "float16", "1", "(E[z_ij | token] - E[z_ij | not token]) / sum over "
        "sources of its absolute value: -1 ... 1; sums to the token's contrast at the target over "
        "that sum; NaN where all terms are 0",
    ),
    COUPLING_NULL: Variable(
        (STEP, UNIT, LEVEL), "float32", "1", "value that a share `level` of |coupling| into the "
        "unit's layer stays below when that layer's weights are permuted and its input is kept, "
        "over each second exemplar (attribute nulls); the same for all units of a layer",
    ),
    COUPLING_CONTRAST_NULL: Variable(
        (STEP, UNIT, LEVEL), "float32", "1", "as coupling_null, for |coupling_contrast|, all "
        "tokens pooled",
    ),
    EDGE_ATTRIBUTION: Variable(
        (STEP, EDGE, TOKEN), "float16", "nat", "E[sum over positions of z_ij * d(y_c - mean of "
        "y)/d z_j | token c], y the network's output: what the edge gives to the token's own "
        f"logit, to first order; over exemplars of half 0{_DETAILED}",
    ),
    INTERACTION: Variable(
        (STEP, UNIT, PAIR), "float32", "1", "E[a(11) - a(10) - a(01) + a(00)] / sd(a): a is the "
        "activation, 0 takes a parent's z_ij away; over exemplars of half 0 and a lattice of "
        "positions (attribute interactions); 0 where there is no nonlinearity, NaN for dead units "
        f"and where there is no such pair{_DETAILED}",
    ),
    INTERACTION_FIRST: Variable(
        (STEP, UNIT, PAIR), "int16", "1", "channel, in the layer below, of the pair's parent with "
        "the larger |coupling|; -1 where there is no such pair",
    ),
    INTERACTION_SECOND: Variable(
        (STEP, UNIT, PAIR), "int16", "1", "channel, in the layer below, of the pair's other parent",
    ),
    FEATURE_MEMBER: Variable(
        (FEATURE, EXEMPLAR), "int8", "1", "1 where the exemplar has the feature, else 0",
    ),
    SELECTIVITY_LINEAR: Variable(
        (STEP, UNIT), "float32", "1", "eta squared over tokens of the pre-activation's mean over "
        f"positions, {_SCORED}; 0 where it does not vary",
    ),
    RECOMBINED_LINEAR: Variable(
        (STEP, UNIT, DEAL), "float32", "1", "as selectivity_linear, with the weights into the unit "
        f"dealt anew over sources and taps; {_DEALT}",
    ),
    RECOMBINED_SLICES: Variable(
        (STEP, UNIT, DEAL), "float32", "1", "as selectivity_linear, with the unit's kernel slices "
        f"dealt anew between sources; {_DEALT}{_AT_SOME}",
    ),
    RECOMBINED_TAPS: Variable(
        (STEP, UNIT, DEAL), "float32", "1", "as selectivity_linear, with the taps within each of "
        f"the unit's kernel slices dealt anew; {_DEALT}{_AT_SOME}",
    ),
    RECOMBINED: Variable(
        (STEP, UNIT, DEAL), "float32", "1", "eta squared over tokens of the activation's mean over "
        "positions with the weights into the unit dealt anew over sources and taps, "
        f"{_SCORED}; 0 where it does not vary; {_DEALT}{_AT_SOME}",
    ),
    RECOMBINED_FEATURE: Variable(
        (STEP, UNIT, FEATURE), "float32", "1", "as recombined, eta squared between exemplars with "
        f"and without the feature, mean over deals{_AT_SOME}",
    ),
    REACHED_FEATURE: Variable(
        (STEP, UNIT, FEATURE), "float32", "1", "deals in which that reaches the unit's own value"
        f"{_AT_SOME}",
    ),
    REACHED_LEFT_OUT: Variable(
        (STEP, UNIT, FOLD), "float32", "1", "deals in which `recombined` reaches the unit's own "
        f"value when the fold is left out{_AT_SOME}",
    ),
    ON_RECOMBINED: Variable(
        (STEP, UNIT, DEPTH), "float32", "1", "the unit's own eta squared over tokens when the "
        "weights into all units of a layer below are dealt anew, mean over the first deals "
        f"(attribute ancestors), {_SCORED}{_THINNED}",
    ),
    RECOMBINED_ON_RECOMBINED: Variable(
        (STEP, UNIT, DEPTH), "float32", "1", "as on_recombined, with the weights into the unit "
        f"dealt anew as well, by the same deals{_THINNED}",
    ),
    BUILDING_LEFT_OUT: Variable(
        (STEP, UNIT, DEPTH, FOLD), "float32", "1", "own less recombined selectivity, less the same "
        "on dealt ancestors, over the deals of on_recombined, when the fold is left out"
        f"{_THINNED}",
    ),
    READOUT: Variable(
        (STEP, STAGE, FEATURE), "float32", "1", "how well a line through the mean activations of "
        "all units of the layer reads out the feature: 1 - squared error / that of the mean, ridge "
        f"read-outs, on folds that they were not fitted on, {_SCORED}{_AT_SOME}",
    ),
    READOUT_RECOMBINED: Variable(
        (STEP, STAGE, FEATURE, DEAL), "float32", "1", "as readout, fitted anew, with the weights "
        f"into all units of the layer dealt anew; {_DEALT}{_AT_SOME}",
    ),
    EDGE_GAIN: Variable(
        (STEP, EDGE), "float16", "1", "the target's eta squared over tokens (mean activation) less "
        "that when the source's kernel slice is drawn anew from the other weights into the target, "
        f"mean over {SLICE_DEALS} draws, over the first exemplars that score{_THINNED}; NaN where "
        "there is one source",
    ),
    CLONE_LOSS: Variable(
        (STEP,), "float64", "nat", "mean cross-entropy on Gaussian clones (attribute clones)",
    ),
    CLONE_ACCURACY: Variable(
        (STEP,), "float64", "1", "share of Gaussian clones whose largest logit is their token's",
    ),
    CLONE_TOKEN_ACCURACY: Variable(
        (STEP, TOKEN), "float64", "1", "accuracy among the Gaussian clones of one token",
    ),
    HOLDOUT_LOSS: Variable(
        (STEP,), "float64", "nat", "mean cross-entropy on the holdout, the second probe that the "
        "user named (attribute holdout)",
    ),
    HOLDOUT_ACCURACY: Variable(
        (STEP,), "float64", "1", "share of the holdout's exemplars whose largest logit is their "
        "token's",
    ),
    HOLDOUT_TOKEN_ACCURACY: Variable(
        (STEP, TOKEN), "float64", "1", "accuracy among the holdout's exemplars of one token",
    ),
    IMAGE: Variable((EXEMPLAR, Y, X, COLOUR), "uint8", "1", "the exemplar as it was shown"),
}  # fmt: skip


def definition(name: str) -> Variable:
    """Return what a name in the record means; factors are defined by their prefix.

    Raises
    ------
    InputError
        If records have no such variable.

    Examples
    --------
    >>> from ontogeny.record import definition
    >>> definition("loss").dims, definition("loss").units
    (('step', 'split'), 'nat')
    """
    if name.startswith(FACTOR):
        words = f"generative factor {name.removeprefix(FACTOR)}"
        return _coordinate("exemplar", "", "", words)
    if name not in VARIABLES:
        msg = f"expected a variable of the record ({', '.join(VARIABLES)}), got {name}"
        raise InputError(msg)
    return VARIABLES[name]
