"""Both clients against the proxy with a fake model, on a real socket."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from catalog import Catalog, FabricDetails
from frontend_proxy.errors import ModelUnavailable
from frontend_proxy.settings import Settings
from lucy_client import AsyncLucy, Lucy, LucyError, Retries
from lucy_client.__main__ import main
from tests.fakes import FakeServer
from tests.frontend_proxy.conftest import FRAME, RENDER, Serve

JPEG = base64.b64decode(FRAME.partition(",")[2])
PNG = base64.b64decode(RENDER.partition(",")[2])
ONCE = Retries(most=0)


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "me.jpg").write_bytes(JPEG)
    (tmp_path / "jacket.png").write_bytes(PNG)
    return {"user_image": tmp_path / "me.jpg", "jacket_render": tmp_path / "jacket.png"}


async def test_a_capture_tells_its_progress(serve: Serve, pictures: dict[str, Path], tmp_path: Path) -> None:
    steps: list[int] = []

    def synchronous(address: str) -> Any:
        with Lucy(f"http://{address}") as lucy:
            return lucy.capture(**pictures, on_progress=lambda it: steps.append(it.step), seed=7)

    async with serve() as address:
        result = await asyncio.to_thread(synchronous, address)
        assert steps[-1] == 3
        told = len(steps)
        result.save(tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == JPEG, "the fake model answers the frame"
        async with AsyncLucy(f"http://{address}") as lucy:
            again = await lucy.capture(
                **pictures, on_progress=lambda it: steps.append(it.step), pose=None, seed=7
            )
            assert again.seed == result.seed == 7
            assert steps[-1] == 3
            assert len(steps) > told


async def test_an_error_inside_a_stream_is_raised(
    serve: Serve, server: FakeServer, pictures: dict[str, Path]
) -> None:
    server.error = ModelUnavailable("the model is away")
    async with serve() as address, AsyncLucy(f"http://{address}") as lucy:
        with pytest.raises(LucyError, match="the model is away") as caught:
            await lucy.capture(**pictures, on_progress=lambda it: None)
    assert (caught.value.code, caught.value.status) == ("MODEL_UNAVAILABLE", 503)
    assert caught.value.retry_after == ModelUnavailable.retry_after


async def test_a_capture_that_nobody_waits_for(serve: Serve, pictures: dict[str, Path]) -> None:
    async with serve() as address, AsyncLucy(f"http://{address}") as lucy:
        status = await lucy.submit(**pictures)
        while (status := await lucy.capture_status(status.result_id)).state == "running":
            await asyncio.sleep(0.01)
        assert status.result
        assert (await lucy.download(status.result.images[0].url)) == JPEG
        await lucy.delete_capture(status.result_id)
        with pytest.raises(LucyError) as caught:
            await lucy.capture_status(status.result_id)
        assert caught.value.code == "NOT_FOUND"


async def test_a_live_session(serve: Serve, server: FakeServer) -> None:
    def synchronous(address: str) -> list[Any]:
        with Lucy(f"http://{address}") as lucy, lucy.keyframes() as session:
            return [session.send(JPEG, PNG, fabric_id="denim-blue") for _ in range(2)]

    async with serve() as address:
        for answer in await asyncio.to_thread(synchronous, address):
            assert (answer.image, answer.mode) == (JPEG, "ai_enhanced")
        async with AsyncLucy(f"http://{address}") as lucy, lucy.keyframes() as session:
            assert (await session.send(JPEG, PNG)).image == JPEG
            with pytest.raises(LucyError) as caught:
                await session.send(b"no picture", PNG)
            assert caught.value.code == "IMAGE_DECODE"
            assert (await session.send(JPEG, PNG)).image == JPEG, "the session goes on"
            assert session._socket
            await session._socket.close()
            assert (await session.send(JPEG, PNG)).image == JPEG, "it is connected again"
    assert len({job.session for job in server.started}) > 1


async def test_a_server_that_is_away(free_port: int) -> None:
    address = f"http://127.0.0.1:{free_port}"
    async with AsyncLucy(address, retries=ONCE) as lucy:
        with pytest.raises(LucyError, match="cannot be reached"):
            await lucy.health()
        async with lucy.keyframes() as session:
            with pytest.raises(LucyError, match="cannot be reached"):
                await session.send(JPEG)
    with Lucy(address, retries=ONCE).keyframes() as session, pytest.raises(LucyError):
        session.send(JPEG)


async def test_the_catalog_and_a_wrong_key(serve: Serve) -> None:
    async with serve(api_keys="0123456789abcdef") as address:
        async with AsyncLucy(f"http://{address}", "0123456789abcdef") as lucy:
            fabrics = await lucy.fabrics()
            assert (await lucy.fabric(fabrics[0].id)).name == fabrics[0].name
            assert await lucy.fabrics(text="there is no such fabric") == []
            assert (await lucy.health()).ai_model_loaded
        async with AsyncLucy(f"http://{address}", "another") as lucy, lucy.keyframes() as session:
            for call in (lucy.fabrics(), session.send(JPEG)):
                with pytest.raises(LucyError) as caught:
                    await call
                assert (caught.value.status, caught.value.code) == (401, "UNAUTHORIZED")


async def test_an_own_fabric_is_changed_and_deleted(serve: Serve, settings: Settings) -> None:
    maps = dict.fromkeys(("diffuse", "normal", "roughness_map", "thumbnail"), (PNG, "image/png"))
    details = FabricDetails(name="Grey herringbone", roughness=0.8, tags=("wool",))
    made = Catalog(settings.catalog_dir).add(details, maps)
    async with serve() as address, AsyncLucy(f"http://{address}") as lucy:
        fabric = await lucy.fabric(made.id)
        changed = await lucy.replace_fabric(fabric.model_copy(update={"name": "Brown herringbone"}))
        assert (changed.id, changed.name, changed.tags) == (made.id, "Brown herringbone", ["wool"])
        assert (await lucy.fabric(made.id)).diffuseUrl == fabric.diffuseUrl
        await lucy.delete_fabric(made.id)
        with pytest.raises(LucyError) as caught:
            await lucy.fabric(made.id)
    assert caught.value.code == "NOT_FOUND"


async def test_the_command_line(
    serve: Serve, pictures: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.png"
    capture = ["capture", "--camera", str(pictures["user_image"]), "--render", str(pictures["jacket_render"])]
    async with serve() as address:
        url = ["--url", f"http://{address}"]
        arguments = [*url, *capture, "--set", "seed=3", "-o", str(out)]
        assert await asyncio.to_thread(main, arguments) == 0
        assert out.read_bytes() == JPEG
        assert "seed 3" in capsys.readouterr().out
        assert await asyncio.to_thread(main, [*arguments, "--set", "answer=light"]) == 1
        assert "the answer is a light" in capsys.readouterr().err
        assert await asyncio.to_thread(main, [*url, "fabrics"]) == 0
        assert "denim-blue" in capsys.readouterr().out
        assert await asyncio.to_thread(main, [*url, "health"]) == 0
        missing = [*url, "capture", "--camera", "nobody.jpg", "--garment", "coat.jpg"]
        assert await asyncio.to_thread(main, missing) == 1
        assert "nobody.jpg" in capsys.readouterr().err
