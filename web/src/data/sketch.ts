/** Which sketch is drawn where a measure is not there yet. */
import type { ArrayName } from "./names";

/** The sketch of a growing record that is drawn where a measure is not there yet. */
export const SKETCHES: Partial<Record<ArrayName, ArrayName>> = {
  map: "sketch_map",
  crossnobis: "sketch_distance",
  confusion: "sketch_confusion",
  token_response: "sketch_response",
  top_exemplar: "sketch_top_exemplar",
};
