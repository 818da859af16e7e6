"""Guards against the loss of all saved fabrics: the results' sweep must not reach them."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from frontend_proxy.settings import Settings
from frontend_proxy.storage_locations import overlap


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("s3://lucy", "s3://lucy/catalog"),
        ("s3://lucy/", "s3://lucy"),
        ("s3://lucy/results/", "s3://lucy/results/fabrics"),
        ("s3://lucy/a/../catalog", "s3://lucy/catalog"),
        ("s3://lucy//catalog", "s3://lucy/catalog/"),
        ("s3://lucy/%63atalog", "s3://lucy/catalog"),
        ("s3://Lucy/Catalog", "s3://lucy/catalog"),
        ("S3://lucy/catalog", "s3://lucy/catalog"),
        ("gs://lucy", "gs://lucy/x"),
        ("file:///srv/lucy", Path("/srv/lucy")),
        ("file:///srv/lucy/", Path("/srv/lucy/catalog")),
        ("file:///srv/lucy%20data", Path("/srv/lucy data")),
        ("file://localhost/srv/lucy", Path("/srv/lucy/x")),
        (Path("data"), Path("data/catalog")),
        (Path("data/results/../catalog"), Path("data/catalog")),
        (Path("/srv/Results"), Path("/srv/results")),
        (Path("/"), Path("data/catalog")),
    ],
)
def test_overlapping(one: str | Path, other: str | Path) -> None:
    assert overlap(one, other)
    assert overlap(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("s3://lucy/results", "s3://lucy/catalog"),
        ("s3://lucy/result", "s3://lucy/results"),
        ("s3://lucy", "gs://lucy"),
        ("s3://lucy", Path("lucy")),
        ("file:///srv/results", Path("/srv/catalog")),
        (Path("data/results"), Path("data/catalog")),
        (Path("data/catalog"), Path("data/catalog-2")),
    ],
)
def test_apart(one: str | Path, other: str | Path) -> None:
    assert not overlap(one, other)
    assert not overlap(other, one)


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real" / "catalog").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert overlap(tmp_path / "link", tmp_path / "real" / "catalog")
    assert overlap(f"file://{tmp_path}/link/catalog", tmp_path / "real")


@pytest.mark.parametrize(
    "settings",
    [
        {"results_url": "s3://lucy", "catalog_url": "s3://lucy/catalog", "redis_url": "redis://localhost"},
        {"results_url": "s3://lucy/a/b", "catalog_url": "s3://lucy/a", "redis_url": "redis://localhost"},
        {"results_url": "file:///srv/lucy", "catalog_dir": "/srv/lucy/c", "redis_url": "redis://localhost"},
        {"results_dir": "data", "catalog_dir": "data/catalog"},
        {"results_dir": "data/catalog"},
    ],
)
def test_settings_that_overlap_are_refused_at_start(settings: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="overlap"):
        Settings(_env_file=None, **settings)


def test_separate_settings_are_accepted() -> None:
    Settings(
        _env_file=None,
        results_url="s3://lucy/results",
        catalog_url="s3://lucy/catalog",
        redis_url="redis://localhost",
    )
