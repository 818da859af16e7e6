/**
 * Puts the package together in dist/: the very files that the studio serves, and the React hook.
 *
 * It follows the imports of what package.json exports, so that a new module comes along by itself and the studio's own
 * panels stay out. `npm pack` and `npm publish` run it.
 */

import { cp, mkdir, readFile, rm } from "node:fs/promises";
import { existsSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, "../..");
const FOLDERS = [join(HERE, "src"), join(ROOT, "frontend_proxy/studio")];
const DIST = join(HERE, "dist");
const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)["'](\.{1,2}\/[^"']+)["']/g;

/** Where a file of the package comes from. */
function found(name) {
  const folder = FOLDERS.find((candidate) => existsSync(join(candidate, name)));
  if (!folder) throw new Error(`${name} is in neither ${FOLDERS.map((one) => relative(ROOT, one)).join(" nor ")}`);
  return join(folder, name);
}

/** The names of `entries` and of all that they import. */
async function closure(entries) {
  const names = new Set(entries);
  for (const name of names) {
    for (const [, path] of (await readFile(found(name), "utf8")).matchAll(IMPORT)) names.add(join(dirname(name), path));
  }
  return [...names];
}

/** The licence of a folder of other people's modules belongs to them. */
function licences(names) {
  const folders = new Set(names.filter((name) => name.startsWith("vendor/")).map((name) => name.split("/").slice(0, 2).join("/")));
  return [...folders].map((folder) => join(folder, "LICENSE"));
}

const { exports } = JSON.parse(await readFile(join(HERE, "package.json"), "utf8"));
const entries = Object.values(exports).flatMap((entry) => Object.values(entry.default ? entry : {}));
const names = await closure(entries.map((path) => path.replace("./dist/", "")));
await rm(DIST, { recursive: true, force: true });
for (const name of [...names, ...licences(names)].sort()) {
  await mkdir(dirname(join(DIST, name)), { recursive: true });
  await cp(found(name), join(DIST, name));
}
await cp(join(ROOT, "LICENSE"), join(HERE, "LICENSE"));
