import pytest

from frontend_proxy.settings import Settings
from serving.errors import CannotServe
from serving.settings import ServingSettings, load_settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    """Neither the developer's environment nor the checkout's .env is part of these tests."""
    monkeypatch.chdir(tmp_path)
    for name in ServingSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_the_supervisor_and_the_proxy_read_the_same_file(tmp_path):
    (tmp_path / ".env").write_text("HOST=::1\nPORT=5055\nTRITON_GRPC_PORT=9001\nCPU_RUNTIME=onnxruntime\n")
    ours, proxy = load_settings(), Settings()
    assert (ours.host, ours.port) == (proxy.host, proxy.port) == ("::1", 5055)
    assert ours.ports == {"PORT": 5055, "TRITON_GRPC_PORT": 9001, "TRITON_METRICS_PORT": 8002}
    assert ours.cpu_runtime == "onnxruntime"


def test_the_environment_overrides_the_file_and_a_flag_overrides_both(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("TRITON_GRPC_PORT=9001\nTRITON_METRICS_PORT=9002\n")
    monkeypatch.setenv("TRITON_GRPC_PORT", "9101")
    settings = load_settings(triton_metrics_port=9202, triton_grpc_port=None)
    assert (settings.triton_grpc_port, settings.triton_metrics_port) == (9101, 9202)


def test_an_http_port_is_listened_on_only_if_it_is_set(monkeypatch):
    assert "TRITON_HTTP_PORT" not in load_settings().ports
    monkeypatch.setenv("TRITON_HTTP_PORT", "9000")
    assert load_settings().ports["TRITON_HTTP_PORT"] == 9000


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TRITON_GRPC_PORT", "grpc", "TRITON_GRPC_PORT: "),
        ("PORT", "8001", "PORT, TRITON_GRPC_PORT, TRITON_METRICS_PORT must differ"),
        ("CPU_RUNTIME", "tensorflow", "CPU_RUNTIME: .*'auto', 'onnxruntime' or 'openvino'"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(monkeypatch, name, value, message):
    monkeypatch.setenv(name, value)
    with pytest.raises(CannotServe, match=message) as caught:
        load_settings()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("::", "http://localhost:5000"),
        ("0.0.0.0", "http://localhost:5000"),
        ("::1", "http://[::1]:5000"),
        ("192.0.2.1", "http://192.0.2.1:5000"),
    ],
)
def test_the_printed_url_can_be_opened(monkeypatch, host, url):
    monkeypatch.setenv("HOST", host)
    assert load_settings().base_url == url
