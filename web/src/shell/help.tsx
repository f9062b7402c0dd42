/** Help over the page: what the parts are, and the keys. */
import { useEffect, useRef } from "preact/hooks";
import { useApp } from "./app";

const keysOf = (nViews: number) => [
  ["space", "play or stop the film"],
  ["← →", "one recorded step; with shift, five"],
  ["home end", "first and last step"],
  ["arrows enter", "on the graph (tab to it): from detector to detector, and choose one"],
  ["/", "search a unit, token, layer or step"],
  [`1 … ${nViews}`, "views"],
  ["escape", "let the selection go"],
  ["?", "this help"],
];

const WORDS = [
  ["token", "an individual or a category that the network learns to classify"],
  ["exemplar", "one image of a token; the page shows the probe, which training never saw"],
  ["detector, unit", "one channel of a layer, with the token to which it responds most"],
  ["coupling", "share of a detector's variance that comes through one detector of the layer below"],
  ["recombination", "the unit with its own weights shuffled: same parents, other wiring"],
  ["construction gain", "what a unit’s selectivity for tokens has beyond its recombinations’"],
  ["contrast", "of what sets a token apart in a detector, the share that comes through one source"],
  ["token signal", "share of a detector's variance that lies between tokens"],
  [
    "onset",
    "first step from which something stays beyond chance, as an interval between two recorded steps",
  ],
  ["assembly", "units that work together more than permuted couplings do; named A0, A1 …"],
  ["clone", "noise with the mean and covariance of a token’s images"],
  ["twin", "a run that goes on from another’s snapshot, changed or not"],
  ["null", "what chance alone gives; drawn in grey"],
] as const;

export function Help({ close }: { close(): void }) {
  const box = useRef<HTMLDialogElement>(null);
  const { bundle, views } = useApp();
  const { run } = bundle.manifest;
  useEffect(() => {
    const before = document.activeElement;
    box.current?.showModal();
    return () => before instanceof HTMLElement && before.focus();
  }, []);
  return (
    <dialog
      ref={box}
      class="help"
      aria-label="Help"
      onClose={close}
      onClick={(event) => event.target === box.current && close()}
    >
      <h2>Watch a network grow up</h2>
      <p>
        This page shows how {run.name} developed over {run.steps.toLocaleString("en")} training
        steps. Drag the slider at the bottom, or play the film; everything on the page shows the
        network as it was at that step. Click anything to follow it through all views. Rest on any
        number to read what it means.
      </p>
      <div class="columns">
        <dl>
          {WORDS.map(([word, meaning]) => (
            <div key={word}>
              <dt>{word}</dt>
              <dd>{meaning}</dd>
            </div>
          ))}
        </dl>
        <dl>
          {keysOf(views.length).map(([key, act]) => (
            <div key={key}>
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{act}</dd>
            </div>
          ))}
        </dl>
      </div>
      <button type="button" onClick={close}>
        Close
      </button>
    </dialog>
  );
}
