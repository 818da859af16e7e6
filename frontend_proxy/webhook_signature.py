"""Signatures of the Standard Webhooks specification 1.0 (https://www.standardwebhooks.com).

Its libraries verify them in most languages:

    webhook-id:         the same for every attempt to deliver a message
    webhook-timestamp:  seconds since 1970 of this attempt; receivers should refuse old ones (replays)
    webhook-signature:  "v1," + base64(HMAC-SHA256(key, id + "." + timestamp + "." + body))
"""

import base64
import binascii
import hashlib
import hmac

PREFIX = "whsec_"


def webhook_key(secret: str) -> bytes:
    """The key, decoded from `whsec_` and base64. Raises ValueError unless it has 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError(
            f"it must be {PREFIX} and 24 to 64 bytes in base64; make it with "
            f'`echo "{PREFIX}$(openssl rand -base64 32)"`'
        )
    return key


def signed_headers(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
