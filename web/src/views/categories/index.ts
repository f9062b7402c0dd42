import type { View } from "../../shell/view";
import { MapSide } from "./side";
import "./style.css";
import { Categories, NEEDS } from "./view";

export const categories: View = {
  key: "categories",
  title: "Categories",
  needs: NEEDS,
  Component: Categories,
  Picture: MapSide,
};
