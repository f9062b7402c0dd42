/** What a view is to the page: one folder under `views` exports one of these from its index. */
import type { ComponentType } from "preact";
import type { ArrayName } from "../data/names";

export interface View {
  /** Its name in the address. */
  key: string;
  /** What its tab says. */
  title: string;
  /** Arrays that it is drawn from, fetched as soon as it is looked at. */
  needs: readonly ArrayName[];
  Component: ComponentType;
  /** Its figure alone, where two steps or two runs can be compared by it. */
  Picture?: ComponentType<PictureProps>;
}

export interface PictureProps {
  /** Where this side is, for its name. */
  which: "left" | "right";
  /** Position among the recorded steps; without it the film's. */
  position?: (() => number) | undefined;
}
