# Lucy Serve. `make help` lists the targets; each makes only what has changed.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Python 3.11, or 3.12 where that is missing.
runs = $(if $(shell $(1) --version 2>/dev/null),$(1))
ifeq ($(origin PYTHON),undefined)
PYTHON := $(or $(call runs,python3.11),$(call runs,python3.12),python3.11)
endif
PYTHON312 ?= python3.12
VENV ?= .venv
BIN := $(VENV)/bin

# The checkpoint that `make export` exports, and the profile and precision it exports for. `make serve` serves what
# was exported last; it obeys these only where they are given on its command line or in the environment.
CHECKPOINT ?= export/checkpoints/lucy-tiny
PROFILE ?= cpu
PRECISION ?=
# LoRAs to fuse for keyframes (path:weight,…). For profile gpu: engines that accept new weights in seconds
# (REFIT=1), scratch memory, or only ONNX (ENGINES=0).
LORAS ?=
# A DensePose network (TorchScript or ONNX) for IDM-VTON, whose pose picture is otherwise drawn from the landmarks.
DENSEPOSE ?=
REFIT ?=
WORKSPACE_GB ?=
ENGINES ?=
# FULL=1: `make check-tensorrt` also for networks of every family's real size: 23 GB of memory, more than an hour.
FULL ?=
TENSORRT_RTX ?= tensorrt_rtx_cu12==1.7.1.116

# Recipes read these values from the environment, in quotes and as they were typed, since a path may contain blanks,
# quotes, $ and &.
EXPORT_VARIABLES := CHECKPOINT PROFILE PRECISION LORAS DENSEPOSE REFIT WORKSPACE_GB ENGINES
$(foreach name,$(EXPORT_VARIABLES),$(eval export EXPORT_$(name) := $$(value $(name))))
option = --$(subst _,-,$(shell echo $(1) | tr A-Z a-z))="$$EXPORT_$(1)"
# Every option with a value, for `make export`.
EXPORT_OPTIONS = $(foreach name,$(filter-out CHECKPOINT,$(EXPORT_VARIABLES)),$(if $(value $(name)),$(call option,$(name))))
# Those that the user has given: on the command line also an empty one, which means the default.
GIVEN_OPTIONS = $(foreach name,$(EXPORT_VARIABLES),$(if $(or $(filter command,$(firstword $(origin $(name)))),$(and $(filter environment,$(firstword $(origin $(name)))),$(value $(name)))),$(call option,$(name))))

# Run a command that says in one line that Ctrl-C ended it, with status 130. `make` gets Ctrl-C, too, and ends
# itself; this keeps it from adding a line of its own. It waits a moment, since a `make` that finds this shell ended
# before it has taken the signal, as on a busy machine, complains of a missing child.
run = @stopped=; trap 'stopped=1' INT; $(1); status=$$?; if [ "$$stopped$$status" = 1130 ]; then sleep 0.5; else exit $$status; fi

.PHONY: help setup setup-dev export serve demo test test-nightly test-repository test-export test-full-size test-faults check doctor check-tensorrt check-images check-gpu-proof format bench bench-quick bench-soak bench-light bench-batch bench-stages bench-hostile bench-fabric bench-picture bench-photographs scenes-folder bench-real-photographs bench-moving bench-compositor bench-load bench-capacity perf train-tiny train-light train-visible eval-tiny render-photographs test-renderer lock clean path

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  \033[1m%-15s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# An environment counts as made if its interpreter runs, has pip and imports this checkout. If it does not (it was
# interrupted, its Python was removed, the folder was moved), its stamp goes, and `setup` makes it again.
USABLE := $(BIN)/python -P -c 'import os, pip, serving; assert os.path.samefile(os.path.dirname(serving.__path__[0]), ".")'
ifneq ($(wildcard $(VENV)/.installed),)
ifneq ($(shell $(USABLE) 2>/dev/null && echo usable),usable)
$(shell rm -f $(VENV)/.installed)
endif
endif

PYTHON_ADVICE := install Python 3.11 or 3.12 (Debian: python3.11, python3.11-venv and libpython3.11; elsewhere \
    PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install 3.11), and name it: make setup PYTHON=python3.11
check_python = version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); \
    case "$$version" in \
        3.11|3.12) ;; \
        "") echo "$(PYTHON) does not run on this machine: $(PYTHON_ADVICE)" >&2; exit 1;; \
        *) echo "$(PYTHON) is Python $$version, and the packages are locked for 3.11 and 3.12: $(PYTHON_ADVICE)" >&2; exit 1;; \
    esac

