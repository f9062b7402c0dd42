import type { View } from "../../shell/view";
import { GraphSide } from "./side";
import "./style.css";
import { Construction, NEEDS } from "./view";

export const construction: View = {
  key: "construction",
  title: "Construction",
  needs: NEEDS,
  Component: Construction,
  Picture: GraphSide,
};
