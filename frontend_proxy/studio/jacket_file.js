/**
 * The jacket in a fabric as a file for other programs: life-size, its front towards +Z, standing by itself or on a bust
 * with a shopper's proportions. The bust is a mannequin: head, neck and hands from 33 points of one picture, no likeness.
 */

import { readBody } from "./body.js";
import { loadMaps } from "./cloth.js";
import { tilesInMetre } from "./jacket.js";
import { HEM, creasing } from "./pattern.js";
import { SewnJacket } from "./sewn_jacket.js";
import { BufferAttribute, FrontSide, Matrix4, Mesh, MeshStandardMaterial, Scene, Vector3 } from "./vendor/three.module.js";
import { GLTFExporter } from "./vendor/three/exporters/GLTFExporter.js";
import { USDZExporter } from "./vendor/three/exporters/USDZExporter.js";

const SHOULDERS_M = 0.36;
const TYPES = { glb: "model/gltf-binary", usdz: "model/vnd.usdz+zip" };

/** A File of `format` "glb" or "usdz". */
export function jacketFile(fabric, format) {
  return file(fabric, format, "jacket", (maps) => standing(fabric, maps, bodyAtRest(), null));
}

/**
 * The same on a bust in the pose of a picture: a File, or null if the landmarks, which are shares of `width` and
 * `height`, do not show both shoulders.
 */
export async function bustFile(fabric, format, landmarks, { width, height }) {
  const body = readBody(landmarks, width, height);
  if (!body) return null;
  const plaster = new MeshStandardMaterial({ color: 0xd8d2c8, roughness: 0.9 });
  return file(fabric, format, "bust", (maps) => standing(fabric, maps, inMetres(body), plaster));
}

async function file(fabric, format, name, make) {
  const maps = await loadMaps(fabric, tilesInMetre(fabric));
  try {
    const scene = make(maps);
    scene.traverse((piece) => piece.isMesh && (format === "glb" ? forGltf(piece) : forUsd(piece)));
    const data =
      format === "glb"
        ? await new GLTFExporter().parseAsync(scene, { binary: true, maxTextureSize: 2048 })
        : await new USDZExporter().parseAsync(scene, { maxTextureSize: 1024, quickLookCompatible: true });
    return new File([data], `${fabric.id}-${name}.${format}`, { type: TYPES[format] });
  } finally {
    for (const texture of Object.values(maps)) texture.dispose();
  }
}

/** A scene with the jacket, in metres, its hem on the ground; `skin` is the material of head, neck and hands, or null. */
function standing(fabric, maps, body, skin) {
  const jacket = new SewnJacket();
  for (const name of ["map", "roughnessMap", "aoMap"]) {
    if (maps[name]) maps[name].userData.mimeType = "image/jpeg"; // PNG would be five times as long
  }
  jacket.dress(fabric, withOpacity(maps));
  jacket.fit({ ...body, creasing: creasing(fabric) });
  const unseen = jacket.unseen;
  for (const part of unseen) if (skin) part.material = skin;
  jacket.remove(...unseen.filter((part) => !skin || !part.visible));
  const scene = new Scene();
  scene.name = skin ? "Bust" : "Jacket";
  // Plain meshes: a file knows no pieces that are reshaped.
  for (const [number, part] of [...jacket.children].entries()) {
    const mesh = new Mesh(part.geometry, part.material);
    mesh.name = `piece ${number + 1}`;
    mesh.position.copy(part.position);
    mesh.scale.copy(part.scale);
    scene.add(mesh);
  }
  scene.updateMatrixWorld(true);
  return scene;
}

/** With tangents, so that every program sees the same relief; without what no material reads. */
function forGltf({ geometry, material }) {
  if (material.normalMap) geometry.computeTangents();
  if (!material.map) geometry.deleteAttribute("uv");
  // Its blue channel is multiplied by 0. Without it, the exporter would paint a texture for each material.
  if (material.roughnessMap && !material.metalness) material.metalnessMap = material.roughnessMap;
}

/** With a second layer that faces inwards, since the exporter leaves out that a piece has two sides. */
function forUsd({ geometry, material }) {
  const { index, attributes } = geometry;
  const count = attributes.position.count;
  for (const [name, { array, itemSize }] of Object.entries(attributes)) {
    const inner = name === "normal" ? array.map((value) => -value) : array;
    const both = new Float32Array(2 * array.length);
    both.set(array);
    both.set(inner, array.length);
    geometry.setAttribute(name, new BufferAttribute(both, itemSize));
  }
  const turned = Array.from(index.array, (vertex) => vertex + count).reverse();
  geometry.setIndex([...index.array, ...turned]);
  material.side = FrontSide;
}

/** As `readBody` describes a body, with the arms a little away from it. */
function bodyAtRest() {
  const unit = SHOULDERS_M;
  const middle = new Vector3(0, HEM * unit, 0);
  const [across, down] = [new Vector3(1, 0, 0), new Vector3(0, -1, 0)];
  const arm = (side) => {
    const joint = (outwards, below, forwards) =>
      middle.clone().addScaledVector(across, side * outwards * unit).addScaledVector(down, below * unit).setZ(forwards * unit);
    return { shoulder: joint(0.5, 0, 0), elbow: joint(0.72, 0.76, 0), wrist: joint(0.84, 1.42, 0.12), fingers: null };
  };
  return { unit, across, down, middle, left: arm(1), right: arm(-1), head: middle.clone().setY(middle.y + 0.6 * unit) };
}

/** A body of `readBody` upright, where `bodyAtRest` stands, with the usual shoulders: a picture tells no size. */
function inMetres(body) {
  const { across, down, middle } = body;
  const scale = SHOULDERS_M / body.unit;
  const up = down.clone().negate();
  const right = across.clone().addScaledVector(up, -across.dot(up)).normalize(); // hips may be askew
  const place = new Matrix4()
    .makeTranslation(0, HEM * SHOULDERS_M, 0)
    .multiply(new Matrix4().makeScale(scale, scale, scale))
    .multiply(new Matrix4().makeBasis(right, up, new Vector3(0, 0, 1)).transpose())
    .multiply(new Matrix4().makeTranslation(-middle.x, -middle.y, 0));
  const moved = (point) => point && point.clone().applyMatrix4(place);
  const arm = (joints) => Object.fromEntries(Object.entries(joints).map(([name, point]) => [name, moved(point)]));
  return {
    unit: SHOULDERS_M,
    across: new Vector3(1, 0, 0),
    down: new Vector3(0, -1, 0),
    middle: moved(middle),
    left: arm(body.left),
    right: arm(body.right),
    head: moved(body.head),
  };
}

/** Files keep opacity in the base colour, Three.js in a map of its own. */
function withOpacity({ alphaMap, ...maps }) {
  if (!alphaMap) return maps;
  const { width, height } = maps.map.image;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context.drawImage(alphaMap.image, 0, 0, width, height);
  const opacity = context.getImageData(0, 0, width, height).data;
  context.drawImage(maps.map.image, 0, 0);
  const colour = context.getImageData(0, 0, width, height);
  for (let at = 0; at < opacity.length; at += 4) colour.data[at + 3] = opacity[at + 1];
  context.putImageData(colour, 0, 0);
  const map = maps.map.clone();
  map.image = canvas;
  map.userData.mimeType = "image/png"; // a JPEG has no opacity
  return { ...maps, map };
}
