/** A drawn person from head to foot, for clothes that the sample portrait does not show. */

const [WIDTH, HEIGHT] = [720, 1080];
// Of MediaPipe's landmarks, in pixels. Its left is the picture's right.
const POINTS = {
  ...{ 0: [360, 132], 2: [374, 118], 5: [346, 118], 7: [398, 126], 8: [322, 126], 9: [372, 156], 10: [348, 156] },
  ...{ 11: [444, 262], 12: [276, 262], 13: [484, 400], 14: [236, 400], 15: [500, 526], 16: [220, 526] },
  ...{ 17: [510, 562], 18: [210, 562], 19: [500, 570], 20: [220, 570], 21: [488, 552], 22: [232, 552] },
  ...{ 23: [410, 520], 24: [310, 520], 25: [414, 756], 26: [306, 756], 27: [416, 976], 28: [304, 976] },
  ...{ 29: [414, 1000], 30: [306, 1000], 31: [430, 1024], 32: [290, 1024] },
};
const [SKIN, SHADE, HAIR, TOP, LEGGINGS] = ["#c99b7b", "#b0805f", "#3a2c25", "#8f9499", "#6c7178"];

/** A source as those of camera.js. */
export function openFigure() {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: WIDTH, height: HEIGHT });
  draw(canvas.getContext("2d"));
  return {
    kind: "figure",
    element: canvas,
    width: WIDTH,
    height: HEIGHT,
    moving: false,
    mirrored: false,
    landmarks: () => LANDMARKS,
    close() {},
  };
}

const LANDMARKS = Array.from({ length: 33 }, (_, index) => {
  const [x, y] = POINTS[index] ?? [0, 0];
  return { x: x / WIDTH, y: y / HEIGHT, z: 0, visibility: index in POINTS ? 0.99 : 0 };
});

function draw(context) {
  const wall = context.createLinearGradient(0, 0, 0, HEIGHT);
  wall.addColorStop(0, "#d9d4cc");
  wall.addColorStop(0.86, "#c2bcb2");
  wall.addColorStop(0.87, "#a59c90");
  wall.addColorStop(1, "#b3aa9d");
  context.fillStyle = wall;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  ellipse(context, [360, 1030], [150, 16], "rgb(60 50 40 / 0.25)");
  for (const [hip, knee, ankle, heel, toes] of [[23, 25, 27, 29, 31], [24, 26, 28, 30, 32]]) {
    limb(context, [hip, knee], 64, LEGGINGS);
    limb(context, [knee, ankle], 46, LEGGINGS);
    limb(context, [ankle, heel, toes], 32, "#3d3a38");
  }
  for (const [shoulder, elbow, wrist, fingers] of [[11, 13, 15, 19], [12, 14, 16, 20]]) {
    limb(context, [shoulder, elbow], 42, TOP);
    limb(context, [elbow, wrist], 34, TOP);
    limb(context, [wrist, fingers], 30, SKIN);
  }
  context.fillStyle = TOP;
  context.beginPath();
  context.moveTo(300, 236);
  context.bezierCurveTo(330, 252, 390, 252, 420, 236);
  context.bezierCurveTo(448, 244, 456, 256, 452, 300);
  context.bezierCurveTo(440, 380, 434, 420, 444, 540);
  context.lineTo(276, 540);
  context.bezierCurveTo(286, 420, 280, 380, 268, 300);
  context.bezierCurveTo(264, 256, 272, 244, 300, 236);
  context.fill();
  context.fillStyle = SHADE;
  context.fillRect(330, 180, 60, 66);
  ellipse(context, [360, 246], [38, 16], SHADE);
  ellipse(context, [360, 112], [62, 76], HAIR);
  ellipse(context, [360, 134], [50, 66], SKIN);
  for (const x of [344, 376]) ellipse(context, [x, 122], [5, 4], HAIR);
  ellipse(context, [360, 142], [6, 12], SHADE);
  ellipse(context, [360, 164], [16, 4], "#9c5f50");
  const light = context.createLinearGradient(0, 0, WIDTH, 0); // from the left
  light.addColorStop(0, "rgb(255 250 240 / 0.18)");
  light.addColorStop(1, "rgb(20 20 40 / 0.16)");
  context.fillStyle = light;
  context.fillRect(0, 0, WIDTH, HEIGHT);
}

function limb(context, numbers, width, colour) {
  context.strokeStyle = colour;
  Object.assign(context, { lineWidth: width, lineCap: "round", lineJoin: "round" });
  context.beginPath();
  for (const number of numbers) context.lineTo(...POINTS[number]);
  context.stroke();
}

function ellipse(context, [x, y], [across, down], colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.ellipse(x, y, across, down, 0, 0, 2 * Math.PI);
  context.fill();
}
