# syntax=docker/dockerfile:1.7
# Triton, and the export of checkpoints for it. Only the TensorRT version that wrote an engine can read it, so one
# image does both.
#
# Release 26.07 (Triton 2.71.0, CUDA 13.3, Python 3.12, TensorRT 11.1) is the oldest with all of these fixes:
# - python_backend#439, the use-after-free in `async_exec`, which `tryon` calls for every step: #433 brought it into
#   26.04 to 26.06, and the branch r26.07 contains #439.
# - The CVEs of NVIDIA's bulletins 5687 and 5691 (2025), 5790, 5816, 5828, 5860 and 5865 (2026), among them remote
#   code execution, bypassed authentication and out-of-bounds access through HTTP, gRPC and shared memory, and of
#   5875, which names r26.07 as its fix.
# By tag: its digest could not be looked up (docs/gpu.md says how).
ARG TRITON=nvcr.io/nvidia/tritonserver:26.07-py3
# The TensorRT in that image. Empty: an image for profile cpu alone.
ARG TENSORRT=11.1.0.106

FROM ${TRITON} AS packages
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/venv
COPY requirements.lock requirements-torch.lock /tmp/
# Without the wheel that contains Triton: this image has one.
RUN --mount=type=cache,target=/var/cache/pip \
    sed '/^nvidia-pytriton==/,/[^\\]$/d' /tmp/requirements.lock > /tmp/packages.txt && \
    /opt/venv/bin/pip install --cache-dir /var/cache/pip -r /tmp/packages.txt && \
    /opt/venv/bin/pip install --cache-dir /var/cache/pip -r /tmp/requirements-torch.lock
# Only the Python side of TensorRT: its libraries are those of the image.
ARG TENSORRT
RUN --mount=type=cache,target=/var/cache/pip \
    [ -z "${TENSORRT}" ] || \
    /opt/venv/bin/pip install --cache-dir /var/cache/pip --no-deps tensorrt_cu13_bindings==${TENSORRT}

FROM ${TRITON}
RUN useradd --uid 10001 --create-home lucy && mkdir -p /models /hub && chown lucy /models /hub
COPY --from=packages /opt/venv /opt/venv
# Triton's Python stub finds its packages through the active virtual environment.
ENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:/opt/tritonserver/bin:$PATH PYTHONUNBUFFERED=1
# glibc keeps the memory of images for the next ones (serving/triton_server.py explains it).
ENV MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=67108864 MALLOC_ARENA_MAX=2
WORKDIR /app
COPY pyproject.toml README.md ./
COPY families families
COPY pipeline pipeline
COPY serving serving
# The export tests a decoder's activations on scenes of training.lucy_tiny.
COPY training training
COPY export export
COPY model_repository model_repository
RUN pip install --no-deps --no-cache-dir --editable .
ARG TENSORRT
COPY deploy/docker/check_tensorrt.py /tmp/
RUN [ -z "${TENSORRT}" ] || python /tmp/check_tensorrt.py
COPY --chmod=755 deploy/docker/entrypoint.sh /usr/local/bin/lucy-entrypoint
USER lucy
ENTRYPOINT ["lucy-entrypoint"]
EXPOSE 8001 8002
