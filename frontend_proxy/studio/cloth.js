/** A Three.js material from a fabric of the catalog or from a scan's answer. */

import { Color, RepeatWrapping, SRGBColorSpace, TextureLoader, Vector2 } from "./vendor/three.module.js";

const MAPS = {
  map: "diffuseUrl",
  normalMap: "normalUrl",
  roughnessMap: "roughnessUrl",
  aoMap: "aoUrl",
  alphaMap: "alphaUrl",
};
// What a fabric's `material` leaves out: the previous fabric's value must not stay.
const PLAIN = {
  alphaTest: 0,
  transparent: false,
  sheen: 0,
  specularIntensity: 1,
  anisotropy: 0,
  anisotropyRotation: 0,
  clearcoat: 0,
  clearcoatRoughness: 0,
};
const loader = new TextureLoader();

/**
 * The fabric's maps as repeating textures; `tiles` of them fit into a texture coordinate of 1. A tile that is not
 * square on the cloth repeats more or less often downwards.
 */
export async function loadMaps(fabric, tiles) {
  const names = Object.keys(MAPS).filter((name) => fabric[MAPS[name]]);
  const textures = await Promise.all(names.map((name) => loader.loadAsync(fabric[MAPS[name]])));
  for (const texture of textures) {
    texture.wrapS = texture.wrapT = RepeatWrapping;
    const [across, down] = fabric.material?.repeat ?? [1, 1];
    texture.repeat.set(tiles * across, tiles * down);
    texture.anisotropy = 4;
  }
  const maps = Object.fromEntries(names.map((name, index) => [name, textures[index]]));
  maps.map.colorSpace = SRGBColorSpace;
  return maps;
}

/** Gives a MeshPhysicalMaterial the fabric's maps and finish. The caller disposes of its previous maps. */
export function dress(material, { roughness, metalness, material: finish = {} }, maps) {
  for (const name of Object.keys(MAPS)) material[name] = maps[name] ?? null;
  const { normalScale = [1, 1], sheenColor = [1, 1, 1], repeat: _, ...numbers } = finish; // loadMaps repeats
  material.setValues({ ...PLAIN, roughness, metalness, ...numbers });
  material.normalScale = new Vector2(...normalScale);
  material.sheenColor = new Color(...sheenColor); // linear
  material.needsUpdate = true;
}
