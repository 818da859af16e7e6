/** The jacket in a fabric as a file for other programs: standing by itself, life-size, its front towards +Z. */

import { loadMaps } from "./cloth.js";
import { tilesInMetre } from "./jacket.js";
import { HEM, creasing } from "./pattern.js";
import { SewnJacket } from "./sewn_jacket.js";
import { BufferAttribute, FrontSide, Mesh, Scene, Vector3 } from "./vendor/three.module.js";
import { GLTFExporter } from "./vendor/three/exporters/GLTFExporter.js";
import { USDZExporter } from "./vendor/three/exporters/USDZExporter.js";

const SHOULDERS_M = 0.36;
const TYPES = { glb: "model/gltf-binary", usdz: "model/vnd.usdz+zip" };

/** A File of `format` "glb" or "usdz". */
export async function jacketFile(fabric, format) {
  const maps = await loadMaps(fabric, tilesInMetre(fabric));
  try {
    const scene = standing(fabric, maps);
    scene.traverse((piece) => piece.isMesh && (format === "glb" ? forGltf(piece) : forUsd(piece)));
    const data =
      format === "glb"
        ? await new GLTFExporter().parseAsync(scene, { binary: true, maxTextureSize: 2048 })
        : await new USDZExporter().parseAsync(scene, { maxTextureSize: 1024, quickLookCompatible: true });
    return new File([data], `${fabric.id}-jacket.${format}`, { type: TYPES[format] });
  } finally {
    for (const texture of Object.values(maps)) texture.dispose();
  }
}

/** A scene with the visible pieces of the jacket, in metres, its hem on the ground. */
function standing(fabric, maps) {
  const jacket = new SewnJacket();
  for (const name of ["map", "roughnessMap", "aoMap"]) {
    if (maps[name]) maps[name].userData.mimeType = "image/jpeg"; // PNG would be five times as long
  }
  jacket.dress(fabric, withOpacity(maps));
  jacket.fit({ ...bodyAtRest(), creasing: creasing(fabric) });
  jacket.remove(...jacket.unseen);
  const scene = new Scene();
  scene.name = "Jacket";
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
