/** A body in pixels, from MediaPipe's 33 landmarks. Lengths are in shoulder widths (about 0.36 m). */

import { Vector3 } from "./vendor/three.module.js";

const LEFT_ARM = [11, 13, 15];
const RIGHT_ARM = [12, 14, 16];
const LEFT_HAND = [17, 19];
const RIGHT_HAND = [18, 20];
const [LEFT_HIP, RIGHT_HIP] = [23, 24];
const LEGS = { left: [23, 25, 27], right: [24, 26, 28] };
const [LEFT_EAR, RIGHT_EAR] = [7, 8];
const [UPPER_ARM, FOREARM] = [0.8, 0.7];
const SEEN = 0.2; // visibility from which a landmark counts as seen
const MAX_DEPTH = 0.7;

/**
 * The body, or null if not both shoulders are seen. Points are Vector3: x to the right, y up, z towards the
 * camera; the origin is the frame's upper left corner. Joints that are not seen get their position at rest.
 * Pose trackers invent hips that they cannot see: hips that do not fit an upright body are ignored.
 */
export function readBody(landmarks, width, height) {
  const point = (index) => new Vector3(landmarks[index].x * width, -landmarks[index].y * height, 0);
  const seen = (index) => landmarks[index]?.visibility >= SEEN && Number.isFinite(landmarks[index].x + landmarks[index].y);
  if (!landmarks || !seen(11) || !seen(12)) return null;

  const [left, right] = [point(11), point(12)];
  const unit = left.distanceTo(right);
  if (unit < 0.02 * width) return null;
  const across = left.clone().sub(right).divideScalar(unit);
  const middle = left.clone().add(right).divideScalar(2);

  let down = new Vector3(across.y, -across.x, 0);
  if (down.y > 0) down.negate(); // the person shows their back
  if (seen(LEFT_HIP) && seen(RIGHT_HIP)) {
    const spine = point(LEFT_HIP).add(point(RIGHT_HIP)).divideScalar(2).sub(middle);
    const upright = spine.dot(down) > 0.8 * unit && spine.clone().normalize().dot(down) > 0.9;
    if (upright) down = spine.normalize();
  }

  const level = (landmarks[11].z + landmarks[12].z) / 2;
  const depth = (index) => {
    const forward = ((level - landmarks[index].z) * width) / unit;
    return Math.max(-0.3, Math.min(MAX_DEPTH, forward || 0)) * unit;
  };

  function arm([shoulder, elbow, wrist], outwards, hand) {
    const joint = point(shoulder);
    const rest = down.clone().multiplyScalar(0.97).addScaledVector(outwards, 0.22);
    const bend = seen(elbow) ? point(elbow).setZ(depth(elbow)) : joint.clone().addScaledVector(rest, UPPER_ARM * unit);
    const end = seen(wrist) ? point(wrist).setZ(depth(wrist)) : bend.clone().addScaledVector(down, FOREARM * unit);
    const shown = seen(wrist) && hand.every(seen);
    const fingers = shown ? point(hand[0]).add(point(hand[1])).divideScalar(2).setZ(end.z) : null;
    return { shoulder: joint, elbow: bend, wrist: end, fingers };
  }

  const head = seen(LEFT_EAR) && seen(RIGHT_EAR) ? point(LEFT_EAR).add(point(RIGHT_EAR)).divideScalar(2) : null;
  return {
    unit,
    across,
    down,
    middle,
    left: arm(LEFT_ARM, across, LEFT_HAND),
    right: arm(RIGHT_ARM, across.clone().negate(), RIGHT_HAND),
    head: head ?? middle.clone().addScaledVector(down, -0.6 * unit),
  };
}

/**
 * Both legs, { unit, left, right } with { hip, knee, ankle } each, in the manner of `readBody`; null if not both hips and
 * knees are seen inside the frame. `unit` is the shoulders' distance.
 */
export function readLegs(landmarks, width, height) {
  const body = landmarks && readBody(landmarks, width, height);
  if (!body) return null;
  const there = ({ x, y, visibility }) => visibility >= SEEN && x >= 0 && x <= 1 && y >= 0 && y <= 1;
  const joints = Object.values(LEGS).flatMap(([hip, knee]) => [landmarks[hip], landmarks[knee]]);
  if (!joints.every((joint) => joint && there(joint))) return null;
  const point = ({ x, y }) => new Vector3(x * width, -y * height, 0);
  const leg = (numbers) => {
    const [hip, knee, end] = numbers.map((number) => point(landmarks[number]));
    const shown = landmarks[numbers[2]].visibility >= SEEN;
    return { hip, knee, ankle: shown ? end : knee.clone().multiplyScalar(2).sub(hip) };
  };
  return { unit: body.unit, left: leg(LEGS.left), right: leg(LEGS.right) };
}
