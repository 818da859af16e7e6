import logging
from pathlib import Path

import pytest
from pydantic_settings import CliApp

from frontend_proxy import renamed_settings
from frontend_proxy.__main__ import main
from frontend_proxy.settings import Settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the developer's environment nor the checkout's .env is part of these tests."""
    monkeypatch.chdir(tmp_path)
    for name in [*Settings.model_fields, *renamed_settings.NEW_NAMES]:
        monkeypatch.delenv(name.upper(), raising=False)


def test_every_new_name_is_a_setting_and_no_old_name_is() -> None:
    assert set(renamed_settings.NEW_NAMES.values()) <= Settings.model_fields.keys()
    assert not renamed_settings.NEW_NAMES.keys() & Settings.model_fields.keys()


@pytest.mark.parametrize("name", ["WEBHOOK_PRIVATE_HOSTS", "WEBHOOK_INSIDE_HOSTS", "webhook_inside_hosts"])
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_old_and_new_names_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, name: str
) -> None:
    if place == ".env":
        (tmp_path / ".env").write_text(f"{name}=a, b\n")
    else:
        monkeypatch.setenv(name, "a, b")
    assert Settings().webhook_private_hosts == ["a", "b"]
    warned = [sentence.split()[0] for sentence in renamed_settings.warnings(Settings, [])]
    assert warned == ([] if "PRIVATE" in name else ["WEBHOOK_INSIDE_HOSTS"])


def test_the_new_name_has_priority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WEBHOOK_PRIVATE_HOSTS=new\n")
    monkeypatch.setenv("WEBHOOK_INSIDE_HOSTS", "old")
    assert Settings().webhook_private_hosts == ["new"]
    assert Settings(webhook_private_hosts=["newest"]).webhook_private_hosts == ["newest"]


@pytest.mark.parametrize("flags", [["--webhook-inside-hosts", "a,b"], ["--webhook-inside-hosts=a,b"]])
def test_an_old_flag_works(flags: list[str]) -> None:
    settings = CliApp.run(Settings, renamed_settings.with_new_flags(flags))
    assert settings.webhook_private_hosts == ["a", "b"]
    (warning,) = renamed_settings.warnings(Settings, flags)
    assert warning.startswith("--webhook-inside-hosts is now called --webhook-private-hosts;")


def test_other_arguments_stay_as_they_are() -> None:
    arguments = ["--port=1", "webhook-inside-hosts", "--triton-url", "a:1", "--webhook-private-hosts=a"]
    assert renamed_settings.with_new_flags(arguments) == arguments
    assert renamed_settings.warnings(Settings, arguments) == []


def test_the_start_warns(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("WEBHOOK_INSIDE_HOSTS", "receiver")
    monkeypatch.setattr("sys.argv", ["proxy", "--api-keys=,"])  # which ends the start
    monkeypatch.setattr("frontend_proxy.logs.configure", lambda *arguments: None)
    with caplog.at_level(logging.WARNING), pytest.raises(SystemExit, match="API_KEYS"):
        main()
    assert "WEBHOOK_INSIDE_HOSTS is now called WEBHOOK_PRIVATE_HOSTS" in caplog.text
