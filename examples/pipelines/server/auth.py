"""Who may talk to the server."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import Header, HTTPException

from server.config import api_key


async def require_key(authorization: Annotated[str, Header()] = "") -> None:
    """Let a request pass if it brings the key as a bearer token.

    Raises:
        HTTPException: it does not (401).
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not secrets.compare_digest(token.encode(), api_key().encode()):
        raise HTTPException(401, "the API key is missing or wrong", {"WWW-Authenticate": "Bearer"})
