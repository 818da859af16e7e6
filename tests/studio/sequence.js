/* Draws, takes answers and lets time pass, as the steps say; returns the middle pixel's first colour after each drawing. */
async ({ frame, layer, steps, webgl }) => {
  const { LightCompositor } = await import("/studio/client.js");
  const blob = async (uri) => (await fetch(uri)).blob();
  const drawn = async (uri, width, height) => {
    const bitmap = await createImageBitmap(await blob(uri));
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: width ?? bitmap.width, height: height ?? bitmap.height });
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return canvas;
  };
  let now = 0;
  const compositor = new LightCompositor(document.createElement("canvas"), { webgl, clock: () => now });
  const seen = [];
  for (const { take, wait = 0, draw } of steps) {
    now += wait;
    if (take) await compositor.take({ ...take, light: await blob(take.light) });
    if (!draw) continue;
    const { width, height, ...more } = draw;
    compositor.draw({ frame: await drawn(frame, width, height), layer: await drawn(layer, width, height), ...more });
    const { canvas } = compositor;
    const [level] = canvas.getContext("2d").getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data;
    seen.push({ level, lit: compositor.lit, size: [canvas.width, canvas.height] });
  }
  return seen;
}
