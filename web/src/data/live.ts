/** Follow a run that is training: the server says when there is more. */
import type { App } from "../shell/app";
import type { Store } from "../state/store";
import { Bundle } from "./bundle";
import type { Source } from "./source";

/** Listen to the server's events; return what stops it. */
export function follow(app: App, store: Store, source: Source): () => void {
  const address = source.address("events");
  if (address === null) return () => undefined;
  const events = new EventSource(address);
  let isFetching = false;
  events.addEventListener("grown", () => {
    if (isFetching) return;
    isFetching = true;
    void grow(store, source).finally(() => (isFetching = false));
  });
  events.addEventListener("state", (event) => {
    const said = readState(String((event as MessageEvent).data));
    app.live.value = said;
    if (said !== null && said.state !== "training") {
      events.close();
      void grow(store, source);
    }
  });
  return () => events.close();
}

async function grow(store: Store, source: Source): Promise<void> {
  try {
    const bundle = new Bundle(await source.manifest(), source, store.bundle.value);
    await bundle.load("base");
    store.replace(bundle);
  } catch {
    // The server is gone or busy: what is shown stays, and the next event tries again.
  }
}

export function readState(data: string): App["live"]["value"] {
  try {
    const { state, step, of } = JSON.parse(data) as Record<string, unknown>;
    return typeof state === "string"
      ? { state, step: typeof step === "number" ? step : 0, of: typeof of === "number" ? of : 0 }
      : null;
  } catch {
    return null;
  }
}
