/** The shaders of light_webgl.js. Crop space is 0 to 1 over the light's crop, frame space over the current frame. */

/** A logarithm is stored as 0 to 1: `LOGS` is the largest one, that of light and detail together. */
export const LOGS = 2.1;
const LARGEST_DETAIL = Math.log(1.9); // this and NOISE as in pipeline/light/relighting.py
const NOISE = 0.02;

/**
 * A render is made as soft as a camera's picture (pipeline/garment/softness.py): two bilinear samples on a
 * diagonal, so many pixels from the middle, are nearly a Gaussian of 3×3 with a sigma of 0.475.
 */
export const SOFT = 0.178;
const SIDES = SOFT / 2; // its weights
const MIDDLE = 1 - SOFT;

export const CORNERS = `#version 300 es
out vec2 place;
void main() {
  place = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  gl_Position = vec4(2.0 * place - 1.0, 0.0, 1.0);
}`;

const HEAD = `#version 300 es
precision highp float;
precision highp sampler2D;
in vec2 place;
out vec4 result;
`;

/** The jacket and how much it covers, in frame space: colours multiplied by coverage, and coverage. */
const GARMENT = `
uniform sampler2D frame, layer, occlusion;
uniform mat3 toLayer;                      // frame → layer
vec4 garment(vec2 inFrame, float hidden) {
  vec2 at = (toLayer * vec3(inFrame, 1.0)).xy;
  float inside = at == clamp(at, 0.0, 1.0) ? 1.0 - hidden : 0.0;
  return textureLod(layer, at, 0.0) * inside;
}
`;

/** Enlarges the light's map, bicubically as OpenCV does: R, stored. */
export const ENLARGE = `${HEAD}
uniform sampler2D map;
uniform float range;
vec4 weights(float t) {
  const float A = -0.75;
  vec4 d = vec4(1.0 + t, t, 1.0 - t, 2.0 - t), d2 = d * d;
  vec4 far = A * (d2 * d - 5.0 * d2 + 8.0 * d - 4.0), near = (A + 2.0) * d2 * d - (A + 3.0) * d2 + 1.0;
  return vec4(far.x, near.y, near.z, far.w);
}
void main() {
  ivec2 size = textureSize(map, 0);
  vec2 at = place * vec2(size) - 0.5, start = floor(at);
  vec4 across = weights(at.x - start.x), down = weights(at.y - start.y);
  vec3 sum = vec3(0.0);
  for (int y = 0; y < 4; y++) for (int x = 0; x < 4; x++) {
    ivec2 cell = clamp(ivec2(start) + ivec2(x - 1, y - 1), ivec2(0), size - 1);
    sum += across[x] * down[y] * texelFetch(map, cell, 0).rgb;
  }
  result = vec4((sum * 2.0 - 1.0) * range / ${2 * LOGS} + 0.5, 1.0);
}`;

/** What is shown of two lights, in the crop space of the one that follows them. */
export const KEEP = `${HEAD}
uniform sampler2D earlier, newest;
uniform mat3 toBefore;                     // crop space of the next light → that of these two
uniform float share;
void main() {
  vec2 at = (toBefore * vec3(place, 1.0)).xy;
  result = vec4(mix(textureLod(earlier, at, 0.0).rgb, textureLod(newest, at, 0.0).rgb, share), 1.0);
}`;

/** The brightness of what is drawn now, and the jacket's coverage, over the crop, as the server shrinks pictures. */
export const BRIGHTNESS = `${HEAD}${GARMENT}
uniform mat3 toFrame;                      // crop → frame
uniform float halved;                      // 1, 2, 4 …: the frame's pixels that were averaged before
void main() {
  vec2 size = vec2(textureSize(frame, 0)), at = (toFrame * vec3(place, 1.0)).xy * size, corner = toFrame[2].xy * size;
  vec2 cell = (at - corner) / halved - 0.5, first = floor(cell), part = cell - first;
  float hidden = textureLod(occlusion, place, 0.0).r;
  vec3 colour = vec3(0.0);
  float coverage = 0.0;
  for (int y = 0; y < 2; y++) for (int x = 0; x < 2; x++) {
    vec2 tap = (corner + (first + vec2(x, y) + 0.5) * halved) / size;
    vec4 jacket = garment(tap, hidden);
    float weight = (x == 0 ? 1.0 - part.x : part.x) * (y == 0 ? 1.0 - part.y : part.y);
    colour += weight * (jacket.rgb + (1.0 - jacket.a) * textureLod(frame, tap, 0.0).rgb);
    coverage += weight * jacket.a;
  }
  result = vec4(dot(colour, vec3(0.299, 0.587, 0.114)), coverage, 0.0, 1.0);
}`;

