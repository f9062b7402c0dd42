/** Lives of exemplars: when each is told right for good, and how often that was lost again. */
import type { Bundle } from "./bundle";
import type { Field } from "./field";

/** Token that an exemplar is called at a recorded step; null where that is not known. */
export function calledAt(bundle: Bundle, step: number, exemplar: number): number | null {
  const logit = bundle.array("logit");
  let [best, most]: [number | null, number] = [null, -Infinity];
  for (let token = 0; logit && token < bundle.manifest.tokens.length; token++) {
    const value = logit.at(step, exemplar, token);
    if (value > most) [best, most] = [token, value];
  }
  return best;
}

/** How often an exemplar that was told right was told wrong at the next recorded step. */
export function forgotten(bundle: Bundle, exemplar: number): number {
  const own = bundle.array("exemplar_token")?.at(exemplar);
  let [count, wasRight] = [0, false];
  for (let k = 0; k < bundle.manifest.steps.length; k++) {
    const isRight = calledAt(bundle, k, exemplar) === own;
    if (wasRight && !isRight) count++;
    wasRight = isRight;
  }
  return count;
}

export interface Life {
  exemplar: number;
  token: number;
  /** Step by which it is told right for good; infinite: not by the end. */
  keptBy: number;
  forgotten: number;
}

const kept = new WeakMap<Field, Life[]>();

/** Every exemplar's life; empty while its numbers are not there. */
export function livesOf(bundle: Bundle): Life[] {
  const [by, tokens] = [bundle.array("kept_by"), bundle.array("exemplar_token")];
  if (!by || !tokens || !bundle.array("logit")) return [];
  const known = kept.get(by);
  if (known) return known;
  const made = Array.from({ length: by.size("exemplar") }, (_, exemplar) => {
    const at = by.at(exemplar);
    return {
      exemplar,
      token: tokens.at(exemplar),
      keptBy: Number.isNaN(at) ? Infinity : at,
      forgotten: forgotten(bundle, exemplar),
    };
  });
  kept.set(by, made);
  return made;
}

/** Those told right for good, but last; then those most often forgotten; then those never kept. */
export function remarkable(lives: readonly Life[], token: number | null, count: number) {
  const own = lives.filter((one) => token === null || one.token === token);
  const late = own.filter(({ keptBy }) => Number.isFinite(keptBy));
  const first = (list: Life[], key: (life: Life) => number) =>
    [...list].sort((a, b) => key(b) - key(a) || a.exemplar - b.exemplar).slice(0, count);
  return {
    early: first(late, ({ keptBy }) => -keptBy),
    late: first(late, ({ keptBy }) => keptBy),
    forgotten: first(own, (one) => one.forgotten).filter((one) => one.forgotten > 0),
    never: first(
      own.filter(({ keptBy }) => !Number.isFinite(keptBy)),
      (one) => -one.forgotten,
    ),
  };
}
