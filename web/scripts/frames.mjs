// Frame times of slider moves in each view: node scripts/frames.mjs DATA
import { readdirSync, readFileSync } from "node:fs";
import { browser, serve } from "./browser.mjs";

const VIEWS = ["construction", "construction&token=TOKEN", "categories", "detectors", "compare", "compare&pair=construction"];
/** Milliseconds of processor time that this browser's renderers have used. */
function rendererTime() {
  let ticks = 0;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      if (!command.includes("--type=renderer") || !command.includes(process.env.TAG)) continue;
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      continue; // the process is gone
    }
  }
  return ticks * 10;
}
process.env.TAG = `ontogeny-frames-${process.pid}`;

const server = await serve(process.argv[2]);
const { own, page, trouble } = await browser({ extra: [`--user-agent=${process.env.TAG}`] });
await page.goto("about:blank");
const idle = await page.evaluate(async () => {
  const gaps = [];
  let before = performance.now();
  for (let k = 0; k < 90; k++) {
    await new Promise(requestAnimationFrame);
    gaps.push(performance.now() - before);
    before = performance.now();
  }
  return gaps.sort((a, b) => a - b)[45].toFixed(1);
});
console.log("empty page, frame ms", idle);
const begin = Date.now();
await page.goto(`${server.url}#view=construction`);
await page.waitForSelector(".graph canvas");
const first = Date.now() - begin;
const token = await page.evaluate(() => document.querySelector(".picker button")?.textContent ?? "");
for (const view of VIEWS) {
  await page.goto(`${server.url}#view=${view.replace("TOKEN", token.trim())}`);
  await page.waitForTimeout(1200);
  const box = await page.locator(".slider").boundingBox();
  const cpu = rendererTime();
  const times = await page.evaluate(async ({ x, y, width }) => {
    const slider = document.querySelector(".slider");
    slider.setPointerCapture = () => undefined;
    const send = (type, at) =>
      slider.dispatchEvent(new PointerEvent(type, { clientX: at, clientY: y, bubbles: true, pointerId: 1 }));
    send("pointerdown", x + 100);
    const work = [];
    const gaps = [];
    let before = performance.now();
    for (let k = 0; k < 240; k++) {
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      gaps.push(now - before);
      before = now;
      send("pointermove", x + 92 + (width - 200) * Math.abs(Math.sin(k / 40)));
      work.push(performance.now() - now);
    }
    send("pointerup", x + 300);
    const at = (list, share) => list.sort((a, b) => a - b)[Math.floor(list.length * share)].toFixed(1);
    return { work: at(work, 0.5), work95: at(work, 0.95), frame: at(gaps, 0.5), frame95: at(gaps, 0.95) };
  }, box);
  console.log(view.padEnd(28), "cpu ms a frame", ((rendererTime() - cpu) / 240).toFixed(1), " script ms", times.work, times.work95, " frame ms", times.frame, times.frame95);
}
console.log("first view ms", first, trouble);
await own.close();
server.close();
