/** A token: how well it is told at this step, when that set in, and with what it is confused. */
import { onsets } from "../data/facts";
import { exemplarPicture } from "../data/pictures";
import { interval, percent } from "../draw/canvas";
import { useApp } from "./app";
import { Num } from "./hover";
import { Thumb } from "./thumb";
import { TokenMark, TokenName } from "./token";

const SHOWN = 8;

export function TokenCard({ token }: { token: number }) {
  const { store, palette } = useApp();
  const bundle = store.bundle.value;
  const { step } = store.still.value;
  const name = bundle.manifest.tokens[token] ?? "";
  const own = bundle.array("exemplar_token");
  const exemplars = own
    ? [...own.values().keys()].filter((k) => own.flat(k) === token).slice(0, SHOWN)
    : [];
  const onset = onsets(bundle).find((one) => one.name === name);
  const confusion = bundle.shown("confusion");
  return (
    <section>
      <h2>
        <TokenMark token={token} size={16} /> {name}
      </h2>
      <div class="pictures">
        {exemplars.map((k) => (
          <Thumb
            key={k}
            picture={exemplarPicture(bundle, k)}
            side={62}
            label={`An exemplar of ${name}`}
            click={() => store.set({ exemplar: k })}
          />
        ))}
      </div>
      <dl class="facts">
        <div>
          <dt>classified correctly</dt>
          <dd>
            <Num
              of="token_accuracy"
              value={bundle.array("token_accuracy")?.at(step, 1, token) ?? null}
              as={percent}
            />
          </dd>
        </div>
        {bundle.array("holdout_token_accuracy") && (
          <div>
            <dt>on the second probe</dt>
            <dd>
              <Num
                of="holdout_token_accuracy"
                value={bundle.array("holdout_token_accuracy")?.at(step, token) ?? null}
                as={percent}
              />
            </dd>
          </div>
        )}
        <div>
          <dt>chance</dt>
          <dd>{percent(bundle.manifest.run.chance)}</dd>
        </div>
        {onset && (
          <div>
            <dt>beyond chance</dt>
            <dd>
              <Num of="onset_by" value={onset.by} as={() => interval(onset.after, onset.by)} />
            </dd>
          </div>
        )}
      </dl>
      {confusion && (
        <>
          <h3>Called at this step</h3>
          <ul class="rows">
            {bundle.manifest.tokens.map((_, other) => (
              <li key={other}>
                <span class="name wide">
                  <TokenName token={other} />
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
                    width={100 * (confusion.at(step, token, other) || 0)}
                    fill={palette.value.tokens[other]}
                  />
                </svg>
                <span class="value">
                  <Num
                    of={bundle.nameOf("confusion")}
                    value={confusion.at(step, token, other)}
                    as={percent}
                  />
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
      <div class="links">
        <button
          type="button"
          onClick={() => store.set({ view: "construction", token, unit: null })}
        >
          what it is built from
        </button>
        <button type="button" onClick={() => store.set({ view: "detectors", token })}>
          its detectors
        </button>
        <button type="button" onClick={() => store.set({ view: "categories", token })}>
          on the map
        </button>
      </div>
    </section>
  );
}
