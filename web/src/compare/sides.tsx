/** One side of the comparison: a view of a run at a step. */
import { useMemo } from "preact/hooks";
import { LayerMap } from "../categories/map";
import { placesOf } from "../categories/places";
import { layerOf } from "../categories/view";
import { Graph, useConstruction } from "../construction/view";
import { useApp } from "../shell/app";
import { Missing, WideHint } from "../shell/frame";

export interface PictureProps {
  /** Where this side is, for its name. */
  which: "left" | "right";
  /** Position among the recorded steps; without it the film's. */
  position?: (() => number) | undefined;
}

/** The picture that is shown twice. */
export function Picture(props: PictureProps) {
  const { pair } = useApp().store.still.value;
  return pair === "categories" ? <MapSide {...props} /> : <GraphSide {...props} />;
}

function MapSide({ position }: PictureProps) {
  const app = useApp();
  const bundle = app.store.bundle.value;
  const at = useMemo(() => position ?? (() => app.store.position.value), [app]);
  if (placesOf(bundle) === null)
    return <Missing what="maps of category structure" names={["map"]} />;
  return <LayerMap layer={layerOf(bundle, app.store.still.value.layer)} position={at} />;
}

function GraphSide({ which, position }: PictureProps) {
  const app = useApp();
  const own = useConstruction(app, position);
  if (own.made.value === null)
    return <Missing what="couplings" names={["coupling", "edge_source", "edge_target"]} />;
  return (
    <>
      <WideHint />
      <Graph own={own} label={`Coupling graph, ${which}`} />
    </>
  );
}
