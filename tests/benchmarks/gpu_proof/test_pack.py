"""What travels to the machine of the proof, and the environment that is made there."""

import json
import lzma
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from benchmarks.gpu_proof import machine_setup, pack, stand_ins
from tests.import_closure import closure, find

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "benchmarks" / "gpu_proof" / "gpu_proof.sh"


def test_the_packages_are_pinned_and_those_that_the_server_needs():
    """NumPy 2, which that machine has, makes Triton's Python stub hand out empty tensors."""
    text = pack.picked()
    found = dict(line.split(" ")[0].split("==") for line in text.splitlines() if "==" in line)
    assert found["numpy"].startswith("1.")
    assert {"nvidia-pytriton", "diffusers", "opencv-python-headless", "uvicorn", "tritonclient"} <= set(found)
    assert not {"torch", "transformers", "safetensors", "onnx", "redis"} & set(found)
    assert text.count("--hash=sha256:") >= len(found)


def test_the_code_is_small_and_whole():
    """The repository has 90 MB; a part may have 64."""
    names = pack.code_files()
    assert sum((ROOT / name).stat().st_size for name in names) < 8 << 20
    for needed in (
        "serving/__main__.py",
        "frontend_proxy/app.py",
        "model_repository/tryon/1/model.py",
        "benchmarks/gpu_proof/steps/hops.py",
        "benchmarks/gpu_proof/hops/caller/config.pbtxt",
        "benchmarks/sessions/pictures.py",
        "tests/data/keyframes/transparent_no_pose/camera_frame.jpg",
        "catalog/catalog.json",
    ):
        assert needed in names, needed
    assert not any("/vendor/" in name or name.startswith("export/checkpoints") for name in names)


@pytest.fixture
def content(tmp_path):
    source = tmp_path / "source"
    for name, text in {"b/two.py": "2", "one.py": "1", "b/tests/no.py": "no"}.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    (source / "run").write_text("#!/bin/sh")
    (source / "run").chmod(0o750)
    return [("site", source, lambda name: not pack._NOT_SITE.search(name))]


def test_the_same_files_are_the_same_bytes(tmp_path, content):
    for name in ("first", "second"):
        pack.write_part(tmp_path / name, content)
        (tmp_path / "source" / "one.py").touch()
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    with tarfile.open(tmp_path / "first") as part:
        assert [(it.name, it.mode, it.mtime) for it in part] == [
            ("site/b/two.py", 0o644, 0), ("site/one.py", 0o644, 0), ("site/run", 0o755, 0),
        ]  # fmt: skip


def test_a_part_that_is_too_large_is_refused_and_its_content_is_told(tmp_path, content, monkeypatch, capsys):
    pack.write_part(tmp_path / "part", content)
    pack.describe(tmp_path / "part")
    assert "site/b" in capsys.readouterr().out
    monkeypatch.setattr(pack, "LARGEST", 100)
    with pytest.raises(pack.PackFault, match="a part may have 64"):
        pack.describe(tmp_path / "part")


def test_an_interpreter_without_its_shared_library_is_refused(tmp_path):
    with pytest.raises(pack.PackFault, match="name one with --python"):
        pack._prefix(str(tmp_path / "python3.12"))


def test_other_pythons_stubs_and_tests_stay_here():
    for name, stays in {
        "pytriton/tritonserver/python_backend_stubs/3.11/triton_python_backend_stub": True,
        "pytriton/tritonserver/python_backend_stubs/3.12/triton_python_backend_stub": False,
        "nvidia_pytriton.libs/libpython3-419a.13.so.1.0": True,
        "nvidia_pytriton.libs/libtritonserver-7171.so": False,
        "numpy/tests/test_a.py": True,
        "numpy/testing/__init__.py": False,
    }.items():
        assert bool(pack._NOT_SITE.search(name)) == stays, name


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The unpacked folder, on a machine whose Python is this one."""
    monkeypatch.setattr(machine_setup, "WANTED", sys.version_info[:2])
    for name, text in {
        "site/numpy.py": "__version__ = '1.26'",
        "code/our_code.py": "",
        "code/benchmarks/gpu_proof/stand_ins.py": "def install(): pass",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_environment_has_the_carried_packages_and_what_torch_and_transformers_require(place):
    """As Triton's stub sees them: isolated, so that no variable of the environment names folders."""
    machine_setup.main(place)
    asked = (
        "import importlib.util, json, numpy, our_code; "
        "names = ('torch', 'transformers', 'tqdm', 'pytest'); "
        "found = [bool(importlib.util.find_spec(name)) for name in names]; "
        "print(json.dumps([numpy.__file__, our_code.__file__, *found]))"
    )
    command = [place / "venv" / "bin" / "python", "-I", "-c", asked]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    own = [str(place / "site" / "numpy.py"), str(place / "code" / "our_code.py")]
    assert json.loads(done.stdout) == [*own, True, True, True, False]  # transformers does not require pytest


