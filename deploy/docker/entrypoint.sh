#!/bin/sh
# `tritonserver …` serves /models; anything else is what `python -m export` is told, and lands in /models.
set -eu
if [ "${1:-}" = tritonserver ]; then
    exec "$@"
fi
cp -R /app/model_repository/. /models/    # the hand-written configurations of this image's version
exec python3 -m export "$@" --repository /models
