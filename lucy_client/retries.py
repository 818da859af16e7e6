"""When a request is sent again: the policy alone, without clock and network."""

from dataclasses import dataclass

from lucy_client.errors import LucyError

# Busy, not ready, or still at work on the first request of this Idempotency-Key.
WORTH_ANOTHER_TRY = (409, 429, 503)


@dataclass(frozen=True)
class Retries:
    """
    most: tries after the first. first_s: pause before the first of them, which doubles each time.
    longest_s: no pause is longer; a server that asks for a longer one is not asked again.
    """

    most: int = 4
    first_s: float = 0.5
    longest_s: float = 30.0

    def pause(self, attempt: int, error: LucyError, repeatable: bool) -> float:
        """Seconds until the next try. Raises the error if there is none.

        attempt: 0 for the first. repeatable: sent twice, the request has the effect of one.
        """
        again = error.status in WORTH_ANOTHER_TRY and error.retry_after is not None
        again = again or (error.status == 0 and repeatable)
        pause = max(self.first_s * 2**attempt, error.retry_after or 0)
        if not again or attempt >= self.most or (error.retry_after or 0) > self.longest_s:
            raise error
        return min(pause, self.longest_s)
