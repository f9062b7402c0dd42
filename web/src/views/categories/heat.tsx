/** A heat map of tokens against tokens: distances, or what is called what. */
import { useMemo } from "preact/hooks";
import type { ArrayName } from "../../data/names";
import { css, diverging, viridis } from "../../draw/colour";
import { FONT, show } from "../../draw/canvas";
import { trace } from "../../draw/shapes";
import type { App } from "../../shell/app";
import { useApp } from "../../shell/app";
import { Drawing, type Size } from "../../shell/drawing";
import { tipOf } from "../../shell/hover";

export interface HeatProps {
  of: ArrayName;
  title: string;
  /** Value of two tokens at a recorded step. */
  value(app: App, step: number, a: number, b: number): number;
  /** Size that is drawn in full colour, over all steps. */
  most(app: App): number;
  signed: boolean;
  say(a: string, b: string): string;
}

const EDGE = 18;

export function Heat(props: HeatProps) {
  const app = useApp();
  const acts = useMemo(() => interaction(app, props), [props.of, props.value]);
  return (
    <figure class="heat">
      <figcaption>{props.title}</figcaption>
      <Drawing label={props.title} {...acts} />
    </figure>
  );
}

function interaction(app: App, { of, value, most, signed, say }: HeatProps) {
  const grid = ({ width, height }: Size) => {
    const n = app.bundle.manifest.tokens.length;
    const side = Math.max(4, Math.min((width - EDGE) / n, (height - EDGE) / n));
    return { n, side };
  };
  return {
    paint: (pen: CanvasRenderingContext2D, size: Size) => {
      const { n, side } = grid(size);
      const { step } = app.store.state.value;
      const { isDark, tokens, quiet, line } = app.palette.value;
      const full = most(app) || 1;
      for (let a = 0; a < n; a++) {
        for (let b = 0; b < n; b++) {
          const own = value(app, step, a, b);
          const colour = signed ? diverging(own / full, isDark) : viridis(own / full);
          pen.fillStyle = Number.isNaN(own) ? line : css(colour);
          pen.fillRect(EDGE + b * side, EDGE + a * side, side - 1, side - 1);
          if (side < 30 || Number.isNaN(own)) continue;
          const [r, g, blue] = colour;
          pen.fillStyle = 0.3 * r + 0.59 * g + 0.11 * blue > 140 ? "#111" : "#fff";
          pen.font = `10px ${FONT}`;
          pen.textAlign = "center";
          pen.textBaseline = "middle";
          pen.fillText(show(own), EDGE + (b + 0.5) * side, EDGE + (a + 0.5) * side);
        }
        for (const [x, y] of [
          [EDGE / 2 - 2, EDGE + (a + 0.5) * side],
          [EDGE + (a + 0.5) * side, EDGE / 2 - 2],
        ] as const) {
          trace(pen, a, x, y, 4.4);
          pen.fillStyle = tokens[a] ?? quiet;
          pen.fill();
        }
      }
    },
    hover: (x: number, y: number, size: Size) => {
      const { n, side } = grid(size);
      const [a, b] = [Math.floor((y - EDGE) / side), Math.floor((x - EDGE) / side)];
      if (a < 0 || b < 0 || a >= n || b >= n) return null;
      const { tokens } = app.bundle.manifest;
      return tipOf(
        app,
        of,
        value(app, app.store.state.value.step, a, b),
        say(tokens[a] ?? "", tokens[b] ?? ""),
      );
    },
  };
}
