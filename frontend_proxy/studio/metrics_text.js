/** Parses Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/ */

const SAMPLE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const ESCAPED = { "\\\\": "\\", '\\"': '"', "\\n": "\n" };
const NUMBERS = { "+Inf": Infinity, "-Inf": -Infinity, NaN };

/** @returns {{ name: string, labels: Record<string, string>, value: number }[]} */
export function parseMetrics(text) {
  const samples = [];
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = line.match(SAMPLE) ?? [];
    if (!name) continue; // a comment or an empty line
    samples.push({ name, labels: parseLabels(labels), value: NUMBERS[value] ?? Number(value) });
  }
  return samples;
}

function parseLabels(text) {
  const unescape = (value) => value.replace(/\\[\\"n]/g, (escaped) => ESCAPED[escaped]);
  return Object.fromEntries([...text.matchAll(LABEL)].map(([, name, value]) => [name, unescape(value)]));
}
