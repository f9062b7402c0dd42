// Write the made-up run to a folder: node scripts/sample.mjs FOLDER [SNAPSHOTS]
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createServer } from "vite";

const [folder, snapshots] = process.argv.slice(2);
if (!folder) throw new Error("usage: node scripts/sample.mjs FOLDER");
const server = await createServer({ server: { middlewareMode: true }, appType: "custom", logLevel: "error" });
const { sample } = await server.ssrLoadModule("/src/testing/sample.ts");
const { manifest, blobs } = sample(snapshots ? { steps: Number(snapshots) } : {});
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
for (const [name, data] of blobs) writeFileSync(join(folder, name), data);
await server.close();
