/** Encodes keyframes and decodes answers: JSON with pictures in base64, or MessagePack with raw bytes. */

const ANSWERED = { image: "image/jpeg", light: "image/webp", occlusion: "image/webp" };
const PICTURES = ["camera_frame", "jacket_render", "garment_image", "mask"];

async function withPictures(message, convert) {
  const converted = { ...message };
  for (const name of PICTURES) {
    if (message[name] instanceof Blob) converted[name] = await convert(message[name]);
  }
  if (message.garments) {
    converted.garments = await Promise.all(message.garments.map((garment) => withPictures(garment, convert)));
  }
  return converted;
}

function dataUri(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

function fromDataUri(uri) {
  const bytes = atob(uri.slice(uri.indexOf(",") + 1));
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0));
}

/** The answer with its pictures as Blobs. */
function withBlobs(message, read) {
  const converted = { ...message };
  for (const [name, type] of Object.entries(ANSWERED)) {
    if (message[name]) converted[name] = new Blob([read(message[name])], { type });
  }
  return converted;
}

const json = {
  subprotocol: "lucy.json.v1",

  async encode(message) {
    return JSON.stringify(await withPictures(message, dataUri));
  },

  async decode(text) {
    return withBlobs(JSON.parse(text), fromDataUri);
  },
};

const msgpack = {
  subprotocol: "lucy.msgpack.v1",

  async encode(message) {
    const { encode } = await import("./vendor/msgpack/encode.mjs");
    return encode(await withPictures(message, async (blob) => new Uint8Array(await blob.arrayBuffer())));
  },

  async decode(buffer) {
    const { decode } = await import("./vendor/msgpack/decode.mjs");
    return withBlobs(decode(buffer), (bytes) => bytes);
  },
};

export const CODECS = { json, msgpack };
