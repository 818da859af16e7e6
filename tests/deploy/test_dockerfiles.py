"""The Dockerfiles and what they copy and install: no Docker runs here, so all of it is looked up."""

import json
import re
import shlex
import subprocess
import tomllib

import pytest

from export.__main__ import parser as export_parser
from serving.triton_server import RESTRICTED_PROTOCOLS
from tests.deploy.dockerfiles import DOCKERFILES, ROOT, instructions
from tests.import_closure import closure, find

PROXY, TRITON = "deploy/docker/proxy.Dockerfile", "deploy/docker/triton.Dockerfile"
# The programs that each image runs; the health check of Compose is one.
PROGRAMS = {
    PROXY: [find("frontend_proxy.__main__"), find("frontend_proxy.batch")],
    TRITON: [
        find("export.__main__"),
        find("serving.ready"),
        *ROOT.glob("model_repository/*/1/model.py"),
    ],
}
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]
PACKAGES = {name.removesuffix("*") for name in PACKAGES["include"]}


def copied(dockerfile):
    """The sources of every COPY from the build context."""
    for instruction, rest in instructions(dockerfile):
        words = shlex.split(rest)
        if instruction == "COPY" and not words[0].startswith("--from"):
            yield from [word for word in words if not word.startswith("--")][:-1]


def ignored(path):
    """Whether .dockerignore keeps a path out of the build context."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return not any(f"!{part}" in lines for part in (path, *map(str, (ROOT / path).relative_to(ROOT).parents)))


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_copied_files_exist_and_are_in_the_build_context(dockerfile):
    sources = list(copied(dockerfile))
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert not ignored(source), source


@pytest.mark.nightly
@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_every_package_that_the_image_imports_is_copied(dockerfile):
    """The move of code to pipeline/ and serving/ had left the images without either."""
    files, _ = closure(*PROGRAMS[dockerfile])
    imported = {path.relative_to(ROOT).parts[0] for path in files} & PACKAGES
    assert imported == set(copied(dockerfile)) & PACKAGES


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_an_image_whose_code_asks_for_our_version_has_the_package_installed(dockerfile):
    """The proxy's image had the code alone, and ended at its start with a PackageNotFoundError."""
    files, _ = closure(*PROGRAMS[dockerfile])
    if any('version("lucy-serve")' in path.read_text() for path in files):
        assert any("--editable ." in rest for word, rest in instructions(dockerfile) if word == "RUN")


def test_the_build_context_contains_nothing_that_no_image_copies():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line.removeprefix("!") for line in lines if line.startswith("!")}
    used = {source for dockerfile in DOCKERFILES for source in copied(dockerfile)}
    assert all(
        any(f"{source}/".startswith(f"{path}/") or path.startswith(f"{source}/") for source in used)
        for path in sent
    )


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_base_images_are_pinned_and_the_user_is_not_root(dockerfile):
    stages, users = set(), []
    arguments = dict(
        rest.split("=") for word, rest in instructions(dockerfile) if word == "ARG" and "=" in rest
    )
    for instruction, rest in instructions(dockerfile):
        words = shlex.split(rest)
        if instruction == "FROM":
            image = re.sub(r"\$\{(\w+)\}", lambda match: arguments[match[1]], words[0])
            assert re.search(r":\d+\.\d+", image), "no version"
            stages |= set(words[2:])
        elif instruction == "COPY" and words[0].startswith("--from"):
            assert words[0].removeprefix("--from=") in stages
        elif instruction == "USER":
            users.append(rest)
    assert users, "it would run as root"
    assert users[-1] != "root"


