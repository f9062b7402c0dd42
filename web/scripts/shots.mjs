// Pictures of views: node scripts/shots.mjs DATA OUT [NAME=FRAGMENT[@WIDTHxHEIGHT][!dark] ...]
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { browser, serve } from "./browser.mjs";

const VIEWS = ["construction", "categories", "detectors", "observations", "compare"];
const [data, out, ...asked] = process.argv.slice(2);
if (!out) throw new Error("usage: node scripts/shots.mjs DATA OUT [NAME=FRAGMENT[@WIDTHxHEIGHT][!dark] ...]");
const every = VIEWS.flatMap((view) => [
  `${view}=view=${view}`, `${view}-dark=view=${view}!dark`, `${view}-narrow=view=${view}@420x900`,
]);
mkdirSync(out, { recursive: true });
const server = data.startsWith("file:") ? { url: data, close: () => undefined } : await serve(data);
for (const one of asked.length > 0 ? asked : every) {
  const [, name, fragment, width, height, dark] = /^([^=]+)=([^@!]*)(?:@(\d+)x(\d+))?(!dark)?$/.exec(one);
  const { own, page, trouble } = await browser({
    width: Number(width ?? 1440), height: Number(height ?? 900), scheme: dark ? "dark" : "light",
  });
  await page.goto(`${server.url}#${fragment}`);
  await page.waitForSelector(".frame, .sorry", { timeout: 20000 }).catch(() => undefined);
  await page.waitForTimeout(900);
  await page.screenshot({ path: join(out, `${name}.png`) });
  console.log(name, trouble.length === 0 ? "quiet" : trouble.slice(0, 4));
  await own.close();
}
server.close();
