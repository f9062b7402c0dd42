/** What two runs differ in: accuracies at their steps, onsets, and where they part. */
import type { Bundle } from "../../data/bundle";
import { onsets } from "../../data/facts";
import { interval } from "../../draw/canvas";
import { partedAt } from "../../state/mirror";

export interface TokenRow {
  token: string;
  left: number;
  right: number;
  leftOnset: string;
  rightOnset: string;
}

const onsetOf = (bundle: Bundle, name: string): string => {
  const own = onsets(bundle).find((one) => one.name === name && one.kind === "token");
  return own ? interval(own.after, own.by) : "–";
};

const accuracyOf = (bundle: Bundle, name: string, step: number): number =>
  bundle.array("token_accuracy")?.at(step, 1, bundle.manifest.tokens.indexOf(name)) ?? Number.NaN;

/** Accuracy and onset of every token that either run has; each run at its own step. */
export function tokenRows(
  left: Bundle,
  right: Bundle,
  leftStep: number,
  rightStep: number,
): TokenRow[] {
  const names = new Set([...left.manifest.tokens, ...right.manifest.tokens]);
  return [...names].map((token) => ({
    token,
    left: accuracyOf(left, token, leftStep),
    right: accuracyOf(right, token, rightStep),
    leftOnset: onsetOf(left, token),
    rightOnset: onsetOf(right, token),
  }));
}

/** First step that both recorded and at which the measured loss or accuracy differs; null: none. */
export function firstDifference(left: Bundle, right: Bundle): number | null {
  const there = new Map(right.manifest.steps.map((step, k) => [step, k]));
  const shared = left.manifest.steps.flatMap((step, k) => {
    const other = there.get(step);
    return other === undefined ? [] : [[step, k, other] as const];
  });
  const differs = shared.find(([, a, b]) =>
    (["loss", "accuracy"] as const).some((name) => {
      const [one, two] = [left.array(name)?.at(a, 1), right.array(name)?.at(b, 1)];
      return one !== undefined && two !== undefined && !Object.is(one, two);
    }),
  );
  return differs?.[0] ?? null;
}

/** Names of two runs, told apart where they are the same. */
export function namesOfBoth(left: Bundle, right: Bundle): [string, string] {
  const [a, b] = [left.manifest.run.name, right.manifest.run.name];
  return a === b ? [a, `${b} (beside)`] : [a, b];
}

/** In words: whether they are twins, and from where on they differ. */
export function kinship(left: Bundle, right: Bundle): string {
  const [a, b] = [left.manifest.run, right.manifest.run];
  const parted = partedAt(a, b);
  const first = firstDifference(left, right);
  const since =
    first === null
      ? "nothing recorded differs"
      : `the first recorded step at which they differ is ${first.toLocaleString("en")}`;
  if (parted !== null)
    return `Twins: one network until step ${parted.toLocaleString("en")}; ${since}.`;
  if (a.task !== b.task)
    return `Two tasks, ${a.task} and ${b.task}: only what has the same name is alike.`;
  if (a.seed !== null && a.seed === b.seed) return `The same task and seed (${a.seed}); ${since}.`;
  return `The same task, seeds ${a.seed ?? "–"} and ${b.seed ?? "–"}: detectors of the same name are not the same detectors.`;
}
