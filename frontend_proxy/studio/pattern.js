/** The jacket's sewing pattern: the surface of each piece on a body. Lengths are in shoulder widths. */

import { CatmullRomCurve3, Vector3 } from "./vendor/three.module.js";

const METRE = 1 / 0.36; // in shoulder widths
export const HEM = 1.46; // below the shoulders
export const COLLAR = [-0.18, -0.38];

// Distance below the shoulder line, half the width, half the depth.
const TORSO = [
  [-0.24, 0.19, 0.17],
  [-0.19, 0.25, 0.2],
  [-0.13, 0.39, 0.22],
  [-0.06, 0.52, 0.24],
  [0.04, 0.575, 0.26],
  [0.2, 0.575, 0.285],
  [0.45, 0.55, 0.3],
  [0.8, 0.525, 0.295],
  [1.15, 0.53, 0.29],
  [1.34, 0.545, 0.295],
  [1.4, 0.52, 0.275],
  [HEM, 0.515, 0.27],
];
// Position along the arm (0 at the shoulder, 1 at the wrist), radius.
const SLEEVE = [
  [0, 0.1],
  [0.05, 0.15],
  [0.12, 0.178],
  [0.3, 0.17],
  [0.55, 0.152],
  [0.8, 0.135],
  [0.93, 0.128],
  [0.95, 0.105],
  [1, 0.1],
];
const NECK = [0.165, 0.175]; // the collar's half width and half depth
const ROUND = 2.3; // exponent of the superellipse: a trunk is squarer than an ellipse

const DENIM = 60; // bending rigidity in µN·m of the cloth that the creases below were drawn for

/** How much deeper the creases of a cloth are than denim's: soft cloth falls in more folds, stiff cloth stands. */
export function creasing({ bend = DENIM }) {
  return Math.max(0.6, Math.min(1.7, (DENIM / Math.max(bend, 1e-3)) ** 0.2));
}

/** A table's `column` at `x`, interpolated between its rows. */
function interpolate(table, x, column) {
  let row = 1;
  while (row < table.length - 1 && table[row][0] < x) row += 1;
  const [from, to] = [table[row - 1], table[row]];
  const share = Math.max(0, Math.min(1, (x - from[0]) / (to[0] - from[0])));
  const smooth = share * share * (3 - 2 * share);
  return from[column] + (to[column] - from[column]) * (0.5 * share + 0.5 * smooth);
}

function superellipse(angle, power) {
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  return [Math.sign(sine) * Math.abs(sine) ** (2 / power), Math.sign(cosine) * Math.abs(cosine) ** (2 / power)];
}

/** A point of the trunk, `distance` below the shoulder line; the angle is 0 in front and π / 2 at the left arm. */
export function torsoPoint(body, distance, angle, raised = 0) {
  const [sideways, forwards] = superellipse(angle, ROUND);
  const fold = torsoFold(distance, angle, body.creasing) + raised;
  const point = body.middle.clone().addScaledVector(body.down, distance * body.unit);
  point.addScaledVector(body.across, sideways * (interpolate(TORSO, distance, 1) + fold) * body.unit);
  point.z += forwards * (interpolate(TORSO, distance, 2) + fold) * body.unit;
  return point;
}

/** Creases towards the armpits and down the trunk, and the fullness above the hem. */
function torsoFold(distance, angle, depth = 1) {
  const below = Math.max(0, Math.min(1, (distance + 0.02) / 0.4));
  const band = Math.max(0, Math.min(1, (1.37 - distance) / 0.1));
  const aside = Math.abs(angle);
  const creases =
    0.011 * Math.sin(7.3 * distance + 4.2 * aside + 0.8 * Math.sin(3 * angle)) +
    0.008 * Math.sin(13.1 * distance - 5.3 * angle + 1.3) +
    0.006 * Math.sin(5.7 * angle + 2.9 * Math.sin(3.7 * distance) + 0.6) +
    0.004 * Math.sin(23 * distance + 9 * angle);
  return depth * creases * below * band + 0.02 * band * Math.exp(-(((distance - 1.27) / 0.09) ** 2));
}

