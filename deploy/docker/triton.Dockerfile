# syntax=docker/dockerfile:1.7
# Triton, and what exports a checkpoint for it. A TensorRT engine is read only by the version that wrote
# it, so one image does both. Triton 26.02: CUDA 13.1, Python 3.12, TensorRT 10.15.1.
# By tag: its digest could not be looked up (docs/gpu.md says how).
ARG TRITON=nvcr.io/nvidia/tritonserver:26.02-py3

FROM ${TRITON} AS packages
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/venv
COPY requirements.lock /tmp/
# The wheel that carries Triton itself stays out: this image has one.
RUN --mount=type=cache,target=/var/cache/pip \
    sed '/^nvidia-pytriton==/d' /tmp/requirements.lock > /tmp/packages.txt && \
    /opt/venv/bin/pip install --cache-dir /var/cache/pip -r /tmp/packages.txt
# Only TensorRT's Python side; its libraries are the image's own. The check holds the two together.
ARG TENSORRT=10.15.1.29
RUN --mount=type=cache,target=/var/cache/pip \
    /opt/venv/bin/pip install --cache-dir /var/cache/pip --no-deps --extra-index-url https://pypi.nvidia.com tensorrt_cu13_bindings==${TENSORRT}
COPY deploy/docker/check_tensorrt_version.py /tmp/
RUN /opt/venv/bin/python /tmp/check_tensorrt_version.py ${TENSORRT}

FROM ${TRITON}
RUN useradd --uid 10001 --create-home lucy && mkdir -p /models /hub && chown lucy /models /hub
COPY --from=packages /opt/venv /opt/venv
# Triton's Python stub takes its packages from the active virtual environment.
ENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:/opt/tritonserver/bin:$PATH PYTHONUNBUFFERED=1
# glibc keeps the memory of pictures for the next ones (serving/triton_server.py says why).
ENV MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=67108864 MALLOC_ARENA_MAX=2
WORKDIR /app
COPY pyproject.toml README.md ./
COPY catalog catalog
COPY fabric fabric
COPY frontend_proxy frontend_proxy
COPY export export
COPY model_repository model_repository
RUN pip install --no-deps --no-cache-dir --editable .
COPY --chmod=755 deploy/docker/entrypoint.sh /usr/local/bin/lucy-entrypoint
USER lucy
ENTRYPOINT ["lucy-entrypoint"]
EXPOSE 8000 8001 8002
