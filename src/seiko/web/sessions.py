"""A session: a signed cookie that says who came in, and a second secret that forged forms cannot know.

    cookie   URLSafeTimed(secret; name, mark of the token, session id);  HttpOnly, SameSite=Strict
    csrf     HMAC-SHA256(secret, "csrf" | session id), in every form and in the header of every htmx request

The cookie holds nothing that is secret from its bearer, only what they cannot change. A request that changes something
needs the cookie, the csrf value, and an `Origin` (or `Sec-Fetch-Site`) of our own where the browser sends one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from seiko.web.access import Access, Person

__all__ = ["COOKIE", "Session", "Sessions", "same_origin"]

COOKIE = "seiko_session"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who came in.

    Args:
        id: Its random name.
        person: Who.
        csrf: What their forms must carry.
    """

    id: str
    person: Person
    csrf: str


class Sessions:
    """Makes and reads the cookies of sessions.

    Args:
        access: Who may come in.
        hours: How long a session lasts.
    """

    def __init__(self, access: Access, hours: float) -> None:
        self.seconds = round(3600 * hours)
        self._access = access
        self._ended: set[str] = set()
        self._key = access.secret.encode()
        self._serializer = URLSafeTimedSerializer(
            access.secret,
            salt="seiko.session",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def cookie(self, person: Person) -> str:
        """Return the cookie of a new session."""
        return self._serializer.dumps([person.name, person.mark, secrets.token_urlsafe(16)])

    def read(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie; None if it is forged, too old, or its link is no longer good."""
        if not cookie:
            return None
        try:
            values: Any = self._serializer.loads(cookie, max_age=self.seconds)
        except BadSignature:
            return None
        name, mark, id = values
        person = self._access.still(name, mark)
        return None if person is None or id in self._ended else Session(id, person, self._csrf(id))

    def end(self, session: Session) -> None:
        """End a session; its cookie, wherever it may be, lets nobody in again while this process lives."""
        self._ended.add(session.id)

    def _csrf(self, id: str) -> str:
        return hmac.new(self._key, f"csrf|{id}".encode(), hashlib.sha256).hexdigest()


def same_origin(request: Request) -> bool:
    """Tell whether a request comes from our own pages, as far as its browser says so."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()
