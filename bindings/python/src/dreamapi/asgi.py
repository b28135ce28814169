# SPDX-License-Identifier: Apache-2.0
"""ASGI middleware: authenticates a request, admits and counts it, and only then calls the application. The event loop never waits: a use is
answered at once, and only one that finds no unit at hand is asked again in a worker thread.

    app.add_middleware(dreamapi.asgi.MeterMiddleware, client=lambda: dreamapi.AsyncClient(journal="/var/lib/shop/usage.journal"))

The application finds a dreamapi.Admission in scope["dreamapi.admission"]."""
from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ._admission import (
    KEY,
    NO_USER,
    Admission,
    Bearer,
    Meters,
    PerProcess,
    Refusal,
    answer,
    bearer_token,
    cost,
    is_worth_waiting,
    refused_token,
)
from ._client import AsyncClient
from ._errors import DreamAPIError
from ._meter import Decision, Meter
from ._values import Policy

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
FindUser = Callable[[Scope], "str | None | Awaitable[str | None]"]


async def use_patiently(meter: Meter, units: int) -> Decision:
    """In a worker thread. Nobody is served by what it admits after the task was cancelled, so that is taken back."""
    use = asyncio.get_running_loop().run_in_executor(None, meter.use, units)
    try:
        return await asyncio.shield(use)
    except asyncio.CancelledError:
        use.add_done_callback(lambda done: take_back(meter, done))
        raise


def take_back(meter: Meter, done: asyncio.Future[Decision]) -> None:
    # What cannot be refunded, as after close, stays counted.
    with contextlib.suppress(asyncio.CancelledError, DreamAPIError, ValueError):
        if decision := done.result():
            meter.refund(decision)


class MeterMiddleware:
    """`client` is a function that makes one, called once in each process, at its first request. `user` finds the user's id: a Bearer,
    or a function of the scope, awaited if need be, that returns None for nobody (401) or raises a DreamAPIError. `units` says what a
    request costs, or is a function of the scope; 0 passes it on untouched. `wait`, in seconds, is how long a request may wait for the
    service when no unit is at hand. Only scopes of type "http" are metered; a "websocket" is refused (403) unless its units are 0."""

    def __init__(
        self,
        app: Application,
        client: Callable[[], AsyncClient],
        *,
        user: Bearer | FindUser = Bearer(),  # noqa: B008 - frozen
        units: int | Callable[[Scope], int] = 1,
        meter: str | None = None,
        wait: float = 2.0,
    ) -> None:
        self._app = app
        self._user = user
        self._units = units
        made = PerProcess(client)
        # Both have the same counts; opening a meter twice only adds the way to wait.
        self._quick = PerProcess(lambda: Meters(made(), meter, Policy.DENY, 0))
        self._patient = PerProcess(lambda: Meters(made(), meter, Policy.WAIT, wait))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        units = cost(self._units, scope)
        scope.pop(KEY, None)
        if units == 0:
            return await self._app(scope, receive, send)
        if scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.close", "code": 1008})
        found = await self._admit(scope, units)
        if isinstance(found, Admission):
            scope[KEY] = found
            return await self._app(scope, receive, send)
        headers = [(name.lower().encode(), value.encode()) for name, value in found.headers]
        await send({"type": "http.response.start", "status": found.status, "headers": headers})
        await send({"type": "http.response.body", "body": found.body})

    async def _admit(self, scope: Scope, units: int) -> Admission | Refusal:
        meters = self._quick()
        try:
            user_id = await self._find_user(scope, meters.client)
        except DreamAPIError as problem:
            return refused_token(problem)
        if not user_id:
            return NO_USER
        meter = meters.of(user_id)
        decision = meter.use(units)
        if is_worth_waiting(decision):
            meter = self._patient().of(user_id)
            decision = await use_patiently(meter, units)
        return answer(user_id, decision, meter)

    async def _find_user(self, scope: Scope, client: AsyncClient) -> str | None:
        if not isinstance(self._user, Bearer):
            found = self._user(scope)
            return await found if inspect.isawaitable(found) else found
        values = [value for name, value in scope["headers"] if name == b"authorization"]
        token = bearer_token(values[0].decode("latin-1")) if len(values) == 1 else None
        return (await client.token_verify(token, **self._user.rules())).user_id if token else None


__all__ = ["Admission", "Bearer", "MeterMiddleware"]
