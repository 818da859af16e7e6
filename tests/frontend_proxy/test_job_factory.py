import pytest

from catalog import Catalog
from frontend_proxy.errors import InvalidInput
from frontend_proxy.job_factory import JobFactory
from frontend_proxy.schemas import Capture, Keyframe, validate
from frontend_proxy.settings import Settings

FIELDS = {"camera_frame": "Zm9v", "user_image": "Zm9v", "jacket_render": "YmFy"}


def factory(**settings: object) -> JobFactory:
    return JobFactory(Settings(_env_file=None, **settings), Catalog(None))


def test_steps_are_the_client_s_else_the_settings_else_the_model_s() -> None:
    keyframe, capture = validate(Keyframe, FIELDS), validate(Capture, FIELDS)
    asking = validate(Capture, {**FIELDS, "steps": 9})
    configured = factory(fast_inference_steps=2, quality_inference_steps=30)
    assert factory().keyframe(keyframe, b"bar", "connection", 1).steps is None
    assert configured.keyframe(keyframe, b"bar", "connection", 1).steps == 2
    assert configured.capture(capture).steps == 30
    assert configured.capture(asking).steps == 9


def test_more_steps_than_allowed_are_refused() -> None:
    asking = validate(Capture, {**FIELDS, "steps": 9})
    assert factory(max_steps=9).capture(asking).steps == 9
    with pytest.raises(InvalidInput, match="at most 8"):
        factory(max_steps=8).capture(asking)


def test_only_a_known_fabric_has_a_name() -> None:
    names = {
        fabric_id: factory().capture(validate(Capture, {**FIELDS, "fabric_id": fabric_id})).fabric
        for fabric_id in ("denim-blue", "custom-1707735000000", "", None)
    }
    assert names.pop("denim-blue")
    assert set(names.values()) == {None}


def test_a_seed_of_zero_is_a_seed() -> None:
    keyframe = validate(Keyframe, {**FIELDS, "seed": 0})
    assert factory().keyframe(keyframe, b"bar", "connection", 5).seed == 0


def test_a_session_is_of_one_connection_one_client_s_session_and_one_fabric() -> None:
    """Two users who name their sessions alike must not see each other's light."""

    def session(connection: str, **fields: object) -> str | None:
        return factory().keyframe(validate(Keyframe, {**FIELDS, **fields}), b"bar", connection, 5).session

    one = session("secret", session_id="anna", fabric_id="custom-1")
    assert one == session("secret", session_id="anna", fabric_id="custom-1")
    others = {
        session("another", session_id="anna", fabric_id="custom-1"),
        session("secret", session_id="ben", fabric_id="custom-1"),
        session("secret", session_id="anna", fabric_id="custom-2"),
        session("secret"),
    }
    assert len(others) == 4
    assert one not in others
    assert factory().capture(validate(Capture, FIELDS)).session is None
