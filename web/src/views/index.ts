/** Every view of the page, in the order of its tabs and of the keys 1, 2, 3 ... */
import type { View } from "../shell/view";
import { categories } from "./categories";
import { compare } from "./compare";
import { construction } from "./construction";
import { detectors } from "./detectors";
import { observations } from "./observations";

export const VIEWS: readonly View[] = [construction, categories, detectors, observations, compare];
