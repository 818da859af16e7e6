/**
 * The shaders of light_webgl.js, in GLSL. Crop space is 0 to 1 over the light's crop, frame space over the current frame.
 *
 * What is drawn over the frame is drawn in tiles, of which the empty ones are left out: software WebGL computes every
 * pixel on the processor, and most of a frame has no garment. Names in capitals are defined by light_webgl.js where they apply.
 */

/** A logarithm is stored as 0 to 1: `LOGS` is the largest one, that of light and detail together. */
export const LOGS = 2.1;
const LARGEST_DETAIL = Math.log(1.9); // this and NOISE as in pipeline/light/relighting.py
const NOISE = 0.02;

const VERSION = "#version 300 es\n";
const HEAD = `
precision highp float;
precision highp sampler2D;
out vec4 result;
`;

/** A whole target, `place` 0 to 1. */
export const WHOLE = `
out vec2 place;
void main() {
  place = vec2(gl_VertexID & 1, gl_VertexID >> 1);
  gl_Position = vec4(2.0 * place - 1.0, 0.0, 1.0);
}`;

/** The tiles of the frame in which there is a garment, six corners each; the others have no area. */
export const TILES = `
uniform highp sampler2D tiles;
uniform mat3 toTarget, toLayer, toCrop;    // frame → target, layer, crop
out vec2 place, inLayer, inCrop;           // of frame, layer and crop
void main() {
  int number = gl_VertexID / 6, corner = gl_VertexID % 6;
  if (corner > 2) corner = 6 - corner;     // 0 1 2, 3 2 1
  ivec2 size = textureSize(tiles, 0), tile = ivec2(number % size.x, number / size.x);
  place = vec2(tile + ivec2(corner & 1, corner >> 1)) / vec2(size);
  inLayer = (toLayer * vec3(place, 1.0)).xy;
  inCrop = (toCrop * vec3(place, 1.0)).xy;
  vec2 at = (toTarget * vec3(place, 1.0)).xy;
  gl_Position = texelFetch(tiles, tile, 0).r > 0.0 ? vec4(2.0 * at - 1.0, 0.0, 1.0) : vec4(2.0, 2.0, 0.0, 1.0);
}`;

/** The jacket: colours multiplied by coverage, and coverage. */
const GARMENT = `
uniform sampler2D layer, occlusion;
float shown(vec2 inCrop) {
#ifdef OCCLUDED
  return 1.0 - textureLod(occlusion, inCrop, 0.0).r;
#else
  return 1.0;
#endif
}
vec4 garment(vec2 at) {
#ifdef PLACED
  if (at != clamp(at, 0.0, 1.0)) return vec4(0.0);
#endif
  return textureLod(layer, at, 0.0);
}
`;

/** Whether there is any garment in a tile and a little around it, from six samples a side. */
export const COVERAGE = `${HEAD}${GARMENT}
in vec2 place;
uniform mat3 toLayer, toCrop;
uniform vec2 grid;                         // tiles across and down
void main() {
  vec2 step = 1.2 / (5.0 * grid), first = place - 0.6 / grid;
  vec2 inLayer = (toLayer * vec3(first, 1.0)).xy, inCrop = (toCrop * vec3(first, 1.0)).xy;
  mat2 layerStep = mat2(toLayer) * mat2(step.x, 0.0, 0.0, step.y), cropStep = mat2(toCrop) * mat2(step.x, 0.0, 0.0, step.y);
  float most = 0.0;
  for (int y = 0; y < 6; y++) for (int x = 0; x < 6; x++) {
    vec2 at = vec2(x, y);
    most = max(most, garment(inLayer + layerStep * at).a * shown(inCrop + cropStep * at));
  }
  result = vec4(most > 0.002 ? 1.0 : 0.0);
}`;

/** Enlarges the light's map along one axis, bicubically as OpenCV does. `scale` brings what is read to R, stored. */
export const ENLARGE = `${HEAD}
in vec2 place;
uniform sampler2D map;
uniform float scale;
uniform bool down;
vec4 weights(float t) {
  const float A = -0.75;
  vec4 d = vec4(1.0 + t, t, 1.0 - t, 2.0 - t), d2 = d * d;
  vec4 far = A * (d2 * d - 5.0 * d2 + 8.0 * d - 4.0), near = (A + 2.0) * d2 * d - (A + 3.0) * d2 + 1.0;
  return vec4(far.x, near.y, near.z, far.w);
}
void main() {
  ivec2 size = textureSize(map, 0), here = ivec2(gl_FragCoord.xy);
  float at = down ? place.y * float(size.y) - 0.5 : place.x * float(size.x) - 0.5, start = floor(at);
  vec4 weight = weights(at - start);
  vec3 sum = vec3(0.0);
  for (int tap = 0; tap < 4; tap++) {
    int along = clamp(int(start) + tap - 1, 0, (down ? size.y : size.x) - 1);
    sum += weight[tap] * texelFetch(map, down ? ivec2(here.x, along) : ivec2(along, here.y), 0).rgb;
  }
  result = vec4((sum - 0.5) * scale + 0.5, 1.0);
}`;

/** What is shown of two lights, in the crop space of the one that follows them. */
export const KEEP = `${HEAD}
in vec2 place;
uniform sampler2D earlier, newest;
uniform mat3 toBefore;                     // crop space of the next light → that of these two
uniform float share;
void main() {
  vec2 at = (toBefore * vec3(place, 1.0)).xy;
  result = vec4(mix(textureLod(earlier, at, 0.0).rgb, textureLod(newest, at, 0.0).rgb, share), 1.0);
}`;

