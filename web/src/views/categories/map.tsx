/** The map of a layer: exemplars that the layer takes for alike lie together. */
import { signal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { drawPicture, exemplarPicture } from "../../data/pictures";
import { add } from "../../draw/shapes";
import type { App, Tip } from "../../shell/app";
import { useApp } from "../../shell/app";
import { Drawing, type Size } from "../../shell/drawing";
import { stepAt } from "../../state/state";
import { mapPosition, placesOf, spots, type Spot } from "./places";

interface Camera {
  zoom: number;
  x: number;
  y: number;
}

const PICTURES_FROM = 2.4;
const PICTURE = 26;

/** Spots on the screen at a position of the film. */
export function spotsOn(
  app: App,
  layer: number,
  position: number,
  size: Size,
  camera: Camera,
): Spot[] {
  const places = placesOf(app.bundle);
  const own = places?.layer(layer) ?? -1;
  if (!places || own < 0) return [];
  // a square, since the two axes have one unit and angles mean something
  const side = Math.min(size.width, size.height) - 20;
  const at = mapPosition(places, stepAt(position, app.store.steps));
  const [left, top] = [(size.width - side) / 2, (size.height - side) / 2];
  return spots(places, own, at, side).map(({ exemplar, x, y }) => ({
    exemplar,
    x: (x + left) * camera.zoom + camera.x,
    y: (y + top) * camera.zoom + camera.y,
  }));
}

export interface MapProps {
  layer: number;
  position?: () => number;
  withPictures?: boolean;
}

export function LayerMap({ layer, position, withPictures = false }: MapProps) {
  const app = useApp();
  const acts = useMemo(
    () => interaction(app, layer, position ?? (() => app.store.position.value), withPictures),
    [layer, withPictures],
  );
  const name = app.bundle.layersAll()[layer] ?? "";
  return <Drawing class="map" label={`Map of the probe's exemplars in ${name}`} {...acts} />;
}

function interaction(app: App, layer: number, position: () => number, withPictures: boolean) {
  const camera = signal<Camera>({ zoom: 1, x: 0, y: 0 });
  const hovered = signal<number | null>(null);
  const nearest = (x: number, y: number, size: Size): Spot | null => {
    let [best, far]: [Spot | null, number] = [null, 14];
    for (const spot of spotsOn(app, layer, position(), size, camera.value)) {
      const distance = Math.hypot(spot.x - x, spot.y - y);
      if (distance < far) [best, far] = [spot, distance];
    }
    return best;
  };
  return {
    paint: (pen: CanvasRenderingContext2D, size: Size) =>
      paintMap(pen, app, spotsOn(app, layer, position(), size, camera.value), {
        hovered: hovered.value,
        pictures: withPictures || camera.value.zoom >= PICTURES_FROM,
      }),
    hover: (x: number, y: number, size: Size): Tip | null => {
      const spot = nearest(x, y, size);
      if (hovered.peek() !== (spot?.exemplar ?? null)) hovered.value = spot?.exemplar ?? null;
      return spot && exemplarTip(app, spot.exemplar);
    },
    leave: () => (hovered.value = null),
    click: (x: number, y: number, size: Size) =>
      app.store.set({ exemplar: nearest(x, y, size)?.exemplar ?? null }),
    wheel: (event: WheelEvent, x: number, y: number) => {
      const { zoom, x: cx, y: cy } = camera.value;
      const next = Math.max(1, Math.min(12, zoom * Math.exp(-event.deltaY * 0.0016)));
      const share = next / zoom;
      camera.value =
        next === 1
          ? { zoom: 1, x: 0, y: 0 }
          : { zoom: next, x: x - (x - cx) * share, y: y - (y - cy) * share };
    },
    drag: (dx: number, dy: number) => {
      camera.value = { ...camera.value, x: camera.value.x + dx, y: camera.value.y + dy };
    },
    doubleClick: () => (camera.value = { zoom: 1, x: 0, y: 0 }),
  };
}

function exemplarTip(app: App, exemplar: number): Tip {
  const { bundle } = app;
  const token = bundle.array("exemplar_token")?.at(exemplar) ?? Number.NaN;
  const id = bundle.array("exemplar_id")?.at(exemplar) ?? exemplar;
  const { step } = app.store.state.value;
  const logit = bundle.array("logit");
  const logits = bundle.manifest.tokens.map((_, k) => logit?.at(step, exemplar, k) ?? Number.NaN);
  const said = logits.some(Number.isFinite) ? logits.indexOf(Math.max(...logits)) : -1;
  return {
    title: `exemplar ${id}`,
    rows: [
      ["token", bundle.manifest.tokens[token] ?? "–"],
      ["classified as, at this step", bundle.manifest.tokens[said] ?? "–"],
    ],
    note: "Click to keep it selected in every view.",
  };
}

interface Look {
  hovered: number | null;
  pictures: boolean;
  radius?: number;
}

export function paintMap(
  pen: CanvasRenderingContext2D,
  app: App,
  places: readonly Spot[],
  { hovered, pictures, radius = 4.2 }: Look,
): void {
  const { bundle, store, palette } = app;
  const { exemplar } = store.state.value;
  const tokens = bundle.array("exemplar_token");
  // one path per token instead of one per exemplar: hundreds of fills cost more than the frame has
  const groups = new Map<number, Spot[]>();
  for (const spot of places) {
    const token = tokens?.flat(spot.exemplar) ?? 0;
    const list = groups.get(token);
    if (list) list.push(spot);
    else groups.set(token, [spot]);
  }
  for (const [token, list] of groups) {
    const look = { token, colour: palette.value.tokens[token] ?? palette.value.quiet };
    pen.globalAlpha = isDimmed(app, token) ? 0.14 : 0.85;
    if (!pictures) paintMarks(pen, app, list, radius, look);
    else for (const spot of list) paintSpot(pen, app, spot, look.colour, PICTURE);
  }
  pen.globalAlpha = 1;
  // once more on top: what is pointed at may lie under its neighbours
  for (const spot of places) {
    if (spot.exemplar !== hovered && spot.exemplar !== exemplar) continue;
    if (radius < 3) {
      pen.strokeStyle = palette.value.focus;
      pen.lineWidth = 1.5;
      pen.strokeRect(spot.x - 3, spot.y - 3, 6, 6);
      continue;
    }
    paintSpot(pen, app, spot, palette.value.focus, PICTURE * 2.2);
  }
}

function isDimmed(app: App, token: number): boolean {
  const { token: chosen } = app.store.state.value;
  return chosen !== null && chosen !== token;
}

/** All marks of a token as one path. */
function paintMarks(
  pen: CanvasRenderingContext2D,
  app: App,
  spots: readonly Spot[],
  radius: number,
  { token, colour }: { token: number; colour: string },
): void {
  pen.fillStyle = colour;
  if (radius < 3) {
    for (const { x, y } of spots) pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
    return;
  }
  pen.beginPath();
  for (const { x, y } of spots) add(pen, token, x, y, radius);
  pen.fill("nonzero");
  pen.strokeStyle = app.palette.value.ground;
  pen.lineWidth = 0.8;
  pen.stroke();
}

function paintSpot(
  pen: CanvasRenderingContext2D,
  app: App,
  spot: Spot,
  colour: string,
  side: number,
): void {
  const picture = exemplarPicture(app.bundle, spot.exemplar);
  if (picture) drawPicture(pen, picture, spot.x - side / 2, spot.y - side / 2, side);
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  pen.strokeRect(spot.x - side / 2, spot.y - side / 2, side, side);
}
