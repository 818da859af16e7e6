/**
 * How a light moves with the person: similarities of the plane, by which points of a keyframe's frame become points
 * of the current frame.
 *
 * Points are [x, y] in units of the frame's height, so that x and y have the same scale. A similarity is a complex
 * factor and a shift: z → (a + ib) · z + (x + iy), here { a, b, x, y }.
 */

const [LEFT_SHOULDER, RIGHT_SHOULDER] = [11, 12];
const SEEN = 0.2; // visibility from which a landmark counts as seen
const LEAST_WIDTH = 0.02; // of the shoulders; a smaller distance tells no scale
const LARGEST_STEP = 2; // shoulders that have become this much wider or narrower belong to somebody else

export const STILL = Object.freeze({ a: 1, b: 0, x: 0, y: 0 });

/** Both shoulders of MediaPipe's landmarks, or null: [[x, y], [x, y]], in shares of width and height. */
export function shoulders(landmarks) {
  const points = [landmarks?.[LEFT_SHOULDER], landmarks?.[RIGHT_SHOULDER]];
  const seen = (point) => point && Number.isFinite(point.x + point.y) && (point.visibility ?? 1) >= SEEN;
  return points.every(seen) ? points.map(({ x, y }) => [x, y]) : null;
}

/**
 * The similarity that takes the anchor of a light to where the shoulders are now; null if one of them is unknown or
 * they cannot belong to the same person. `aspect` is the frame's width divided by its height.
 */
export function motion(anchor, now, aspect) {
  if (!anchor || !now) return null;
  const [from, to] = [anchor, now].map((pair) => pair.map(([x, y]) => [x * aspect, y]));
  const [u, v] = [from, to].map(([left, right]) => [right[0] - left[0], right[1] - left[1]]);
  const squared = u[0] ** 2 + u[1] ** 2;
  const scale = Math.hypot(...v) / Math.sqrt(squared);
  if (!(Math.sqrt(squared) > LEAST_WIDTH && scale < LARGEST_STEP && scale > 1 / LARGEST_STEP)) return null;
  const a = (u[0] * v[0] + u[1] * v[1]) / squared;
  const b = (u[0] * v[1] - u[1] * v[0]) / squared;
  const [x, y] = from[0];
  return { a, b, x: to[0][0] - (a * x - b * y), y: to[0][1] - (b * x + a * y) };
}

export function inverse({ a, b, x, y }) {
  const squared = a * a + b * b;
  const [c, d] = [a / squared, -b / squared];
  return { a: c, b: d, x: -(c * x - d * y), y: -(d * x + c * y) };
}

/** First `first`, then `then`. */
export function after(first, then) {
  return {
    a: then.a * first.a - then.b * first.b,
    b: then.a * first.b + then.b * first.a,
    x: then.a * first.x - then.b * first.y + then.x,
    y: then.b * first.x + then.a * first.y + then.y,
  };
}

/**
 * A 3×3 matrix, column by column as WebGL takes it, from places in one crop to places in another, both 0 to 1.
 * `move` takes points of the first crop's frame to points of the second's. A crop is [x, y, width, height] in shares
 * of its frame; the whole frame is [0, 0, 1, 1].
 */
export function between(from, move, to, aspect) {
  const [x, y, width, height] = from;
  const [left, top, columns, rows] = to;
  const { a, b } = move;
  const start = [a * x * aspect - b * y + move.x, b * x * aspect + a * y + move.y];
  return [
    (a * width) / columns, (b * width * aspect) / rows, 0,
    (-b * height) / (columns * aspect), (a * height) / rows, 0,
    (start[0] / aspect - left) / columns, (start[1] - top) / rows, 1,
  ];
}
