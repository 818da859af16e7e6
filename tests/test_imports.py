"""Who may import whom: the house's rules, checked on the code itself."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STDLIB = set(sys.stdlib_module_names)
OURS = {"benchmarks", "catalog", "export", "fabric", "frontend_proxy", "tests"}

# What each package may import beside the standard library and itself.
ALLOWED = {
    "catalog": {"obstore", "pydantic"},
    "fabric": {"cv2", "numpy", "PIL", "scipy"},
    "frontend_proxy": {
        *("catalog", "fabric"),
        *("cv2", "jwt", "limits", "numpy", "opentelemetry", "PIL", "prometheus_client"),
        *("pydantic", "pydantic_core", "pydantic_settings"),
        *(
            "grpc",
            "httpx",
            "idna",
            "msgpack",
            "python_multipart",
            "obstore",
            "redis",
            "starlette",
            "tritonclient",
            "uvicorn",
            "websockets",
        ),
    },
    "export": {
        *(
            "cv2",
            "diffusers",
            "huggingface_hub",
            "numpy",
            "onnx",
            "onnxruntime",
            "openvino",
            "PIL",
            "pydantic",
        ),
        *(
            "safetensors",
            "scipy",
            "skimage",
            "tensorrt",
            "tensorrt_rtx",
            "tokenizers",
            "torch",
            "tqdm",
            "transformers",
        ),
        "triton_python_backend_utils",
    },
}


def imported(path):
    """Top-level names of the packages that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names - STDLIB


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_it_may(package):
    for path in (ROOT / package).rglob("*.py"):
        extra = imported(path) - ALLOWED[package] - {package}
        assert not extra, f"{path.relative_to(ROOT)} imports {', '.join(sorted(extra))}"


@pytest.mark.parametrize("path", sorted(ROOT.glob("model_repository/*/1/*.py")), ids=lambda p: p.parts[-3])
def test_a_model_imports_its_siblings_and_installed_packages(path):
    """Triton's stub sees neither the repository's root nor other models' folders."""
    strangers = {module.stem for module in ROOT.glob("model_repository/*/1/*.py")}
    siblings = {module.stem for module in path.parent.glob("*.py")}
    assert not imported(path) & (strangers - siblings)
    assert not imported(path) & (OURS - {"export"})


def test_one_module_speaks_to_triton():
    """Errors and reconnects are handled at one door."""
    importers = {
        path.name for path in (ROOT / "frontend_proxy").glob("*.py") if "tritonclient" in imported(path)
    }
    assert importers == {"tensors.py", "triton.py"}
