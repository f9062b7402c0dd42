import type { View } from "../../shell/view";
import "./style.css";
import { Compare } from "./view";

export const compare: View = {
  key: "compare",
  title: "Compare",
  needs: ["accuracy"],
  Component: Compare,
};
