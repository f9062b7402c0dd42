/** Search: a unit, a token, a layer or a step by its name. */
import { useState } from "preact/hooks";
import type { Bundle } from "../data/bundle";
import { find, type Found } from "../state/find";
import { useApp } from "./app";

export const SEARCH = "search";

export function Search() {
  const { store } = useApp();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const bundle: Bundle = store.bundle.value;
  const found = text.trim() === "" ? [] : find(text, bundle);
  const go = (one: Found | undefined) => {
    if (!one) return;
    store.set(one.change);
    setText("");
    document.getElementById(SEARCH)?.blur();
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") setAt(Math.min(found.length - 1, at + 1));
    else if (event.key === "ArrowUp") setAt(Math.max(0, at - 1));
    else if (event.key === "Enter") go(found[at]);
    else if (event.key === "Escape") {
      setText("");
      document.getElementById(SEARCH)?.blur();
    } else return;
    event.preventDefault();
  };
  const isOpen = found.length > 0;
  return (
    <div class="search">
      <input
        id={SEARCH}
        type="text"
        role="combobox"
        list={undefined}
        placeholder="search  ( / )"
        aria-label="Search a unit, token, layer or step"
        aria-expanded={isOpen}
        aria-controls="found"
        aria-autocomplete="list"
        aria-activedescendant={isOpen ? `found-${at}` : undefined}
        autocomplete="off"
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={key}
      />
      <ul id="found" role="listbox" aria-label="Found" hidden={!isOpen}>
        {found.map((one, k) => (
          <li
            key={one.name}
            id={`found-${k}`}
            role="option"
            aria-selected={k === at}
            onPointerDown={(event) => {
              event.preventDefault();
              go(one);
            }}
          >
            {one.name} <small>{one.kind}</small>
          </li>
        ))}
      </ul>
    </div>
  );
}
