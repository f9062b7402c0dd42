// Written by `make contract` out of src/ontogeny/page/table.py: change that table, not this file.

/** Every array that a bundle may hold, with its dims and what it is. */
export type ArrayName =
  | "loss" // step, split: Mean cross-entropy.
  | "accuracy" // step, split: Share of exemplars whose largest logit is their token's.
  | "token_accuracy" // step, split, token: Accuracy among the exemplars of one token.
  | "holdout_accuracy" // step: Accuracy on the second probe, which holds what a pattern kept out of training.
  | "holdout_token_accuracy" // step, token: Accuracy on the second probe among the exemplars of one token.
  | "onset_after" // onset: Step of the last snapshot at which the layer or token is not beyond its null.
  | "onset_by" // onset: Step of the next snapshot, from which on it stays beyond its null.
  | "onset_confidence_after" // onset: Lower end of the onset's confidence interval.
  | "onset_confidence_by" // onset: Upper end of the onset's confidence interval.
  | "phase" // step: 1 at the first snapshot of a new phase of all measures together.
  | "phase_first" // step: Earliest snapshot to which the phase's beginning moves when a measure is left out.
  | "phase_last" // step: Latest snapshot to which the phase's beginning moves when a measure is left out.
  | "phase_p" // one number: Share of shuffles of the increments whose phases fit as well.
  | "separation_worst" // step, layer_all: Separation of the two tokens that are separated least.
  | "separation_low" // step, layer_all: Lower end of the interval of the smallest separation.
  | "separation_high" // step, layer_all: Upper end of the interval of the smallest separation.
  | "things_after" // layer_all: Step of the last snapshot at which some two tokens are not separated in the layer.
  | "things_by" // layer_all: Step of the next snapshot, from which on all tokens stay separated in the layer.
  | "things_confidence_after" // layer_all: Lower end of the confidence interval of the step at which all tokens are separated.
  | "things_confidence_by" // layer_all: Upper end of the confidence interval of the step at which all tokens are separated.
  | "readout" // step, layer_all: Held-out accuracy of a linear readout of the layer.
  | "readout_low" // step, layer_all: Lower end of the interval of the readout's accuracy.
  | "readout_high" // step, layer_all: Upper end of the interval of the readout's accuracy.
  | "readout_control_high" // step, layer_all: Largest accuracy of readouts of shuffled tokens.
  | "nc1" // step, layer_all: Variability within tokens over variability between them (NC1).
  | "nc1_null" // step, layer_all: NC1 with shuffled tokens.
  | "participation_ratio" // step, layer_all: Effective number of dimensions of the layer's responses.
  | "exemplar_token" // exemplar: Index of the exemplar's token.
  | "exemplar_id" // exemplar: Index of the exemplar in the task.
  | "map" // map_step, layer_all, exemplar, axis: Place of each exemplar on the layer's map.
  | "trustworthiness" // map_step, layer_all: Share of neighbours on the map that are neighbours in the layer.
  | "jitter" // map_step, layer_all: Mean motion of an exemplar on the map beyond its motion in the layer.
  | "crossnobis" // step, layer_all, token, token_b: Cross-validated distance of two tokens, 0 on average where they do not differ.
  | "apart_after" // layer_all, token, token_b: Step of the last snapshot at which the two tokens are not separated.
  | "apart_by" // layer_all, token, token_b: Step of the next snapshot, from which on the two tokens stay separated.
  | "apart_confidence_after" // layer_all, token, token_b: Lower end of the confidence interval of the step at which the two are separated.
  | "apart_confidence_by" // layer_all, token, token_b: Upper end of the confidence interval of the step at which the two are separated.
  | "confusion" // step, token, token_b: Share of a token's exemplars that are classified as each token.
  | "cka" // step, layer_all, step_b: Similarity (CKA) of the layer to itself at another step.
  | "split_side" // layer_all, split_node, token: Side of each split of the tokens' tree on which a token lies: 1, -1, or 0 for neither.
  | "split_height" // layer_all, split_node: Distance between the two sides of each split at the last step.
  | "split_after" // layer_all, split_node: Step of the last snapshot at which less than half of the split's distance is there.
  | "split_by" // layer_all, split_node: Step of the next snapshot, from which on more than half of it stays.
  | "split_confidence_after" // layer_all, split_node: Lower end of the confidence interval of the split's step.
  | "split_confidence_by" // layer_all, split_node: Upper end of the confidence interval of the split's step.
  | "kept_after" // exemplar: Step of the last snapshot that classifies the exemplar wrongly.
  | "kept_by" // exemplar: Step of the snapshot from which on the exemplar is always classified correctly.
  | "typicality" // step, exemplar: Distance of the exemplar from its token's centre, in units of the usual distance.
  | "split_bound" // layer_all: Separation that no split passes where tokens do not differ.
  | "clone_gap_low" // step: Lower end of the interval of the accuracy on exemplars less that on Gaussian clones.
  | "clone_gap_high" // step: Upper end of the interval of the accuracy on exemplars less that on Gaussian clones.
  | "clone_gap_after" // one number: Step of the last snapshot whose gap to the clones is not surely above 0.
  | "clone_gap_by" // one number: Step of the next snapshot, from which on the gap stays above 0.
  | "logit" // step, exemplar, token: The network's output.
  | "clone_accuracy" // step: Share of Gaussian clones whose largest logit is their token's.
  | "sketch_map" // sketch_step, sketch_layer, exemplar, axis: Place of each exemplar on two principal components of the layer.
  | "sketch_map_share" // sketch_step, sketch_layer: Share of the variance that these two components hold.
  | "sketch_distance" // step, sketch_layer, token, token_b: Cross-validated distance of two tokens before the run is measured.
  | "sketch_confusion" // step, token, token_b: Share of a token's exemplars that are classified as each token, before measuring.
  | "unit_mean" // step, unit: Mean activation over the probe.
  | "unit_maximum" // step, unit: Largest activation over the probe.
  | "token_signal" // step, unit: Share of the unit's variance that lies between tokens, less what shuffled tokens give.
  | "token_signal_upper" // step, unit: Token signal that shuffled tokens pass with 1 %.
  | "preferred_token" // step, unit: Token with the largest mean activation; -1 where there is none.
  | "token_signal_null" // step, layer: Mean token signal of a layer that shuffled tokens do not pass.
  | "token_response" // step, unit, token: Mean response to a token less that to the others, in standard deviations.
  | "unit_onset_after" // unit: Step of the last snapshot before the unit discriminates tokens.
  | "unit_onset_by" // unit: Step of the next snapshot, from which the unit discriminates tokens.
  | "lockin" // unit: Step of the snapshot from which on the preferred token is the last one's.
  | "death" // unit: Step of the snapshot from which on the unit is inactive.
  | "sketch_response" // step, unit, token: Mean response to a token less that to the others, before the run is measured.
  | "sketch_top_exemplar" // unit, rank: Exemplars to which the unit responds most, before pictures are made.
  | "has_preferred" // picture_unit: 1 where an image was found that excites the unit.
  | "top_exemplar" // picture_unit, rank: Exemplars to which the unit responds most, by rank; -1 for none.
  | "top_row" // picture_unit, rank: First row of the part of the exemplar that the unit sees.
  | "top_column" // picture_unit, rank: First column of the part of the exemplar that the unit sees.
  | "top_size" // picture_unit, rank: Side of the part of the exemplar that the unit sees.
  | "interaction" // step, unit, pair: What two of the unit's sources do together beyond what each does alone.
  | "interaction_first" // step, unit, pair: Channel of the pair's stronger source, in the layer below; -1 for no pair.
  | "interaction_second" // step, unit, pair: Channel of the pair's other source, in the layer below.
  | "assembly" // step, unit: Lasting name of the unit's assembly; -1 where it is in none.
  | "edge_source" // edge: Unit that the coupling comes from; 65535 - k is image channel k.
  | "edge_target" // edge: Unit that the coupling leads to.
  | "coupling" // step, edge: Share of the target's variance that comes through the source.
  | "coupling_signal" // step, edge: The part of the coupling that lies between tokens.
  | "contrast" // step, edge, token: Share of what sets a token apart in the target that comes through the source.
  | "coupling_null" // step, layer: Size that couplings into the layer stay below when its weights are permuted.
  | "contrast_null" // step, layer: Size that contrasts into the layer stay below when its weights are permuted.
  | "edge_birth_after" // edge: Step of the last snapshot before the coupling first passes its null.
  | "edge_birth_by" // edge: Step of the next snapshot, at which the coupling passes its null.
  | "edge_death_after" // edge: Step of the last snapshot at which the coupling is beyond its null.
  | "edge_death" // edge: Step of the next snapshot, from which on the coupling is not beyond its null.
  | "constructed_share" // gain_step, layer: Share of the layer's units that are constructed: no recombination reaches them.
  | "constructed_share_low" // gain_step, layer: Lower end of the interval of the constructed share.
  | "constructed_share_high" // gain_step, layer: Upper end of the interval of the constructed share.
  | "combining_share" // gain_step, layer: Share of the layer's units that are constructed and beyond their best parent.
  | "gain_bound" // gain_step, layer: Gain that the layer's best unit passes by chance in one of 20 layers.
  | "selectivity" // gain_step, unit: Share of the variance of the unit's response that lies between tokens (eta squared).
  | "inherited" // gain_step, unit: Mean selectivity of the unit's recombinations: what its parents and weights give.
  | "gain" // gain_step, unit: Construction gain: what the unit has beyond its recombinations.
  | "gain_p" // gain_step, unit: Share of the unit and its recombinations that reach the unit's selectivity.
  | "gain_linear" // gain_step, unit: The same gain of the pre-activation.
  | "gain_rectified" // gain_step, unit: What the nonlinearity adds to the gain.
  | "emergent" // gain_step, unit: Selectivity beyond that of the unit's best parent.
  | "emergent_low" // gain_step, unit: Lower end of the interval of the selectivity beyond the best parent.
  | "emergent_high" // gain_step, unit: Upper end of the interval of the selectivity beyond the best parent.
  | "best_parent" // gain_step, unit: Channel of the best parent, in the layer below; -1 for none.
  | "gain_kind" // gain_step, unit: What the unit does: 0 inherits, 1 selects, 2 combines; -1 not known.
  | "construction_after" // unit: Step of the last snapshot at which some recombination still reaches the unit.
  | "construction_by" // unit: Step of the next snapshot, from which on no recombination reaches the unit.
  | "layer_construction_after" // layer: Step of the last snapshot at which the constructed share is not beyond its nulls.
  | "layer_construction_by" // layer: Step of the next snapshot, from which on the constructed share stays beyond its nulls.
  | "best_feature" // gain_step, unit, feature_rank: Feature that the unit gains most, by rank, of those no recombination reaches; -1 for none.
  | "best_feature_gain" // gain_step, unit, feature_rank: Construction gain of selectivity for that feature.
  | "gain_source" // gain_edge: Parent through which a unit gains; 65535 - k is image channel k.
  | "gain_target" // gain_edge: Unit that gains through the parent.
  | "edge_gain" // edge_step, gain_edge: Drop of the unit's selectivity when the parent's kernel slice is drawn anew.
  | "edge_gain_matched" // edge_step, gain_edge: Mean of the same drop for the 19 parents of like amplitude.
  | "edge_gain_p"; // edge_step, gain_edge: Share of the parent and those 19 that reach the parent's drop.
