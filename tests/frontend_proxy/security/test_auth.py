import base64
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from frontend_proxy.errors import Unauthorized
from frontend_proxy.security.auth import Authenticator, parse_keys, take_credential
from frontend_proxy.settings import Settings

KEY, OTHER_KEY = "key-of-the-first-shop", "key-of-the-second-shop"
SECRET = "a secret that is long enough for HS512, which is not accepted all the same"


def authenticator(**changes: Any) -> Authenticator:
    return Authenticator(Settings(_env_file=None, **changes))


def claims(**changes: Any) -> dict[str, Any]:
    return {"sub": "shopper-1", "exp": time.time() + 60, **changes}


def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def key_set(**keys: rsa.RSAPrivateKey) -> str:
    as_jwk = jwt.algorithms.RSAAlgorithm.to_jwk
    entries = [
        {**json.loads(as_jwk(key.public_key())), "kid": kid, "alg": "RS256"} for kid, key in keys.items()
    ]
    return json.dumps({"keys": entries})


def test_without_keys_nobody_is_asked() -> None:
    assert not authenticator().required
    for keys in ({"api_keys": KEY}, {"jwt_secret": SECRET}):
        assert authenticator(**keys).required


def test_each_key_is_a_client_of_its_own_and_its_name_tells_nothing() -> None:
    door = authenticator(api_keys=f"{KEY}, {OTHER_KEY}")
    names = {door.identify(KEY), door.identify(OTHER_KEY)}
    assert len(names) == 2
    assert all(name.startswith("key:") and "shop" not in name for name in names)


@pytest.mark.parametrize("credential", [None, "", KEY[:-1], KEY + "x", KEY.upper(), "a.b.c", "ключ"])
def test_any_other_credential_is_refused(credential: str | None) -> None:
    with pytest.raises(Unauthorized):
        authenticator(api_keys=KEY).identify(credential)


def test_keys_in_a_file_are_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# shops\n{KEY}  # the first\n")
    door = authenticator(api_keys_file=file)
    door.identify(KEY)
    file.write_text(OTHER_KEY)
    door.identify(OTHER_KEY)
    with pytest.raises(Unauthorized):
        door.identify(KEY)


def test_a_token_names_its_subject() -> None:
    door = authenticator(jwt_secret=SECRET)
    assert door.identify(jwt.encode(claims(), SECRET)) == "jwt:shopper-1"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"exp": time.time() - 60}, "expired"),
        ({"exp": None}, "not valid"),
        ({"sub": None}, "not valid"),
        ({"aud": "another"}, "not valid"),
        ({"iss": "another"}, "not valid"),
        ({"nbf": time.time() + 86_400}, "not valid"),  # collected long before it runs
    ],
)
def test_a_token_that_says_something_else_is_refused(wrong: dict[str, Any], why: str) -> None:
    door = authenticator(jwt_secret=SECRET, jwt_audience="lucy", jwt_issuer="shop")
    good = claims(aud="lucy", iss="shop")
    door.identify(jwt.encode(good, SECRET))
    bad = {name: value for name, value in {**good, **wrong}.items() if value is not None}
    with pytest.raises(Unauthorized, match=why):
        door.identify(jwt.encode(bad, SECRET))


def test_a_token_of_another_secret_or_none_is_refused() -> None:
    door = authenticator(jwt_secret=SECRET)
    unsigned = jwt.encode(claims(), None, algorithm="none")
    for token in (jwt.encode(claims(), SECRET[::-1]), unsigned, jwt.encode(claims(), SECRET, "HS512")):
        with pytest.raises(Unauthorized):
            door.identify(token)


def test_rs256_by_a_public_key(tmp_path: Path) -> None:
    key = private_key()
    (tmp_path / "public.pem").write_bytes(public_pem(key))
    door = authenticator(jwt_public_key_file=tmp_path / "public.pem")
    assert door.identify(jwt.encode(claims(), key, "RS256")) == "jwt:shopper-1"
    with pytest.raises(Unauthorized):
        door.identify(jwt.encode(claims(), private_key(), "RS256"))


