/** The server's last minutes from what /metrics said at each poll: rates, and quantiles of a histogram's growth. */

const WINDOW = 5; // polls that a rate is taken over

/** Sum of the samples of that name whose labels fit. */
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

  /** Growth of a counter by second; null before the second poll. */
  rate(name, labels) {
    const [first, last] = this.#ends();
    if (!last) return null;
    return (1000 * (total(last.samples, name, labels) - total(first.samples, name, labels))) / (last.at - first.at);
  }

  /** As PromQL's histogram_quantile(share, increase(name_bucket)); null where nothing was observed. */
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

  /** A counter that has shrunk began anew. */
  #restarted(samples) {
    return total(samples, "lucy_http_requests_total") < total(this.#polls.at(-1).samples, "lucy_http_requests_total");
  }
}

/** Upper bound to cumulative count, from the lowest bound up. */
function buckets(samples, name) {
  const found = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounded = found.map(({ labels, value }) => [labels.le === "+Inf" ? Infinity : Number(labels.le), value]);
  return new Map(bounded.sort(([a], [b]) => a - b));
}

/** Linear within the bucket; the last one, which has no end, gives its beginning. */
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
