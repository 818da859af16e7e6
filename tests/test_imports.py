"""Which package, room and module may import which: the rules of the code's structure, checked on the code."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from families.registry import FAMILIES

ROOT = Path(__file__).resolve().parents[1]
STDLIB = set(sys.stdlib_module_names)
SHIPPED = (
    *("catalog", "export", "fabric", "families", "frontend_proxy", "lucy_client", "pipeline", "serving"),
    "training",
)
OURS = {*SHIPPED, "benchmarks", "tests", "deploy"}

# Our own packages that each shipped package may import. None may import `benchmarks` or `tests`, which may
# import everything, and each other.
OF_OURS = {
    "catalog": set(),
    "fabric": set(),
    "pipeline": set(),
    "frontend_proxy": {"catalog", "fabric", "lucy_client", "pipeline"},
    "lucy_client": set(),
    "serving": {"frontend_proxy", "pipeline"},
    "training": {"export", "families", "lucy_client", "pipeline", "serving"},
    "families": {"export", "pipeline"},
    "export": {"families", "serving", "pipeline", "training"},
}
# Installed packages that each may import.
INSTALLED = {
    "catalog": "obstore pydantic",
    "fabric": "cv2 numpy PIL pillow_heif simplejpeg",
    "families": "cv2 diffusers numpy onnxruntime PIL pydantic safetensors tokenizers torch transformers",
    "pipeline": "cv2 diffusers isal numpy PIL pillow_heif pydantic simplejpeg tokenizers torch",
    "frontend_proxy": "av cv2 grpc httpx idna jwt limits msgpack numpy obstore opentelemetry "
    "prometheus_client pydantic pydantic_core pydantic_settings python_multipart redis "
    "starlette tritonclient uvicorn websockets",
    "lucy_client": "httpx msgpack pydantic tqdm websockets",
    "serving": "google grpc numpy onnx onnxruntime openvino pydantic pydantic_settings torch tritonclient "
    "triton triton_python_backend_utils",
    "training": "bpy cv2 diffusers mathutils numpy onnx OpenEXR peft safetensors scipy skimage tflite "
    "tokenizers torch tqdm transformers",
    "export": "cv2 diffusers google huggingface_hub numpy onnx pydantic safetensors tensorrt_rtx "
    "torch tqdm tritonclient",
}
# The rooms of a package from bottom to top: a module imports only modules of its own room and of those before
# it. `*` stands for all modules at the package's top that no other entry names.
ROOMS = {
    "pipeline": ["*", "pictures", "garment", "light", "denoising", "tryon"],
    "frontend_proxy": [
        *("*", "web", "triton", "health", "security", "fabrics", "keyframes", "captures"),
        *("collection", "batches", "fashn", "videos", "pages", "app", "batch", "__main__"),
    ],
}
LONGEST_MODULE, LONGEST_MODEL = 300, 80  # lines


def modules(package):
    """The files of a package by their dotted names."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path, at_import_only=False):
    """Dotted names that a file imports: `a.b` for `import a.b`, `a.b` and `a.b.c` for `from a.b import c`.

    at_import_only: without those inside functions, and those for type checkers.
    """
    names = set()
    nodes = [ast.parse(path.read_text())]
    while nodes:
        node = nodes.pop()
        if at_import_only and (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        ):
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: a relative import"
            assert not node.level, f"{path}: a relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def packages(names):
    """Top-level packages, without the standard library's."""
    return {name.split(".")[0] for name in names} - STDLIB


def python_files():
    """Every Python file of ours."""
    return [path for folder in sorted({*OURS, "model_repository"}) for path in (ROOT / folder).rglob("*.py")]


@pytest.mark.parametrize("package", SHIPPED)
def test_a_package_imports_only_what_it_may(package):
    allowed = OF_OURS[package] | set(INSTALLED[package].split()) | {package}
    for path in modules(package).values():
        extra = packages(imported(path)) - allowed
        assert not extra, f"{path.relative_to(ROOT)} imports {', '.join(sorted(extra))}"


@pytest.mark.parametrize("package", SHIPPED)
def test_the_table_allows_nothing_that_is_not_used(package):
    """A package that nobody imports any more would come back unseen."""
    used = set().union(*(packages(imported(path)) for path in modules(package).values()))
    assert OF_OURS[package] | set(INSTALLED[package].split()) == used - {package}


def room(module, rooms):
    name = module.split(".")[1] if "." in module else "*"
    return rooms.index(name) if name in rooms else rooms.index("*")


@pytest.mark.parametrize("package", ROOMS)
def test_the_rooms_of_a_package_import_in_one_direction(package):
    rooms, known = ROOMS[package], modules(package)
    for module, path in known.items():
        if module == package:
            continue
        for name in imported(path) & set(known) - {package}:
            above = room(name, rooms) > room(module, rooms)
            assert not above, f"{module} imports {name}, which is above it"


