"""docs/websocket.md: its example runs as it is written, and it names every field."""

import asyncio
import io
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

from frontend_proxy.answer_schemas import KeyframeResult
from frontend_proxy.schemas import Keyframe
from tests.frontend_proxy.conftest import Serve

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "websocket.md").read_text()


async def test_the_python_example_runs(serve: Serve, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    async with serve() as address:
        code = code.replace("localhost:5000", address).replace("tests/data", str(ROOT / "tests" / "data"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
        )
        printed, _ = await asyncio.wait_for(process.communicate(), 30)
    assert printed.startswith(b"1 ai_enhanced {")
    assert Image.open(io.BytesIO((tmp_path / "keyframe.jpg").read_bytes())).size == (1280, 720)


@pytest.mark.parametrize("model", [Keyframe, KeyframeResult])
def test_every_field_is_described(model: type) -> None:
    described = set(re.findall(r"`(\w+)`", PAGE))
    assert set(model.model_fields) <= described
