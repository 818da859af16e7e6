/** The shaders of light_webgl.js. Crop space is 0 to 1 over the light's crop, frame space over the current frame. */

/** A logarithm is stored as 0 to 1: `LOGS` is the largest one, that of light and detail together. */
export const LOGS = 2.1;
const LARGEST_DETAIL = Math.log(1.9); // this and NOISE as in pipeline/light/relighting.py
const NOISE = 0.02;

/**
 * A render is made as soft as a camera's picture (pipeline/garment/softness.py): four bilinear samples at so many
 * pixels from the middle are a Gaussian of 3×3 with a sigma of 0.475.
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
  if (any(lessThan(at, vec2(0.0))) || any(greaterThan(at, vec2(1.0)))) return vec4(0.0);
  return texture(layer, at) * (1.0 - hidden);
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
  result = vec4(mix(texture(earlier, at).rgb, texture(newest, at).rgb, share), 1.0);
}`;

/** The brightness of what is drawn now, and the jacket's coverage, over the crop, as the server shrinks pictures. */
export const BRIGHTNESS = `${HEAD}${GARMENT}
uniform mat3 toFrame;                      // crop → frame
uniform float halved;                      // 1, 2, 4 …: the frame's pixels that were averaged before
void main() {
  vec2 size = vec2(textureSize(frame, 0)), at = (toFrame * vec3(place, 1.0)).xy * size, corner = toFrame[2].xy * size;
  vec2 cell = (at - corner) / halved - 0.5, first = floor(cell), part = cell - first;
  float hidden = texture(occlusion, place).r;
  vec3 colour = vec3(0.0);
  float coverage = 0.0;
  for (int y = 0; y < 2; y++) for (int x = 0; x < 2; x++) {
    vec2 tap = (corner + (first + vec2(x, y) + 0.5) * halved) / size;
    vec4 jacket = garment(tap, hidden);
    float weight = (x == 0 ? 1.0 - part.x : part.x) * (y == 0 ? 1.0 - part.y : part.y);
    colour += weight * (jacket.rgb + (1.0 - jacket.a) * texture(frame, tap).rgb);
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
  vec3 light = (mix(texture(earlier, place).rgb, texture(newest, place).rgb, share) - 0.5) * ${2 * LOGS};
  float around = texture(mean, inMean).r * (1.0 + floorLevel);
  float detail = log((texture(brightness, place).r + floorLevel) / max(around, floorLevel));
  float energy = detail * detail;
  detail *= (gain - 1.0) * energy / (energy + ${NOISE * NOISE});
  result = vec4((light + clamp(detail, -${LARGEST_DETAIL}, ${LARGEST_DETAIL})) / ${2 * LOGS} + 0.5, 1.0);
}`;

/** C + m · (C + floor) · (exp(R + (γ − 1) · T) − 1), in frame space. The first row of a picture is its upper one. */
export const ANSWER = `${HEAD}${GARMENT}
uniform sampler2D lit;
uniform mat3 toCrop;                       // frame → crop
uniform float floorLevel;
uniform vec2 soft, fine;                   // see SOFT; pixels of the frame, or 0
uniform bool known;
void main() {
  vec2 at = vec2(place.x, 1.0 - place.y);
  vec3 colour = texture(frame, at).rgb;
  vec4 jacket = garment(at + soft, 0.0);
  if (jacket.a > 0.0) {                    // most of a frame is not jacket, and costs nothing more
    vec2 inCrop = (toCrop * vec3(at, 1.0)).xy;
    if (fine.x > 0.0) {                    // a canvas of another size: the Gaussian's own nine samples
      jacket = vec4(0.0);
      for (int y = -1; y <= 1; y++) for (int x = -1; x <= 1; x++) {
        float weight = (x == 0 ? ${MIDDLE} : ${SIDES}) * (y == 0 ? ${MIDDLE} : ${SIDES});
        jacket += weight * garment(at + vec2(x, y) * fine, 0.0);
      }
    } else if (soft.x > 0.0) {
      vec2 other = vec2(soft.x, -soft.y);
      jacket = 0.25 * (jacket + garment(at - soft, 0.0) + garment(at + other, 0.0) + garment(at - other, 0.0));
    }
    jacket *= 1.0 - texture(occlusion, inCrop).r;
    colour = jacket.rgb + (1.0 - jacket.a) * colour;
    vec3 change = exp((texture(lit, inCrop).rgb - 0.5) * ${2 * LOGS}) - 1.0;
    if (known) colour += jacket.a * (colour + floorLevel) * change;
  }
  result = vec4(colour, 1.0);
}`;