def test_the_triton_release_has_the_fixes_that_matter():
    """26.04 to 26.06 have a use-after-free in async_exec, and bulletin 5875 names 26.07 as its fix."""
    (release,) = re.findall(r"tritonserver:(\d+)\.(\d+)-py3", (ROOT / TRITON).read_text())
    assert tuple(map(int, release)) >= (26, 7)


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_installed_packages_are_pinned(dockerfile):
    for instruction, rest in instructions(dockerfile):
        for command in re.findall(r"pip install ([^&]*)", rest) if instruction == "RUN" else []:
            for word in shlex.split(command):
                if re.fullmatch(r"[a-z][\w-]+", word.split("==")[0]):
                    assert "==" in word, f"{word} has no version"


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_the_rules_of_hadolint_that_matter_here(dockerfile):
    """By its numbers: DL3000, 3009, 3015, 3020, 3025, 3042, 4006."""
    for instruction, rest in instructions(dockerfile):
        assert instruction != "ADD", "COPY does nothing surprising"
        if instruction == "WORKDIR":
            assert rest.startswith("/")
        if instruction in ("CMD", "ENTRYPOINT"):
            assert json.loads(rest), "a shell between would not pass on signals"
        if instruction == "RUN" and "apt-get install" in rest:
            assert "--no-install-recommends" in rest
            assert "rm -rf /var/lib/apt/lists/*" in rest
        if instruction == "RUN" and "pip install" in rest:
            assert "--mount=type=cache" in rest or "--no-cache-dir" in rest, (
                "pip's cache would be in the layer"
            )
        if instruction == "RUN":
            assert " | " not in rest, "the failure of a pipe's first program is not seen"
            assert "sudo " not in rest


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_a_build_argument_is_declared_in_every_stage_that_uses_it(dockerfile):
    """One that is not is empty, without an error: the check of TensorRT would have been skipped."""
    declared = set()
    for instruction, rest in instructions(dockerfile):
        if instruction == "FROM":
            declared = set()
        elif instruction == "ARG":
            declared.add(rest.split("=")[0])
        else:
            used = set(re.findall(r"\$\{([A-Z_]+)\}", rest))
            assert used <= declared, f"{used - declared} in {instruction} {rest}"


def test_the_proxys_image_starts_the_proxy():
    command = [rest for instruction, rest in instructions(PROXY) if instruction == "CMD"][-1]
    assert json.loads(command) == ["python", "-m", "frontend_proxy"]


@pytest.fixture
def entrypoint(tmp_path):
    """Starts the entry point with stand-ins for Triton and Python, which print their arguments and umask."""
    script = (ROOT / "deploy" / "docker" / "entrypoint.sh").read_text()
    (tmp_path / "entrypoint.sh").write_text(script.replace("/models", str(tmp_path)).replace("/app", "app"))
    export = (
        '#!/bin/sh\necho "$(basename "$0")" "$@"\numask\necho begins >> log\nsleep 0.3\necho ends >> log\n'
    )
    loading = 'test "$2" != serving.models || exec printf "%s\\n" --load-model=unet --load-model=tryon'
    python = export.replace("\n", f"\n{loading}\n", 1)
    for name, text in (("tritonserver", export), ("python3", python), ("cp", "#!/bin/sh\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def start(*arguments, **environment):
        path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        command = ["sh", "entrypoint.sh", *arguments]
        return subprocess.Popen(
            command, env=environment | path, cwd=tmp_path, stdout=subprocess.PIPE, text=True
        )

    return start


def output(process):
    lines = process.communicate(timeout=20)[0].splitlines()
    assert process.returncode == 0
    return lines


def test_the_image_restricts_tritons_protocols_with_a_random_token(entrypoint):
    first, second = (output(entrypoint("tritonserver", "--allow-http=false")) for _ in range(2))
    pattern = (
        f"tritonserver --allow-http=false --load-model=unet --load-model=tryon "
        f"--grpc-restricted-protocol={RESTRICTED_PROTOCOLS}:token=[0-9a-f]{{64}}"
    )
    assert re.fullmatch(pattern, first[0])
    assert first[0] != second[0]
    assert first[1] == "0077"


def test_other_arguments_of_the_image_are_the_exports(entrypoint, tmp_path):
    assert output(entrypoint("/checkpoints/x", "--profile", "cpu"))[0] == (
        f"python3 -m export /checkpoints/x --profile cpu --repository {tmp_path}"
    )


def test_onnx_runtime_needs_no_engines(entrypoint):
    """They were built although TRITON_CONFIG=onnx reads none, and without TensorRT the export failed."""
    (words, *_) = output(entrypoint("x", "--engines=1", TRITON_CONFIG="onnx"))
    assert export_parser().parse_args(words.split()[3:]).engines == 0
    (words, *_) = output(entrypoint("x", "--engines=1", TRITON_CONFIG="gpu"))
    assert export_parser().parse_args(words.split()[3:]).engines == 1


def test_pods_that_share_a_volume_export_one_after_the_other(entrypoint, tmp_path):
    for process in [entrypoint("x") for _ in range(3)]:
        output(process)
    assert (tmp_path / "log").read_text().split() == ["begins", "ends"] * 3


def test_a_local_export_stays_out_of_the_images():
    """A local unet_fast, gpu.pbtxt or pipeline.json would be copied onto the volume of models."""
    written = [
        line.strip("/").replace("!/", "!").removesuffix("/")
        for line in (ROOT / ".gitignore").read_text().splitlines()
        if "model_repository" in line
    ]
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    after = lines[lines.index("!model_repository") + 1 :]  # the last rule that matches decides
    assert len(written) > 10
    assert [line for line in written if line not in after] == []
