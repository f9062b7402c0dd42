"""Which variables the page is given, in which blob and in how many bytes a number."""

from dataclasses import dataclass


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


def _entries(blob: str, source: str, rows: str) -> list[Entry]:
    """Read lines of: name [variable] dtype dims."""
    found = []
    for line in rows.strip().splitlines():
        head, dtype, dims = (part.strip() for part in line.split("|"))
        name, _, variable = head.partition("=")
        found.append(Entry(name, source, variable or name, blob, dtype, tuple(dims.split())))
    return found


ENTRIES: tuple[Entry, ...] = (
    *_entries("base", "record", """
        loss | float32 | step split
        accuracy | float32 | step split
        token_accuracy | float32 | step split token
        holdout_accuracy | float32 | step
        holdout_token_accuracy | float32 | step token
    """),
    *_entries("base", "measures", """
        onset_after=after | float32 | onset
        onset_by=by | float32 | onset
        onset_confidence_after=confidence_after | float32 | onset
        onset_confidence_by=confidence_by | float32 | onset
    """),
    *_entries("base", "structure", """
        phase | float32 | step
        phase_first | float32 | step
        phase_last | float32 | step
        phase_p | float32 |
        separation_worst | float32 | step layer_all
        separation_low | float32 | step layer_all
        separation_high | float32 | step layer_all
        things_after | float32 | layer_all
        things_by | float32 | layer_all
        things_confidence_after | float32 | layer_all
        things_confidence_by | float32 | layer_all
        readout | float32 | step layer_all
        readout_low | float32 | step layer_all
        readout_high | float32 | step layer_all
        readout_control_high | float32 | step layer_all
        nc1 | float32 | step layer_all
        nc1_null | float32 | step layer_all
        participation_ratio | float32 | step layer_all
    """),
    *_entries("categories", "structure", """
        map | int16 | map_step layer_all exemplar axis
        trustworthiness | float32 | map_step layer_all
        jitter | float32 | map_step layer_all
        crossnobis | float32 | step layer_all token token_b
        apart_after | float32 | layer_all token token_b
        apart_by | float32 | layer_all token token_b
        apart_confidence_after | float32 | layer_all token token_b
        apart_confidence_by | float32 | layer_all token token_b
        confusion=confusion_over_steps | float32 | step token token_b
        cka | uint8 | step layer_all step_b
        split_side | int8 | layer_all split_node token
        split_height | float32 | layer_all split_node
        split_after | float32 | layer_all split_node
        split_by | float32 | layer_all split_node
        split_confidence_after | float32 | layer_all split_node
        split_confidence_by | float32 | layer_all split_node
        kept_after | float32 | exemplar
        kept_by | float32 | exemplar
        typicality | uint8 | step exemplar
        split_bound | float32 | layer_all
        clone_gap_low | float32 | step
        clone_gap_high | float32 | step
        clone_gap_after | float32 |
        clone_gap_by | float32 |
    """),
    *_entries("categories", "record", """
        logit | int16 | step exemplar token
        clone_accuracy | float32 | step
    """),
    *_entries("detectors", "record", """
        unit_mean | uint16 | step unit
        unit_maximum | uint16 | step unit
    """),
    *_entries("detectors", "measures", """
        token_signal | uint8 | step unit
        token_signal_upper | float32 | step unit
        preferred_token | int8 | step unit
        token_signal_null=layer_threshold | float32 | step layer
    """),
    *_entries("detectors", "detectors", """
        token_response=d_prime | int8 | step unit token
        unit_onset_after=tuned_after | float32 | unit
        unit_onset_by=tuned_by | float32 | unit
        lockin=settled_by | float32 | unit
        death=dormant_by | float32 | unit
    """),
    *_entries("construction", "record", """
        interaction | int16 | step unit pair
        interaction_first | int16 | step unit pair
        interaction_second | int16 | step unit pair
    """),
    *_entries("construction", "graph", """
        assembly | int16 | step unit
    """),
    *_entries("categories", "sketch", """
        sketch_map | int16 | sketch_step sketch_layer exemplar axis
        sketch_map_share | float32 | sketch_step sketch_layer
        sketch_distance | float32 | step sketch_layer token token_b
        sketch_confusion | float32 | step token token_b
    """),
    *_entries("detectors", "sketch", """
        sketch_response | int8 | step unit token
        sketch_top_exemplar | int16 | unit rank
    """),
)  # fmt: skip
"""Everything that is packed as it is."""

PICTURES_PACKED = {
    "has_preferred": ("has_preferred", "uint8"), "top_exemplar": ("top_place", "int16"),
    "top_row": ("top_top", "int16"), "top_column": ("top_left", "int16"),
    "top_size": ("top_side", "int16"),
}  # fmt: skip
"""Arrays of the page out of pictures.zarr, with their variable and type."""
EDGE_LIVES = {
    "edge_birth_after": "born_after", "edge_birth_by": "born_by",
    "edge_death_after": "died_after", "edge_death": "died_by",
}  # fmt: skip
"""Arrays of the page out of graph.zarr, of the couplings that are chosen."""
CHOSEN = (
    "exemplar_token", "exemplar_id", "edge_source", "edge_target", "coupling", "coupling_signal",
    "contrast", "coupling_null", "contrast_null",
)  # fmt: skip
"""Arrays that the bundle makes of the record: names as numbers, and the couplings it chooses."""


def packed_names() -> list[str]:
    """Return the name of every array that a bundle may hold."""
    return [entry.name for entry in ENTRIES] + [*PICTURES_PACKED, *EDGE_LIVES, *CHOSEN]


SKETCHED = {
    "sketch_map": "structure", "sketch_map_share": "structure", "sketch_distance": "structure",
    "sketch_confusion": "structure", "sketch_response": "detectors",
    "sketch_top_exemplar": "pictures",
}  # fmt: skip
"""What is packed of the sketch, and the dataset that takes its place."""
