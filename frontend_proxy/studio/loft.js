/** Surfaces swept along a line: a tube of cross-sections, and a ribbon of two edges. */

import { BufferAttribute, BufferGeometry, Mesh, Vector3 } from "./vendor/three.module.js";

/**
 * A tube of `rows` rings with `columns` sides, open at both ends. It is created once and reshaped for every frame.
 * A ring begins and ends at the back, where its seam is hidden.
 */
export class Tube extends Mesh {
  constructor(rows, columns, material) {
    super(grid(rows, columns + 1), material);
    this.rows = rows;
    this.columns = columns;
    this.frustumCulled = false;
  }

  /**
   * @param {(row: number, angle: number) => { point: Vector3, u: number, v: number, shade: number }} at
   *   `row` goes from 0 to 1, `angle` from −π to π with 0 in front; u and v in metres of cloth, shade 0 to 1.
   */
  shape(at) {
    const { position, uv, color } = this.geometry.attributes;
    let index = 0;
    for (let row = 0; row < this.rows; row += 1) {
      for (let column = 0; column <= this.columns; column += 1, index += 1) {
        const { point, u, v, shade } = at(row / (this.rows - 1), (column / this.columns) * 2 * Math.PI - Math.PI);
        position.setXYZ(index, point.x, point.y, point.z);
        uv.setXY(index, u, v);
        color.setXYZ(index, shade, shade, shade);
      }
    }
    touch(this.geometry);
  }
}

/** A strip along a line, `width` pixels wide in the direction `across`. */
export class Ribbon extends Mesh {
  constructor(rows, material) {
    super(grid(rows, 2), material);
    this.rows = rows;
    this.frustumCulled = false;
  }

  /** @param {(row: number) => Vector3} at   @param length of the strip in its texture's own widths */
  shape(at, across, width, length) {
    const { position, uv, color } = this.geometry.attributes;
    const side = new Vector3();
    for (let row = 0; row < this.rows; row += 1) {
      const share = row / (this.rows - 1);
      const point = at(share);
      for (const edge of [0, 1]) {
        side.copy(point).addScaledVector(across, (edge - 0.5) * width);
        position.setXYZ(row * 2 + edge, side.x, side.y, side.z);
        uv.setXY(row * 2 + edge, edge, share * length);
        color.setXYZ(row * 2 + edge, 1, 1, 1);
      }
    }
    touch(this.geometry);
  }
}

function grid(rows, columns) {
  const geometry = new BufferGeometry();
  const count = rows * columns;
  for (const [name, size] of [["position", 3], ["normal", 3], ["uv", 2], ["color", 3]]) {
    geometry.setAttribute(name, new BufferAttribute(new Float32Array(count * size), size));
  }
  const index = [];
  for (let row = 0; row + 1 < rows; row += 1) {
    for (let column = 0; column + 1 < columns; column += 1) {
      const corner = row * columns + column;
      index.push(corner, corner + columns, corner + 1, corner + 1, corner + columns, corner + columns + 1);
    }
  }
  geometry.setIndex(index);
  return geometry;
}

function touch(geometry) {
  for (const attribute of Object.values(geometry.attributes)) attribute.needsUpdate = true;
  geometry.computeVertexNormals();
}
