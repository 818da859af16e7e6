# Lucy Serve. `make help` lists what there is; every target makes only what has changed.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
PYTHON312 ?= python3.12
VENV ?= .venv
BIN := $(VENV)/bin

# What `make export` exports, and for which server.
CHECKPOINT ?= export/checkpoints/lucy-tiny
PROFILE ?= cpu
PRECISION ?=
# For profile gpu: LoRAs to fuse for keyframes (path:weight,…), engines that take new weights in seconds
# (REFIT=1), scratch memory, or ONNX alone (ENGINES=0).
LORAS ?=
REFIT ?=
WORKSPACE_GB ?=
ENGINES ?=
# FULL=1: `make check-tensorrt` for networks of SD1.5's and SDXL's size too: 20 GB of memory, 20 minutes or so.
FULL ?=
TENSORRT_RTX ?= tensorrt_rtx_cu12==1.7.1.116

.PHONY: help setup export serve demo test test-full-size test-faults check doctor check-tensorrt format bench bench-quick bench-soak bench-hostile bench-fabric bench-picture bench-load bench-capacity perf train-tiny eval-tiny lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  \033[1m%-15s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make .venv with everything pinned in requirements.lock

$(VENV)/.installed: requirements.lock requirements-assets.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-assets.lock --editable .
	@touch $@

export: setup ## Checkpoint to engines in model_repository/ (CHECKPOINT= PROFILE=cpu|gpu PRECISION=)
	$(BIN)/python -m export $(CHECKPOINT) --profile $(PROFILE) $(if $(PRECISION),--precision $(PRECISION)) \
	    $(if $(LORAS),--loras $(LORAS)) $(if $(REFIT),--refit $(REFIT)) $(if $(ENGINES),--engines $(ENGINES)) \
	    $(if $(WORKSPACE_GB),--workspace-gb $(WORKSPACE_GB))

serve: export ## Serve it: Triton on loopback, the proxy on port 5000
	$(BIN)/python -m serving.doctor --profile $(PROFILE)
	$(BIN)/python -m serving --profile $(PROFILE)

demo: export ## Dress the sample portrait through a running stack; writes build/demo/
	$(BIN)/python -m benchmarks.demo

test: export ## Run all tests, the end-to-end ones on a real Triton
	$(BIN)/pytest

test-full-size: setup ## A checkpoint of SD1.5's size, random weights, through the real server (14 GB of memory)
	$(BIN)/pytest -s -m full_size tests/full_size

test-faults: export ## Kill and cut off servers under load; needs Debian's nginx-light, redis-server and iproute2
	$(BIN)/pytest -m faults tests/faults -s

# torch is left out, and with it the tests of two modules of `tryon`: 1 GB for what is the same on both.
test-312: ## Test the code that runs in Triton under the container's Python, 3.12 (PYTHON312=)
	@if ! $(PYTHON312) --version >/dev/null 2>&1; then \
	    echo "skipped: $(PYTHON312) does not run here; install Python 3.12 or say make test-312 PYTHON312=…"; \
	else set -e; \
	    test -x build/venv-312/bin/pytest || { $(PYTHON312) -m venv build/venv-312; \
	        build/venv-312/bin/pip install --quiet --disable-pip-version-check -c requirements.lock \
	            numpy opencv-python-headless scipy pillow scikit-image pytest pytest-asyncio pytest-timeout hypothesis psutil; }; \
	    build/venv-312/bin/python -m compileall -q export model_repository; \
	    build/venv-312/bin/pytest -q tests/model_repository/preprocess tests/model_repository/postprocess \
	        tests/model_repository/tryon/test_{stepper,lights,previews}.py; \
	fi

check: setup ## Format, lint, types and the import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q tests/test_imports.py

format: setup ## Format the code in place
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

doctor: setup ## Say what would keep this machine from serving, and what to do
	$(BIN)/python -m serving.doctor --profile $(PROFILE)

check-tensorrt: setup build/venv-rtx/.installed ## Compile every stage with TensorRT-RTX, which needs no GPU
	$(BIN)/python -m export.checks.tensorrt prepare build/check-tensorrt --checkpoint $(CHECKPOINT)
	build/venv-rtx/bin/python -m export.checks.tensorrt compile build/check-tensorrt
ifeq ($(FULL),1)
	$(BIN)/python -m export.checks.full_size check build/check-tensorrt-full --compiler build/venv-rtx/bin/python
endif

# TensorRT-RTX is 800 MB and nothing else needs it: it has an environment of its own.
build/venv-rtx/.installed:
	$(PYTHON) -m venv build/venv-rtx
	build/venv-rtx/bin/pip install --quiet --disable-pip-version-check $(TENSORRT_RTX)
	@touch $@

bench: export ## Measure Lucy Serve beside the old way, every load: an hour; writes benchmarks/README.md
	$(BIN)/python -m benchmarks.sessions full

bench-quick: export ## What bench's verdicts need, in three minutes
	$(BIN)/python -m benchmarks.sessions quick

bench-soak: export ## Sixteen sessions for ten minutes: whether all are served, whether memory stays level
	$(BIN)/python -m benchmarks.sessions soak

bench-hostile: export ## Hostile clients beside honest ones: what one caller can do to the others; five minutes
	$(BIN)/python -m benchmarks.hostile

bench-load: setup ## Measure what the proxy costs and holds: 500 sockets before a stand-in for the model
	$(BIN)/python -m benchmarks.load_ws --output benchmarks/results/load_ws.json

perf: export ## Sweep the pipeline's models with NVIDIA's perf_analyzer
	$(BIN)/python -m benchmarks.perf

bench-capacity: export ## Simulate how many users a GPU carries, checked against this machine's stack
	-$(BIN)/python -m benchmarks.capacity check
	$(BIN)/python -m benchmarks.capacity table

bench-fabric: setup ## Measure the fabric scanner against ground truth and the one before it
	$(BIN)/python -m benchmarks.fabric

bench-picture: export ## Measure the picture on generated people with known truth; contact sheets to build/
	MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=67108864 \
	$(BIN)/python -m benchmarks.picture

train-tiny: setup ## Make the default checkpoint anew: about 3 hours on 2 cores, less with a GPU
	$(BIN)/python -m training.lucy_tiny train

eval-tiny: export ## Measure the default checkpoint through the real server, on scenes it has not seen
	$(BIN)/python -m benchmarks.checkpoint

lock: setup ## Pin the newest versions that fit pyproject.toml
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --python-version 3.11 --no-annotate --no-header \
	    --no-emit-find-links | sed 's/+cpu$$//' > build/requirements.lock
	mv build/requirements.lock requirements.lock

# The same rules, as the Prometheus operator wants them.
deploy/kubernetes/components/monitoring/rules.yaml: deploy/prometheus/rules.yml
	@{ echo "# Made by \`make $@\` from $<."; echo "apiVersion: monitoring.coreos.com/v1"; echo "kind: PrometheusRule"; \
	    echo "metadata: { name: lucy }"; echo "spec:"; sed -n '/^groups:/,$$p' $< | sed 's/^\(.\)/  \1/'; } > $@

clean: ## Remove what was built (not .venv)
	rm -rf build .mypy_cache .pytest_cache .ruff_cache
	rm -rf model_repository/*/1/model.{onnx,onnx.data,plan,plan.json,plan.layers.json} \
	    model_repository/manifest.json model_repository/unet_fast model_repository/*/configs/gpu.pbtxt
	rm -f model_repository/tryon/1/{pipeline,scheduler_config,tokenizer}.json
