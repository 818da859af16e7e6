/** Types of client.js. */

export interface Landmark {
  x: number;
  y: number;
  z?: number;
  visibility?: number;
}

export interface Pose {
  landmarks: Landmark[] | null;
}

export type RenderFit = "auto" | "stretch" | "contain" | "cover" | "body";

export type Category = "tops" | "bottoms" | "one-pieces" | "auto";

/** One of several garments; by default the layer is its place in the list. */
export interface Garment {
  jacket_render?: Blob | null;
  garment_image?: Blob | null;
  fabric_id?: string | null;
  category?: Category;
  /** A garment lies over those with a lower one. */
  layer?: number;
}

/** In millimetres, by the pose; null for what the picture does not show. */
export interface Measurements {
  basis: "body" | "trunk";
  shoulder_width: number;
  torso: number | null;
  hip_width: number | null;
  sleeve: number | null;
  leg: number | null;
}

export interface GarmentReport {
  layer: number;
  painted: boolean;
  reason: string | null;
  category: Category | null;
  /** How much of it is seen under the others and beside head and hands, 0 to 1; null where it is not known. */
  visible_share: number | null;
  /** The places in the list of those that lie over it. */
  hidden_by: number[];
}

interface Options {
  /** Up to four, in place of jacket_render, garment_image and mask. */
  garments?: Garment[];
  /** A photo of the garment, for checkpoints that take one; it may stand in for the render. */
  garment_image?: Blob | null;
  category?: Category;
  /** White where the garment is: over the render's canvas, or over the frame without a render. */
  mask?: Blob;
  pose?: Pose | null;
  fabric_id?: string | null;
  render_fit?: RenderFit;
  seed?: number;
  steps?: number;
  strength?: number;
  guidance_scale?: number;
}

export interface Keyframe extends Options {
  camera_frame: Blob;
  jacket_render?: Blob | null;
  session_id?: string;
  quality?: "low" | "medium" | "high";
  answer?: "picture" | "light";
  timestamp?: unknown;
}

export interface Latency {
  queue?: number;
  preprocess?: number;
  denoise?: number;
  postprocess?: number;
  total?: number;
}

interface Report {
  mode: "ai_enhanced" | "fallback";
  mode_reason: string | null;
  seed: number | null;
  steps: number | null;
  mask_source: string | null;
  category: Category | null;
  alignment: Record<string, unknown> | null;
  garments: GarmentReport[] | null;
  /** Of a capture with `physical_height_mm`; rough. */
  measurements: Measurements | null;
  latency_ms: Latency;
  request_id: string;
}

interface KeyframeAnswer extends Report {
  frame_id: number;
  timestamp: unknown;
  reused: boolean;
  detail: string | null;
  /** From sending to receiving; null if the connection was lost in between. */
  round_trip_ms: number | null;
  /** The keyframe's, by which a compositor knows whose light it is. */
  fabric_id?: string | null;
}

export interface KeyframePicture extends KeyframeAnswer {
  answer: "picture";
  /** A JPEG of the camera frame's size. */
  image: Blob;
}

/** Places are shares of the frame's width and height; docs/websocket.md has the formula. */
export interface KeyframeLight extends KeyframeAnswer {
  answer: "light";
  /** WebP; null in a fallback, as are the others then. */
  light: Blob | null;
  occlusion: Blob | null;
  crop: [number, number, number, number] | null;
  anchor: [[number, number], [number, number]] | null;
  layer_matrix: [number, number, number, number, number, number] | null;
  light_coding: { range: number; floor: number; sigma: number; detail_gain: number } | null;
}

export type KeyframeResult = KeyframePicture | KeyframeLight;

type Drawable = HTMLVideoElement | HTMLCanvasElement | HTMLImageElement | OffscreenCanvas | ImageBitmap;

/** Small copies of what is drawn, for a keyframe that asks for a light. */
export function lightKeyframe(
  frame: Drawable,
  layer: Drawable,
  side?: number,
): Promise<{ answer: "light"; camera_frame: Blob; jacket_render: Blob }>;

/** Lays the newest light on the live jacket, at the display's own rate. */
export class LightCompositor {
  /** `over: true`: the canvas lies over the page's own video and holds the garment alone. */
  constructor(canvas: HTMLCanvasElement, options?: { over?: boolean; webgl?: boolean; clock?: () => number });
  readonly canvas: HTMLCanvasElement;
  readonly kind: "webgl2" | "2d";
  readonly lit: boolean;
  readonly settled: boolean;
  /** Resolves with whether the answer brought a newer light. */
  take(result: KeyframeResult): Promise<boolean>;
  clear(): void;
  /** `fresh: false` if the layer is as at the last draw. Returns whether the canvas has changed. */
  draw(now: {
    frame: Drawable;
    layer?: Drawable | null;
    landmarks?: Landmark[] | null;
    fresh?: boolean;
    /** With another fabric the light is forgotten, until that fabric's own light comes. */
    fabric_id?: string | null;
  }): boolean;
}

export type SessionState = "connecting" | "open" | "waiting" | "closed";

export interface SessionListeners {
  protocol?: "json" | "msgpack";
  onResult?: (result: KeyframeResult) => void;
  /** `retryInMs` is set in state "waiting". */
  onState?: (state: SessionState, details: { retryInMs: number | null }) => void;
  /** An error of one keyframe, or the reason why there is no connection. Without a `code` it is the page's own. */
  onError?: (error: Error & { code?: string }) => void;
}

export interface LiveSession {
  readonly state: SessionState;
  readonly sent: number;
  readonly answered: number;
  readonly dropped: number;
  readonly waiting: boolean;
  send(keyframe: Keyframe): void;
  close(): void;
}

