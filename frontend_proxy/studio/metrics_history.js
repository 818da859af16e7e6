/** Rates and histogram quantiles over a sliding window of polls of /metrics. */

const WINDOW = 5; // polls

/** The sum of the samples with that name and these labels. */
export function total(samples, name, labels = {}) {
  const fits = (sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value);
  return samples.filter((sample) => sample.name === name && fits(sample)).reduce((sum, { value }) => sum + value, 0);
}

export class MetricsHistory {
  #polls = []; // { at, samples }

  /** @param at milliseconds; samples as LucyClient.metrics gives them */
  add(at, samples) {
    if (this.#polls.length && this.#restarted(samples)) this.#polls = [];
    this.#polls.push({ at, samples });
    if (this.#polls.length > WINDOW + 1) this.#polls.shift();
  }

  forget() {
    this.#polls = [];
  }

  /** A counter's increase per second; null before the second poll. */
  rate(name, labels) {
    const [first, last] = this.#ends();
    if (!last) return null;
    return (1000 * (total(last.samples, name, labels) - total(first.samples, name, labels))) / (last.at - first.at);
  }

  /** Like PromQL's histogram_quantile(share, increase(name_bucket)); null if nothing was observed. */
  quantile(share, name) {
    const [first, last] = this.#ends();
    if (!last) return null;
    const before = buckets(first.samples, name);
    const grown = [...buckets(last.samples, name)].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)]);
    return quantileOf(share, grown);
  }

  #ends() {
    return this.#polls.length > 1 ? [this.#polls[0], this.#polls.at(-1)] : [];
  }

  /** Whether the server has restarted: then its counters are smaller than before. */
  #restarted(samples) {
    return total(samples, "lucy_http_requests_total") < total(this.#polls.at(-1).samples, "lucy_http_requests_total");
  }
}

/** A map from each upper bound to its cumulative count, sorted by bound. */
function buckets(samples, name) {
  const found = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounded = found.map(({ labels, value }) => [labels.le === "+Inf" ? Infinity : Number(labels.le), value]);
  return new Map(bounded.sort(([a], [b]) => a - b));
}

/** Interpolates linearly within a bucket; the last bucket, which has no upper bound, gives its lower bound. */
function quantileOf(share, grown) {
  const count = grown.at(-1)?.[1] ?? 0;
  if (count <= 0) return null;
  const wanted = share * count;
  let [low, below] = [0, 0];
  for (const [bound, upTo] of grown) {
    if (upTo >= wanted && upTo > below) {
      return bound === Infinity ? low : low + ((bound - low) * (wanted - below)) / (upTo - below);
    }
    [low, below] = [bound, upTo];
  }
  return low;
}
