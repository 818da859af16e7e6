import base64

import pytest

from frontend_proxy.webhook_signature import signed_headers, webhook_key


def test_the_example_of_the_specification() -> None:
    """The test vector of the Standard Webhooks reference libraries."""
    key = webhook_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    assert signed_headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_short", "hunter2", base64.b64encode(bytes(32)).decode()]
)
def test_a_weak_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="openssl"):
        webhook_key(secret)
