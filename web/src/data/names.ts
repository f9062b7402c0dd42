/** Every array that the page reads. A test compares these names with those that Python packs. */
export const NAMES = [
  // base
  "loss", "accuracy", "token_accuracy", "holdout_accuracy", "holdout_token_accuracy",
  "exemplar_token", "exemplar_id",
  "onset_after", "onset_by", "onset_confidence_after", "onset_confidence_by",
  "phase", "phase_first", "phase_last", "phase_p",
  "separation_worst", "separation_low", "separation_high",
  "things_after", "things_by", "things_confidence_after", "things_confidence_by",
  "readout", "readout_low", "readout_high", "readout_control_high",
  "nc1", "nc1_null", "participation_ratio",
  // categories
  "map", "trustworthiness", "jitter", "crossnobis", "confusion", "cka", "logit",
  "apart_after", "apart_by", "apart_confidence_after", "apart_confidence_by",
  "split_side", "split_height", "split_after", "split_by", "split_bound",
  "split_confidence_after", "split_confidence_by",
  "kept_after", "kept_by", "typicality",
  "clone_accuracy", "clone_gap_low", "clone_gap_high", "clone_gap_after", "clone_gap_by",
  // detectors
  "unit_mean", "unit_maximum", "token_signal", "token_signal_upper", "token_signal_null",
  "preferred_token", "token_response",
  "unit_onset_after", "unit_onset_by", "lockin", "death",
  "has_preferred", "top_exemplar", "top_row", "top_column", "top_size",
  // construction
  "edge_source", "edge_target", "coupling", "coupling_signal", "contrast",
  "coupling_null", "contrast_null",
  "edge_birth_after", "edge_birth_by", "edge_death_after", "edge_death",
  "interaction", "interaction_first", "interaction_second", "assembly",
  // what stands in for measures while the run is not measured
  "sketch_map", "sketch_map_share", "sketch_distance", "sketch_confusion",
  "sketch_response", "sketch_top_exemplar",
] as const; // prettier-ignore

export type ArrayName = (typeof NAMES)[number];
