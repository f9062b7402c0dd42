/** Views stand on their own: one folder and one line of a list for each. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { VIEWS } from "../src/views";
import { real } from "./helpers";

const SRC = fileURLToPath(new URL("../src/", import.meta.url));
const FILES = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) =>
  /\.tsx?$/.test(file),
);

/** Files of the page, from its root, that one of them imports. */
function imports(file: string): string[] {
  const text = readFileSync(join(SRC, file), "utf8");
  return [...text.matchAll(/(?:from|import) "(\.[^"]*)"/g)].map(([, path]) =>
    relative(SRC, resolve(SRC, dirname(file), path ?? "")),
  );
}

const viewOf = (file: string): string | null => /^views\/(\w+)(?:\/|$)/.exec(file)?.[1] ?? null;

describe("views", () => {
  it("have a folder of the name of each, and a key of their own", () => {
    const folders = FILES.map(viewOf).filter((name) => name !== null);
    expect(new Set(VIEWS.map(({ key }) => key))).toEqual(new Set(folders));
  });

  it("do not import each other, and nothing imports them but the start", () => {
    const wrong = FILES.flatMap((file) =>
      imports(file)
        .filter((one) => one.startsWith("views") && viewOf(one) !== viewOf(file))
        .map((one) => `${file}: ${one}`),
    );
    expect(wrong.filter((one) => !one.startsWith("views/index.ts"))).toEqual([]);
    expect(FILES.filter((file) => imports(file).includes("views"))).toEqual(["main.tsx"]);
  });

  it("stand above what they are made of: data and drawing know nothing of the page", () => {
    const wrong = FILES.filter((file) => /^(data|draw|state)\//.test(file)).flatMap((file) =>
      imports(file).filter((one) => /^(shell|views)/.test(one)),
    );
    expect(wrong).toEqual([]);
    const upward = FILES.filter((file) => file.startsWith("data/")).flatMap(imports);
    expect(upward.filter((one) => !one.startsWith("data/"))).toEqual([]);
  });

  it("are led to by keys that there are", () => {
    const keys = VIEWS.map(({ key }) => key);
    const led = FILES.flatMap((file) =>
      [...readFileSync(join(SRC, file), "utf8").matchAll(/\bview: "(\w+)"/g)].map(([, key]) => key),
    );
    expect(led.length).toBeGreaterThan(4);
    expect(led.filter((key) => !keys.includes(key ?? ""))).toEqual([]);
  });

  it("need what a whole run has", async () => {
    const bundle = await real();
    const missing = VIEWS.flatMap(({ needs }) => needs).filter((name) => !bundle.array(name));
    expect(missing).toEqual([]);
  });
});
