/** The inspector: what is selected, its pictures and its numbers; else what this run did. */
import { useApp } from "./app";
import { EdgeCard } from "./edge-card";
import { ExemplarCard } from "./exemplar-card";
import { PairCard } from "./pair-card";
import { TokenCard } from "./token-card";
import { UnitCard } from "./unit-card";

export function Inspector() {
  const { store } = useApp();
  const { unit, token, exemplar, edge } = store.still.value;
  const isEmpty = unit === null && token === null && exemplar === null && edge === null;
  return (
    <aside class="inspector" aria-label="Inspector" tabIndex={0}>
      {!isEmpty && (
        <button type="button" class="close" onClick={() => store.clear()}>
          ✕ clear <small>(esc)</small>
        </button>
      )}
      {edge !== null && <EdgeCard edge={edge} />}
      {unit !== null && <UnitCard unit={unit} />}
      {exemplar !== null && <ExemplarCard exemplar={exemplar} />}
      {token !== null && <TokenCard token={token} />}
      {isEmpty && <RunCard />}
    </aside>
  );
}

function RunCard() {
  const { store, notice } = useApp();
  const { manifest } = store.bundle.value;
  const { run, texts, missing } = manifest;
  return (
    <>
      {(run.state === "failed" || notice.value !== "") && (
        <section class="notices" role="note">
          {run.state === "failed" && (
            <p>This training failed; what was recorded until then is shown.</p>
          )}
          {notice.value !== "" && <p>{notice.value}</p>}
        </section>
      )}
      <PairCard />
      {texts.answers.length > 0 && (
        <section>
          <h2>What this run did</h2>
          <ul class="answers">
            {texts.answers.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </section>
      )}
      <section>
        <h3>The run</h3>
        <dl class="facts">
          <div>
            <dt>network</dt>
            <dd>
              {manifest.layers.length} layers, {run.parameters?.toLocaleString("en") ?? "–"} weights
            </dd>
          </div>
          <div>
            <dt>recorded</dt>
            <dd>
              {manifest.steps.length} of {run.steps.toLocaleString("en")} steps
            </dd>
          </div>
          <div>
            <dt>state</dt>
            <dd>{run.state || "–"}</dd>
          </div>
          <div>
            <dt>seed</dt>
            <dd>{run.seed ?? "–"}</dd>
          </div>
        </dl>
        {missing.length > 0 && (
          <details>
            <summary>Not in this page: {missing.length}</summary>
            <ul class="missing">
              {missing.map(({ what, why }) => (
                <li key={what}>
                  <b>{what}</b>: {why}
                </li>
              ))}
            </ul>
          </details>
        )}
      </section>
    </>
  );
}