@pytest.mark.parametrize("package", ROOMS)
def test_every_room_is_in_the_table(package):
    folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert folders <= set(ROOMS[package])
    assert set(ROOMS[package]) - {"*"} <= folders | {path.stem for path in (ROOT / package).glob("*.py")}


@pytest.mark.parametrize("package", SHIPPED)
def test_no_modules_import_each_other_in_a_circle(package):
    known = modules(package)
    arrows = {module: imported(path, at_import_only=True) & set(known) for module, path in known.items()}
    # A package's own module is loaded before those in it, and may import them.
    waiting = {module: names - {module, *parents(module)} for module, names in arrows.items()}
    while waiting:
        free = {module for module, names in waiting.items() if not names & set(waiting)}
        assert free, f"circles among {', '.join(sorted(waiting))}"
        waiting = {module: names for module, names in waiting.items() if module not in free}


def parents(module):
    parts = module.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts))}


@pytest.mark.parametrize(
    ("package", "of", "importer", "only"),
    [
        ("export", "training", "overflow.py", "training.lucy_tiny"),  # its scenes, to look for overflows
        # How a command ends, and folders that a server cannot use.
        ("training", "serving", "__main__.py", ("serving.command_line", "serving.paths")),
    ],
)
def test_one_module_only_needs_another_package_for_one_thing_only(package, of, importer, only):
    for path in modules(package).values():
        names = {name for name in imported(path) if name.split(".")[0] == of}
        assert not names or path.name == importer, path
        assert all(name.startswith(only) for name in names)


@pytest.mark.parametrize(
    ("entry", "heavy"),
    [
        ("frontend_proxy.app", "torch av jwt"),  # films have a process of their own; a server without tokens
        # A worker's process, before its priority is lowered and after it has its modules.
        ("frontend_proxy.worker_process", "numpy pydantic"),
        ("frontend_proxy.fabrics.scan_answer", "starlette pydantic_settings grpc"),
        ("serving.__main__", "numpy grpc"),  # before it has started the proxy
        ("catalog", "numpy"),
        ("fabric", "torch"),
        ("serving.doctor", "torch"),
        # Where nothing is to be exported; each family is asked whether the checkpoint is its own.
        (", ".join(("export.exporter", *(f"families.{name}.family" for name in FAMILIES))), "torch"),
    ],
)
def test_a_light_process_loads_no_heavy_package(entry, heavy):
    """Not by way of another package either: torch takes two seconds and 300 MB."""
    code = f"import sys, {entry}; sys.exit({{*{heavy.split()}}} & {{*sys.modules}} or 0)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=100)


@pytest.mark.parametrize("path", sorted(ROOT.glob("model_repository/*/1/*.py")), ids=lambda p: p.parts[-3])
def test_a_model_is_a_thin_adapter(path):
    """Triton's stub sees installed packages and the model's own folder only."""
    assert path.name == "model.py", "the computation is in an installed package"
    assert len(path.read_text().splitlines()) < LONGEST_MODEL
    ours = packages(imported(path)) & OURS
    # Which family's conditioner is needed only the registry knows.
    assert ours <= {"families", "pipeline", "serving"}
    assert all(name.startswith("families.registry") for name in imported(path) if name.startswith("families"))


def test_only_the_registry_knows_the_families():
    """A family is one folder and one line."""
    of_one_family = {f"families.{path.parent.name}" for path in (ROOT / "families").glob("*/__init__.py")}
    for package in {*SHIPPED} - {"families"}:
        for module, path in modules(package).items():
            for name in imported(path):
                family = ".".join(name.split(".")[:2])
                assert family not in of_one_family, f"{module} imports {name}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("families/*/conditioner.py")), ids=lambda p: p.parts[-2])
def test_a_conditioner_needs_neither_the_export_nor_networks(path):
    """It runs in the process that steps every job."""
    names = packages(imported(path))
    assert not names & {"diffusers", "export", "serving", "transformers", "triton_python_backend_utils"}


def test_only_the_triton_room_speaks_to_triton():
    """Errors and reconnects are handled in one place."""
    for module, path in modules("frontend_proxy").items():
        if "tritonclient" in packages(imported(path)):
            assert module.startswith("frontend_proxy.triton."), module


def test_no_module_is_longer_than_one_can_read():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in python_files()
        if (lines := len(path.read_text().splitlines())) > LONGEST_MODULE
    }
    assert not long


def test_nothing_is_imported_by_its_path():
    """What is installed is found by its name; what is found by a path is found only here."""
    hacks = ("sys" + ".path", "PYTHON" + "PATH", "spec_from_file" + "_location")
    texts = [*python_files(), ROOT / "Makefile", ROOT / "pyproject.toml", *ROOT.glob("deploy/**/*")]
    for path in texts:
        if path.is_file() and path.suffix in ("", ".py", ".toml", ".yml", ".yaml", ".service", ".sh"):
            text = path.read_text()
            assert not [hack for hack in hacks if hack in text], path.relative_to(ROOT)
