/** The token tree of a layer: which tokens part first, how far, and from which step on. */
import { useMemo } from "preact/hooks";
import type { ArrayName } from "../../data/names";
import { FONT, interval, linear, show } from "../../draw/canvas";
import { trace } from "../../draw/shapes";
import { useApp, type App } from "../../shell/app";
import { Drawing, type Size } from "../../shell/drawing";
import { tipOf } from "../../shell/hover";
import { leaves, treeOf, type Branch } from "./tree";

export function Tree({ layer }: { layer: number }) {
  const app = useApp();
  const acts = useMemo(() => interaction(app, layer), [layer]);
  const name = app.store.bundle.value.layersAll()[layer] ?? "";
  return (
    <figure class="chart">
      <figcaption>how {name} parts the tokens, as at the last step</figcaption>
      <Drawing label={`Tree of tokens in ${name}`} {...acts} />
    </figure>
  );
}

interface Joint {
  x: number;
  y: number;
  split: number;
  branch: Branch;
}

interface Drawn {
  joints: Joint[];
  lines: [number, number, number, number][];
  tips: { token: number; y: number }[];
  bound: number | null;
}

const RIGHT = 92;

/** Places of the tree's joints: the farther left, the farther apart its two sides are. */
function place(app: App, layer: number, { width, height }: Size): Drawn | null {
  const { bundle } = app;
  const tree = treeOf(bundle, layer);
  if (!tree) return null;
  const order = leaves(tree);
  const row = (height - 34) / Math.max(1, order.length);
  const heights = order.map((_, k) => bundle.array("split_height")?.at(layer, k) ?? Number.NaN);
  const size = (value: number) => Math.sqrt(Math.max(0, value || 0));
  const x = linear(0, Math.max(1e-9, ...heights.map(size)), width - RIGHT, 34);
  const found: Drawn = { joints: [], lines: [], tips: [], bound: null };
  const put = (branch: Branch): [number, number] => {
    if (!branch.sides || branch.split === null) {
      const y = 8 + (order.indexOf(branch.tokens[0] ?? -1) + 0.5) * row;
      for (const token of branch.tokens) found.tips.push({ token, y });
      return [x(0), y];
    }
    const ends = branch.sides.map(put);
    const y = ends.reduce((sum, [, one]) => sum + one, 0) / 2;
    const at = x(size(bundle.array("split_height")?.at(layer, branch.split) ?? Number.NaN));
    for (const [ex, ey] of ends) found.lines.push([at, ey, ex, ey], [at, y, at, ey]);
    found.joints.push({ x: at, y, split: branch.split, branch });
    return [at, y];
  };
  put(tree);
  const bound = bundle.array("split_bound")?.at(layer) ?? Number.NaN;
  if (Number.isFinite(bound)) found.bound = x(size(bound));
  return found;
}

function interaction(app: App, layer: number) {
  const at = (name: ArrayName, split: number) =>
    app.bundle.array(name)?.at(layer, split) ?? Number.NaN;
  return {
    paint: (pen: CanvasRenderingContext2D, size: Size) => {
      const { ink, quiet, tokens, band, ground } = app.palette.value;
      const drawn = place(app, layer, size);
      if (!drawn) return;
      const now = app.store.steps[app.store.state.value.step] ?? 0;
      pen.font = `11px ${FONT}`;
      pen.textBaseline = "middle";
      if (drawn.bound !== null) {
        pen.fillStyle = band;
        pen.fillRect(drawn.bound, 4, size.width - RIGHT - drawn.bound, size.height - 30);
      }
      pen.strokeStyle = quiet;
      pen.lineWidth = 1.5;
      for (const [x, y, ex, ey] of drawn.lines) {
        pen.beginPath();
        pen.moveTo(x, y);
        pen.lineTo(ex, ey);
        pen.stroke();
      }
      pen.textAlign = "left";
      for (const { token, y } of drawn.tips) {
        trace(pen, token, size.width - RIGHT + 9, y, 5);
        pen.fillStyle = tokens[token] ?? quiet;
        pen.fill();
        pen.fillStyle = ink;
        pen.fillText(app.bundle.manifest.tokens[token] ?? "", size.width - RIGHT + 19, y);
      }
      for (const { x, y, split } of drawn.joints) {
        const by = at("split_by", split);
        pen.beginPath();
        pen.arc(x, y, 5, 0, 2 * Math.PI);
        pen.fillStyle = by <= now ? ink : ground;
        pen.fill();
        pen.strokeStyle = ink;
        pen.stroke();
        pen.fillStyle = by <= now ? ink : quiet;
        pen.textAlign = x < 60 ? "left" : "right";
        const words = Number.isFinite(by) ? `${by}` : "–";
        pen.fillText(words, x < 60 ? x + 9 : x - 9, y - 9);
      }
      pen.fillStyle = quiet;
      pen.textAlign = "left";
      pen.fillText(
        "← farther apart; number: step by which half of it was there",
        4,
        size.height - 10,
      );
    },
    hover: (x: number, y: number, size: Size) => {
      const near = place(app, layer, size)?.joints.find(
        (one) => Math.hypot(one.x - x, one.y - y) < 10,
      );
      if (!near) return null;
      const names = near.branch.sides?.map((side) =>
        side.tokens.map((token) => app.bundle.manifest.tokens[token]).join(", "),
      );
      const [low, high] = [
        at("split_confidence_after", near.split),
        at("split_confidence_by", near.split),
      ];
      const tip = tipOf(app, "split_height", at("split_height", near.split), names?.join(" | "));
      const when = interval(at("split_after", near.split), at("split_by", near.split));
      const sure: [string, string][] = Number.isFinite(high)
        ? [["confidence interval", `${show(low, 0)} … ${show(high, 0)}`]]
        : [];
      return { ...tip, rows: [...(tip.rows ?? []), ["half as far apart", when] as const, ...sure] };
    },
  };
}
