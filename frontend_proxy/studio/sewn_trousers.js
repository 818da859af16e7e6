/** Trousers: two legs and the piece that joins them at the hips. Lengths are in shoulder widths, as the jacket's. */

import { dress } from "./cloth.js";
import { Tube } from "./loft.js";
import { CatmullRomCurve3, DoubleSide, Group, MeshPhysicalMaterial, Vector3 } from "./vendor/three.module.js";

const METRE = 1 / 0.36; // in shoulder widths
const [WAIST, SEAT] = [-0.32, 0.03]; // below the line through the hips
const HIPS = [0.47, 0.22]; // half the width and half the depth
const INSEAM = 0.235; // from the middle to a leg's centre, where both legs meet
const RISE = 0.18; // above the hips, where a leg begins: under the jacket's hem
// Position along the leg (0 at the hip, 1 at the hem), radius.
const LEG = [
  [0, 0.25],
  [0.2, 0.25],
  [0.5, 0.195],
  [0.75, 0.185],
  [1, 0.17],
];

export class SewnTrousers extends Group {
  #cloth = new MeshPhysicalMaterial({ vertexColors: true, side: DoubleSide, color: 0x8a8a8a, roughness: 0.85 });
  #hips = new Tube(16, 48, this.#cloth);
  #legs = { left: new Tube(64, 28, this.#cloth), right: new Tube(64, 28, this.#cloth) };

  constructor() {
    super();
    this.add(this.#hips, this.#legs.left, this.#legs.right);
  }

  /** Gives them a fabric's finish. The caller disposes of the previous maps. */
  dress(fabric, maps) {
    dress(this.#cloth, fabric, maps);
    this.#cloth.color.set(0xffffff);
  }

  /** Puts them on the legs of `readLegs`; creasing: of pattern.js. */
  fit(legs) {
    this.#hips.shape(hips(legs));
    for (const side of ["left", "right"]) this.#legs[side].shape(leg(legs, legs[side]));
  }
}

function hips({ unit, left, right }) {
  const middle = left.hip.clone().add(right.hip).divideScalar(2);
  const across = left.hip.clone().sub(right.hip).normalize();
  const down = new Vector3(across.y, -across.x, 0);
  if (down.y > 0) down.negate(); // the person shows their back
  return (row, angle) => {
    const distance = WAIST + row * (SEAT - WAIST);
    const narrower = 1 - 0.14 * Math.max(0, 1 - row / 0.6); // towards the waist
    const point = middle.clone().addScaledVector(down, distance * unit);
    point.addScaledVector(across, Math.sin(angle) * HIPS[0] * narrower * unit);
    point.z += Math.cos(angle) * HIPS[1] * narrower * (1 - 0.75 * row ** 4) * unit; // behind the legs
    return { point, u: (angle / Math.PI) * 0.5, v: -distance / METRE, shade: 1 - 0.3 * Math.abs(Math.sin(angle)) ** 4 };
  };
}

function leg({ unit, creasing, left, right }, { hip, knee, ankle }) {
  const middle = left.hip.clone().add(right.hip).divideScalar(2);
  const begin = hip.clone().sub(middle).setLength(INSEAM * unit).add(middle);
  begin.addScaledVector(begin.clone().sub(knee).normalize(), RISE * unit);
  const line = new CatmullRomCurve3([begin, knee, ankle], false, "centripetal");
  const length = line.getLength() / unit;
  return (row, angle) => {
    const along = line.getTangentAt(row);
    const forwards = new Vector3(0, 0, 1).addScaledVector(along, -along.z).normalize();
    const sideways = forwards.clone().cross(along);
    const creases =
      0.012 * Math.exp(-(((row - 0.5) / 0.1) ** 2)) * Math.sin(40 * row + 2 * Math.sin(angle)) +
      0.01 * row ** 4 * Math.sin(70 * row + 3 * angle) +
      0.004 * Math.sin(19 * row - 3 * angle + 1);
    const radius = (at(row) + creases * creasing) * unit;
    const point = line.getPointAt(row).addScaledVector(sideways, Math.sin(angle) * radius);
    point.addScaledVector(forwards, Math.cos(angle) * radius);
    const shade = 1 - 0.25 * Math.abs(Math.sin(angle)) ** 4;
    return { point, u: angle * 0.08, v: (-row * length) / METRE, shade };
  };
}

function at(share) {
  const row = Math.max(1, LEG.findIndex(([from]) => from >= share));
  const [[from, before], [to, after]] = [LEG[row - 1], LEG[row]];
  return before + ((after - before) * (share - from)) / (to - from);
}
