/** A light's maps in memory: Float32Arrays of side × side × 3, row by row. */

/** The logarithms R of a map's picture, an ImageBitmap. */
export function logarithms(map, range) {
  const { data } = pixels(map);
  const values = new Float32Array(map.width * map.height * 3);
  for (let at = 0; at < values.length; at += 1) {
    values[at] = (data[Math.floor(at / 3) * 4 + (at % 3)] / 127.5 - 1) * range;
  }
  return values;
}

/** width × height values enlarged to side × side, bicubically as OpenCV does. */
export function enlarged(values, width, height, side) {
  const across = taps(width, side);
  const wide = new Float32Array(side * height * 3);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < side; column += 1) {
      const { places, weights } = across[column];
      for (let colour = 0; colour < 3; colour += 1) {
        let sum = 0;
        for (let tap = 0; tap < 4; tap += 1) sum += weights[tap] * values[(row * width + places[tap]) * 3 + colour];
        wide[(row * side + column) * 3 + colour] = sum;
      }
    }
  }
  const result = new Float32Array(side * side * 3);
  taps(height, side).forEach(({ places, weights }, row) => {
    const [a, b, c, d] = places.map((place) => place * side * 3);
    const [p, q, r, s] = weights;
    for (let at = 0, to = row * side * 3; at < side * 3; at += 1, to += 1) {
      result[to] = p * wide[a + at] + q * wide[b + at] + r * wide[c + at] + s * wide[d + at];
    }
  });
  return result;
}

/** For each of `many` places in a row of `few`: the four nearest, and their weights. */
function taps(few, many) {
  const A = -0.75;
  return Array.from({ length: many }, (_, index) => {
    const at = ((index + 0.5) * few) / many - 0.5;
    const start = Math.floor(at);
    const weights = [-1, 0, 1, 2].map((step) => {
      const d = Math.abs(at - start - step);
      if (d < 1) return (A + 2) * d ** 3 - (A + 3) * d ** 2 + 1;
      return A * (d ** 3 - 5 * d ** 2 + 8 * d - 4);
    });
    const places = [-1, 0, 1, 2].map((step) => Math.min(few - 1, Math.max(0, start + step)));
    return { places, weights };
  });
}

export function exponential(values) {
  return values.map(Math.exp);
}

/** The map seen from another crop: the value of the nearest place. matrix: from there to this map's crop. */
export function moved(values, matrix, side) {
  const result = new Float32Array(values.length);
  const nearest = (share) => Math.min(side - 1, Math.max(0, Math.floor(share * side)));
  for (let row = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1) {
      const [u, v] = [(column + 0.5) / side, (row + 0.5) / side];
      const x = nearest(matrix[0] * u + matrix[3] * v + matrix[6]);
      const y = nearest(matrix[1] * u + matrix[4] * v + matrix[7]);
      const from = (y * side + x) * 3;
      const to = (row * side + column) * 3;
      for (let colour = 0; colour < 3; colour += 1) result[to + colour] = values[from + colour];
    }
  }
  return result;
}

/**
 * A grey picture as a canvas that is opaque where the picture is white. The canvas is three times as wide and high: around
 * the picture, in its middle, its border goes on.
 */
export function hiding(picture) {
  const found = pixels(picture);
  for (let at = 0; at < found.data.length; at += 4) found.data[at + 3] = found.data[at];
  const { width, height } = found;
  const [small, large] = [1, 3].map((times) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: times * width, height: times * height });
    return canvas.getContext("2d", { willReadFrequently: true });
  });
  small.putImageData(found, 0, 0);
  large.imageSmoothingEnabled = false;
  const parts = (length) => [[0, 1, 0, length], [0, length, length, length], [length - 1, 1, 2 * length, length]];
  for (const [x, columns, left, across] of parts(width)) {
    for (const [y, rows, upper, down] of parts(height)) large.drawImage(small.canvas, x, y, columns, rows, left, upper, across, down);
  }
  return large.canvas;
}

function pixels(picture) {
  const { width, height } = picture;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  return context.getImageData(0, 0, width, height);
}
