"""The proxy between the browser and Triton: REST and WebSocket in, gRPC out."""
