/* Draws frames of a moving jacket as a frontend would; __main__.py measures. */
async ({ frame, layer, answer }) => {
  const { LightCompositor } = await import("/studio/client.js");
  const blob = async (uri) => (await fetch(uri)).blob();
  const [still, jacket] = [await createImageBitmap(await blob(frame)), await createImageBitmap(await blob(layer))];
  const { width, height } = still;
  const canvas = () => Object.assign(document.createElement("canvas"), { width, height });
  const FRAME_MS = 1000 / 30;

  /** A canvas of the page, in which the video or the jacket moves a little with each frame. */
  const moving = (picture, opaque) => {
    const it = canvas();
    const context = it.getContext("2d");
    const paint = (number) => {
      if (!opaque) context.clearRect(0, 0, width, height);
      context.drawImage(picture, 4 * Math.sin(number / 5), 0, width, height);
    };
    return { it, paint };
  };

  let now = 0;
  let number = 0;
  const video = moving(still, true);
  const garment = moving(jacket, !!answer.occlusion);
  const shown = canvas();
  document.body.append(shown);
  let compositor = null;

  window.begin = async ({ over, webgl }) => {
    compositor = new LightCompositor(shown, { over, webgl: webgl ?? undefined, clock: () => now });
    for (const it of [video, garment]) it.paint(0);
    compositor.draw({ frame: video.it, layer: garment.it });
    const occlusion = answer.occlusion && (await blob(answer.occlusion));
    await compositor.take({ ...answer, light: await blob(answer.light), occlusion });
    now += 5000;
    const gl = canvas().getContext("webgl2");
    const info = gl?.getExtension("WEBGL_debug_renderer_info");
    return { kind: compositor.kind, renderer: info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : "no WebGL 2" };
  };

  /** Milliseconds of each frame until its pixels are there; or with `draw` false, what the page's own drawing takes. */
  window.frames = async (count, { draw = true, fresh = true }) => {
    const times = [];
    for (let frame = 0; frame < count; frame += 1) {
      number += 1;
      now += FRAME_MS;
      video.paint(number);
      if (fresh) garment.paint(number);
      await new Promise(requestAnimationFrame);
      const began = performance.now();
      if (draw) {
        compositor.draw({ frame: video.it, layer: garment.it, fresh });
        finish();
      }
      times.push(performance.now() - began);
    }
    return times;
  };

  const pixel = new Uint8Array(4);
  const small = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  /** Waits until the canvas is drawn. */
  function finish() {
    const gl = compositor.canvas.getContext("webgl2"); // null for a 2D canvas
    if (gl) gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
    else {
      small.drawImage(compositor.canvas, 0, 0);
      small.getImageData(0, 0, 1, 1);
    }
  }
}
