/** A token's mark and name: shape and colour, always together. */
import { path } from "../draw/shapes";
import { useApp } from "./app";

export function TokenMark({ token, size = 12 }: { token: number; size?: number }) {
  const { palette } = useApp();
  return (
    <svg class="mark" width={size} height={size} viewBox="-7 -7 14 14" aria-hidden="true">
      <path d={path(token, 5.4)} fill={palette.value.tokens[token] ?? "currentColor"} />
    </svg>
  );
}

export function TokenName({ token }: { token: number }) {
  const { store } = useApp();
  return (
    <span class="token">
      <TokenMark token={token} />
      {store.bundle.value.manifest.tokens[token] ?? "–"}
    </span>
  );
}

/** Buttons that choose a token, and let it go. */
export function TokenPicker({ label = "Token" }: { label?: string }) {
  const { store } = useApp();
  const { token } = store.still.value;
  return (
    <div class="picker" role="group" aria-label={label}>
      {store.bundle.value.manifest.tokens.map((name, k) => (
        <button
          key={name}
          type="button"
          aria-pressed={token === k}
          onClick={() => store.set({ token: token === k ? null : k })}
        >
          <TokenName token={k} />
        </button>
      ))}
    </div>
  );
}
