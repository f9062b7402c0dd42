// Accessibility of every view, light and dark: node scripts/axe.mjs DATA; exit status 1 on a serious finding.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { browser, serve } from "./browser.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const VIEWS = [
  "view=construction", "view=construction&token=TOKEN", "view=construction&unit=conv5:3", "view=categories&exemplar=EX", "view=detectors&unit=conv5:3",
  "view=observations", "view=compare",
];
const server = await serve(process.argv[2]);
let found = 0;
for (const scheme of ["light", "dark"]) {
  const { own, page } = await browser({ scheme });
  const manifest = await (await fetch(`${server.url}data/manifest.json`)).json();
  for (const view of VIEWS) {
    await page.goto(`${server.url}#${view.replace("TOKEN", encodeURIComponent(manifest.tokens[0]))}`);
    await page.waitForTimeout(700);
    await page.evaluate(axe); // by the debugger, so that the page's own policy stays as it is
    const broken = await page.evaluate(async () =>
      (await window.axe.run()).violations.map((one) => [
        one.impact, one.id, one.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 140)} | ${node.any[0]?.message ?? ""}`),
      ]),
    );
    for (const one of broken) console.log(scheme, view, ...one);
    found += broken.filter(([impact]) => impact !== "minor").length;
  }
  await own.close();
}
server.close();
console.log(found === 0 ? "no finding" : `${found} findings`);
process.exitCode = found === 0 ? 0 : 1;
