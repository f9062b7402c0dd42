/** The numbers under the graph. */
import type { Table } from "../../draw/download";
import type { App } from "../../shell/app";
import type { Model } from "./model";
import { standingIn, weightIn } from "./scene";

/** The array whose numbers the edges are drawn by. */
function nameOf(made: Model | null): string {
  const { weights, token } = made?.reading ?? { weights: "total", token: null };
  if (token !== null) return "contrast";
  return { gain: "edge_gain", total: "coupling", signal: "coupling_signal", contrast: "contrast" }[
    weights
  ];
}

export function tableOf(app: App, made: Model | null): Table {
  const { bundle, store } = app;
  const { step } = store.state.value;
  const rows = made
    ? Array.from(made.scene.edges, (edge, e) => [
        bundle.manifest.steps[step] ?? 0,
        bundle.units.name(made.links.source[edge] ?? -1),
        bundle.units.name(made.links.target[edge] ?? -1),
        weightIn(made.scene, e, step),
        standingIn(made.scene, e, step),
      ])
    : [];
  return { columns: ["step", "source", "target", nameOf(made), "standing"], rows };
}