/** Sums of brightness · coverage, and of coverage, over blocks. */
export const BLOCKS = `${HEAD}
uniform sampler2D brightness;
uniform int block;
uniform float floorLevel;
void main() {
  ivec2 first = ivec2(gl_FragCoord.xy) * block;
  vec2 sum = vec2(0.0);
  for (int y = 0; y < block; y++) for (int x = 0; x < block; x++) {
    vec2 it = texelFetch(brightness, first + ivec2(x, y), 0).rg;
    sum += vec2((it.r + floorLevel) * it.g, it.g);
  }
  result = vec4(sum / float(block * block) / vec2(1.0 + floorLevel, 1.0), 0.0, 1.0);
}`;

/** Their Gaussian mean over the garment: the brightness that folds differ from. */
export const MEAN = `${HEAD}
uniform sampler2D blocks;
uniform float sigma, floorLevel;           // sigma in blocks
void main() {
  ivec2 size = textureSize(blocks, 0), here = ivec2(gl_FragCoord.xy);
  vec2 sum = vec2(0.0);
  for (int y = -6; y <= 6; y++) for (int x = -6; x <= 6; x++) {
    ivec2 at = clamp(here + ivec2(x, y), ivec2(0), size - 1);
    sum += exp(-float(x * x + y * y) / (2.0 * sigma * sigma)) * texelFetch(blocks, at, 0).rg;
  }
  result = vec4(sum.r / max(sum.g, 1e-5), 0.0, 0.0, 1.0);
}`;

/** R + (γ − 1) · T, stored. */
export const LIT = `${HEAD}
uniform sampler2D earlier, newest, brightness, mean;
uniform float share, gain, floorLevel;
uniform int block;
void main() {
  vec2 inMean = place * vec2(textureSize(brightness, 0)) / vec2(textureSize(mean, 0) * block);
  vec3 light = (mix(textureLod(earlier, place, 0.0).rgb, textureLod(newest, place, 0.0).rgb, share) - 0.5) * ${2 * LOGS};
  float around = textureLod(mean, inMean, 0.0).r * (1.0 + floorLevel);
  float detail = log((textureLod(brightness, place, 0.0).r + floorLevel) / max(around, floorLevel));
  float energy = detail * detail;
  detail *= (gain - 1.0) * energy / (energy + ${NOISE * NOISE});
  result = vec4((light + clamp(detail, -${LARGEST_DETAIL}, ${LARGEST_DETAIL})) / ${2 * LOGS} + 0.5, 1.0);
}`;

/** C + m · (C + floor) · (exp(R + (γ − 1) · T) − 1), in frame space. The first row of a picture is its upper one. */
const answer = (softened) => `${HEAD}${GARMENT}
uniform sampler2D lit;
uniform mat3 toCrop;                       // frame → crop
uniform float floorLevel;
uniform vec2 soft;                         // see SOFT; of a canvas of another size, a pixel of the frame
void main() {
  vec2 at = vec2(place.x, 1.0 - place.y);
  vec3 colour = textureLod(frame, at, 0.0).rgb;
  vec4 jacket = ${softened};
  vec2 inCrop = (toCrop * vec3(at, 1.0)).xy;
  jacket *= 1.0 - textureLod(occlusion, inCrop, 0.0).r;
  colour = jacket.rgb + (1.0 - jacket.a) * colour;
  vec3 change = exp((textureLod(lit, inCrop, 0.0).rgb - 0.5) * ${2 * LOGS}) - 1.0;
  colour += jacket.a * (colour + floorLevel) * change;
  result = vec4(colour, 1.0);
}`;

/** The jacket as it is, as soft as a camera's picture, and softened by the Gaussian's own nine samples. */
export const ANSWER = answer("garment(at, 0.0)");
export const ANSWER_SOFT = answer("0.5 * (textureLod(layer, at + soft, 0.0) + textureLod(layer, at - soft, 0.0))");
export const ANSWER_FINE = answer(
  [-1, 0, 1]
    .flatMap((y) => [-1, 0, 1].map((x) => [x, y, (x ? SIDES : MIDDLE) * (y ? SIDES : MIDDLE)]))
    .map(([x, y, weight]) => `${weight.toFixed(6)} * garment(at + vec2(${x}.0, ${y}.0) * soft, 0.0)`)
    .join(" + "),
);

/** The plain render over the frame: where no light is. */
const plain = (jacket) => `${HEAD}${GARMENT}
void main() {
  vec2 at = vec2(place.x, 1.0 - place.y);
  vec4 jacket = ${jacket};
  result = vec4(jacket.rgb + (1.0 - jacket.a) * textureLod(frame, at, 0.0).rgb, 1.0);
}`;
export const PLAIN = plain("garment(at, 0.0)");
export const PLAIN_EQUAL = plain("textureLod(layer, at, 0.0)");
