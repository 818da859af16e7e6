# syntax=docker/dockerfile:1.7
# The proxy: no torch, no Triton, about 400 MB.
FROM python:3.12.11-slim-bookworm AS packages
RUN python -m venv /opt/venv
COPY pyproject.toml requirements.lock /tmp/
# The names from pyproject.toml, their versions from the lock.
RUN --mount=type=cache,target=/var/cache/pip \
    python -c "import tomllib; print(*tomllib.load(open('/tmp/pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
    > /tmp/packages.txt && \
    /opt/venv/bin/pip install --cache-dir /var/cache/pip -r /tmp/packages.txt redis obstore opentelemetry-exporter-otlp-proto-http -c /tmp/requirements.lock

FROM python:3.12.11-slim-bookworm
RUN useradd --uid 10001 --create-home lucy && mkdir -p /app/data && chown lucy /app/data
COPY --from=packages /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY catalog catalog
COPY fabric fabric
COPY frontend_proxy frontend_proxy
USER lucy
EXPOSE 5000
CMD ["python", "-m", "frontend_proxy"]
