"""What decides how a run is served."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["MEGABYTE", "Options", "Scale"]

MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What a person may answer.

    Args:
        kind: ``"stars"`` or ``"slider"``.
        low: Lowest score.
        high: Highest score; larger is better.
        step: Distance between neighbouring scores.
    """

    kind: Literal["stars", "slider"]
    low: float
    high: float
    step: float

    @classmethod
    def named(cls, name: str) -> Scale:
        """Return stars, 1 to 5, or a slider, 0 to 100.

        Raises:
            ValueError: If there is no such scale.
        """
        scales = {
            "stars": cls(kind="stars", low=1, high=5, step=1),
            "slider": cls(kind="slider", low=0, high=100, step=1),
        }
        if name not in scales:
            raise ValueError(f"scale must be one of {', '.join(scales)}, got {name!r}")
        return scales[name]

    def __contains__(self, score: float) -> bool:
        steps = (score - self.low) / self.step
        return self.low <= score <= self.high and abs(steps - round(steps)) < 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What decides how a run is served.

    Args:
        raters: Scores that make a label.
        scale: What a rater may answer.
        best_of: Designs that are shown at a time to choose the best of; 0 if designs are rated one by one.
        batch: Designs in a rater's gallery at a time.
        upload_bytes: Largest file of results.
        body_bytes: Largest body of any other request.
        logins_a_minute: Failed logins of one address before it has to wait.
        posts_a_second: Lasting rate of changes by one person.
        burst: Changes that may come at once.
        session_hours: Time after which somebody has to come in by their link again.
        hosts: Names under which the server answers; others are refused. ``"*"`` for all.
        secure: Whether it is reached by https, so that cookies are sent by it only.

    Raises:
        ValueError: If a number is out of range; it is named.
    """

    raters: int = 1
    scale: Scale = field(default_factory=lambda: Scale.named("stars"))
    best_of: int = 0
    batch: int = 24
    upload_bytes: int = 10 * MEGABYTE
    body_bytes: int = 1 * MEGABYTE
    logins_a_minute: float = 10
    posts_a_second: float = 10
    burst: int = 60
    session_hours: float = 12
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    secure: bool = False

    def __post_init__(self) -> None:
        if self.raters < 1:
            raise ValueError(f"raters must be a positive number of scores, got {self.raters}")
        if self.best_of < 0 or self.best_of == 1 or self.best_of > 9:
            raise ValueError(f"best_of must be 0 (ratings) or 2 to 9 designs at a time, got {self.best_of}")
        if not 1 <= self.batch <= 200:
            raise ValueError(f"batch must be 1 to 200 designs, got {self.batch}")
