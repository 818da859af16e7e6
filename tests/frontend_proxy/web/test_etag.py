import pytest
from starlette.requests import Request

from frontend_proxy.web.etag import is_kept, kept_headers

HEADERS = kept_headers("content", 1)
TAG = HEADERS["ETag"]


def asked(if_none_match: str | None) -> Request:
    named = [] if if_none_match is None else [(b"if-none-match", if_none_match.encode())]
    return Request({"type": "http", "headers": named})


@pytest.mark.parametrize("named", [TAG, f"W/{TAG}", f'"another", {TAG}', "*"])
def test_who_names_it_has_it(named: str) -> None:
    assert is_kept(asked(named), HEADERS)


@pytest.mark.parametrize("named", [None, "", '"another"', TAG.strip('"')])
def test_who_does_not_name_it_gets_it(named: str | None) -> None:
    assert not is_kept(asked(named), HEADERS)


def test_other_content_has_another_tag() -> None:
    assert kept_headers("content", 2)["ETag"] != TAG == kept_headers("content", 1)["ETag"]
