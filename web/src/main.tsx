/** Start: find the bundle, open it, draw the page; and follow a run that is still training. */
import { render } from "preact";
import { Bundle } from "./data/bundle";
import { FORMAT } from "./data/manifest";
import { besideOf, findSource } from "./data/source";
import { follow } from "./data/live";
import { App, AppProvider } from "./shell/app";
import { Shell } from "./shell/shell";
import { player } from "./state/play";
import { Mirror } from "./state/mirror";
import { Store } from "./state/store";
import "./style.css";

/** Milliseconds until a run without a first snapshot is looked at again. */
const AGAIN = 2000;

async function start(root: HTMLElement): Promise<void> {
  const source = findSource(document, location);
  const manifest = await source.manifest();
  if (manifest.steps.length === 0) {
    const isWaiting = source.isLive && manifest.run.state === "training";
    const why = manifest.missing.map((one) => `${one.what}: ${one.why}`);
    const wait = "The page opens by itself with the first snapshot.";
    tell(root, `${manifest.run.name}: nothing is recorded yet`, isWaiting ? [wait] : why);
    if (isWaiting) setTimeout(() => void start(root), AGAIN);
    return;
  }
  const bundle = new Bundle(manifest, source);
  await bundle.load("base");
  const store = new Store(bundle);
  const app = new App(store, source);
  if (manifest.beside) {
    const other = new Bundle(manifest.beside, besideOf(source));
    app.beside.value = new App(new Mirror(store, other), null, app);
    void other.load("base");
  }
  document.title = `${manifest.run.name} · Ontogeny`;
  if (manifest.format > FORMAT) {
    manifest.texts.notices.push(
      `This page reads bundles of format ${FORMAT}, and got one of format ${manifest.format}: some of it may not show.`,
    );
  }
  player(store);
  if (source.isLive && manifest.run.state === "training") follow(app, store, source);
  render(
    <AppProvider value={app}>
      <Shell />
    </AppProvider>,
    root,
  );
}

function tell(root: HTMLElement, sentence: string, rest: readonly string[] = []): void {
  render(
    <main class="sorry">
      <h1>{sentence}</h1>
      {rest.map((line) => (
        <p key={line}>{line}</p>
      ))}
    </main>,
    root,
  );
}

const root = document.getElementById("app");
if (root) {
  start(root).catch((error: unknown) => {
    tell(root, "This page could not be opened", [
      error instanceof Error ? error.message : String(error),
    ]);
  });
}