/**
 * The brightness of the jacket that is drawn now, times its coverage, and its coverage, over the crop. Both are averaged
 * as the server shrinks pictures: `across` and `down` are the distances in the layer of two averages of 1, 2, 4 … pixels.
 */
export const BRIGHTNESS = `${HEAD}${GARMENT}
in vec2 place, inCrop;
uniform vec2 corner, perStep;              // the crop's first pixel, and how many averages make the frame
uniform vec2 origin, across, down;         // in the layer
uniform float floorLevel;
void main() {
  vec2 cell = (place - corner) * perStep - 0.5, first = floor(cell), part = cell - first;
  vec2 at = origin + first.x * across + first.y * down;
  vec4 upper = mix(garment(at), garment(at + across), part.x);
  vec4 lower = mix(garment(at + down), garment(at + across + down), part.x);
  vec4 jacket = mix(upper, lower, part.y) * shown(inCrop);
  float level = dot(jacket.rgb, vec3(0.299, 0.587, 0.114)) + floorLevel * jacket.a;
  result = vec4(level / (1.0 + floorLevel), jacket.a, 0.0, 1.0);
}`;

/** Their means over blocks, by samples of four of them. */
export const BLOCKS = `${HEAD}
uniform sampler2D brightness;
uniform int block;
void main() {
  vec2 first = floor(gl_FragCoord.xy) * float(block), size = vec2(textureSize(brightness, 0)), sum = vec2(0.0);
  int taps = (block + 1) / 2;
  for (int y = 0; y < taps; y++) for (int x = 0; x < taps; x++) {
    vec2 at = (vec2(x, y) + 0.5) * float(block) / float(taps);
    sum += textureLod(brightness, (first + at) / size, 0.0).rg;
  }
  result = vec4(sum / float(taps * taps), 0.0, 1.0);
}`;

/** Their Gaussian mean along one axis, and after the second one over the garment: the brightness that folds differ from. */
export const MEAN = `${HEAD}
uniform sampler2D blocks;
uniform float sigma;                       // in blocks
uniform bool down;
void main() {
  ivec2 size = textureSize(blocks, 0), here = ivec2(gl_FragCoord.xy);
  vec2 sum = vec2(0.0);
  float all = 0.0;
  for (int tap = -5; tap <= 5; tap++) {
    ivec2 at = clamp(here + (down ? ivec2(0, tap) : ivec2(tap, 0)), ivec2(0), size - 1);
    float weight = exp(-float(tap * tap) / (2.0 * sigma * sigma));
    sum += weight * texelFetch(blocks, at, 0).rg;
    all += weight;
  }
  result = down ? vec4(sum.r / max(sum.g, 1e-5), 0.0, 0.0, 1.0) : vec4(sum / all, 0.0, 1.0);
}`;

/** R + (γ − 1) · T, stored. */
export const LIT = `${HEAD}
in vec2 place, inCrop;
uniform sampler2D earlier, newest, brightness, mean;
uniform float share, gain, least;          // least: what the floor alone is in \`mean\`
uniform vec2 inMean;                       // crop → mean
void main() {
  vec3 light = textureLod(newest, inCrop, 0.0).rgb;
#ifdef EASING
  light = mix(textureLod(earlier, inCrop, 0.0).rgb, light, share);
#endif
  vec2 here = texelFetch(brightness, ivec2(gl_FragCoord.xy), 0).rg;
  float around = max(textureLod(mean, inCrop * inMean, 0.0).r, least);
  float detail = log(max(here.r, 1e-4) / (max(here.g, 1e-3) * around));
  float energy = detail * detail;
  detail *= (gain - 1.0) * energy / (energy + ${NOISE * NOISE});
  result = vec4(light + clamp(detail, -${LARGEST_DETAIL}, ${LARGEST_DETAIL}) / ${2 * LOGS}, 1.0);
}`;

/**
 * C + m · (C + floor) · (exp(R + (γ − 1) · T) − 1), to be laid over the frame: C holds the frame where the jacket is
 * transparent, and the frame is not known here, so its factor there is the mean of the three colours'.
 *
 * SOFT: two samples on a diagonal, `soft` from the middle; FINE: four around it.
 */
export const JACKET = `${HEAD}${GARMENT}
in vec2 place, inLayer, inCrop;
uniform sampler2D lit;
uniform float floorLevel;
uniform vec2 soft;
vec3 change(vec3 stored) {                 // exp(x) − 1 by (1 + x / 8 + …)^8, a third of the time of exp
  vec3 x = (stored - 0.5) * ${(2 * LOGS) / 8};
  vec3 power = 1.0 + x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x / 24.0)));
  power *= power;
  power *= power;
  return power * power - 1.0;
}
void main() {
#if defined(SOFT)
  vec4 jacket = 0.5 * (garment(inLayer + soft) + garment(inLayer - soft));
#elif defined(FINE)
  vec2 other = vec2(soft.x, -soft.y);
  vec4 jacket = 0.25 * (garment(inLayer + soft) + garment(inLayer - soft) + garment(inLayer + other) + garment(inLayer - other));
#else
  vec4 jacket = garment(inLayer);
#endif
  jacket *= shown(inCrop);
#ifdef LIGHT
  vec3 more = change(textureLod(lit, inCrop, 0.0).rgb);
  jacket.rgb += jacket.a * (jacket.rgb + floorLevel) * more;
  jacket.a = 1.0 - (1.0 - jacket.a) * max(0.0, 1.0 + jacket.a * dot(more, vec3(1.0 / 3.0)));
#endif
  result = jacket;
}`;

/** A shader's text with what it has to define, first of all its version. */
export const defined = (source, names) => VERSION + names.map((name) => `#define ${name}\n`).join("") + source;
