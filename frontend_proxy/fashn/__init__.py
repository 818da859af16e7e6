"""An endpoint in the manner of FASHN's public API, so that its clients work with this server."""
