import pytest

from export.publish import Staging


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "unet" / "1").mkdir(parents=True)
    (tmp_path / "unet" / "1" / "model.py").write_text("hand-written")
    (tmp_path / "unet" / "1" / "model.onnx").write_text("old")
    (tmp_path / "unet" / "1" / "model.plan").write_text("old engine")
    (tmp_path / "manifest.json").write_text("{}")
    return tmp_path


def everything(folder):
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_an_export_that_fails_leaves_all_as_it_was(repository):
    before = everything(repository)

    def cut_off():
        with Staging(repository) as staging:
            (staging.folder("unet") / "model.onnx").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_off()
    assert everything(repository) == before


def test_publishing_replaces_a_model_with_all_that_belongs_to_it(repository):
    """An engine of the old weights beside the new ONNX would be served."""
    with Staging(repository) as staging:
        (staging.folder("unet") / "model.onnx").write_text("new")
        published = staging.publish()
    assert published == [repository / "unet" / "1" / "model.onnx"]
    assert everything(repository) == {"unet/1/model.py": "hand-written", "unet/1/model.onnx": "new"}


def test_what_an_earlier_crash_left_is_not_published(repository):
    left = repository / "unet" / ".staging"
    left.mkdir()
    (left / "model.onnx.data").write_text("garbage")
    with Staging(repository) as staging:
        (staging.folder("unet") / "model.onnx").write_text("new")
        assert len(staging.publish()) == 1
