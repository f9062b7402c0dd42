/** Start: find the bundle, open it, draw the page; and follow a run that is still being made. */
import { render } from "preact";
import "./style.css";
import { Bundle } from "./data/bundle";
import { FORMAT, type Manifest } from "./data/manifest";
import { besideOf, findSource, type Source } from "./data/source";
import { follow, inWords } from "./data/live";
import { App, AppProvider } from "./shell/app";
import { Shell } from "./shell/shell";
import { player } from "./state/play";
import { Mirror } from "./state/mirror";
import { Store } from "./state/store";
import { VIEWS } from "./views";

async function start(root: HTMLElement): Promise<void> {
  const source = findSource(document, location);
  const manifest = await source.manifest();
  if (manifest.steps.length > 0) await open(root, source, manifest);
  else if (manifest.isLive) wait(root, source);
  else {
    const why = manifest.missing.map((one) => `${one.what}: ${one.why}`);
    tell(root, `${manifest.run.name}: nothing is recorded yet`, why);
  }
}

/** Say how far the work is, and open the page with the first snapshot. */
function wait(root: HTMLElement, source: Source): void {
  const title = "The network is about to begin";
  const soon = "The page opens by itself when the first snapshot has been observed.";
  tell(root, title, [soon]);
  const stop = follow(source, {
    said: (progress) => tell(root, title, [`Now: ${inWords(progress)}.`, soon]),
    grown: async () => {
      const manifest = await source.manifest();
      if (manifest.steps.length === 0) return;
      await open(root, source, manifest);
      stop();
    },
    ended: async () => tell(root, "The command ended before anything was recorded"),
    lost: () => tell(root, "The server does not answer any more"),
  });
}

async function open(root: HTMLElement, source: Source, manifest: Manifest): Promise<void> {
  const bundle = new Bundle(manifest, source);
  await bundle.load("base");
  const store = new Store(
    bundle,
    VIEWS.map(({ key }) => key),
  );
  const app = new App(store, VIEWS, source);
  if (manifest.beside) {
    const other = new Bundle(manifest.beside, besideOf(source));
    app.beside.value = new App(new Mirror(store, other), VIEWS, null, app);
    void other.load("base");
  }
  document.title = `${manifest.run.name} · Ontogeny`;
  if (manifest.format > FORMAT) {
    app.notice.value = `This page reads bundles of format ${FORMAT}, and got one of format ${manifest.format}: some of it may not show.`;
  }
  player(store);
  if (source.isLive && manifest.isLive) grow(app, store, source);
  render(
    <AppProvider value={app}>
      <Shell />
    </AppProvider>,
    root,
  );
}

/** Take newer bundles as they come, and all of the last one: then there is no server to ask. */
function grow(app: App, store: Store, source: Source): void {
  const again = async () => {
    const bundle = new Bundle(await source.manifest(), source, store.bundle.value);
    await bundle.load("base");
    store.replace(bundle);
  };
  const { name } = store.bundle.value.manifest.run;
  follow(source, {
    said: (progress) => (app.live.value = progress),
    grown: again,
    ended: async () => {
      await again().catch(() => undefined);
      await store.bundle.value.loadAll();
      app.live.value = null;
    },
    lost: () => {
      app.live.value = null;
      app.notice.value = `The command that served this page has ended. What is shown stays; ontogeny view ${name} serves the page again.`;
    },
  });
}

function tell(root: HTMLElement, sentence: string, rest: readonly string[] = []): void {
  render(
    <main class="sorry">
      <h1>{sentence}</h1>
      <div role="status">
        {rest.map((line) => (
          <p key={line}>{line}</p>
        ))}
      </div>
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
