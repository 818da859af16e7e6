/* Composes one frame in the page, as a frontend would; returns what is shown, as a PNG's data URI. */
async ({ frame, layer, answers, landmarks, webgl, at, over }) => {
  const { LightCompositor } = await import("/studio/client.js");
  const blob = async (uri) => uri && (await fetch(uri)).blob();
  const drawn = async (uri) => {
    const bitmap = await createImageBitmap(await blob(uri));
    const canvas = Object.assign(document.createElement("canvas"), { width: bitmap.width, height: bitmap.height });
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    return canvas;
  };
  let now = 0;
  const compositor = new LightCompositor(document.createElement("canvas"), { webgl, over, clock: () => now });
  const show = async (shown) => {
    const below = await drawn(frame);
    compositor.draw({ frame: below, layer: layer && (await drawn(layer)), landmarks: shown });
    if (!over) return compositor.canvas;
    below.getContext("2d").drawImage(compositor.canvas, 0, 0); // as a page lays the canvas over its video
    return below;
  };
  await show(landmarks);
  for (const answer of answers) {
    now += 5000;
    await compositor.take({ ...answer, light: await blob(answer.light), occlusion: await blob(answer.occlusion) });
  }
  now += at ?? 5000;
  const shown = await show(landmarks);
  return { png: shown.toDataURL(), kind: compositor.kind, lit: compositor.lit };
}
