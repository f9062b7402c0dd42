/** The map of a layer on one side of a comparison. */
import { useMemo } from "preact/hooks";
import { useApp } from "../../shell/app";
import { Missing } from "../../shell/frame";
import type { PictureProps } from "../../shell/view";
import { LayerMap } from "./map";
import { placesOf } from "./places";
import { layerOf, NEEDS } from "./view";

export function MapSide({ position }: PictureProps) {
  const app = useApp();
  const bundle = app.store.bundle.value;
  const at = useMemo(() => position ?? (() => app.store.position.value), [app]);
  if (placesOf(bundle) === null) return <Missing what="maps of category structure" names={NEEDS} />;
  return <LayerMap layer={layerOf(bundle, app.store.still.value.layer)} position={at} />;
}
