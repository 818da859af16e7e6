/** The folds' own detail, which a light leaves and `detail_gain` strengthens: `with_detail` of pipeline/light/relighting.py. */

const LARGEST_DETAIL = Math.log(1.9); // this and NOISE as in pipeline/light/relighting.py
const NOISE = 0.02;
const BLUR = 1.5; // in blocks; a Gaussian with more is computed on larger blocks
const FOLDS = 3; // folds are finer than this many sigma

/**
 * A factor for each cell: exp((γ − 1) · T). Where there is no jacket it is 1.
 *
 * @param picture an ImageData of the jacket over the crop, square
 */
export function folds({ data, width: side }, { sigma, detailGain, floor }) {
  const gains = new Float32Array(side * side).fill(1);
  if (detailGain === 1) return gains;
  const levels = new Float32Array(side * side);
  for (let cell = 0, at = 0; cell < levels.length; cell += 1, at += 4) {
    levels[cell] = (0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2]) / 255 + floor;
  }
  const rows = FOLDS * sigma * side;
  const block = Math.max(1, Math.floor(rows / BLUR));
  const around = means(levels, data, side, block, rows / block);
  for (let row = 0, cell = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1, cell += 1) {
      if (data[4 * cell + 3] === 0) continue;
      const detail = Math.log(levels[cell] / Math.max(around.at(column, row), floor));
      const energy = detail * detail;
      const stronger = ((detailGain - 1) * detail * energy) / (energy + NOISE * NOISE);
      gains[cell] = Math.exp(Math.min(LARGEST_DETAIL, Math.max(-LARGEST_DETAIL, stronger)));
    }
  }
  return gains;
}

/** The Gaussian mean of the levels over the jacket, by blocks; `at` interpolates between them. */
function means(levels, data, side, block, sigma) {
  const count = Math.floor(side / block);
  let [sums, covers] = [new Float32Array(count * count), new Float32Array(count * count)];
  for (let row = 0; row < count * block; row += 1) {
    for (let column = 0; column < count * block; column += 1) {
      const cell = row * side + column;
      const alpha = data[4 * cell + 3];
      const to = Math.floor(row / block) * count + Math.floor(column / block);
      sums[to] += levels[cell] * alpha;
      covers[to] += alpha;
    }
  }
  for (const step of [1, count]) [sums, covers] = [blurred(sums, count, step, sigma), blurred(covers, count, step, sigma)];
  const values = sums.map((sum, index) => sum / Math.max(covers[index], 1e-3));
  return {
    at(column, row) {
      const x = Math.min(count - 1, Math.max(0, (column + 0.5) / block - 0.5));
      const y = Math.min(count - 1, Math.max(0, (row + 0.5) / block - 0.5));
      const [left, upper] = [Math.floor(x), Math.floor(y)];
      const [here, next] = [upper * count + left, Math.min(count - 1, upper + 1) * count + left];
      const right = left < count - 1 ? 1 : 0;
      const one = values[here] + (values[here + right] - values[here]) * (x - left);
      const two = values[next] + (values[next + right] - values[next]) * (x - left);
      return one + (two - one) * (y - upper);
    },
  };
}

/** A Gaussian along rows (step 1) or columns (step count). */
function blurred(values, count, step, sigma) {
  const weights = Array.from({ length: 11 }, (_, tap) => Math.exp(-((tap - 5) ** 2) / (2 * sigma * sigma)));
  const total = weights.reduce((sum, weight) => sum + weight);
  const along = step === 1 ? (index) => index % count : (index) => Math.floor(index / count);
  return values.map((_, index) => {
    const here = along(index);
    let sum = 0;
    for (let tap = -5; tap <= 5; tap += 1) {
      const place = Math.min(count - 1, Math.max(0, here + tap));
      sum += weights[tap + 5] * values[index + (place - here) * step];
    }
    return sum / total;
  });
}
