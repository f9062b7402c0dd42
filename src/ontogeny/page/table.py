"""Every array that the page may be given: what it is, where from, in which blob, in how many bytes.

This table is the contract between Python and the page. The bundle packs nothing that is not in it,
and `ontogeny.page.contract` writes the names that the page's compiler knows, and their list in the
documentation, from it. May import the standard library only.
"""

from dataclasses import dataclass

SKETCH = "sketch"


@dataclass(frozen=True)
class Entry:
    """One array of the page."""

    name: str
    source: str
    """The dataset that holds it, see `sources`."""
    variable: str
    blob: str
    dtype: str
    dims: tuple[str, ...]
    """As the page names them, in the order of the source's own dims."""
    what: str
    """One sentence: what the array is. The dataset's own definition, if any, goes further."""

    @property
    def place(self) -> str:
        """Where the numbers come from, as the page tells a visitor."""
        whole = f"ontogeny.measure.{SKETCH}(record)" if self.source == SKETCH else None
        return f"{whole or f'{self.source}.zarr'}/{self.variable}"


def _entries(blob: str, source: str, rows: str) -> tuple[Entry, ...]:
    """Read pairs of lines: name [= variable] | dtype | dims, and what the array is."""
    lines, found = rows.strip().splitlines(), []
    for head, what in zip(lines[::2], lines[1::2], strict=True):
        named, dtype, dims = (part.strip() for part in head.split("|"))
        name, variable = (part.strip() for part in f"{named}={named}".split("=")[:2])
        place = (name, source, variable, blob, dtype, tuple(dims.split()))
        found.append(Entry(*place, what.strip()))
    return tuple(found)


