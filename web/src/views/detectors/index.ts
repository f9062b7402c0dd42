import type { View } from "../../shell/view";
import "./style.css";
import { Detectors, NEEDS } from "./view";

export const detectors: View = {
  key: "detectors",
  title: "Detectors",
  needs: NEEDS,
  Component: Detectors,
};