export function torso(body) {
  return (row, angle) => {
    const distance = TORSO[0][0] + row * (HEM - TORSO[0][0]);
    const underArm = Math.abs(Math.sin(angle)) ** 4 * Math.max(0, 1 - Math.abs(distance - 0.5) / 0.8);
    return {
      point: torsoPoint(body, distance, angle),
      u: (angle / Math.PI) * 0.55,
      v: -distance / METRE,
      shade: 1 - 0.5 * underArm,
    };
  };
}

/** The knitted band at the trunk's lower end. */
export function hem(body) {
  return (row, angle) => ({
    point: torsoPoint(body, 1.36 + row * (HEM - 1.36), angle, 0.006 + rib(angle, 60)),
    u: (angle / Math.PI) * 0.55,
    v: -row * 0.04,
    shade: 0.92,
  });
}

/** A collar that stands around the neck and opens in front. From top to bottom, as every piece: so it faces outwards. */
export function collar(body) {
  return (row, angle) => {
    const up = 1 - row;
    const front = ((1 + Math.cos(angle)) / 2) ** 1.5;
    const height = (COLLAR[0] - COLLAR[1]) * (1 - 0.45 * front) * up;
    const flare = 1.12 + 0.06 * up + 0.1 * front * up;
    const centre = body.middle.clone().addScaledVector(body.down, (COLLAR[0] + 0.04 * front - height) * body.unit);
    centre.addScaledVector(body.across, Math.sin(angle) * NECK[0] * flare * body.unit);
    centre.z += Math.cos(angle) * NECK[1] * flare * body.unit;
    return { point: centre, u: angle * 0.07, v: height / METRE, shade: 0.95 - 0.25 * row };
  };
}

/** The centre line of an arm: from inside the shoulder, around its joint, over the elbow to the wrist. */
function armLine(body, { shoulder, elbow, wrist }) {
  const outwards = shoulder.clone().sub(body.middle).normalize();
  const begin = shoulder.clone().addScaledVector(outwards, -0.13 * body.unit).addScaledVector(body.down, 0.03 * body.unit);
  const joint = shoulder.clone().addScaledVector(outwards, 0.01 * body.unit).addScaledVector(body.down, 0.06 * body.unit);
  return new CatmullRomCurve3([begin, joint, elbow, wrist], false, "centripetal");
}

/** A sleeve, or with `cuff` the knitted band at its end. */
export function sleeve(body, arm, { cuff = false } = {}) {
  const line = armLine(body, arm);
  const bend = 1 - line.getTangent(0.5).dot(line.getTangent(0.9)) + 0.25;
  const length = line.getLength() / body.unit;
  const frames = new Map();

  /** The ring at a position along the line: its centre, and its sideways and forward directions. */
  function ring(share) {
    let frame = frames.get(share);
    if (!frame) {
      const along = line.getTangentAt(share);
      const forwards = new Vector3(0, 0, 1).addScaledVector(along, -along.z).normalize();
      frame = { centre: line.getPointAt(share), forwards, sideways: forwards.clone().cross(along) };
      frames.set(share, frame);
    }
    return frame;
  }

  return (row, angle) => {
    const share = cuff ? 0.93 + row * 0.07 : row;
    const { centre, sideways, forwards } = ring(share);
    const nearElbow = Math.exp(-(((share - 0.56) / 0.16) ** 2));
    const creases =
      (0.5 * Math.sin(25 * share + 2.2 * Math.sin(angle) + angle) +
        0.3 * Math.sin(43 * share - 1.7 * angle + 2) +
        0.2 * Math.sin(71 * share + 3 * angle)) *
      (body.creasing ?? 1) *
      (0.011 + 0.022 * bend * nearElbow);
    // Not inside the shoulder, and not under the cuff, which they would pierce.
    const calm = Math.max(0, Math.min(1, (share - 0.15) / 0.15, (0.95 - share) / 0.05));
    const radius = interpolate(SLEEVE, share, 1) + (cuff ? 0.008 + rib(angle, 26) : creases * calm);
    const point = centre.clone().addScaledVector(sideways, Math.sin(angle) * radius * body.unit);
    point.addScaledVector(forwards, Math.cos(angle) * radius * body.unit);
    const edge = Math.abs(Math.sin(angle)) ** 4;
    return { point, u: angle * 0.06, v: (-share * length) / METRE, shade: (cuff ? 0.92 : 1) - 0.18 * edge };
  };
}

function rib(angle, count) {
  return 0.004 * Math.sin(angle * count);
}
