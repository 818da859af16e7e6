import shutil

import pytest

from export.checkpoint import locate
from export.errors import ExportError


@pytest.fixture
def copy(checkpoint, tmp_path):
    return shutil.copytree(checkpoint, tmp_path / "copy")


def test_a_folder_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(ExportError, match="there is no checkpoint folder"):
        locate(str(tmp_path / "nowhere"))


def test_a_hub_id_that_cannot_be_had_is_reported(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ExportError, match="cannot download the checkpoint nobody/nothing from the hub"):
        locate("nobody/nothing")


def test_a_folder_without_an_index_is_no_diffusers_folder(tmp_path):
    with pytest.raises(ExportError, match=r"not a diffusers folder.*model_index\.json"):
        locate(str(tmp_path))


def test_the_fingerprint_is_of_names_and_contents(copy):
    before = locate(str(copy)).fingerprint()
    assert locate(str(copy)).fingerprint() == before
    (copy / "pipeline.json").rename(copy / "pipeline.txt")
    renamed = locate(str(copy)).fingerprint()
    (copy / "pipeline.txt").write_text("{}")
    assert len({before, renamed, locate(str(copy)).fingerprint()}) == 3


def test_a_folder_may_be_given_by_its_index_or_from_home(copy, monkeypatch):
    assert locate(str(copy / "model_index.json")).path == copy
    monkeypatch.setenv("HOME", str(copy.parent))
    assert locate("~/copy").path == copy


@pytest.mark.parametrize(
    "path",
    ["", "./mine", "/nowhere/mine", "~/mine", "~nobody/mine", "mine", "here/mine", "else\\mine",
     "else/mine.safetensors", "else/MINE.CKPT", "a/b/c", "two words/mine", "x" * 5000],
)  # fmt: skip
def test_what_looks_like_a_path_is_never_asked_of_the_hub(tmp_path, monkeypatch, path):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)

    def refuse(hub_id):
        raise AssertionError(f"the hub was asked for {hub_id}")

    monkeypatch.setattr("export.checkpoint.file_names", refuse)
    with pytest.raises(ExportError, match=r"there is no checkpoint folder|no checkpoint is given"):
        locate(path)


@pytest.mark.parametrize("kind", ["safetensors", "fp16.safetensors", "bin", "fp16.bin"])
def test_one_kind_of_weights_is_downloaded(checkpoint, tmp_path, monkeypatch, kind):
    """The hub has repositories with all kinds, and some with only one."""
    repository = tmp_path / "hub"
    shutil.copytree(checkpoint, repository)
    for path in repository.glob("*/*.safetensors"):
        stem = path.name.removesuffix(".safetensors")
        if kind.endswith("bin"):
            stem = {"model": "pytorch_model"}.get(stem, stem)
        path.rename(path.with_name(f"{stem}.{kind}"))
    got = tmp_path / "cache"

    def snapshot(hub_id, allow_patterns, ignore_patterns):
        from huggingface_hub.utils import filter_repo_objects

        names = [path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()]
        for name in filter_repo_objects(
            names, allow_patterns=allow_patterns, ignore_patterns=ignore_patterns
        ):
            (got / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / name, got / name)
        return str(got)

    def names(self, hub_id):
        return [path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()]

    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", names)
    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    monkeypatch.setattr("export.weights.check_weights", lambda path: None)  # only names are tested
    assert locate("somebody/checkpoint").path == got
    assert len(list(got.glob("unet/*"))) == 2


def test_a_repository_of_no_family_is_refused_before_anything_is_downloaded(monkeypatch):
    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_files", lambda self, hub_id: ["weights.gguf"])
    with pytest.raises(ExportError, match=r"somebody/else on the hub is of no family .*Stable Diffusion inp"):
        locate("somebody/else")


def test_a_file_that_decides_nothing_and_lies_elsewhere_does_not_matter(checkpoint, copy):
    """The fingerprint is of names within the checkpoint: a copy of it is the same checkpoint."""
    assert locate(str(copy)).fingerprint() == locate(str(checkpoint)).fingerprint()


def test_a_version_behind_a_colon_goes_to_the_family(tmp_path, monkeypatch):
    """For repositories with several; the hub itself knows only what stands before it."""
    asked = []
    names = ["vitonhd-16k-512/attention/model.safetensors"]
    monkeypatch.setattr("export.checkpoint.file_names", lambda hub_id: asked.append(hub_id) or names)

    def download(hub_id):
        asked.append(hub_id)
        raise ExportError("enough")

    monkeypatch.setattr("families.catvton.family.download", download)
    with pytest.raises(ExportError, match="enough"):
        locate("zhengchong/CatVTON:vitonhd")
    assert asked == ["zhengchong/CatVTON", "zhengchong/CatVTON:vitonhd"]
