/** The page: its tabs, the banner for errors, the API key. */

import * as capture from "./capture.js";
import { LucyClient } from "./client.js";
import { el, sentence } from "./dom.js";
import * as fabrics from "./fabrics.js";
import * as server from "./server.js";
import { Studio } from "./studio.js";
import * as tryon from "./tryon.js";

const PANELS = { tryon, capture, fabrics, server };
const KEY = "lucy-api-key"; // in sessionStorage

const byId = (id) => document.getElementById(id);

const banner = {
  error: null, // what it shows
  show(error) {
    const later = error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
    const text = (error.status === 401 ? keyText() : sentence(error.message)) + later;
    const told = banner.error && byId("banner").firstElementChild.textContent === text;
    banner.error = error;
    if (told) return; // a screen reader would read it again
    const close = el("button", { class: "quiet", "aria-label": "Dismiss", onclick: () => banner.hide() }, "✕");
    const key = error.status === 401 && el("button", { class: "quiet", onclick: askForKey }, "Enter the key");
    byId("banner").replaceChildren(el("span", {}, text), key || "", close);
    byId("banner").hidden = false;
  },
  /** Of an error: if it is the one that is shown. */
  hide(error = banner.error) {
    if (error !== banner.error) return;
    banner.error = null;
    byId("banner").hidden = true;
  },
};

const studio = new Studio({
  client: new LucyClient({ apiKey: sessionStorage.getItem(KEY) }),
  banner,
  status: byId("status"),
});

const panels = {};
let open = null;

function openTab(name) {
  if (name === open) return;
  panels[open]?.hide();
  for (const tab of Object.keys(PANELS)) {
    byId(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
    byId(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
    byId(`panel-${tab}`).hidden = tab !== name;
  }
  open = name;
  panels[name] ??= PANELS[name].mount(byId(`panel-${name}`), studio);
  panels[name].show();
}

/** Arrow keys move between tabs: https://www.w3.org/WAI/ARIA/apg/patterns/tabs/ */
function onTabKey(event) {
  const names = Object.keys(PANELS);
  const at = names.indexOf(open);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  location.hash = names[(to + names.length) % names.length];
  openTab(location.hash.slice(1));
  byId(`tab-${open}`).focus();
}

function openFromAddress() {
  const name = location.hash.slice(1);
  openTab(Object.hasOwn(PANELS, name) ? name : "tryon");
}

function keyText() {
  return studio.client.apiKey ? "The server does not accept this API key." : "This server needs an API key.";
}

function askForKey() {
  byId("key").value = studio.client.apiKey ?? "";
  byId("key-dialog").returnValue = ""; // the Escape key leaves it as it was
  byId("key-dialog").showModal();
}

function useKey() {
  if (byId("key-dialog").returnValue !== "save") return;
  studio.client.apiKey = byId("key").value.trim() || null;
  sessionStorage.setItem(KEY, studio.client.apiKey ?? "");
  banner.hide();
  studio.dispatchEvent(new Event("key"));
  loadFabrics();
}

/** A licence that forbids commerce stands on every tab. Without an answer, the tabs tell what is wrong. */
async function showLicence() {
  const { model } = await studio.client.health().catch(() => ({}));
  if (model?.licence?.commercial !== false) return;
  byId("licence").textContent = `${model.family} is not for commercial use (${model.licence.name}): ${model.licence.note}`;
  byId("licence").hidden = false;
}

async function loadFabrics() {
  try {
    const found = await studio.reloadFabrics();
    if (!studio.fabric && found.length) studio.selectFabric(found[0]);
  } catch (error) {
    studio.fail(error);
  }
}

for (const name of Object.keys(PANELS)) {
  byId(`tab-${name}`).addEventListener("click", () => (location.hash = name));
  byId(`tab-${name}`).addEventListener("keydown", onTabKey);
}
byId("key-button").addEventListener("click", askForKey);
byId("key-cancel").addEventListener("click", () => byId("key-dialog").close());
byId("key-dialog").addEventListener("close", useKey);
addEventListener("hashchange", openFromAddress);
addEventListener("unhandledrejection", (event) => studio.fail(event.reason));

panels.tryon = tryon.mount(byId("panel-tryon"), studio); // always mounted: a capture takes its picture from there
openFromAddress();
loadFabrics();
showLicence();
