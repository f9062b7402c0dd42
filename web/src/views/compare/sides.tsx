/** One side of the comparison: the figure of another view. */
import { useApp } from "../../shell/app";
import type { PictureProps } from "../../shell/view";

/** The figure that is shown twice, of the run and at the step of this side. */
export function Picture(props: PictureProps) {
  const { store, views } = useApp();
  const Shown = views.find(({ key }) => key === store.still.value.pair)?.Picture;
  return Shown ? <Shown {...props} /> : null;
}
