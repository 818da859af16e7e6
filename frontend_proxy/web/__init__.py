"""HTTP and WebSocket connections, middleware, request bodies, events, routes and shutdown."""
