/** The coupling graph on one side of a comparison. */
import { useApp } from "../../shell/app";
import { Missing } from "../../shell/frame";
import type { PictureProps } from "../../shell/view";
import { Graph, NEEDS, useConstruction, WideHint } from "./view";

export function GraphSide({ which, position }: PictureProps) {
  const app = useApp();
  const own = useConstruction(app, position);
  if (own.made.value === null) return <Missing what="couplings" names={NEEDS} />;
  return (
    <>
      <WideHint />
      <Graph own={own} label={`Coupling graph, ${which}`} />
    </>
  );
}