# Python's own pip may be of 2023, which takes twice the processor time of this one.
PIP := pip==26.3
# Not compiled when they are installed, which would add 0.4 GB: Python compiles what is imported, and keeps it, or each
# of dozens of processes would do it again.
unexport PYTHONDONTWRITEBYTECODE
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile

setup: path $(VENV)/.installed ## Make .venv with what exports and serves: 1.5 GB

# TORCH_INDEX=https://… names an index for torch beside pip's own, and an empty one none; else deploy/torch_index.py decides.
$(VENV)/.installed: requirements.lock requirements-torch.lock pyproject.toml deploy/unused_files.py | path
	@$(USABLE) 2>/dev/null || { $(check_python) && \
	    { [ ! -L $(VENV) ] || [ ! -e $(VENV)/pyvenv.cfg ] || { echo "$(VENV) is a link to the environment of another" \
	        "checkout, which would be emptied: remove the link, or name a folder: VENV=…" >&2; exit 1; }; } && \
	    echo "Making $(VENV) with $(PYTHON): a few minutes, and 1.5 GB of packages." && $(PYTHON) -m venv --clear $(VENV); }
	$(INSTALL) $(PIP)
	$(INSTALL) -r requirements.lock
	$(INSTALL) -r requirements-torch.lock $$($(BIN)/python -m deploy.torch_index)
	$(INSTALL) --no-deps --editable .
	@$(BIN)/python -m deploy.unused_files
	@touch $@

setup-dev: setup $(VENV)/.installed-dev ## Add what tests, benchmarks and training need: 1 GB more

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock requirements-assets.lock
	$(INSTALL) -r requirements-dev.lock
	$(INSTALL) --no-deps -r requirements-assets.lock
	@touch $@

