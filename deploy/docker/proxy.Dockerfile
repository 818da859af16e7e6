# syntax=docker/dockerfile:1.7
# The proxy, without torch and Triton: 460 MB of packages.
FROM python:3.12.11-slim-bookworm AS packages
RUN python -m venv /opt/venv
COPY requirements-proxy.lock /tmp/
RUN --mount=type=cache,target=/var/cache/pip \
    /opt/venv/bin/pip install --cache-dir /var/cache/pip -r /tmp/requirements-proxy.lock

FROM python:3.12.11-slim-bookworm
RUN useradd --uid 10001 --create-home lucy && mkdir -p /app/data && chown lucy /app/data
COPY --from=packages /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY pyproject.toml README.md ./
COPY catalog catalog
COPY fabric fabric
COPY frontend_proxy frontend_proxy
COPY lucy_client lucy_client
COPY pipeline pipeline
# The proxy tells the version of this package.
RUN pip install --no-deps --no-cache-dir --editable .
USER lucy
EXPOSE 5000
CMD ["python", "-m", "frontend_proxy"]
