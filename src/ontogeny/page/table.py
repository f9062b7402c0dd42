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
        layer_token_signal | float32 | step layer
        layer_threshold | float32 | step layer
        answer_share | float32 | step token
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
        two_nn | float32 | step layer_all
    """),
    *_entries("categories", "structure", """
        map | int16 | map_step layer_all exemplar axis
        trustworthiness | float32 | map_step layer_all
        trustworthiness_pca | float32 | map_step layer_all
        continuity | float32 | map_step layer_all
        jitter | float32 | map_step layer_all
        crossnobis | float32 | step layer_all token token_b
        cdnv | float32 | step layer_all token token_b
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
        auroc | uint8 | step unit token
        score_threshold | float32 | layer
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
)  # fmt: skip
"""Everything that is packed as it is; edges and pictures are chosen by `edges` and `sheets`."""
