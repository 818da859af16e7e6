#!/bin/sh
# `tritonserver …` serves /models; all other arguments are passed to `python -m export`, which writes to /models.
set -eu
if [ "${1:-}" = tritonserver ]; then
    umask 077
    # As serving/triton_server.py: nobody may load code, map memory or write files through Triton.
    token=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
    repository=/models profile=gpu
    for word in "$@"; do
        case "$word" in
            --model-repository=*) repository=${word#*=} ;;
            --model-config-name=*) profile=${word#*=} ;;
        esac
    done
    # Only the models of the exported checkpoint load. Kubernetes' probe compares the number of processes.
    models=$(python3 -m serving.models "$repository" --profile "$profile" --count-file /tmp/python-models)
    # shellcheck disable=SC2086    # one option a line
    exec "$@" $models "--grpc-restricted-protocol=shared-memory,model-repository,trace,logging:token=$token"
fi
if [ "${TRITON_CONFIG:-}" = onnx ]; then
    set -- "$@" --engines=0    # ONNX Runtime reads none
fi
# Several Pods share the volume: one exports, and the others wait and then find nothing to do. `exec` keeps the lock
# until the export has ended.
exec 9> /models/.export.lock
flock 9
cp -R /app/model_repository/. /models/    # the hand-written configurations of this image's version
exec python3 -m export "$@" --repository /models
