/**
 * How a light moves with the person: affinities of the plane, by which points of a keyframe's frame become points of the
 * current frame.
 *
 * Points are [x, y] in units of the frame's height, so that x and y have the same scale. An affinity { xx, xy, yx, yy, x, y }
 * takes a point to [xx · x + xy · y + x, yx · x + yy · y + y].
 */

const [LEFT_SHOULDER, RIGHT_SHOULDER] = [11, 12];
const HIPS = [23, 24];
const EARS = [7, 8];
const SEEN = 0.2; // visibility from which a landmark counts as seen
const SURE = 0.5; // … from which it tells a length; trackers guess hips that are out of the picture
const LEAST = 0.02; // of a length; a smaller one tells no scale
const LARGEST_STEP = 2; // shoulders that have become this much wider or narrower belong to somebody else

export const STILL = Object.freeze({ xx: 1, xy: 0, yx: 0, yy: 1, x: 0, y: 0 });

/**
 * What a motion is measured by, of MediaPipe's landmarks: { shoulders, hips, ears } in shares of width and height: two
 * points, and the middles of two, which may be null. Null if a shoulder is not seen.
 */
export function body(landmarks) {
  const point = (index, least) => {
    const found = landmarks?.[index];
    const seen = found && Number.isFinite(found.x + found.y) && (found.visibility ?? 1) >= least;
    return seen ? [found.x, found.y] : null;
  };
  const shoulders = [LEFT_SHOULDER, RIGHT_SHOULDER].map((index) => point(index, SEEN));
  if (!shoulders.every(Boolean)) return null;
  const between = (pair) => {
    const points = pair.map((index) => point(index, SURE));
    return points.every(Boolean) ? middle(points) : null;
  };
  return { shoulders, hips: between(HIPS), ears: between(EARS) };
}

/**
 * The motion from one body to another; null if one of them is unknown or they cannot belong to the same person. `aspect`
 * is the frame's width divided by its height.
 *
 * Along the shoulders it has their scale. Who turns has narrower shoulders, but is as tall as before, and who nods has a
 * lower head; so upwards it has the scale of the shoulders or of the height, whichever is nearer to 1.
 */
export function motion(from, to, aspect) {
  if (!from || !to) return null;
  const wide = ([x, y]) => [x * aspect, y];
  const [before, now] = [from, to].map(({ shoulders }) => shoulders.map(wide));
  const [u, v] = [before, now].map(([left, right]) => [right[0] - left[0], right[1] - left[1]]);
  const [length, width] = [Math.hypot(...u), Math.hypot(...v)];
  const across = width / length;
  if (!(length > LEAST && across < LARGEST_STEP && across > 1 / LARGEST_STEP)) return null;
  const upwards = nearerToOne(across, heights(from, to, aspect));
  const [c, s, d, t] = [u[0] / length, u[1] / length, v[0] / width, v[1] / width];
  const [xx, xy] = [across * d * c + upwards * t * s, across * d * s - upwards * t * c];
  const [yx, yy] = [across * t * c - upwards * d * s, across * t * s + upwards * d * c];
  const [[x, y], [left, upper]] = [middle(before), middle(now)];
  return { xx, xy, yx, yy, x: left - xx * x - xy * y, y: upper - yx * x - yy * y };
}

/** How much taller the second body is, by its hips or, where they are not seen, by its ears; 0 if that is unknown. */
function heights(from, to, aspect) {
  const part = from.hips && to.hips ? "hips" : "ears";
  if (!from[part] || !to[part]) return 0;
  const [before, now] = [from, to].map((it) => {
    const [x, y] = middle(it.shoulders);
    return Math.hypot((it[part][0] - x) * aspect, it[part][1] - y);
  });
  return before > LEAST && now > LEAST ? now / before : 0;
}

function nearerToOne(one, other) {
  return other && Math.abs(Math.log(other)) < Math.abs(Math.log(one)) ? other : one;
}

function middle([one, other]) {
  return [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
}

export function inverse({ xx, xy, yx, yy, x, y }) {
  const area = xx * yy - xy * yx;
  const [a, b, c, d] = [yy / area, -xy / area, -yx / area, xx / area];
  return { xx: a, xy: b, yx: c, yy: d, x: -(a * x + b * y), y: -(c * x + d * y) };
}

/**
 * A 3×3 matrix, column by column as WebGL takes it, from places in one crop to places in another, both 0 to 1.
 * `move` takes points of the first crop's frame to points of the second's. A crop is [x, y, width, height] in shares
 * of its frame; the whole frame is [0, 0, 1, 1].
 */
export function between(from, move, to, aspect) {
  const [x, y, width, height] = from;
  const [left, top, columns, rows] = to;
  const { xx, xy, yx, yy } = move;
  const start = [xx * x * aspect + xy * y + move.x, yx * x * aspect + yy * y + move.y];
  return [
    (xx * width) / columns, (yx * width * aspect) / rows, 0,
    (xy * height) / (columns * aspect), (yy * height) / rows, 0,
    (start[0] / aspect - left) / columns, (start[1] - top) / rows, 1,
  ];
}
