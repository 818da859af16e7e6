/** The Server tab: health, model and profile, and charts of the last three minutes. */

import { Chart } from "./chart.js";
import { el } from "./dom.js";
import { MetricsHistory, total } from "./metrics_history.js";

const POLL_MS = 2000;
const PROFILES = { cpu: "cpu (embedded Triton, ONNX Runtime)", cuda: "gpu (TensorRT)" };

const count = (value) => String(Math.round(value));
const milliseconds = (seconds) => `${Math.round(1000 * seconds)} ms`;
const perSecond = (value) => `${value >= 10 ? Math.round(value) : value.toFixed(1)} /s`;

/** What is served, as facts of the list. */
const served = ({ checkpoint, precision, loras, family, licence, stand_ins: standIns }) => ({
  Checkpoint: `${checkpoint}, ${precision}`,
  ...(loras.length ? { LoRAs: loras.join(", ") } : {}),
  Family: family,
  ...(licence ? { Licence: licence.name } : {}),
  ...(standIns.length ? { "Stand-ins": standIns.join(" ") } : {}),
});

export function mount(root, studio) {
  const server = new Server(root, studio);
  return { show: () => server.show(), hide: () => server.hide() };
}

class Server {
  #client;
  #history = new MetricsHistory();
  #timer = null;
  #shown = false;
  #state = el("p", { class: "health", role: "status" });
  #facts = el("dl", { class: "figures" });
  #models = el("tbody");
  #table = el(
    "table",
    { class: "models", hidden: true },
    el("caption", { class: "unseen" }, "Triton's models since it started"),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        ["Model in Triton", "Executions", "Mean batch"].map((name) => el("th", { scope: "col" }, name)),
      ),
    ),
    this.#models,
  );
  #charts = {
    keyframes: new Chart("Keyframes answered", ["answered"], perSecond),
    latency: new Chart("Latency of a keyframe", ["p50", "p95"], milliseconds),
    inFlight: new Chart("Requests in progress", ["keyframes", "captures"], count),
    dropped: new Chart("Keyframes replaced by newer ones", ["dropped"], perSecond),
  };

  constructor(root, studio) {
    this.#client = studio.client;
    root.classList.add("server");
    root.append(
      el(
        "section",
        { class: "card server-health", "aria-labelledby": "health-title" },
        el("h2", { id: "health-title" }, "Server"),
        this.#state,
        this.#facts,
        this.#table,
      ),
      el(
        "div",
        { class: "charts" },
        Object.values(this.#charts).map((chart) => chart.element),
      ),
    );
  }

  show() {
    this.#shown = true;
    this.#poll();
  }

  hide() {
    this.#shown = false;
    clearTimeout(this.#timer);
    this.#history.forget(); // a rate over the hidden time would mislead
    for (const chart of Object.values(this.#charts)) chart.gap();
  }

  async #poll() {
    clearTimeout(this.#timer);
    try {
      const [health, samples] = await Promise.all([this.#client.health(), this.#client.metrics()]);
      if (!this.#shown) return;
      this.#showHealth(health);
      this.#showModels(samples);
      this.#plot(samples);
    } catch (error) {
      this.#say(error.message, "bad");
    }
    if (this.#shown) this.#timer = setTimeout(() => this.#poll(), POLL_MS);
  }

  #showHealth(health) {
    const model = health.ai_model_loaded
      ? "ready"
      : health.ai_model_loading
        ? "loading"
        : (health.ai_model_error ?? "not available");
    this.#say(health.status === "healthy" ? "Healthy" : "Degraded", health.status === "healthy" ? "good" : "warn");
    const facts = {
      Model: model,
      ...(health.model ? served(health.model) : {}),
      Profile: PROFILES[health.device] ?? health.device,
      "Fabric scanner": health.fabric_processor_ready ? "ready" : "starting",
      "Open sessions": health.active_connections,
      "As of": new Date(health.timestamp).toLocaleTimeString(),
    };
    this.#facts.replaceChildren(
      ...Object.entries(facts).map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
    );
  }

  /** Changes the text only if it differs, so that a screen reader does not read every poll. */
  #say(text, how) {
    if (this.#state.textContent !== text) this.#state.textContent = text;
    this.#state.className = `health ${how}`;
  }

  #showModels(samples) {
    const rows = samples.filter(({ name }) => name === "lucy_triton_rows_total");
    const models = [...new Set(rows.map(({ labels }) => labels.model))]; // each of several Tritons has its samples
    this.#table.hidden = models.length === 0;
    this.#models.replaceChildren(
      ...models.map((model) => {
        const executions = total(samples, "lucy_triton_executions_total", { model });
        const batch = executions ? total(samples, "lucy_triton_rows_total", { model }) / executions : 0;
        return el(
          "tr",
          {},
          el("th", { scope: "row" }, model),
          el("td", {}, executions),
          el("td", {}, batch.toFixed(2)),
        );
      }),
    );
  }

  #plot(samples) {
    const history = this.#history;
    history.add(performance.now(), samples);
    const { keyframes, latency, inFlight, dropped } = this.#charts;
    keyframes.add(history.rate("lucy_keyframes_total"));
    latency.add(history.quantile(0.5, "lucy_keyframe_seconds"), history.quantile(0.95, "lucy_keyframe_seconds"));
    inFlight.add(
      total(samples, "lucy_in_flight", { mode: "keyframe" }),
      total(samples, "lucy_in_flight", { mode: "capture" }),
    );
    dropped.add(history.rate("lucy_keyframes_dropped_total"));
  }
}
