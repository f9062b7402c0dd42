/** The tree by which a layer's tokens part, out of the splits that were measured. */
import type { Bundle } from "../../data/bundle";

export interface Branch {
  tokens: number[];
  /** Index of the split; null for a single token. */
  split: number | null;
  sides: [Branch, Branch] | null;
}

/** The tree of a layer from its root; null where it was not measured. */
export function treeOf(bundle: Bundle, layer: number): Branch | null {
  const side = bundle.array("split_side");
  if (!side || side.dims.length !== 3) return null;
  const [nSplits, nTokens] = [side.shape[1] ?? 0, side.shape[2] ?? 0];
  const splits = Array.from({ length: nSplits }, (_, split) =>
    Array.from({ length: nTokens }, (_, token) => side.at(layer, split, token)),
  );
  return grow(
    splits,
    Array.from({ length: nTokens }, (_, token) => token),
  );
}

function grow(splits: readonly (readonly number[])[], tokens: number[]): Branch {
  const own = splits.findIndex((sides) => {
    const held = tokens.every((token) => Math.abs(sides[token] ?? 0) === 1);
    return held && sides.filter((one) => one !== 0).length === tokens.length;
  });
  const [left, right] = [1, -1].map((sign) => tokens.filter((t) => splits[own]?.[t] === sign));
  if (tokens.length < 2 || !left?.length || !right?.length)
    return { tokens, split: null, sides: null };
  return { tokens, split: own, sides: [grow(splits, left), grow(splits, right)] };
}

/** Tokens in the order in which the tree's leaves lie. */
export const leaves = (branch: Branch): number[] =>
  branch.sides ? branch.sides.flatMap(leaves) : branch.tokens;
