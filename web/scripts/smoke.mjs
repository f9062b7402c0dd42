// What a visitor does, in a real browser: node scripts/smoke.mjs DATA | file:///page.html
import assert from "node:assert/strict";
import { browser, serve } from "./browser.mjs";

const given = process.argv[2];
const server = given.startsWith("file:") ? { url: given, close: () => undefined } : await serve(given);
const { own, page, trouble } = await browser();
const begin = Date.now();
await page.goto(server.url);
await page.waitForSelector(".graph canvas", { timeout: 20000 });
console.log("first view after", Date.now() - begin, "ms");
await page.waitForTimeout(800);
const hash = () => page.evaluate(() => decodeURIComponent(location.hash));
const title = () => page.textContent("h2");
const inked = (selector) =>
  page.$eval(selector, (canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let k = 3; k < data.length; k += 4) if (data[k] > 0) count++;
    return count / (data.length / 4);
  });
assert.ok((await inked(".graph canvas")) > 0.03, "the graph is drawn");
assert.ok((await inked(".track canvas")) > 0.02, "the timeline is drawn");

const before = await title();
await page.focus(".slider");
await page.keyboard.press("Home");
await page.waitForTimeout(400);
assert.match(await hash(), /step=0(&|$)/);
assert.notEqual(await title(), before);
await page.keyboard.press("Shift+ArrowRight");
await page.waitForTimeout(400);
assert.doesNotMatch(await hash(), /step=0(&|$)/);

await page.keyboard.press("/");
await page.keyboard.type("conv5:7");
await page.keyboard.press("Enter");
await page.waitForTimeout(500);
assert.match(await hash(), /unit=conv5:7/);
assert.equal((await page.textContent(".inspector h2")).trim(), "conv5:7");
for (const [k, name] of ["construction", "categories", "detectors", "observations", "compare"].entries()) {
  const at = Date.now();
  await page.keyboard.press(String(k + 1));
  await page.waitForSelector(`.frame[aria-label="${name} view"]`);
  console.log(name, "after", Date.now() - at, "ms");
  assert.match(await hash(), new RegExp(`view=${name}.*unit=conv5:7`));
}
await page.goBack();
assert.match(await hash(), /view=observations/);
await page.waitForSelector('.frame[aria-label="observations view"]');
await page.keyboard.press("Escape");
await page.waitForTimeout(300);
assert.doesNotMatch(await hash(), /unit=/);
await page.keyboard.press("1");
await page.waitForSelector(".graph canvas");
await page.waitForTimeout(500);

const box = await page.locator(".graph canvas").boundingBox();
let chosen = false;
for (let y = 40; y < box.height && !chosen; y += 9) {
  await page.mouse.click(box.x + 46 + (box.width - 150) * 0.5, box.y + y); // the fifth layer
  chosen = /unit=/.test(await hash());
}
assert.ok(chosen, "a click on a node chooses it");
await page.keyboard.press("Escape");
await page.keyboard.press("Home");
await page.evaluate(() => document.activeElement?.blur());
await page.keyboard.press(" ");
await page.waitForTimeout(1500);
await page.keyboard.press(" ");
await page.waitForTimeout(500);
assert.doesNotMatch(await hash(), /step=0(&|$)/, "the film moves");
await page.keyboard.press("?");
await page.waitForSelector("dialog.help");
await page.keyboard.press("Escape");
await page.waitForSelector("dialog.help", { state: "detached" });
const there = await hash();
await page.reload();
await page.waitForSelector(".graph canvas");
assert.equal(await hash(), there, "the address survives a reload");
const [file] = await Promise.all([page.waitForEvent("download"), page.click('button[aria-label^="Save the construction figure"]')]);
assert.match(file.suggestedFilename(), /\.png$/);
assert.deepEqual(trouble, []);
console.log("all well");
await own.close();
server.close();
