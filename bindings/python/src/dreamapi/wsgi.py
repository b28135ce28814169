# SPDX-License-Identifier: Apache-2.0
"""WSGI middleware: authenticates a request, admits and counts it, and only then calls the application.

    app.wsgi_app = dreamapi.wsgi.MeterMiddleware(app.wsgi_app, lambda: dreamapi.Client(journal="/var/lib/shop/usage.journal"))

The application finds a dreamapi.Admission in environ["dreamapi.admission"]."""
from __future__ import annotations

import http
from collections.abc import Callable, Iterable
from typing import Any

from ._admission import KEY, NO_USER, Admission, Bearer, Meters, PerProcess, Refusal, answer, bearer_token, cost, refused_token
from ._client import Client
from ._errors import DreamAPIError
from ._values import Policy

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


class MeterMiddleware:
    """`client` is a function that makes one, called once in each process, so that forking servers may load the application first.
    `user` finds the user's id: a Bearer, or a function of the environ that returns None for nobody (401) or raises a DreamAPIError.
    `units` says what a request costs, or is a function of the environ; 0 passes it on untouched. `wait`, in seconds, is how long a
    request may wait for the service when no unit is at hand."""

    def __init__(
        self,
        app: Application,
        client: Callable[[], Client],
        *,
        user: Bearer | Callable[[Environ], str | None] = Bearer(),  # noqa: B008 - frozen
        units: int | Callable[[Environ], int] = 1,
        meter: str | None = None,
        wait: float = 2.0,
    ) -> None:
        self._app = app
        self._user = user
        self._units = units
        made = PerProcess(client)
        self._meters = PerProcess(lambda: Meters(made(), meter, Policy.WAIT, wait))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        units = cost(self._units, environ)
        environ.pop(KEY, None)
        if units == 0:
            return self._app(environ, start_response)
        found = self._admit(environ, units)
        if isinstance(found, Refusal):
            start_response(f"{found.status} {http.HTTPStatus(found.status).phrase}", found.headers)
            return [found.body]
        environ[KEY] = found
        return self._app(environ, start_response)

    def _admit(self, environ: Environ, units: int) -> Admission | Refusal:
        meters = self._meters()
        try:
            user_id = self._find_user(environ, meters.client)
        except DreamAPIError as problem:
            return refused_token(problem)
        if not user_id:
            return NO_USER
        meter = meters.of(user_id)
        return answer(user_id, meter.use(units), meter)

    def _find_user(self, environ: Environ, client: Client) -> str | None:
        if not isinstance(self._user, Bearer):
            return self._user(environ)
        token = bearer_token(environ.get("HTTP_AUTHORIZATION", ""))
        return client.token_verify(token, **self._user.rules()).user_id if token else None


__all__ = ["Admission", "Bearer", "MeterMiddleware"]
