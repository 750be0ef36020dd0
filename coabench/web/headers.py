"""What every answer says of itself to the browser."""

from __future__ import annotations

HEADERS = {
    "Content-Security-Policy": "frame-ancestors 'none'",  # the rest is in the page; this cannot be
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