export interface CaptureRequest extends Options {
  user_image: Blob;
  jacket_render?: Blob | null;
  num_samples?: 1 | 2 | 3 | 4;
  output_format?: "png" | "jpeg";
  /** The person's height, for `measurements`. */
  physical_height_mm?: number;
  /** `light`: for a preview that the client composes. */
  answer?: "picture" | "light";
}

export interface CaptureProgress {
  step: number;
  steps: number;
  /** A small JPEG as a data URI, every few steps. */
  preview: string | null;
}

interface CaptureAnswer extends Report {
  result_id: string;
  timestamp: string;
  images: { url: string; seed: number | null }[];
  expires_at: string;
}

export interface CaptureResult extends CaptureAnswer {
  answer: "picture";
  /** A data URI of the first sample. */
  result_image: string;
}

/** As a keyframe's light, with data URIs. `images` are the samples' lights. */
export interface CaptureLight
  extends CaptureAnswer, Pick<KeyframeLight, "crop" | "anchor" | "layer_matrix" | "light_coding"> {
  answer: "light";
  light: string | null;
  occlusion: string | null;
}

export interface Fabric {
  id: string;
  name: string;
  diffuseUrl: string;
  normalUrl: string;
  roughnessUrl: string;
  aoUrl?: string;
  heightUrl?: string;
  ormUrl?: string;
  alphaUrl?: string;
  thumbnail: string;
  roughness: number;
  metalness: number;
  description?: string;
  tags?: string[];
  tile_width_mm?: number;
  /** The tile's width by its height on the cloth. */
  tile_aspect: number;
  /** The tile's width and height on the cloth. */
  repeat_mm?: [number, number] | null;
  fabric_class: string;
  weight_gsm: number;
  thickness_mm: number;
  /** Per cent under 98 N/m, lengthwise and crosswise. */
  stretch_warp: number;
  stretch_weft: number;
  /** Bending rigidity in µN·m. */
  bend: number;
  /** Lowest and highest value of the class. */
  drape_ranges: Record<string, [number, number]>;
  material?: Record<string, unknown>;
  quality?: Record<string, unknown>;
}

export interface ScanOptions {
  name?: string;
  corners?: [number, number][];
  fabric_class?: string;
  size?: number;
  physical_width_mm?: number;
  /** The colour of white paper or a grey card in the photo's light, 1 to 255. */
  white_point?: [number, number, number];
  /** A second photo of the same cloth from the same place, with the phone's flash. */
  image_flash?: Blob;
  format?: "jpeg" | "png";
}

/** How the cloth's pattern repeats along one axis of the tile. */
export interface ScanRepeat {
  period_px: number;
  period_mm: number | null;
  confidence: number;
}

/** What was measured; places are [x, y] as shares of the upright photo's width and height. */
export interface ScanQuality {
  sharpness: number;
  contrast: number;
  brightness: number;
  clipped: number;
  evenness: number;
  light_unevenness: number;
  flatness: number;
  wrap_ratio: number;
  repeat_x: ScanRepeat | null;
  repeat_y: ScanRepeat | null;
  rotation_degrees: number;
  /** The swatch's corners, as `corners` takes them; null if the cloth fills the photo. */
  outline: [number, number][] | null;
  outline_confidence: number;
  white_point: [number, number, number] | null;
  flash: number | null;
  /** Of the piece of cloth that became the tile. */
  tile_corners: [number, number][];
  tile_width_mm: number | null;
  tile_aspect: number;
  roughness_seen: number | null;
  advice: string[];
}

export interface ScanResult extends Omit<Fabric, "id" | "description" | "tags" | "tile_width_mm" | "quality"> {
  fabric_id: string;
  detail?: string | null;
  material: Record<string, unknown>;
  quality: ScanQuality;
}

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export interface Health {
  status: "healthy" | "degraded";
  timestamp: string;
  ai_model_loaded: boolean;
  ai_model_loading: boolean;
  ai_model_error: string | null;
  fabric_processor_ready: boolean;
  device: string;
  active_connections: number;
  model: {
    checkpoint: string;
    profile: string;
    precision: string;
    loras: string[];
    family: string;
    licence: { name: string; commercial: boolean | null; note: string } | null;
    /** What stands in for a part that the server does not have, in words. */
    stand_ins: string[];
  } | null;
}

export class LucyError extends Error {
  code: string;
  status: number | null;
  retryAfter: number | null;
  requestId: string | null;
}

export class LucyClient {
  constructor(options?: { baseUrl?: string; apiKey?: string | null });
  readonly baseUrl: string;
  apiKey: string | null;
  connect(listeners?: SessionListeners): LiveSession;
  capture(
    request: CaptureRequest & { answer: "light" },
    options?: { onProgress?: (progress: CaptureProgress) => void; signal?: AbortSignal },
  ): Promise<CaptureResult | CaptureLight>;
  capture(
    request: CaptureRequest,
    options?: { onProgress?: (progress: CaptureProgress) => void; signal?: AbortSignal },
  ): Promise<CaptureResult>;
  catalog(filter?: { tag?: string; q?: string }): Promise<Fabric[]>;
  fabric(id: string): Promise<Fabric>;
  scan(photo: Blob, options?: ScanOptions, request?: { signal?: AbortSignal }): Promise<ScanResult>;
  saveFabric(photo: Blob, options?: ScanOptions, request?: { signal?: AbortSignal }): Promise<ScanResult>;
  /** A fabric of the catalog as one file for other programs; its name is the server's. */
  fabricPack(id: string, format?: "gltf" | "usdz" | "mtlx" | "zip" | "blend-ready"): Promise<File>;
  changeFabric(fabric: Partial<Fabric> & { id: string }): Promise<Fabric>;
  deleteFabric(id: string): Promise<void>;
  health(): Promise<Health>;
  metrics(): Promise<Sample[]>;
}