ENTRIES: tuple[Entry, ...] = (
    *_entries("base", "record", """
        loss | float32 | step split
            Mean cross-entropy.
        accuracy | float32 | step split
            Share of exemplars whose largest logit is their token's.
        token_accuracy | float32 | step split token
            Accuracy among the exemplars of one token.
        holdout_accuracy | float32 | step
            Accuracy on the second probe, which holds what a pattern kept out of training.
        holdout_token_accuracy | float32 | step token
            Accuracy on the second probe among the exemplars of one token.
    """),
    *_entries("base", "measures", """
        onset_after = after | float32 | onset
            Step of the last snapshot at which the layer or token is not beyond its null.
        onset_by = by | float32 | onset
            Step of the next snapshot, from which on it stays beyond its null.
        onset_confidence_after = confidence_after | float32 | onset
            Lower end of the onset's confidence interval.
        onset_confidence_by = confidence_by | float32 | onset
            Upper end of the onset's confidence interval.
    """),
    *_entries("base", "structure", """
        phase | float32 | step
            1 at the first snapshot of a new phase of all measures together.
        phase_first | float32 | step
            Earliest snapshot to which the phase's beginning moves when a measure is left out.
        phase_last | float32 | step
            Latest snapshot to which the phase's beginning moves when a measure is left out.
        phase_p | float32 |
            Share of shuffles of the increments whose phases fit as well.
        separation_worst | float32 | step layer_all
            Separation of the two tokens that are separated least.
        separation_low | float32 | step layer_all
            Lower end of the interval of the smallest separation.
        separation_high | float32 | step layer_all
            Upper end of the interval of the smallest separation.
        things_after | float32 | layer_all
            Step of the last snapshot at which some two tokens are not separated in the layer.
        things_by | float32 | layer_all
            Step of the next snapshot, from which on all tokens stay separated in the layer.
        things_confidence_after | float32 | layer_all
            Lower end of the confidence interval of the step at which all tokens are separated.
        things_confidence_by | float32 | layer_all
            Upper end of the confidence interval of the step at which all tokens are separated.
        readout | float32 | step layer_all
            Held-out accuracy of a linear readout of the layer.
        readout_low | float32 | step layer_all
            Lower end of the interval of the readout's accuracy.
        readout_high | float32 | step layer_all
            Upper end of the interval of the readout's accuracy.
        readout_control_high | float32 | step layer_all
            Largest accuracy of readouts of shuffled tokens.
        nc1 | float32 | step layer_all
            Variability within tokens over variability between them (NC1).
        nc1_null | float32 | step layer_all
            NC1 with shuffled tokens.
        participation_ratio | float32 | step layer_all
            Effective number of dimensions of the layer's responses.
    """),
    *_entries("categories", "structure", """
        map | int16 | map_step layer_all exemplar axis
            Place of each exemplar on the layer's map.
        trustworthiness | float32 | map_step layer_all
            Share of neighbours on the map that are neighbours in the layer.
        jitter | float32 | map_step layer_all
            Mean motion of an exemplar on the map beyond its motion in the layer.
        crossnobis | float32 | step layer_all token token_b
            Cross-validated distance of two tokens, 0 on average where they do not differ.
        apart_after | float32 | layer_all token token_b
            Step of the last snapshot at which the two tokens are not separated.
        apart_by | float32 | layer_all token token_b
            Step of the next snapshot, from which on the two tokens stay separated.
        apart_confidence_after | float32 | layer_all token token_b
            Lower end of the confidence interval of the step at which the two are separated.
        apart_confidence_by | float32 | layer_all token token_b
            Upper end of the confidence interval of the step at which the two are separated.
        confusion = confusion_over_steps | float32 | step token token_b
            Share of a token's exemplars that are classified as each token.
        cka | uint8 | step layer_all step_b
            Similarity (CKA) of the layer to itself at another step.
        split_side | int8 | layer_all split_node token
            Side of each split of the tokens' tree on which a token lies: 1, -1, or 0 for neither.
        split_height | float32 | layer_all split_node
            Distance between the two sides of each split at the last step.
        split_after | float32 | layer_all split_node
            Step of the last snapshot at which less than half of the split's distance is there.
        split_by | float32 | layer_all split_node
            Step of the next snapshot, from which on more than half of it stays.
        split_confidence_after | float32 | layer_all split_node
            Lower end of the confidence interval of the split's step.
        split_confidence_by | float32 | layer_all split_node
            Upper end of the confidence interval of the split's step.
        kept_after | float32 | exemplar
            Step of the last snapshot that classifies the exemplar wrongly.
        kept_by | float32 | exemplar
            Step of the snapshot from which on the exemplar is always classified correctly.
        typicality | uint8 | step exemplar
            Distance of the exemplar from its token's centre, in units of the usual distance.
        split_bound | float32 | layer_all
            Separation that no split passes where tokens do not differ.
        clone_gap_low | float32 | step
            Lower end of the interval of the accuracy on exemplars less that on Gaussian clones.
        clone_gap_high | float32 | step
            Upper end of the interval of the accuracy on exemplars less that on Gaussian clones.
        clone_gap_after | float32 |
            Step of the last snapshot whose gap to the clones is not surely above 0.
        clone_gap_by | float32 |
            Step of the next snapshot, from which on the gap stays above 0.
    """),
    *_entries("categories", "record", """
        logit | int16 | step exemplar token
            The network's output.
        clone_accuracy | float32 | step
            Share of Gaussian clones whose largest logit is their token's.
    """),
    *_entries("detectors", "record", """
        unit_mean | uint16 | step unit
            Mean activation over the probe.
        unit_maximum | uint16 | step unit
            Largest activation over the probe.
    """),
    *_entries("detectors", "measures", """
        token_signal | uint8 | step unit
            Share of the unit's variance that lies between tokens, less what shuffled tokens give.
        token_signal_upper | float32 | step unit
            Token signal that shuffled tokens pass with 1 %.
        preferred_token | int8 | step unit
            Token with the largest mean activation; -1 where there is none.
        token_signal_null = layer_threshold | float32 | step layer
            Mean token signal of a layer that shuffled tokens do not pass.
    """),
    *_entries("detectors", "detectors", """
        token_response = d_prime | int8 | step unit token
            Mean response to a token less that to the others, in standard deviations.
        unit_onset_after = tuned_after | float32 | unit
            Step of the last snapshot before the unit discriminates tokens.
        unit_onset_by = tuned_by | float32 | unit
            Step of the next snapshot, from which the unit discriminates tokens.
        lockin = settled_by | float32 | unit
            Step of the snapshot from which on the preferred token is the last one's.
        death = dormant_by | float32 | unit
            Step of the snapshot from which on the unit is inactive.
    """),
    *_entries("construction", "record", """
        interaction | int16 | step unit pair
            What two of the unit's sources do together beyond what each does alone.
        interaction_first | int16 | step unit pair
            Channel of the pair's stronger source, in the layer below; -1 for no pair.
        interaction_second | int16 | step unit pair
            Channel of the pair's other source, in the layer below.
    """),
    *_entries("construction", "graph", """
        assembly | int16 | step unit
            Lasting name of the unit's assembly; -1 where it is in none.
    """),
    *_entries("categories", SKETCH, """
        sketch_map | int16 | sketch_step sketch_layer exemplar axis
            Place of each exemplar on two principal components of the layer.
        sketch_map_share | float32 | sketch_step sketch_layer
            Share of the variance that these two components hold.
        sketch_distance | float32 | step sketch_layer token token_b
            Cross-validated distance of two tokens before the run is measured.
        sketch_confusion | float32 | step token token_b
            Share of a token's exemplars that are classified as each token, before measuring.
    """),
    *_entries("detectors", SKETCH, """
        sketch_response | int8 | step unit token
            Mean response to a token less that to the others, before the run is measured.
        sketch_top_exemplar | int16 | unit rank
            Exemplars to which the unit responds most, before pictures are made.
    """),
)  # fmt: skip
"""What is packed as it is."""