def test_a_public_key_is_never_a_secret(tmp_path: Path) -> None:
    """The classic confusion: HS256 with the RS256 public key, which everybody has, as its secret."""
    pem = public_pem(private_key())
    (tmp_path / "public.pem").write_bytes(pem)
    door = authenticator(jwt_public_key_file=tmp_path / "public.pem")
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims())]
    signed = b".".join(part.rstrip(b"=") for part in parts)
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signed, pem)
    forged = signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")
    with pytest.raises(Unauthorized, match="alg"):
        door.identify(forged.decode())


def test_a_key_set_is_rotated_without_a_restart(tmp_path: Path) -> None:
    old, new, file = private_key(), private_key(), tmp_path / "jwks.json"
    file.write_text(key_set(old=old))
    door = authenticator(jwt_jwks_file=file)
    of_old = jwt.encode(claims(), old, "RS256", {"kid": "old"})
    of_new = jwt.encode(claims(), new, "RS256", {"kid": "new"})
    door.identify(of_old)
    with pytest.raises(Unauthorized, match="kid"):
        door.identify(of_new)
    file.write_text(key_set(new=new))
    door.identify(of_new)
    with pytest.raises(Unauthorized, match="kid"):
        door.identify(of_old)


@pytest.mark.parametrize(
    ("weak", "why"),
    [
        ({"api_keys": "short"}, "16 or more"),
        ({"api_keys": f"{KEY},with a blank in it"}, "API key 2"),
        ({"jwt_secret": "short"}, "32 bytes"),
    ],
)
def test_a_weak_key_is_refused_at_start_and_not_shown(weak: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        authenticator(**weak)
    assert "short" not in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("setting", ["jwt_public_key_file", "jwt_jwks_file"])
def test_an_unreadable_key_file_is_refused_at_start(tmp_path: Path, setting: str) -> None:
    (tmp_path / "keys").write_text("no key")
    with pytest.raises(ValueError, match="JWT_"):
        authenticator(**{setting: tmp_path / "keys"})


@given(st.text())
def test_parsed_keys_are_all_usable_or_refused(text: str) -> None:
    try:
        keys = parse_keys(text)
    except ValueError:
        return
    assert all(len(key) >= 16 and key.isascii() for key in keys)


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
def test_a_credential_is_found_wherever_a_client_may_put_it(scope: dict[str, Any]) -> None:
    assert take_credential(scope) == KEY


def test_it_is_taken_out_of_what_is_logged_and_answered() -> None:
    """uvicorn logs the query of a WebSocket, and its answer names one of the subprotocols."""
    scope = websocket_scope(
        query_string=b"a=1&token=" + KEY.encode(), subprotocols=[f"lucy.auth.{KEY}", "lucy.json.v1"]
    )
    take_credential(scope)
    assert scope["query_string"] == b"a=1"
    assert scope["subprotocols"] == ["lucy.json.v1"]


def test_a_query_of_a_request_holds_no_credential() -> None:
    """It would stay in browser histories and in other servers' logs."""
    assert take_credential({"type": "http", "headers": [], "query_string": b"token=" + KEY.encode()}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "sub", "exp", "aud"]), JSON)


@example(header={"alg": []}, body={})
@settings(max_examples=50, deadline=None)
@given(header=FIELDS | JSON, body=FIELDS | JSON)
def test_whatever_a_token_says_it_is_refused_and_never_fails(header: Any, body: Any) -> None:
    """`{"alg": []}` is a valid JSON header, and was a 500."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, body)]
    with pytest.raises(Unauthorized):
        authenticator(jwt_secret=SECRET).identify(b".".join([*parts, b"c2ln"]).decode())


@settings(max_examples=50, deadline=None)
@given(body=FIELDS)
def test_a_signed_token_with_odd_claims_is_known_or_refused(body: dict[str, Any]) -> None:
    token = jwt.api_jws.PyJWS().encode(json.dumps(body).encode(), SECRET)
    with contextlib.suppress(Unauthorized):
        assert authenticator(jwt_secret=SECRET).identify(token).startswith("jwt:")


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_any_text_as_a_credential_is_refused_and_never_fails(credential: str) -> None:
    with pytest.raises(Unauthorized):
        authenticator(jwt_secret=SECRET, api_keys=KEY).identify(credential)
