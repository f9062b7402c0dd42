/** The strongest units in the exact graph of an exemplar, layer by layer, at the step that is shown. */
import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import {
  ask,
  picturePath,
  readPictureGraph,
  type Answer,
  type PictureGraph as Graph,
} from "../data/ask";
import { pictureOf } from "../data/pictures";
import { useApp } from "./app";
import { follow, Shown } from "./asked";
import { Thumb } from "./thumb";

export function PictureGraph({ exemplar }: { exemplar: number }) {
  const { store, source } = useApp();
  const bundle = store.bundle.value;
  const step = bundle.manifest.steps[store.still.value.step] ?? 0;
  const id = bundle.array("exemplar_id")?.at(exemplar) ?? Number.NaN;
  const own = useMemo(
    () => ({ isOpen: signal(false), graph: signal<Answer<Graph>>({ state: "none" }) }),
    [],
  );
  const address = source?.address(picturePath(step, id)) ?? null;
  useEffect(() => {
    if (!own.isOpen.value || address === null) return;
    const graph = async () => readPictureGraph(await (await ask(address)).json());
    void follow(own.graph, graph());
  }, [own.isOpen.value, address]);
  if (address === null || !Number.isFinite(id)) return null;
  return (
    <section class="asked">
      <p class="links">
        <button
          type="button"
          aria-expanded={own.isOpen.value}
          title="What each unit gives to the logit of its token, with nothing left over"
          onClick={() => (own.isOpen.value = !own.isOpen.value)}
        >
          how this answer is built
        </button>
      </p>
      {own.isOpen.value && (
        <div role="status">
          <Shown answer={own.graph.value}>{(graph) => <Layers graph={graph} step={step} />}</Shown>
        </div>
      )}
    </section>
  );
}

const signed = (value: number): string => `${value > 0 ? "+" : ""}${value.toFixed(2)}`;

/** Each layer's units for the token and against it, from the logits down. */
function Layers({ graph, step }: { graph: Graph; step: number }) {
  return (
    <table class="picture-graph">
      <caption>
        At step {step.toLocaleString("en")} the logit of {graph.token}, less the mean of all, is{" "}
        {signed(graph.explained)}. In each layer what comes through its units, with the biases
        above, adds up to it; these units give most for and against it. Biases of all layers give{" "}
        {signed(graph.bias)}.
      </caption>
      <thead>
        <tr>
          <th scope="col">layer</th>
          <th scope="col">for {graph.token}</th>
          <th scope="col">against</th>
        </tr>
      </thead>
      <tbody>
        {graph.layers.map(({ layer, units, attribution }) => {
          const ends = units.map((unit, k) => ({ unit, attribution: attribution[k] ?? 0 }));
          return (
            <tr key={layer}>
              <th scope="row">{layer}</th>
              <td>
                <Units ends={ends.filter((end) => end.attribution > 0)} step={step} />
              </td>
              <td>
                <Units ends={ends.filter((end) => end.attribution < 0)} step={step} />
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Units({ ends, step }: { ends: { unit: string; attribution: number }[]; step: number }) {
  const { store } = useApp();
  const bundle = store.bundle.value;
  return (
    <ul>
      {ends.map(({ unit, attribution }) => {
        const index = bundle.units.index(unit);
        const picture = index === null ? null : pictureOf(bundle, index, step);
        const choose = () => store.set({ unit: index });
        const words = `${unit}, ${signed(attribution)}`;
        return (
          <li key={unit} title={words}>
            {picture ? (
              <Thumb picture={picture} side={28} label={words} click={choose} />
            ) : (
              <button type="button" class="link" onClick={choose}>
                {unit.split(":").at(-1)}
              </button>
            )}
            <small>{signed(attribution)}</small>
          </li>
        );
      })}
    </ul>
  );
}
