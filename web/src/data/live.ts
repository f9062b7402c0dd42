/** Follow a run while it is made: the server says when there is more, and how far the work is. */
import type { Source } from "./source";

/** How far the work on a run is. */
export interface Progress {
  state: string;
  /** Training step, of how many. */
  step: number;
  of: number;
  loss: number | null;
  /** What the command does now, in its own words; empty where nobody says. */
  stage: string;
  /** How much of the stage is done, where it counts. */
  what: string;
  done: number;
  total: number;
}

export interface Listener {
  /** There is a newer bundle. */
  grown(): Promise<void>;
  said(progress: Progress): void;
  /** Nothing more is to come: the last chance to fetch. */
  ended(): Promise<void>;
  /** The server has gone without a word. */
  lost(): void;
}

/** Times that a server which does not answer is asked again. */
const PATIENCE = 3;

/** Listen to the server's events; return what stops it. */
export function follow(source: Source, listener: Listener): () => void {
  const address = source.address("events");
  if (address === null) return () => undefined;
  const events = new EventSource(address);
  let [failures, isFetching, isMore] = [0, false, false];
  const fetchAll = async () => {
    // one fetch at a time; growth that is told meanwhile is fetched after it, once
    if (isFetching) {
      isMore = true;
      return;
    }
    isFetching = true;
    do {
      isMore = false;
      try {
        await listener.grown();
      } catch {
        // The server is busy or gone: what is shown stays, and the next event tries again.
      }
    } while (isMore);
    isFetching = false;
  };
  events.addEventListener("grown", () => void fetchAll());
  events.addEventListener("state", (event) => {
    failures = 0;
    const said = readProgress(String((event as MessageEvent).data));
    if (said) listener.said(said);
  });
  events.addEventListener("end", () => {
    void listener.ended().finally(() => events.close());
  });
  events.addEventListener("error", () => {
    // the browser tries again by itself; only a row of failures is a server that has gone
    failures += 1;
    if (failures < PATIENCE) return;
    events.close();
    listener.lost();
  });
  return () => events.close();
}

/** Read what the server says; null for nonsense. */
export function readProgress(data: string): Progress | null {
  let said: Record<string, unknown>;
  try {
    said = JSON.parse(data) as Record<string, unknown>;
  } catch {
    return null;
  }
  const number = (name: string) => (typeof said[name] === "number" ? said[name] : 0);
  const text = (name: string) => (typeof said[name] === "string" ? said[name] : "");
  if (text("state") === "") return null;
  return {
    state: text("state"),
    step: number("step"),
    of: number("of"),
    loss: typeof said["loss"] === "number" ? said["loss"] : null,
    stage: text("stage"),
    what: text("what"),
    done: number("done"),
    total: number("total"),
  };
}

/** What the command does now, in a few words. */
export function inWords({ state, step, of, stage, what, done, total }: Progress): string {
  const whole = (n: number) => n.toLocaleString("en");
  if (state === "training" && step > 0) return `training, step ${whole(step)} of ${whole(of)}`;
  if (stage === "") return state;
  return total > 0 ? `${stage}: ${whole(done)} of ${whole(total)}${what && ` ${what}`}` : stage;
}
