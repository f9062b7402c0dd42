// Runs that are half there, newer, or oddly named: node scripts/odd.mjs OUT
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { browser, serve } from "./browser.mjs";

const [given, out] = process.argv.slice(2);
mkdirSync(out, { recursive: true });
const MARKUP = "<img src=x onerror=document.title='broken'>";
const CASES = {
  bare: (m) => ({ format: 1, run: m.run, steps: m.steps, tokens: m.tokens, layers: m.layers, missing: [{ what: "everything", why: "nothing was measured yet" }] }),
  unrecorded: (m) => ({ format: 1, run: { ...m.run, state: "failed" }, steps: [], tokens: m.tokens, layers: [], missing: [{ what: "the record", why: "training stopped before the first snapshot" }] }),
  newer: (m) => ({ ...m, format: 9 }),
  markup: (m) => ({ ...m, run: { ...m.run, name: MARKUP, task: MARKUP }, tokens: [MARKUP, ...m.tokens.slice(1)], texts: { answers: [MARKUP], notices: [MARKUP] } }),
  gone: (m) => ({ ...m, arrays: Object.fromEntries(Object.entries(m.arrays).map(([name, one]) => [name, one.blob === "base" ? one : { ...one, blob: "gone" }])) }),
  short: (m) => ({ ...m, arrays: Object.fromEntries(Object.entries(m.arrays).map(([name, one]) => [name, { ...one, shape: one.shape.map((n) => n * 3) }])) }),
};
for (const [name, change] of Object.entries(CASES)) {
  const folder = mkdtempSync(join(tmpdir(), "odd-"));
  cpSync(given, folder, { recursive: true });
  writeFileSync(join(folder, "manifest.json"), JSON.stringify(change(JSON.parse(readFileSync(join(given, "manifest.json"), "utf8")))));
  const server = await serve(folder);
  const { own, page, trouble } = await browser();
  for (const view of ["construction", "categories", "detectors", "observations", "compare"]) {
    await page.goto(`${server.url}?${view}#view=${view}&unit=conv5:3&token=${encodeURIComponent(MARKUP)}`);
    await page.waitForSelector(".frame, .sorry");
    await page.waitForTimeout(300);
    const text = await page.innerText("body");
    assert.ok(!/NaN|undefined|\[object/.test(text), `${name} ${view}: ${text.match(/.{30}(NaN|undefined|\[object).{30}/)?.[0]}`);
    assert.notEqual(await page.title(), "broken");
    assert.equal(await page.locator("img").count(), 0);
    await page.screenshot({ path: join(out, `odd-${name}-${view}.png`) });
  }
  const wrong = trouble.filter((line) => name !== "gone" || !line.includes("404"));
  console.log(name, wrong.length === 0 ? "quiet" : wrong);
  await own.close();
  server.close();
}