# The same rule as serving/paths.py.
path:
	@case "$$(pwd)" in *[!A-Za-z0-9_./,+=@~\#%-]*) \
	    echo "Triton cannot serve from the folder '$$(pwd)': move it to a path of ASCII letters, digits and _ - . only" >&2; \
	    exit 1;; esac

export: setup ## Checkpoint to engines in model_repository/ (CHECKPOINT= PROFILE=cpu|gpu PRECISION= LORAS= DENSEPOSE=)
	$(call run,$(BIN)/python -m export $(EXPORT_OPTIONS) $(if $(value CHECKPOINT),-- "$$EXPORT_CHECKPOINT"))

serve: setup ## Serve what was exported last on PORT, 5000 by default: Triton on the loopback interface, the proxy before it
	$(call run,$(BIN)/python -m export.refresh $(GIVEN_OPTIONS))
	$(call run,$(BIN)/python -m serving --examine)

demo: setup-dev ## Dress the sample portrait with what was exported last; writes build/demo/
	$(call run,$(BIN)/python -m export.refresh --only-missing $(GIVEN_OPTIONS))
	$(call run,$(BIN)/python -m benchmarks.demo)

# Tests and benchmarks export into build/, and never touch what the user has exported.
test-repository: setup-dev test-export

test-export: setup
	$(call run,$(BIN)/python -m tests.repository)

# Several together where it can be: one waits while another computes. What measures a real server's times, or ends it, runs
# alone, since other load would make it fail.
END_TO_END := batches captures faults finetuning http many_tritons operations restarts serve triton_memory tryon video websocket
ALONE := $(END_TO_END:%=tests/e2e/test_%.py) tests/deploy/test_kubernetes_triton.py
TOGETHER := --dist loadfile --no-loadscope-reorder $(addprefix --ignore ,$(ALONE))
# What seldom changes, or takes a browser's time: all of it is nightly.
OTHER_FAMILIES := catvton fashn_vton idm_vton sdxl_inpainting
SELDOM := tests/benchmarks tests/training tests/studio tests/frontend_proxy/videos $(OTHER_FAMILIES:%=tests/families/%)
# It makes its cases while it is collected, 10 s, and all of them are nightly.
UNCOLLECTED := --ignore tests/frontend_proxy/pages/test_schemathesis.py
IMPORTS := tests/test_imports.py
# A picture must not depend on which runtime is the fastest on this machine.
test test-nightly: export CPU_RUNTIME = onnxruntime
test: setup ## Run the tests, the end-to-end tests with a real Triton; without those of test-nightly
	@$(MAKE) --no-print-directory -j2 test-export $(VENV)/.compiled
	$(BIN)/pytest -n 3 $(TOGETHER) $(addprefix --ignore ,$(SELDOM)) $(UNCOLLECTED) --ignore $(IMPORTS)
	$(BIN)/pytest $(ALONE)

# Once, beside the export, what each process of the tests would compile: packages, and the tests as pytest rewrites them.
$(VENV)/.compiled: $(VENV)/.installed-dev
	@$(BIN)/pytest --collect-only -q $(UNCOLLECTED) >/dev/null 2>&1; touch $@

# With time for exports of minutes, which take several times that on a busy machine.
NIGHTLY := -m nightly --timeout 1800
test-nightly: setup-dev ## Run the tests that take long and are rarely wrong; CI runs them after `make test`
	$(call run,$(BIN)/python -m tests.repository --all)
	$(BIN)/pytest $(NIGHTLY) "--seldom=$(SELDOM)" -n 2 $(TOGETHER)
	$(BIN)/pytest $(NIGHTLY) $(ALONE)

test-full-size: setup-dev ## Serve checkpoints of the families' real sizes with random weights (20 GB of memory)
	$(BIN)/pytest -s -m full_size tests/full_size

test-faults: test-repository ## Kill and disconnect servers under load; needs Debian's nginx-light, redis-server, iproute2
	$(BIN)/pytest -m faults tests/faults -s

# Without torch, 1 GB that behaves the same under both, and so without the tests of the modules that import it.
test-312: ## Test the code that runs in Triton under the container's Python, 3.12 (PYTHON312=)
	@if ! $(PYTHON312) --version >/dev/null 2>&1; then \
	    echo "skipped: $(PYTHON312) does not run here; install Python 3.12 or run make test-312 PYTHON312=…"; \
	else set -e; \
	    test -e build/venv-312/.installed || { $(PYTHON312) -m venv --clear build/venv-312; \
	        sed -n 's/^\([a-z0-9._-]*==[^ ]*\).*/\1/p' requirements.lock requirements-dev.lock > build/venv-312/constraints.txt; \
	        build/venv-312/bin/python -m pip install --quiet --disable-pip-version-check -c build/venv-312/constraints.txt \
	            numpy opencv-python-headless scipy pillow pydantic scikit-image simplejpeg isal \
	            pytest pytest-asyncio pytest-timeout hypothesis psutil; \
	        touch build/venv-312/.installed; }; \
	    build/venv-312/bin/python -m compileall -q export families model_repository pipeline serving training; \
	    build/venv-312/bin/python -m pytest -q -p no:cacheprovider --noconftest tests/pipeline \
	        --ignore tests/pipeline/denoising/test_batching.py --ignore tests/pipeline/denoising/test_sampling.py \
	        --ignore tests/pipeline/tryon/test_pipeline.py --ignore tests/pipeline/tryon/test_job.py \
	        --ignore tests/pipeline/tryon/test_prompts.py; \
	fi

check: setup-dev ## Check format, lint, types and the import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q $(IMPORTS)

format: setup-dev ## Format the code in place
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

doctor: setup ## Report what would keep this machine from serving, and what to do
	$(call run,$(BIN)/python -m serving.doctor $(filter --profile=%,$(GIVEN_OPTIONS)))

check-tensorrt: setup-dev build/venv-rtx/.installed ## Compile every stage with TensorRT-RTX, which needs no GPU
	$(BIN)/python -m export.checks.tensorrt prepare build/check-tensorrt --checkpoint "$$EXPORT_CHECKPOINT"
	build/venv-rtx/bin/python -m export.checks.tensorrt compile build/check-tensorrt
ifeq ($(FULL),1)
	$(BIN)/python -m export.checks.full_size check build/check-tensorrt-full --compiler build/venv-rtx/bin/python
endif

check-images: setup-dev ## Build both images without Docker, on local bases, and run their health checks (as root)
	$(call run,$(BIN)/python -m deploy.docker.check_images build/check-images \
	    --proxy-python "$$($(if $(shell $(PYTHON312) --version 2>/dev/null),$(PYTHON312),$(BIN)/python) -c 'import sys; print(sys.executable)')")

check-gpu-proof: setup-dev ## Rehearse the proof on a GPU (docs/gpu.md) without one, on tiny networks: some minutes
	$(call run,$(BIN)/python -m benchmarks.gpu_proof pack --only-data)
	$(call run,$(BIN)/python -m benchmarks.gpu_proof run --device cpu --size tiny --patience 3)

# TensorRT-RTX is 800 MB and nothing else needs it: it has its own environment.
build/venv-rtx/.installed:
	$(PYTHON) -m venv --clear build/venv-rtx
	build/venv-rtx/bin/python -m pip install --quiet --disable-pip-version-check $(TENSORRT_RTX)
	@touch $@

bench: test-repository ## Compare Lucy Serve with the old backend under every load: an hour; writes benchmarks/README.md
	$(call run,$(BIN)/python -m benchmarks.sessions full)

bench-quick: test-repository ## The measurements that bench's verdicts need, in three minutes
	$(call run,$(BIN)/python -m benchmarks.sessions quick)

bench-soak: test-repository ## Run sixteen sessions for ten minutes: is every one served, does memory stay level
	$(call run,$(BIN)/python -m benchmarks.sessions soak)

bench-light: test-repository ## Answers that are lights beside pictures, in turns on one server: cost, capacity, bytes; three minutes
	$(call run,$(BIN)/python -m benchmarks.sessions light)

bench-batch: test-repository ## A batch of sixty captures beside two live sessions: how much longer keyframes take; four minutes
	$(call run,$(BIN)/python -m benchmarks.sessions batch)

bench-stages: test-repository ## Each network beside the least that this processor could take for it; a minute
	$(call run,$(BIN)/python -m benchmarks.stages)

bench-hostile: test-repository ## Hostile clients beside honest ones: what one caller can do to the others; five minutes
	$(call run,$(BIN)/python -m benchmarks.hostile)

bench-load: setup-dev ## Measure the proxy alone: 500 sockets in front of a model that only sleeps
	$(call run,$(BIN)/python -m benchmarks.load_ws --output benchmarks/results/load_ws.json)

perf: test-repository ## Sweep the pipeline's models with NVIDIA's perf_analyzer
	$(call run,$(BIN)/python -m benchmarks.perf)

bench-capacity: test-repository ## Simulate how many users a GPU serves, checked against this machine's stack
	-$(call run,$(BIN)/python -m benchmarks.capacity check)
	$(call run,$(BIN)/python -m benchmarks.capacity table)

bench-fabric: setup-dev ## Measure the fabric scanner against ground truth and against the old scanner
	$(call run,$(BIN)/python -m benchmarks.fabric)

bench-moving: test-repository ## Measure how far what is displayed lags behind a moving person: blend, picture, light
	$(call run,$(BIN)/python -m benchmarks.moving)

bench-compositor: setup-dev ## Measure what a displayed frame costs a browser without a GPU, by client.js's compositor
	$(call run,$(BIN)/python -m benchmarks.compositor)

bench-picture: test-repository ## Measure the images of generated people with known truth; contact sheets in build/
	$(call run,MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=67108864 $(BIN)/python -m benchmarks.picture)

# A folder of scenes with camera.jpg, render.png, target.jpg, mask.png and pose.json each.
PHOTOGRAPHS ?= build/photographs/scenes
bench-photographs: scenes-folder test-repository ## Compare the answers with path-traced photographs of a folder (PHOTOGRAPHS=)
	$(call run,$(BIN)/python -m benchmarks.photographs "$(PHOTOGRAPHS)")

# Told before the export, which takes a minute.
scenes-folder:
	@test -d "$(PHOTOGRAPHS)" || { echo "there is no folder '$(PHOTOGRAPHS)': name one of scenes, PHOTOGRAPHS=…" >&2; exit 1; }

bench-real-photographs: test-repository ## Ask for the light that was taken off real photographs
	$(call run,$(BIN)/python -m benchmarks.photographs.real)

train-light: setup-dev ## Train the default checkpoint's light reader on painted and path-traced scenes: an hour; goes on
	$(call run,$(BIN)/python -m training.scene_light train)

train-visible: setup-dev ## Train the network that finds the visible garment on painted and path-traced scenes; goes on
	$(call run,$(BIN)/python -m training.visible_garment paint)
	$(call run,$(BIN)/python -m training.visible_garment train)

train-tiny: setup-dev ## Train the default checkpoint: about 3 hours on 2 cores, less with a GPU
	$(call run,$(BIN)/python -m training.lucy_tiny train)

# Blender's package exists for this Python alone. It has an environment of its own, since serving never needs it.
RENDERER_PYTHON ?= python3.11
RENDERER := build/photographs-venv/bin/python
build/photographs-venv/.installed: requirements-photographs.lock
	@$(RENDERER_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || { \
	    echo "Blender needs Python 3.11: install it, and name it: make render-photographs RENDERER_PYTHON=…" >&2; exit 1; }
	$(RENDERER_PYTHON) -m venv --clear build/photographs-venv
	$(RENDERER) -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-photographs.lock
	@touch $@

render-photographs: build/photographs-venv/.installed ## Render training scenes into build/photographs/ until stopped; goes on where it was
	$(call run,nice -n 5 $(RENDERER) -m training.photographs render)

test-renderer: build/photographs-venv/.installed ## Test the rendering of training scenes, with Blender
	$(RENDERER) -m pytest -q -c /dev/null --rootdir . --import-mode=importlib --noconftest -p no:cacheprovider \
	    tests/training/photographs

eval-tiny: test-repository ## Measure the default checkpoint through the real server, on scenes that it was not trained on
	$(call run,$(BIN)/python -m benchmarks.checkpoint)

SERVING := export embedded redis tracing
# With a CPU build of torch, so that the lock does not contain CUDA's packages, which the CUDA build brings along.
lock: setup-dev ## Pin the newest versions that fit pyproject.toml, with hashes
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	{ sed -n 1p requirements.lock; \
	    $(BIN)/uv pip compile pyproject.toml $(SERVING:%=--extra %) --python-version 3.11 --no-annotate --no-header \
	        --no-emit-find-links --no-emit-package torch --generate-hashes; } > build/requirements.lock
	mv build/requirements.lock requirements.lock
	{ sed -n 1p requirements-dev.lock; \
	    $(BIN)/uv pip compile pyproject.toml --all-extras -c requirements.lock --python-version 3.11 --no-annotate \
	        --no-header --no-emit-find-links --no-emit-package torch --generate-hashes \
	        $$(sed -n 's/^\([a-z0-9._-]*\)==.*/--no-emit-package \1/p' requirements.lock); } > build/requirements-dev.lock
	mv build/requirements-dev.lock requirements-dev.lock
	{ sed -n 1p requirements-proxy.lock; \
	    $(BIN)/uv pip compile pyproject.toml --extra redis --extra tracing -c requirements.lock --python-version 3.11 \
	        --no-annotate --no-header --no-emit-find-links --generate-hashes; } > build/requirements-proxy.lock
	mv build/requirements-proxy.lock requirements-proxy.lock
	{ sed -n '/^#/p' requirements-assets.lock; sed -n 's/^\([a-z0-9._-]*==[^ ]*\).*/\1/p' requirements-assets.lock | \
	    $(BIN)/uv pip compile - --no-deps --python-version 3.11 --no-annotate --no-header --no-emit-find-links \
	        --generate-hashes; } > build/requirements-assets.lock
	mv build/requirements-assets.lock requirements-assets.lock

# The same rules in the form of the Prometheus operator.
deploy/kubernetes/components/monitoring/rules.yaml: deploy/prometheus/rules.yml
	@{ echo "# Made by \`make $@\` from $<."; echo "apiVersion: monitoring.coreos.com/v1"; echo "kind: PrometheusRule"; \
	    echo "metadata: { name: lucy, labels: { release: kube-prometheus-stack } }"; echo "spec:"; sed -n '/^groups:/,$$p' $< | sed 's/^\(.\)/  \1/'; } > $@

# Every other folder there is a stage of a checkpoint's family, which `make export` wrote.
HAND_WRITTEN := decode encode postprocess preprocess text_encoder tryon unet vae_decoder vae_encoder

clean: ## Delete built files (not .venv)
	rm -rf build .mypy_cache .pytest_cache .ruff_cache
	rm -rf model_repository/*/1/model.{onnx,onnx.data,plan,plan.json,plan.layers.json,pt2} \
	    model_repository/{manifest,last_look}.json model_repository/*/configs/{gpu,in_process}.pbtxt model_repository/tryon/configs \
	    $(filter-out $(HAND_WRITTEN:%=model_repository/%/),$(wildcard model_repository/*/))
	find model_repository/tryon/1 -type f ! -name model.py -delete
