/** Why an answer did without the model, in words: `mode_reason` of docs/websocket.md. */

const WHY = {
  fewer_steps: "fewer steps, because the server is busy",
  no_garment: "no jacket in the render",
  unusable_render: "the render could not be read",
  needs_render: "this checkpoint puts on the jacket's render and cannot use a photo of a garment",
  no_region: "the pose does not show the part of the body that the garment covers",
  model_unavailable: "the model is not available",
  deadline: "the model took too long",
  overloaded: "the server is overloaded",
};

/** The reason of a fallback in words; a reason that is new to this page as the server names it. */
export const explain = (why) => WHY[why] ?? why;
