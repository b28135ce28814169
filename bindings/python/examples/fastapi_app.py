# SPDX-License-Identifier: Apache-2.0
"""A FastAPI application whose routes under /api are for customers with units left, and whose /upgrade sells more: uvicorn fastapi_app:app

Settings: DREAMAPI_BASE_URL, DREAMAPI_SECRET_KEY, DREAMAPI_PUBLISHABLE_KEY; DREAMAPI_JWKS_URL, where the identity provider publishes the keys
that it signs users' tokens with; USAGE_JOURNAL, the file that all workers share, in which counts survive a crash."""
import contextlib
import os
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

import dreamapi
import dreamapi.asgi


def make_client() -> dreamapi.AsyncClient:
    return dreamapi.AsyncClient(jwks_url=os.environ["DREAMAPI_JWKS_URL"], journal=os.environ["USAGE_JOURNAL"])


client = dreamapi.PerProcess(make_client)


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    client().close()  # settles; uvicorn ends by a signal, so nothing later would


app = FastAPI(lifespan=lifespan)
api = FastAPI(openapi_url=None)
api.add_middleware(dreamapi.asgi.MeterMiddleware, client=client)
app.mount("/api", api)


def admitted(request: Request) -> dreamapi.asgi.Admission:
    """Who was let in, and what they have left."""
    admission: dreamapi.asgi.Admission = request.scope["dreamapi.admission"]
    return admission


@api.get("/answer")
async def answer(admission: Annotated[dreamapi.asgi.Admission, Depends(admitted)]) -> dict[str, object]:
    return {"answer": 42, "user": admission.user_id, "left": admission.decision.remaining}


async def signed_in(bearer: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    """The user of a route that takes no units."""
    try:
        return (await client().token_verify(bearer.credentials)).user_id
    except dreamapi.ForbiddenError:
        raise HTTPException(403, "Token of another project") from None
    except dreamapi.AuthError:
        raise HTTPException(401, "Token refused", {"WWW-Authenticate": "Bearer"}) from None
    except dreamapi.DreamAPIError:  # no keys at the moment: that says nothing about the token
        raise HTTPException(503, "Authentication unavailable") from None


@app.get("/")
async def welcome() -> str:
    return "Sign in to go on."


@app.post("/upgrade", status_code=201)
async def upgrade(user: Annotated[str, Depends(signed_in)]) -> dict[str, str]:
    """Where to send the user to pay."""
    try:
        checkout = await client().checkout_create(user_id=user, tier="pro")
    except dreamapi.DreamAPIError as problem:
        raise HTTPException(404 if isinstance(problem, dreamapi.NotFoundError) else 503, "No page to pay at") from problem
    return {"url": checkout.url}