EXEMPLARS = _entries("base", "record", """
    exemplar_token | int16 | exemplar
        Index of the exemplar's token.
    exemplar_id = exemplar | int32 | exemplar
        Index of the exemplar in the task.
""")  # fmt: skip
"""Names of exemplars, as numbers."""

EDGE_ENDS = _entries("construction", "record", """
    edge_source = source | int32 | edge
        Unit that the coupling comes from; 65535 - k is image channel k.
    edge_target = target | int32 | edge
        Unit that the coupling leads to.
""")  # fmt: skip
"""Ends of the couplings that the bundle chooses."""

COUPLINGS = _entries("construction", "record", """
    coupling | int8 | step edge
        Share of the target's variance that comes through the source.
    coupling_signal = coupling_token_signal | int8 | step edge
        The part of the coupling that lies between tokens.
    contrast = coupling_contrast | int8 | step edge token
        Share of what sets a token apart in the target that comes through the source.
""")  # fmt: skip
"""Sizes of the couplings that the bundle chooses."""

COUPLING_NULLS = _entries("construction", "record", """
    coupling_null | float32 | step layer
        Size that couplings into the layer stay below when its weights are permuted.
    contrast_null = coupling_contrast_null | float32 | step layer
        Size that contrasts into the layer stay below when its weights are permuted.
""")  # fmt: skip
"""Nulls of couplings, one a layer."""

EDGE_LIVES = _entries("construction", "graph", """
    edge_birth_after = born_after | float32 | edge
        Step of the last snapshot before the coupling first passes its null.
    edge_birth_by = born_by | float32 | edge
        Step of the next snapshot, at which the coupling passes its null.
    edge_death_after = died_after | float32 | edge
        Step of the last snapshot at which the coupling is beyond its null.
    edge_death = died_by | float32 | edge
        Step of the next snapshot, from which on the coupling is not beyond its null.
""")  # fmt: skip
"""Lives of the couplings that the bundle chooses."""

