import { describe, expect, it } from "vitest";
import {
  edgeCode,
  endsOf,
  formatState,
  initialState,
  isPlace,
  parseState,
  positionOf,
  stepAt,
  type Names,
} from "../src/state/state";

const names: Names = {
  views: ["construction", "detectors", "compare"],
  steps: [0, 1, 2, 4, 9, 30],
  layers: ["pixels", "conv1", "logits"],
  tokens: ["daisy", "<img src=x onerror=alert(1)>", "a&b=c#d"],
  unitIndex: (name) => (name === "conv1:3" ? 3 : null),
  endIndex: (name) => (name === "pixels:2" ? 65533 : null),
  unitName: (unit) => (unit === 65533 ? "pixels:2" : `conv1:${unit}`),
  exemplars: [7, 19],
};

describe("the state in the address", () => {
  it("comes back whole, also with names that are markup", () => {
    for (const token of [0, 1, 2]) {
      const state = {
        ...initialState(names),
        view: "detectors",
        step: 2,
        layer: 1,
        unit: 3,
        token,
        exemplar: 1,
        compare: 0,
        edge: edgeCode(65533, 3),
        pair: "construction" as const,
        weights: "signal" as const,
        theme: "dark" as const,
      };
      expect(parseState(formatState(state, names), names)).toEqual(state);
    }
  });

  it("is the last step of the construction where nothing is said", () => {
    expect(parseState("", names)).toEqual(initialState(names));
    expect(initialState(names).step).toBe(5);
  });

  it.each([
    "view=nowhere",
    "unit=conv9:1",
    "token=__proto__",
    "layer=-1",
    "theme=red",
    "step=soon",
    "exemplar=8",
    "%%%",
    "compare=3",
    "edge=conv1:3-conv9:1",
    "edge=x",
  ])("drops what is unknown: %s", (fragment) =>
    expect(parseState(`#${fragment}`, names)).toEqual(initialState(names)),
  );

  it("takes a step between two recorded ones to the nearest, on the log scale", () => {
    expect(parseState("#step=8", names).step).toBe(4);
    expect(parseState("#step=100000", names).step).toBe(5);
  });

  it("survives a run with nothing recorded", () => {
    const empty: Names = { ...names, steps: [], exemplars: [] };
    expect(parseState("#step=3", empty).step).toBe(0);
  });

  it("enters the history for a place, not for a step", () => {
    const state = initialState(names);
    expect(isPlace(state, { ...state, step: 1 })).toBe(false);
    expect(isPlace(state, { ...state, unit: 1 })).toBe(true);
    expect(isPlace(state, { ...state, view: "compare" })).toBe(true);
  });
});

describe("a coupling in the address", () => {
  it("is one number for its ends, and back", () => {
    expect(endsOf(edgeCode(7, 40000))).toEqual([7, 40000]);
    expect(endsOf(edgeCode(65533, 0))).toEqual([65533, 0]);
  });
  it.each(["conv9:1-conv1:3", "pixels:2-conv9:1", "conv1:3", "x"])(
    "is dropped where an end is unknown: %s",
    (edge) => expect(parseState(`#edge=${edge}`, names).edge).toBeNull(),
  );
  it("is read where both ends are known", () => {
    expect(parseState("#edge=pixels:2-conv1:3", names).edge).toBe(edgeCode(65533, 3));
  });
});

describe("positions among recorded steps", () => {
  it("are whole at recorded steps, and come back", () => {
    names.steps.forEach((step, k) => expect(positionOf(step, names.steps)).toBeCloseTo(k, 10));
    for (const step of [0, 0.5, 3, 17, 30]) {
      expect(stepAt(positionOf(step, names.steps), names.steps)).toBeCloseTo(step, 8);
    }
  });

  it("stay within the film", () => {
    expect(positionOf(-5, names.steps)).toBe(0);
    expect(positionOf(1e9, names.steps)).toBe(5);
  });
});
