from typing import Any

import pytest

from frontend_proxy.security.credentials import take_credential

KEY = "key-of-the-first-shop"


def websocket_scope(**changes: Any) -> dict[str, Any]:
    return {"type": "websocket", "headers": [], "query_string": b"", "subprotocols": [], **changes}


@pytest.mark.parametrize(
    "scope",
    [
        {"type": "http", "headers": [(b"authorization", b"Bearer " + KEY.encode())]},
        {"type": "http", "headers": [(b"authorization", b"bearer  " + KEY.encode())]},
        {"type": "http", "headers": [(b"x-api-key", KEY.encode())]},
        websocket_scope(headers=[(b"x-api-key", KEY.encode())]),
        websocket_scope(subprotocols=["lucy.json.v1", f"lucy.auth.{KEY}"]),
        websocket_scope(query_string=b"a=1&token=" + KEY.encode() + b"&b="),
    ],
)
def test_a_credential_is_found_in_each_place_where_a_client_may_put_it(scope: dict[str, Any]) -> None:
    assert take_credential(scope) == KEY


def test_it_is_removed_from_the_query_and_the_subprotocols() -> None:
    """uvicorn logs the query of a WebSocket, and its answer names one of the subprotocols."""
    scope = websocket_scope(
        query_string=b"a=1&token=" + KEY.encode(), subprotocols=[f"lucy.auth.{KEY}", "lucy.json.v1"]
    )
    take_credential(scope)
    assert scope["query_string"] == b"a=1"
    assert scope["subprotocols"] == ["lucy.json.v1"]


def test_the_query_of_a_request_is_not_a_credential() -> None:
    """It would stay in the browser's history and in the logs of other servers."""
    assert take_credential({"type": "http", "headers": [], "query_string": b"token=" + KEY.encode()}) is None
