/** The numbers under the graph. */
import type { Table } from "../../draw/download";
import type { App } from "../../shell/app";
import type { Model } from "./model";
import { weightIn } from "./scene";

export function tableOf(app: App, made: Model | null): Table {
  const { bundle, store } = app;
  const { step } = store.state.value;
  const rows = made
    ? Array.from(made.scene.edges, (edge, e) => [
        bundle.manifest.steps[step] ?? 0,
        bundle.units.name(made.couplings.source[edge] ?? -1),
        bundle.units.name(made.couplings.target[edge] ?? -1),
        made.couplings.fields.total.at(step, edge),
        weightIn(made.scene, e, step),
      ])
    : [];
  return { columns: ["step", "source", "target", "coupling", "weight_drawn"], rows };
}
