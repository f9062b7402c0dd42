/** An exemplar: its picture and what the network makes of it at this step. */
import { exemplarPicture } from "../data/pictures";
import { percent, show } from "../draw/canvas";
import { useApp } from "./app";
import { ExemplarLife } from "./exemplar-life";
import { Num } from "./hover";
import { PictureGraph } from "./picture-graph";
import { Thumb } from "./thumb";
import { TokenName } from "./token";

/** Shares that logits stand for. */
export function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const sizes = logits.map((value) => Math.exp(value - most));
  const sum = sizes.reduce((a, b) => a + b, 0);
  return sizes.map((size) => size / sum);
}

export function ExemplarCard({ exemplar }: { exemplar: number }) {
  const { store, palette } = useApp();
  const bundle = store.bundle.value;
  const { step } = store.still.value;
  const token = bundle.array("exemplar_token")?.at(exemplar) ?? Number.NaN;
  const logit = bundle.array("logit");
  const logits = bundle.manifest.tokens.map((_, k) => logit?.at(step, exemplar, k) ?? Number.NaN);
  const shares = softmax(logits);
  return (
    <section>
      <h2>exemplar {show(bundle.array("exemplar_id")?.at(exemplar), 0)}</h2>
      <Thumb picture={exemplarPicture(bundle, exemplar)} side={150} label="The exemplar" />
      <p>{Number.isFinite(token) && <TokenName token={token} />}</p>
      <ExemplarLife exemplar={exemplar} />
      {logit && (
        <>
          <h3>What the network says at this step</h3>
          <ul class="rows">
            {shares.map((share, k) => (
              <li key={k}>
                <span class="name wide">
                  <TokenName token={k} />
                </span>
                <svg
                  class="signed"
                  viewBox="0 0 100 8"
                  preserveAspectRatio="none"
                  aria-hidden="true"
                >
                  <rect
                    y="0.5"
                    height="7"
                    width={100 * (share || 0)}
                    fill={palette.value.tokens[k]}
                  />
                </svg>
                <span class="value">
                  <Num of="logit" value={logits[k] ?? null} as={() => percent(share)} />
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      <PictureGraph key={exemplar} exemplar={exemplar} />
    </section>
  );
}
