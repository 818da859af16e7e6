import pytest

from frontend_proxy.triton_addresses import check_address, resolve


@pytest.mark.parametrize("address", ["gpu-1:8001", "127.0.0.1:8001", "[::1]:8001", "dns:///triton:8001"])
def test_addresses(address: str) -> None:
    assert check_address(address) == address


@pytest.mark.parametrize("address", ["gpu-1", "http://gpu-1:8001", "dns://8.8.8.8/triton:8001", ":8001", ""])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        check_address(address)


async def test_a_name_stands_for_each_of_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await resolve(["gpu-1:8001", "gpu-2:8001"]) == {"gpu-1:8001", "gpu-2:8001"}
    assert await resolve(["dns:///localhost:8001"]) <= {"127.0.0.1:8001", "[::1]:8001"}


async def test_a_name_that_nobody_has() -> None:
    with pytest.raises(OSError, match=r".+"):
        await resolve(["dns:///nobody.invalid:8001"])