def test_another_python_is_refused_in_one_sentence(place, monkeypatch):
    monkeypatch.setattr(machine_setup, "WANTED", (3, 99))
    with pytest.raises(SystemExit, match=r"^gpu_proof: .* is Python 3\.\d+\.\d+"):
        machine_setup.main(place)


@pytest.fixture
def call(tmp_path):
    """Calls the script with a part that has a stand-in for our code, which prints its options."""
    setup = (
        "import pathlib, sys; place = pathlib.Path(sys.argv[1]); (place / 'venv/bin').mkdir(parents=True); "
        "(place / 'environment.sh').write_text('export LIBRARY=carried\\n'); "
        "python = place / 'venv/bin/python'; python.write_text('#!/bin/sh\\necho $LIBRARY $PWD \"$@\"\\n'); "
        "python.chmod(0o755)"
    )
    source = tmp_path / "source"
    (source / "benchmarks" / "gpu_proof").mkdir(parents=True)
    (source / "benchmarks" / "gpu_proof" / "machine_setup.py").write_text(setup)
    for number in (1, 2):
        with (
            lzma.open(tmp_path / f"part-{number}.tar.xz", "wb", preset=0) as file,
            tarfile.open(fileobj=file, mode="w") as part,
        ):
            part.add(source, "code")

    def run(*words):
        environment = {
            "GPU_PROOF": str(tmp_path / "place"),
            "PATH": "/usr/bin:/bin",
            "PYTHON": sys.executable,
        }
        return subprocess.run(
            ["sh", SCRIPT, *words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    return run


def test_the_first_call_makes_the_environment_and_the_second_uses_it(call, tmp_path):
    place, results = tmp_path / "place", tmp_path / "out"
    before = call("part-2.tar.xz", "out")
    assert (before.returncode, before.stderr) == (
        2, f"gpu_proof: {place} has no code: call part 1 on this machine first\n",
    )  # fmt: skip
    for number in (1, 2):
        done = call(f"part-{number}.tar.xz", "out", "--seconds", "9")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == (
            f"carried {place}/code -m benchmarks.gpu_proof run --part {number} --work {place}/work "
            f"--data {place}/data --results {results} --seconds 9"
        )


def test_a_file_that_is_no_part_is_refused(call):
    done = call("something.tar.xz", "out")
    assert (done.returncode, done.stderr) == (2, "gpu_proof: something.tar.xz is no part\n")
    assert "usage" in call().stderr


# Where a package's name is not that of what is imported.
NAMES = {
    "cv2": "opencv-python-headless", "PIL": "pillow", "google": "protobuf", "grpc": "grpcio", "jwt": "pyjwt",
    "opentelemetry": "opentelemetry-api", "pydantic_core": "pydantic-core", "tritonclient": "tritonclient",
    "pydantic_settings": "pydantic-settings", "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
}  # fmt: skip
# With torch and transformers, or of Triton's own stub.
THEIRS = {
    "numpy",
    "safetensors",
    "tokenizers",
    "torch",
    "tqdm",
    "transformers",
    "triton_python_backend_utils",
}


@pytest.mark.nightly
def test_whatever_the_server_imports_when_it_starts_is_there():
    """A package that the proxy began to import would have ended the proof on a machine with a GPU."""
    starts = [find("frontend_proxy.__main__"), find("serving.__main__")]
    _, imported = closure(*starts, *ROOT.glob("model_repository/*/1/model.py"), lazily=False)
    carried = {line.split("==")[0] for line in pack.picked().splitlines() if "==" in line}
    there = carried | THEIRS | set(stand_ins.PACKAGES) | sys.stdlib_module_names
    assert {name for name in imported if NAMES.get(name, name) not in there} == set()


def test_a_stand_in_comes_last_and_can_be_imported_caught_and_asked():
    code = (
        "from benchmarks.gpu_proof import stand_ins; stand_ins.PACKAGES = ('numpy', 'nobody'); "
        "stand_ins.install(); import numpy; from nobody import inner; import nobody.deep.one; "
        "assert numpy.zeros(1).sum() == 0\n"
        "try:\n    raise ValueError\nexcept inner.Error:\n    pass\nexcept ValueError:\n    print('works')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "works\n", done.stderr
