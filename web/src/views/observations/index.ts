import type { View } from "../../shell/view";
import "./style.css";
import { Observations } from "./view";

export const observations: View = {
  key: "observations",
  title: "Observations",
  needs: [],
  Component: Observations,
};