GAINS = _entries("construction", "gains", """
    constructed_share | float32 | gain_step layer
        Share of the layer's units that are constructed: no recombination reaches them.
    constructed_share_low | float32 | gain_step layer
        Lower end of the interval of the constructed share.
    constructed_share_high | float32 | gain_step layer
        Upper end of the interval of the constructed share.
    combining_share | float32 | gain_step layer
        Share of the layer's units that are constructed and beyond their best parent.
    gain_bound | float32 | gain_step layer
        Gain that the layer's best unit passes by chance in one of 20 layers.
    selectivity | int16 | gain_step unit
        Share of the variance of the unit's response that lies between tokens (eta squared).
    inherited | int16 | gain_step unit
        Mean selectivity of the unit's recombinations: what its parents and weights give.
    gain | int16 | gain_step unit
        Construction gain: what the unit has beyond its recombinations.
    gain_p = p | uint8 | gain_step unit
        Share of the unit and its recombinations that reach the unit's selectivity.
    gain_linear | int16 | gain_step unit
        The same gain of the pre-activation.
    gain_rectified | int16 | gain_step unit
        What the nonlinearity adds to the gain.
    emergent | int16 | gain_step unit
        Selectivity beyond that of the unit's best parent.
    emergent_low | int16 | gain_step unit
        Lower end of the interval of the selectivity beyond the best parent.
    emergent_high | int16 | gain_step unit
        Upper end of the interval of the selectivity beyond the best parent.
    best_parent | int16 | gain_step unit
        Channel of the best parent, in the layer below; -1 for none.
    gain_kind = kind | int8 | gain_step unit
        What the unit does: 0 inherits, 1 selects, 2 combines; -1 not known.
    construction_after | float32 | unit
        Step of the last snapshot at which some recombination still reaches the unit.
    construction_by | float32 | unit
        Step of the next snapshot, from which on no recombination reaches the unit.
    layer_construction_after | float32 | layer
        Step of the last snapshot at which the constructed share is not beyond its nulls.
    layer_construction_by | float32 | layer
        Step of the next snapshot, from which on the constructed share stays beyond its nulls.
""")  # fmt: skip
"""What is packed of construction, at the snapshots whose recombinations were observed."""

BEST_FEATURES = _entries("construction", "gains", """
    best_feature = gain_feature | int8 | gain_step unit feature_rank
        Feature that the unit gains most, by rank, of those no recombination reaches; -1 for none.
    best_feature_gain = gain_feature | int16 | gain_step unit feature_rank
        Construction gain of selectivity for that feature.
""")  # fmt: skip
"""Of each unit's gains of features the largest."""

GAIN_ENDS = _entries("construction", "record", """
    gain_source = source | int32 | gain_edge
        Parent through which a unit gains; 65535 - k is image channel k.
    gain_target = target | int32 | gain_edge
        Unit that gains through the parent.
""")  # fmt: skip
"""Ends of the edges that the bundle chooses by their gains."""

EDGE_GAINS = _entries("construction", "gains", """
    edge_gain | int16 | edge_step gain_edge
        Drop of the unit's selectivity when the parent's kernel slice is drawn anew.
    edge_gain_matched | int16 | edge_step gain_edge
        Mean of the same drop for the 19 parents of like amplitude.
    edge_gain_p | uint8 | edge_step gain_edge
        Share of the parent and those 19 that reach the parent's drop.
""")  # fmt: skip
"""Gains of the edges that the bundle chooses by them."""

PICTURES_PACKED = _entries("detectors", "pictures", """
    has_preferred | uint8 | picture_unit
        1 where an image was found that excites the unit.
    top_exemplar = top_place | int16 | picture_unit rank
        Exemplars to which the unit responds most, by rank; -1 for none.
    top_row = top_top | int16 | picture_unit rank
        First row of the part of the exemplar that the unit sees.
    top_column = top_left | int16 | picture_unit rank
        First column of the part of the exemplar that the unit sees.
    top_size = top_side | int16 | picture_unit rank
        Side of the part of the exemplar that the unit sees.
""")  # fmt: skip
"""What is packed of the pictures of detectors, beside the pictures themselves."""

ARRAYS: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        *ENTRIES, *EXEMPLARS, *EDGE_ENDS, *COUPLINGS, *COUPLING_NULLS, *EDGE_LIVES,
        *GAINS, *BEST_FEATURES, *GAIN_ENDS, *EDGE_GAINS, *PICTURES_PACKED,
    )
}  # fmt: skip
"""Every array that a bundle may hold, by its name."""

SKETCHED = {
    "sketch_map": "structure", "sketch_map_share": "structure", "sketch_distance": "structure",
    "sketch_confusion": "structure", "sketch_response": "detectors",
    "sketch_top_exemplar": "pictures",
}  # fmt: skip
"""What is packed of the sketch, and the dataset that takes its place."""
