"""What every answer says to the browser: run our own files only, frame us nowhere, tell nobody, remember nothing.

The pages have no inline script and no inline style, so the policy needs no exception. A drawing (SVG) has styles
inside; its own answer allows them and nothing else, and opened by itself it is sandboxed.
"""

from __future__ import annotations

from typing import Any

__all__ = ["POLICY", "SVG_POLICY", "SecurityHeaders"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
SVG_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
FIXED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # none at all would make the browser hide the origin of our own forms, too
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


class SecurityHeaders:
    """Add the headers to every answer, also to errors and files.

    Args:
        app: What is behind it.
        secure: Whether it is served by https.
    """

    def __init__(self, app: Any, secure: bool) -> None:
        self.app = app
        self._fixed = dict(FIXED)
        if secure:
            self._fixed["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower(): value for name, value in message["headers"]}
                svg = present.get(b"content-type", b"").startswith(b"image/svg")
                wanted = self._fixed | {"content-security-policy": SVG_POLICY if svg else POLICY}
                if b"cache-control" not in present:
                    wanted["cache-control"] = "no-store"
                message["headers"] = [
                    *((name, value) for name, value in message["headers"] if name.lower().decode() not in wanted),
                    *((name.encode(), value.encode()) for name, value in wanted.items()),
                ]
            await send(message)

        await self.app(scope, receive, with_headers)
