# SPDX-License-Identifier: Apache-2.0
"""What the WSGI and the ASGI middleware share: whose token it is, which meter, and what a refusal looks like over HTTP."""
from __future__ import annotations

import json
import logging
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ._client import Local
from ._errors import AuthError, DreamAPIError, ForbiddenError, TokenRequiredError
from ._ffi import lib
from ._meter import Decision, Meter
from ._values import Policy, Reason, Status

Made = TypeVar("Made")
Owner = TypeVar("Owner", bound=Local)

LOG = logging.getLogger("dreamapi")
# Where the application finds its Admission, in its scope or environ.
KEY = "dreamapi.admission"
MAX_METERS = 10000


@dataclass(frozen=True)
class Bearer:
    """The user is who the token in `Authorization: Bearer ...` was signed for; what it must say besides is as in `token_verify`. The client
    needs `jwks_url` or `token_keys`, and `publishable_key` unless projects are named here."""

    issuer: str | None = None
    audience: str | None = None
    authorized_parties: Sequence[str] | None = None
    publishable_keys: Sequence[str] | None = None

    def rules(self) -> dict[str, Any]:
        return {"issuer": self.issuer, "audience": self.audience, "authorized_parties": self.authorized_parties,
                "publishable_keys": self.publishable_keys}


def bearer_token(authorization: str) -> str | None:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return None
    if "\0" in token:
        raise AuthError("a token holds a NUL character", Status.AUTH, local=True)
    return token.strip() or None


@dataclass(frozen=True)
class Admission:
    """What the application finds in its request: who was admitted, and by what."""

    user_id: str
    decision: Decision
    meter: Meter

    def refund(self) -> None:
        """Takes the use back, once, such as when the work failed."""
        self.meter.refund(self.decision)


@dataclass(frozen=True)
class Refusal:
    """An answer in place of the application's."""

    status: int
    error: str
    retry_after: float | None = None
    limit: int | None = None
    used: int | None = None

    @property
    def body(self) -> bytes:
        told = {"error": self.error, "limit": self.limit, "used": self.used}
        return json.dumps({name: None if value == lib.DREAMAPI_UNLIMITED else value for name, value in told.items() if value is not None}).encode()

    @property
    def headers(self) -> list[tuple[str, str]]:
        found = [("Content-Type", "application/json"), ("Content-Length", str(len(self.body))), ("Cache-Control", "no-store")]
        if self.status == 401:
            found.append(("WWW-Authenticate", "Bearer"))
        if self.retry_after is not None and self.retry_after > 0:
            found.append(("Retry-After", str(max(1, math.ceil(self.retry_after)))))
        return found


NO_USER = Refusal(401, "Authentication required")

REFUSALS = {
    Status.LIMIT: (402, "Tier limit reached"),
    Status.RATE_LIMITED: (429, "Too many requests"),
    Status.NOT_FOUND: (403, "No such customer"),
}


def refused(decision: Decision) -> Refusal:
    """Of a decision that does not allow. What is not the caller's doing is 503, and fails closed. Go's Refuse and the nginx module answer the
    same (tests/wire/refusals.json)."""
    status, error = REFUSALS.get(Status(decision.status) if decision.status in REFUSALS else Status.UNAVAILABLE, (503, "Metering unavailable"))
    if status == 503:
        LOG.warning("a use could not be decided: %r, %r", decision.status, decision.reason)
    return Refusal(status, error, decision.retry_after or (1.0 if status in (429, 503) else None), decision.limit, decision.used)


def refused_token(problem: DreamAPIError) -> Refusal:
    if isinstance(problem, ForbiddenError):
        return Refusal(403, "Token of another project")
    if isinstance(problem, AuthError) and not isinstance(problem, TokenRequiredError):
        return Refusal(401, "Token refused")
    LOG.warning("a token could not be verified: %s", problem)
    return Refusal(503, "Authentication unavailable", problem.retry_after or 1.0)


def cost(units: int | Callable[[Any], int], request: Any) -> int:
    """Of a request: its scope or environ."""
    return units(request) if callable(units) else units


def answer(user_id: str, decision: Decision, meter: Meter) -> Admission | Refusal:
    return Admission(user_id, decision, meter) if decision else refused(decision)


def is_worth_waiting(decision: Decision) -> bool:
    return decision.reason == Reason.EMPTY


class PerProcess(Generic[Made]):
    """One for each process: made when first asked for, and made anew in a forked child, whose parent's it could not use."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: tuple[int, Made] | None = None
        # A thread that does not exist in the child may hold the lock at the fork.
        os.register_at_fork(after_in_child=self._forget_lock)

    def _forget_lock(self) -> None:
        self._lock = threading.Lock()

    def __call__(self) -> Made:
        made = self._made
        if made is not None and made[0] == os.getpid():
            return made[1]
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                self._made = (os.getpid(), self._make())
            return self._made[1]


class Meters(Generic[Owner]):
    """The meters of the latest users of one client. One that is forgotten here closes when its last use ends."""

    def __init__(self, client: Owner, name: str | None, policy: Policy, wait: float) -> None:
        self.client = client
        self._settings: dict[str, Any] = {"meter": name, "policy": policy, "wait": wait}
        self._open: OrderedDict[str, Meter] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, user_id: str) -> Meter:
        with self._lock:
            meter = self._open.get(user_id)
            if meter is None:
                meter = self._open[user_id] = self.client.open_meter(user_id, **self._settings)
                if len(self._open) > MAX_METERS:
                    self._open.popitem(last=False)
            else:
                self._open.move_to_end(user_id)
            return meter
