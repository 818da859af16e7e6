import json

from pydantic import BaseModel

from frontend_proxy.web.answers import private_json


class Answer(BaseModel):
    name: str


def test_no_cache_keeps_the_answer() -> None:
    response = private_json(Answer(name="Köper"), 202, {"Location": "/there"})
    assert response.status_code == 202
    assert response.headers["Content-Type"] == "application/json"
    assert (response.headers["Cache-Control"], response.headers["Location"]) == ("no-store", "/there")
    assert json.loads(response.body) == {"name": "Köper"}
