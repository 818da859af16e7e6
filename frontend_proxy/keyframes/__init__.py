"""Live keyframes: the WebSocket, and how each keyframe is answered."""
