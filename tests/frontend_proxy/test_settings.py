import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from frontend_proxy.settings import Settings
from serving.settings import ServingSettings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
SETTING = re.compile(r"^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the developer's environment nor the checkout's .env is part of these tests."""
    monkeypatch.chdir(tmp_path)
    for name in ServingSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_example_names_every_setting_and_no_other() -> None:
    names = [name for name, _ in SETTING.findall(EXAMPLE.read_text())]
    assert sorted(names) == sorted(name.upper() for name in ServingSettings.model_fields)


def test_the_example_s_values_are_the_defaults(tmp_path: Path) -> None:
    values = "".join(f"{name}={value}\n" for name, value in SETTING.findall(EXAMPLE.read_text()))
    (tmp_path / ".env").write_text(values)
    assert ServingSettings() == ServingSettings(_env_file=None)


def test_dotenv_and_environment_are_read_the_environment_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("PORT=5001\nMAX_STEPS=7\nNOT_OURS=1\n")
    monkeypatch.setenv("PORT", "5002")
    assert (Settings().port, Settings().max_steps) == (5002, 7)


def test_origins_are_separated_by_commas_and_normalised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser never sends a default port, so an entry with one would never match."""
    monkeypatch.setenv("CORS_ORIGINS", "http://localhost:3000, https://YourDomain.com:443/,*,null")
    assert Settings().cors_origins == ["http://localhost:3000", "https://yourdomain.com", "*", "null"]


@pytest.mark.parametrize(
    "text",
    [
        '["https://a.example","https://B.example"]',
        "['https://a.example', 'https://b.example/']",
        "https://A.example , https://b.example:443",
    ],
)
def test_lists_are_understood_as_other_frameworks_write_them(monkeypatch, text):
    monkeypatch.setenv("CORS_ORIGINS", text)
    assert Settings().cors_origins == ["https://a.example", "https://b.example"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("LOG_LEVEL", "loud"),
        ("PUBLIC_URL", "example.com"),
        ("MAX_CAPTURES", "0"),
        ("RATE_LIMIT_PER_KEY", "many"),
        ("CORS_ORIGINS", "shop.example"),
        ("CATALOG_URL", "ftp://bucket"),
        ("RATE_LIMIT_STORAGE", "cupboard://"),
        ("TRITON_URLS", "gpu-1:8001,gpu-2"),
        ("REDIS_URL", "memory://"),
        ("RESULTS_URL", "s3://bucket"),
    ],
)
def test_a_wrong_value_is_refused_at_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_three_images_of_the_allowed_size_fit_into_a_message() -> None:
    settings = Settings(max_image_bytes=3_000_000)
    assert settings.max_message_bytes >= 3 * 4_000_000 + 10_000
