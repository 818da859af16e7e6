"""How many WebSocket frames one client may send. Pure policy: no sockets, no clock of its own."""

from websockets.frames import Opcode

CONTROL_OPCODES = (Opcode.PING, Opcode.PONG, Opcode.CLOSE)

# A control frame has at most 125 bytes (RFC 6455, section 5.5), so this also limits them to 1250 bytes/s.
CONTROL_FRAMES_PER_S, CONTROL_FRAMES_BURST = 10, 50
MESSAGES_PER_S, MESSAGES_BURST = 60, 120  # of one connection; clients send one keyframe every 1.5 to 2 s
ADDRESS_MESSAGES_PER_S, ADDRESS_MESSAGES_BURST = 600, 1200  # of all connections of one address
# Parsing a frame takes as long as copying some 10 KB, so small fragments are allowed only to this number.
SMALL_FRAGMENTS = 64
FRAGMENT_BYTES = 1024  # that the fragments beyond it must have on average


class TokenBucket:
    """Allows `burst` events at once and `per_s` a second after that."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = float(burst)
        self._updated: float | None = None

    def take(self, now: float) -> bool:
        """Take one token; False if there is none. `now` is in seconds."""
        if self._updated is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._updated) * self._per_s)
        self._updated = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def address_bucket() -> TokenBucket:
    """The bucket that all connections of one address share."""
    return TokenBucket(ADDRESS_MESSAGES_PER_S, ADDRESS_MESSAGES_BURST)


class FrameLimits:
    """The limits of one connection."""

    def __init__(self) -> None:
        self._control = TokenBucket(CONTROL_FRAMES_PER_S, CONTROL_FRAMES_BURST)
        self._messages = TokenBucket(MESSAGES_PER_S, MESSAGES_BURST)
        self._fragments = 0  # of the message that arrives
        self._bytes = 0

    def violation(self, opcode: Opcode, size: int, now: float, address: TokenBucket) -> str | None:
        """Count a frame of `size` bytes. Returns the limit that it breaks, or None."""
        if opcode in CONTROL_OPCODES:
            if self._control.take(now):
                return None
            return f"more than {CONTROL_FRAMES_PER_S} control frames a second"
        if opcode is not Opcode.CONT:
            self._fragments = self._bytes = 0
            if not self._messages.take(now):
                return f"more than {MESSAGES_PER_S} messages a second"
            if not address.take(now):
                return f"more than {ADDRESS_MESSAGES_PER_S} messages a second from this address"
        self._fragments += 1
        self._bytes += size
        if self._fragments > SMALL_FRAGMENTS + self._bytes // FRAGMENT_BYTES:
            return f"a message in more than {SMALL_FRAGMENTS} fragments of under {FRAGMENT_BYTES} bytes"
        return None
