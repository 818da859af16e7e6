/** The jacket's pieces and their materials. Sewn once; put on a body again for every frame. */

import { dress } from "./cloth.js";
import { Ribbon, Tube } from "./loft.js";
import { COLLAR, HEM, collar, hem, sleeve, torso, torsoPoint } from "./pattern.js";
import {
  CanvasTexture,
  CatmullRomCurve3,
  DoubleSide,
  Group,
  Mesh,
  MeshBasicMaterial,
  MeshPhysicalMaterial,
  MeshStandardMaterial,
  RepeatWrapping,
  SRGBColorSpace,
  SphereGeometry,
  Vector3,
} from "./vendor/three.module.js";

const TRIM = 0xb4b4b4; // multiplies the cloth's colour on collar, cuffs and hem

export class SewnJacket extends Group {
  #cloth;
  #trim;
  #parts;

  constructor() {
    super();
    const shared = { vertexColors: true, side: DoubleSide };
    this.#cloth = new MeshPhysicalMaterial({ ...shared, color: 0x8a8a8a, roughness: 0.85 });
    this.#trim = new MeshPhysicalMaterial({ ...shared, color: TRIM, roughness: 0.9 });
    this.#parts = this.#sew();
  }

  /** What hides the person behind the jacket: drawn into the depth alone. */
  get unseen() {
    return this.children.filter((part) => part.material.colorWrite === false);
  }

  /** Gives it a fabric's finish. The caller disposes of the previous maps. */
  dress(fabric, maps) {
    dress(this.#cloth, fabric, maps);
    dress(this.#trim, fabric, maps);
    this.#cloth.color.set(0xffffff);
  }

  /** Puts it on a body of `readBody`, or one like it in metres. */
  fit(body) {
    const { unit, down, across } = body;
    const parts = this.#parts;
    parts.torso.shape(torso(body));
    parts.hem.shape(hem(body));
    parts.collar.shape(collar(body));
    for (const side of ["left", "right"]) {
      parts[side].sleeve.shape(sleeve(body, body[side]));
      parts[side].cuff.shape(sleeve(body, body[side], { cuff: true }));
      this.#hideHand(parts[side].hand, body[side], unit);
    }
    const front = (share) => torsoPoint(body, COLLAR[0] + 0.03 + share * (HEM - COLLAR[0] - 0.03), 0, 0.012);
    const length = (HEM - COLLAR[0]) / 0.05;
    parts.placket.shape(front, across, 0.085 * unit, length);
    parts.zip.shape((share) => front(share).setZ(front(share).z + 0.01 * unit), across, 0.036 * unit, length);
    parts.pull.position.copy(front(0.12)).setZ(front(0.12).z + 0.03 * unit);
    parts.pull.scale.set(0.014 * unit, 0.035 * unit, 0.01 * unit);
    for (const [side, pocket] of [[1, parts.pockets[0]], [-1, parts.pockets[1]]]) {
      pocket.shape((share) => torsoPoint(body, 0.92 + 0.24 * share, side * (0.62 + 0.2 * share), 0.01), across, 0.02 * unit, 1);
    }
    // Neck and head are not drawn, but they hide what is behind them.
    const neck = new CatmullRomCurve3([body.middle, body.head]);
    parts.neck.shape((row, angle) => {
      const point = neck.getPoint(row).addScaledVector(across, Math.sin(angle) * 0.15 * unit);
      return { point: point.setZ(Math.cos(angle) * 0.16 * unit), u: 0, v: 0, shade: 1 };
    });
    parts.head.position.copy(body.head).addScaledVector(down, -0.04 * unit);
    parts.head.scale.set(0.24 * unit, 0.34 * unit, 0.3 * unit);
  }

  #hideHand(hand, { wrist, fingers }, unit) {
    hand.visible = fingers !== null;
    if (!fingers) return;
    const along = fingers.clone().sub(wrist);
    const sideways = new Vector3(-along.y, along.x, 0).normalize();
    hand.shape((row, angle) => {
      const reach = 0.1 + 1.5 * row; // the landmarks are the fingers' roots
      const radius = 0.1 * unit * Math.sin(Math.PI * (0.25 + 0.75 * row));
      const point = wrist.clone().addScaledVector(along, reach).addScaledVector(sideways, Math.sin(angle) * radius);
      return { point: point.setZ(wrist.z + Math.cos(angle) * radius + 0.1 * unit), u: 0, v: 0, shade: 1 };
    });
  }

  #sew() {
    const unseen = new MeshBasicMaterial({ colorWrite: false, side: DoubleSide });
    const metal = new MeshStandardMaterial({ map: zipTexture(), metalness: 0.6, roughness: 0.4, side: DoubleSide });
    const dark = new MeshBasicMaterial({ color: 0x000000, transparent: true, opacity: 0.35, side: DoubleSide, depthWrite: false });
    const arm = () => ({
      sleeve: new Tube(56, 28, this.#cloth),
      cuff: new Tube(6, 52, this.#trim),
      hand: new Tube(6, 12, unseen),
    });
    const parts = {
      torso: new Tube(64, 72, this.#cloth),
      hem: new Tube(6, 160, this.#trim),
      collar: new Tube(8, 40, this.#trim),
      left: arm(),
      right: arm(),
      placket: new Ribbon(40, dark),
      zip: new Ribbon(40, metal),
      pull: new Mesh(new SphereGeometry(1, 12, 8), new MeshStandardMaterial({ color: 0xc9ccd2, metalness: 0.7, roughness: 0.35 })),
      pockets: [new Ribbon(8, dark), new Ribbon(8, dark)],
      neck: new Tube(4, 20, unseen),
      head: new Mesh(new SphereGeometry(1, 20, 14), unseen),
    };
    for (const part of Object.values(parts).flatMap((part) => (part.isMesh ? part : Object.values(part)))) {
      if (part.material === unseen) part.renderOrder = -1;
      this.add(part);
    }
    return parts;
  }
}

/** Teeth of a metal zip, one pair in each tile. */
function zipTexture() {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: 64, height: 64 });
  const context = canvas.getContext("2d");
  context.fillStyle = "#34363b";
  context.fillRect(0, 0, 64, 64);
  context.fillStyle = "#c8cbd1";
  context.fillRect(12, 6, 26, 18);
  context.fillRect(26, 38, 26, 18);
  const texture = new CanvasTexture(canvas);
  texture.wrapT = RepeatWrapping;
  texture.colorSpace = SRGBColorSpace;
  return texture;
}
