"""The paths by which machines ask for health."""

PROBES = {"/health", "/health/live", "/health/ready"}  # load balancers and supervisors ask every few seconds
