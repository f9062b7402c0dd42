/** The bar at the top: which run, how good it is now, which view, search, theme, help. */
import { inWords } from "../data/live";
import { percent } from "../draw/canvas";
import { useApp } from "./app";
import { Num } from "./hover";
import { Search } from "./search";

export function TopBar({ help }: { help(): void }) {
  const { store, palette, live, views } = useApp();
  const bundle = store.bundle.value;
  const { run } = bundle.manifest;
  const { view, step } = store.still.value;
  const accuracy = bundle.array("accuracy")?.at(step, 1) ?? null;
  const held = bundle.array("holdout_accuracy");
  const isDark = palette.value.isDark;
  return (
    <header class="top">
      <h1>
        <strong>{run.name}</strong>
        {run.task !== "" && run.task !== run.name && <span>{run.task}</span>}
      </h1>
      <p class="now" aria-live="off">
        <span>
          accuracy{" "}
          <b>
            <Num of="accuracy" value={accuracy} as={percent} />
          </b>
          {held && (
            <>
              , second probe{" "}
              <b>
                <Num of="holdout_accuracy" value={held.at(step)} as={percent} />
              </b>
            </>
          )}
          <small> chance {percent(run.chance)}</small>
        </span>
        {live.value && (
          <span class="live" role="status">
            {inWords(live.value)}
          </span>
        )}
      </p>
      <nav aria-label="Views">
        {views.map(({ key, title }, k) => (
          <button
            key={key}
            type="button"
            class="tab"
            aria-current={view === key ? "page" : undefined}
            title={`${title} (key ${k + 1})`}
            onClick={() => store.set({ view: key })}
          >
            {title}
          </button>
        ))}
      </nav>
      <Search />
      <div class="icons">
        <button
          type="button"
          class="icon"
          aria-label={isDark ? "Light colours" : "Dark colours"}
          title={isDark ? "Light colours" : "Dark colours"}
          onClick={() => store.set({ theme: isDark ? "light" : "dark" })}
        >
          {isDark ? "☀" : "☾"}
        </button>
        <button type="button" class="icon" aria-label="Help" title="Help (?)" onClick={help}>
          ?
        </button>
      </div>
    </header>
  );
}
