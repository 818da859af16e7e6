import base64
import contextlib
import json
import re
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
from frontend_proxy.security.auth import Authenticator, Caller, parse_keys
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


def test_credentials_are_required_only_if_keys_are_set() -> None:
    assert not authenticator().required
    for keys in ({"api_keys": KEY}, {"jwt_secret": SECRET}):
        assert authenticator(**keys).required


def test_each_key_is_another_caller_whose_id_does_not_show_the_key() -> None:
    auth = authenticator(api_keys=f"{KEY}, {OTHER_KEY}")
    ids = {auth.identify(KEY).id, auth.identify(OTHER_KEY).id}
    assert len(ids) == 2
    assert all(re.fullmatch("key:[0-9a-f]{32}", one) for one in ids)
    assert authenticator(api_keys=KEY).identify(KEY).id in ids, "the id is the same in every proxy"


@pytest.mark.parametrize("credential", [None, "", KEY[:-1], KEY + "x", KEY.upper(), "a.b.c", "ключ"])
def test_any_other_credential_is_refused(credential: str | None) -> None:
    with pytest.raises(Unauthorized):
        authenticator(api_keys=KEY).identify(credential)


def test_a_key_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# shops\n{KEY}  # the first\n")
    auth = authenticator(api_keys_file=file)
    auth.identify(KEY)
    file.write_text(OTHER_KEY)
    auth.identify(OTHER_KEY)
    with pytest.raises(Unauthorized):
        auth.identify(KEY)


def test_a_caller_is_the_issuer_and_the_subject_of_a_token() -> None:
    """Two identity providers may both have a subject `1`; the captures of one are not the other's."""
    auth = authenticator(jwt_secret=SECRET)

    def identify(**changes: Any) -> Caller:
        return auth.identify(jwt.encode(claims(**changes), SECRET))

    caller = identify(exp=2**40)
    assert re.fullmatch("jwt:[0-9a-f]{32}", caller.id)
    assert caller.expires_at == 2**40
    assert identify(exp=2**41, aud=["other"], extra=1).id == caller.id
    others = [identify(sub="shopper-2"), identify(iss="shop"), identify(iss="shop-1", sub="")]
    assert len({caller.id, *(other.id for other in others)}) == 4


def test_keys_with_dots_work_beside_tokens() -> None:
    """A key with two dots was taken for a token."""
    key = "shop.example.key-1"
    auth = authenticator(api_keys=key, jwt_secret=SECRET)
    assert auth.identify(key).id.startswith("key:")
    assert auth.identify(jwt.encode(claims(), SECRET)).id.startswith("jwt:")
    with pytest.raises(Unauthorized):
        auth.identify("shop.example.key-2")


@pytest.mark.parametrize("keys", ["# a-key-that-is-commented-out", ",,", " ", "\n# one\n# two\n"])
def test_a_setting_without_a_key_is_refused(tmp_path: Path, keys: str) -> None:
    """It left the service open to everybody."""
    with pytest.raises(ValueError, match="API_KEYS is set and contains no key"):
        authenticator(api_keys=keys)
    for content in (keys, ""):
        (tmp_path / "keys").write_text(content)
        with pytest.raises(ValueError, match="API_KEYS_FILE contains no key"):
            authenticator(api_keys_file=tmp_path / "keys")


@pytest.mark.parametrize("setting", ["jwt_audience", "jwt_issuer"])
def test_claims_without_a_key_that_verifies_them_are_refused(setting: str) -> None:
    with pytest.raises(ValueError, match="need a key"):
        authenticator(**{setting: "lucy"})


