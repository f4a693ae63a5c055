"""What a job asks of a service, counted."""

import threading
from dataclasses import dataclass, field


@dataclass(slots=True)
class Usage:
    """What a job asked of the service so far; safe to add to from several threads."""

    calls: int = 0
    received_bytes: int = 0
    waited_seconds: float = 0.0
    retries: int = 0
    whole: "Usage | None" = None
    """The sums that this one is a part of."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(
        self,
        *,
        calls: int = 0,
        received_bytes: int = 0,
        waited_seconds: float = 0.0,
        retries: int = 0,
    ) -> None:
        """Add to the sums."""
        with self._lock:
            self.calls += calls
            self.received_bytes += received_bytes
            self.waited_seconds += waited_seconds
            self.retries += retries
        if self.whole is not None:
            self.whole.add(
                calls=calls,
                received_bytes=received_bytes,
                waited_seconds=waited_seconds,
                retries=retries,
            )
