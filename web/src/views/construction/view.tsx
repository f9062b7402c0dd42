/** Construction: how detectors are built from simpler ones, from pixels to tokens, step by step. */
import { computed, effect, signal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { assemblyAt } from "../../data/assemblies";
import type { Bundle } from "../../data/bundle";
import { isBeyond, isDead, preferredToken } from "../../data/facts";
import { gainOf, hasGains, isByGain, readingOf, SELECTS } from "../../data/gains";
import type { ArrayName } from "../../data/names";
import { pictureOf } from "../../data/pictures";
import { useApp, type App } from "../../shell/app";
import { Drawing, type Size } from "../../shell/drawing";
import { Frame, Missing } from "../../shell/frame";
import { TokenPicker } from "../../shell/token";
import { unitTip } from "../../shell/unit-tip";
import { edgeCode, endsOf, type State } from "../../state/state";
import { edgeBetween, type Weights } from "../../data/couplings";
import { edgeAt, nodeAt, toWorld } from "./hit";
import { glider } from "./glide";
import { onTheWay, type Layout, type Node } from "./layout";
import { Legend } from "./legend";
import { model, type Amount, type Model } from "./model";
import { paint, type Camera, type NodeLook, type Picturing } from "./paint";
import { arcsOf } from "./ring";
import { edgeTip, spoken, titleOf } from "./say";
import { ShareMap } from "./share-map";
import { tableOf } from "./table";
import { isArrow, walk } from "./walk";

export const NEEDS: readonly ArrayName[] = ["coupling", "edge_source", "edge_target"];
const LEAST_WIDTH = 720;
const UNSEEN = { width: LEAST_WIDTH, height: 400 };
const FEW: Amount = { perLayer: 12, perGap: 21 };
/** Where gains are shown: rings need room. */
const FEW_RINGS = 9;
const MANY: Amount = { perLayer: 24, perGap: 60 };
const AT_FIRST: Camera = { zoom: 1, x: 0, y: 0 };

/** What the view keeps for itself: camera, hover, and the model for its size. */
export function useConstruction(app: App, step?: () => number) {
  return useMemo(() => {
    const { store } = app;
    const size = signal<Size>({ width: 0, height: 0 });
    const camera = signal<Camera>(AT_FIRST);
    const hovered = signal<Picturing["hovered"]>({ unit: null, edge: null });
    const amount = signal(FEW);
    const asked = computed(() => {
      const { unit, token, weights, edge, layer } = store.state.value;
      return `${unit} ${token} ${weights} ${edge} ${layer}`;
    });
    const made = computed((): Model | null => {
      void asked.value;
      const { width, height } = size.value;
      const fit = Math.min(1, width / LEAST_WIDTH) || 1;
      const room = width < 2 ? UNSEEN : { width: width / fit, height: height / fit };
      const bundle = store.bundle.value;
      const state = store.state.peek();
      return model(bundle, state, amountFor(bundle, state, amount.value), room);
    });
    const position = step ?? (() => store.position.value);
    const way = signal<{ from: Layout | null; share: number }>({ from: null, share: 1 });
    const glide = glider(way);
    effect(() => {
      const to = made.value?.layout ?? null;
      if (to) glide(to);
    });
    return { size, camera, hovered, amount, made, position, way, said: signal("") };
  }, []);
}

/** Fewer units where each has a ring around its picture. */
function amountFor(bundle: Bundle, state: State, amount: Amount): Amount {
  const isFew = amount.perLayer === FEW.perLayer && isByGain(readingOf(bundle, state));
  return isFew ? { ...amount, perLayer: FEW_RINGS } : amount;
}

const CHANNELS = ["#c8443c", "#4a9a4e", "#4a6fc4"];

type Own = ReturnType<typeof useConstruction>;

/** How a node looks at a position; by gain, its ring is what it inherits and constructs. */
export function lookOf(bundle: Bundle, node: Node, step: number, byGain: boolean): NodeLook {
  const { units, manifest } = bundle;
  const recorded = Math.round(step);
  if (node.column === 0) {
    const isGrey = (manifest.run.image[2] ?? 3) === 1;
    const label = ["R", "G", "B"][units.channel(node.unit)] ?? `${units.channel(node.unit)}`;
    return {
      picture: null,
      token: null,
      isBeyond: null,
      isDead: false,
      label: isGrey ? "grey" : label,
      ...(isGrey ? {} : { colour: CHANNELS[units.channel(node.unit)] ?? "#888888" }),
      ring: null,
    };
  }
  const token = preferredToken(bundle, node.unit, recorded);
  const isToken = units.layer(node.unit) === manifest.layers.length - 1;
  const own = byGain ? gainOf(bundle, node.unit, recorded) : null;
  const accuracy = isToken && !own ? bundle.array("token_accuracy") : null;
  return {
    picture: isToken ? null : pictureOf(bundle, node.unit, manifest.steps[recorded] ?? 0),
    token,
    isBeyond: isToken ? null : own ? own.kind >= SELECTS : isBeyond(bundle, node.unit, recorded),
    isDead: isDead(bundle, node.unit, recorded),
    label: isToken ? (manifest.tokens[token ?? 0] ?? "") : null,
    ring: accuracy?.between(step, 1, token ?? 0) ?? null,
    arcs: own && arcsOf(own),
  };
}

function picturing(app: App, own: Own, made: Model): Picturing {
  const { unit, edge } = app.store.state.value;
  const position = own.position();
  return {
    ...made,
    layout: onTheWay(own.way.value.from, made.layout, own.way.value.share),
    palette: app.palette.value,
    position,
    chosen: unit,
    chosenEdge: edge === null ? null : edgeBetween(made.links, ...endsOf(edge)),
    hovered: own.hovered.value,
    grouping: own.amount.value.isGrouped
      ? {
          isDark: app.palette.value.isDark,
          ink: app.palette.value.ink,
          isLit: (one) => made.focus?.units.has(one) ?? true,
          groupOf: (one) => assemblyAt(app.bundle, one, Math.round(position)),
        }
      : null,
    look: (node) => lookOf(app.bundle, node, position, isByGain(made.reading)),
  };
}

/** The camera that shows the whole graph, then what the visitor made of it. */
function whole(camera: Camera, { width, height }: Size, made: Model): Camera {
  const fit = Math.min(width / made.layout.width, height / made.layout.height);
  return {
    zoom: camera.zoom * fit,
    x: camera.x + ((width - made.layout.width * fit) / 2) * camera.zoom,
    y: camera.y,
  };
}

export function Graph({ own, label }: { own: Own; label: string }) {
  const app = useApp();
  const acts = useMemo(() => interaction(app, own), []);
  return (
    <>
      <Drawing class="graph" label={label} {...acts} />
      <p class="unseen" aria-live="polite">
        {own.said.value}
      </p>
    </>
  );
}

function interaction(app: App, own: Own) {
  const { store } = app;
  const at = (x: number, y: number, size: Size) => {
    const made = own.made.value;
    if (!made) return null;
    const what = picturing(app, own, made);
    const [wx, wy] = toWorld(whole(own.camera.value, size, made), x, y);
    const node = nodeAt(what.layout.nodes, wx, wy);
    return { made, node, edge: node ? null : edgeAt(what, wx, wy) };
  };
  return {
    paint: (pen: CanvasRenderingContext2D, size: Size) => {
      if (own.size.peek().width !== size.width || own.size.peek().height !== size.height)
        own.size.value = size;
      const made = own.made.value;
      if (made) paint(pen, whole(own.camera.value, size, made), picturing(app, own, made));
    },
    hover: (x: number, y: number, size: Size) => {
      const found = at(x, y, size);
      const [unit, edge] = [found?.node?.unit ?? null, found?.edge ?? null];
      const before = own.hovered.peek();
      if (before.unit !== unit || before.edge !== edge) own.hovered.value = { unit, edge };
      const step = Math.round(own.position());
      if (found && unit !== null) return unitTip(app.bundle, unit, step);
      return found && edge !== null ? edgeTip(app.bundle, found.made, edge, step) : null;
    },
    leave: () => (own.hovered.value = { unit: null, edge: null }),
    click: (x: number, y: number, size: Size) => {
      const found = at(x, y, size);
      const { node } = found ?? {};
      const { edge, made } = found ?? {};
      if (made && edge !== null && edge !== undefined) store.set({ edge: codeOf(made, edge) });
      else if (!node) store.set({ unit: null, token: null, edge: null });
      else if (node.column > 0) select(app, node.unit);
    },
    wheel: (event: WheelEvent, x: number, y: number) => {
      const { zoom, x: cx, y: cy } = own.camera.value;
      const next = Math.max(0.8, Math.min(6, zoom * Math.exp(-event.deltaY * 0.0016)));
      const share = next / zoom;
      own.camera.value = { zoom: next, x: x - (x - cx) * share, y: y - (y - cy) * share };
    },
    drag: (dx: number, dy: number) => {
      const camera = own.camera.value;
      own.camera.value = { ...camera, x: camera.x + dx, y: camera.y + dy };
    },
    doubleClick: () => (own.camera.value = AT_FIRST),
    press: (key: string) => {
      const made = own.made.peek();
      const { unit } = own.hovered.peek();
      if (!made) return false;
      if (key === "Enter" && unit !== null && !app.bundle.units.isPixel(unit)) select(app, unit);
      else if (isArrow(key)) {
        const next = walk(made.layout, unit ?? store.state.peek().unit, key);
        if (!next) return false;
        own.hovered.value = { unit: next.unit, edge: null };
        own.said.value = spoken(unitTip(app.bundle, next.unit, Math.round(own.position())));
      } else return false;
      return true;
    },
  };
}

const codeOf = ({ links }: Model, edge: number): number =>
  edgeCode(links.source[edge] ?? 0, links.target[edge] ?? 0);

/** A unit of the last layer is its token; another one is looked at as a unit. */
export function select(app: App, unit: number): void {
  const last = app.bundle.manifest.layers.at(-1);
  const { state } = app.store;
  if (last && unit >= last.first) {
    const token = unit - last.first;
    app.store.set({
      token: state.value.token === token && state.value.unit === null ? null : token,
      unit: null,
    });
  } else app.store.set({ unit: state.value.unit === unit ? null : unit });
}

/** Said on screens that are narrower than a graph of many layers. */
export const WideHint = () => (
  <p class="wide-hint">← The graph is wider than this screen: scroll it sideways. →</p>
);

export function Construction() {
  const app = useApp();
  const own = useConstruction(app);
  const made = own.made.value;
  const state = app.store.still;
  const ready = made !== null;
  const byGain = ready && isByGain(made.reading);
  const title = ready
    ? titleOf(app.bundle, made, state.value)
    : "What is each detector built from?";
  return (
    <Frame
      name="construction"
      isLong={state.value.unit !== null || state.value.token !== null || title.length > LONG}
      title={title}
      how={byGain ? <Claim /> : HOW_COUPLINGS}
      table={() => tableOf(app, own.made.value)}
      tools={ready && <Tools own={own} />}
    >
      {ready && hasGains(app.bundle) && <ShareMap />}
      {ready && <WideHint />}
      {ready ? (
        <Graph own={own} label={`Coupling graph. ${title}`} />
      ) : (
        <Missing what="couplings" names={NEEDS} />
      )}
      {ready && <Legend made={made} />}
    </Frame>
  );
}

const HOW_COUPLINGS =
  "Each picture is a detector; each curve is a coupling: how much of the detector on its right comes through the one on its left. Click a detector or a token to see its ancestry; drag the time slider to watch it being built.";
const HOW_GAINS =
  "Above: how many units each layer constructs. Below: what the strongest of them are built from; click one to follow it.";

/** What the run's statements say of its construction, with the numbers; then how to read it. */
function Claim() {
  const { construction } = useApp().store.bundle.value.manifest.texts;
  return construction === "" ? HOW_GAINS : <span class="claim">{construction}</span>;
}

/** Characters of a title that fit one line. */
const LONG = 80;

const READINGS: readonly (readonly [Weights, string, string])[] = [
  [
    "gain",
    "gain",
    "How much less the target discriminates tokens when the source's part of its weights is shuffled",
  ],
  ["total", "all variance", "Share of the target's variance that comes through the source"],
  ["signal", "token signal", "The part of that share that lies between tokens"],
];

function Tools({ own }: { own: Own }) {
  const { store } = useApp();
  const { token, layer } = store.still.value;
  const bundle = store.bundle.value;
  const { weights } = readingOf(bundle, store.still.value);
  const offered = READINGS.filter(([name]) => name !== "gain" || hasGains(bundle));
  const { perLayer, isGrouped = false } = own.amount.value;
  const isMany = perLayer === MANY.perLayer;
  const hasGroups = bundle.array("assembly") !== null;
  return (
    <>
      <TokenPicker label="What sets this token apart" />
      <div class="picker" role="group" aria-label="Edges drawn by">
        {offered.map(([name, words, title]) => (
          <button
            key={name}
            type="button"
            title={title}
            disabled={token !== null}
            aria-pressed={token === null && weights === name}
            onClick={() => store.set({ weights: name })}
          >
            {words}
          </button>
        ))}
      </div>
      <button
        type="button"
        aria-pressed={isMany}
        onClick={() => (own.amount.value = { ...(isMany ? FEW : MANY), isGrouped })}
      >
        {isMany ? "fewer detectors" : "more detectors"}
      </button>
      {layer !== null && layer > 0 && isByGain({ weights, token }) && (
        <button type="button" onClick={() => store.set({ layer: null })}>
          all layers
        </button>
      )}
      {hasGroups && (
        <button
          type="button"
          aria-pressed={isGrouped}
          title="Bring together units that work together (places as at the last step, tints as at this one)"
          onClick={() => (own.amount.value = { ...own.amount.value, isGrouped: !isGrouped })}
        >
          assemblies
        </button>
      )}
      <button type="button" onClick={() => (own.camera.value = AT_FIRST)}>
        whole graph
      </button>
    </>
  );
}
