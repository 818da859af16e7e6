import pytest
from pydantic import BaseModel
from starlette.requests import Request

from frontend_proxy.web.events import encode, wants_events


class Data(BaseModel):
    text: str


def test_an_event_is_one_line_of_data() -> None:
    assert encode("progress", Data(text="two\nlines")) == b'event: progress\ndata: {"text":"two\\nlines"}\n\n'


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream;q=0.9, application/json", True),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
        (None, False),
    ],
)
def test_only_clients_that_accept_events_get_them(accept: str | None, wanted: bool) -> None:
    headers = [] if accept is None else [(b"accept", accept.encode())]
    assert wants_events(Request({"type": "http", "headers": headers})) is wanted
