"""HTTP itself: connections, requests, bodies, events, and the end of the server."""