def test_a_key_file_that_becomes_empty_lets_nobody_in(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(KEY)
    auth = authenticator(api_keys_file=file)
    auth.identify(KEY)
    version = auth.version
    file.write_text("# revoked\n")
    assert auth.required
    with pytest.raises(Unauthorized):
        auth.identify(KEY)
    assert auth.version != version


def test_a_key_set_that_becomes_empty_lets_nobody_in(tmp_path: Path) -> None:
    key, file = private_key(), tmp_path / "jwks.json"
    file.write_text(key_set(one=key))
    auth = authenticator(jwt_jwks_file=file)
    token = jwt.encode(claims(), key, "RS256", {"kid": "one"})
    auth.identify(token)
    version = auth.version
    file.write_text('{"keys": []}')
    with pytest.raises(Unauthorized):
        auth.identify(token)
    assert auth.version != version


def test_a_key_set_without_an_rsa_key_is_refused(tmp_path: Path) -> None:
    for content in ('{"keys": []}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', "[]"):
        (tmp_path / "jwks.json").write_text(content)
        with pytest.raises(ValueError, match="JWT_JWKS_FILE"):
            authenticator(jwt_jwks_file=tmp_path / "jwks.json")


@pytest.mark.parametrize("expires", ["Infinity", "-Infinity", "NaN", "1e400"])
def test_an_expiry_that_is_no_time_is_refused(expires: str) -> None:
    body = f'{{"sub": "a", "exp": {expires}}}'.encode()
    with pytest.raises(Unauthorized):
        authenticator(jwt_secret=SECRET).identify(jwt.api_jws.PyJWS().encode(body, SECRET))


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
def test_a_token_with_a_wrong_claim_is_refused(wrong: dict[str, Any], why: str) -> None:
    auth = authenticator(jwt_secret=SECRET, jwt_audience="lucy", jwt_issuer="shop")
    good = claims(aud="lucy", iss="shop")
    auth.identify(jwt.encode(good, SECRET))
    bad = {name: value for name, value in {**good, **wrong}.items() if value is not None}
    with pytest.raises(Unauthorized, match=why):
        auth.identify(jwt.encode(bad, SECRET))


def test_a_token_of_another_secret_or_none_is_refused() -> None:
    auth = authenticator(jwt_secret=SECRET)
    unsigned = jwt.encode(claims(), None, algorithm="none")
    for token in (jwt.encode(claims(), SECRET[::-1]), unsigned, jwt.encode(claims(), SECRET, "HS512")):
        with pytest.raises(Unauthorized):
            auth.identify(token)


def test_rs256_by_a_public_key(tmp_path: Path) -> None:
    key = private_key()
    (tmp_path / "public.pem").write_bytes(public_pem(key))
    auth = authenticator(jwt_public_key_file=tmp_path / "public.pem")
    assert auth.identify(jwt.encode(claims(), key, "RS256")).id.startswith("jwt:")
    with pytest.raises(Unauthorized):
        auth.identify(jwt.encode(claims(), private_key(), "RS256"))


def test_a_public_key_is_never_a_secret(tmp_path: Path) -> None:
    """The classic confusion: HS256 with the RS256 public key, which everybody has, as its secret."""
    pem = public_pem(private_key())
    (tmp_path / "public.pem").write_bytes(pem)
    auth = authenticator(jwt_public_key_file=tmp_path / "public.pem")
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims())]
    signed = b".".join(part.rstrip(b"=") for part in parts)
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(signed, pem)
    forged = signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")
    with pytest.raises(Unauthorized, match="alg"):
        auth.identify(forged.decode())


def test_a_key_set_is_rotated_without_a_restart(tmp_path: Path) -> None:
    old, new, file = private_key(), private_key(), tmp_path / "jwks.json"
    file.write_text(key_set(old=old))
    auth = authenticator(jwt_jwks_file=file)
    of_old = jwt.encode(claims(), old, "RS256", {"kid": "old"})
    of_new = jwt.encode(claims(), new, "RS256", {"kid": "new"})
    auth.identify(of_old)
    with pytest.raises(Unauthorized, match="kid"):
        auth.identify(of_new)
    file.write_text(key_set(new=new))
    auth.identify(of_new)
    with pytest.raises(Unauthorized, match="kid"):
        auth.identify(of_old)


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


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "sub", "exp", "aud"]), JSON)


@example(header={"alg": []}, body={})
@settings(max_examples=50, deadline=None)
@given(header=FIELDS | JSON, body=FIELDS | JSON)
def test_an_unsigned_token_is_refused_whatever_it_contains(header: Any, body: Any) -> None:
    """`{"alg": []}` is a valid JSON header, and was a 500."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, body)]
    with pytest.raises(Unauthorized):
        authenticator(jwt_secret=SECRET).identify(b".".join([*parts, b"c2ln"]).decode())


@settings(max_examples=50, deadline=None)
@given(body=FIELDS)
def test_a_signed_token_with_odd_claims_is_accepted_or_refused(body: dict[str, Any]) -> None:
    token = jwt.api_jws.PyJWS().encode(json.dumps(body).encode(), SECRET)
    with contextlib.suppress(Unauthorized):
        assert authenticator(jwt_secret=SECRET).identify(token).id.startswith("jwt:")


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_any_text_as_a_credential_is_refused(credential: str) -> None:
    with pytest.raises(Unauthorized):
        authenticator(jwt_secret=SECRET, api_keys=KEY).identify(credential)
