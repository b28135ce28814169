# SPDX-License-Identifier: Apache-2.0
"""A Starlette application whose routes under /api are for customers with units left: uvicorn starlette_app:app

Settings: DREAMAPI_BASE_URL, DREAMAPI_SECRET_KEY, DREAMAPI_PUBLISHABLE_KEY; DREAMAPI_JWKS_URL, where the identity provider publishes the keys
that it signs users' tokens with; USAGE_JOURNAL, the file that all workers share, in which counts survive a crash."""
import contextlib
import os

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

import dreamapi
import dreamapi.asgi


def make_client():
    return dreamapi.AsyncClient(jwks_url=os.environ["DREAMAPI_JWKS_URL"], journal=os.environ["USAGE_JOURNAL"])


client = dreamapi.PerProcess(make_client)


@contextlib.asynccontextmanager
async def lifespan(app):
    yield
    client().close()  # settles; uvicorn ends by a signal, so nothing later would


async def welcome(request):
    return PlainTextResponse("Sign in to go on.\n")


async def answer(request):
    admission = request.scope["dreamapi.admission"]
    return JSONResponse({"answer": 42, "user": admission.user_id, "left": admission.decision.remaining})


api = dreamapi.asgi.MeterMiddleware(Starlette(routes=[Route("/answer", answer)]), client)
app = Starlette(routes=[Route("/", welcome), Mount("/api", api)], lifespan=lifespan)
