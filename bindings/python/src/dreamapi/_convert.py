# SPDX-License-Identifier: Apache-2.0
"""Texts, numbers and structs, to C and back. Nothing of ffi leaves the package."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ._ffi import ffi, lib


def text(c_text: Any) -> str | None:
    return None if c_text == ffi.NULL else bytes(ffi.string(c_text)).decode("utf-8", "replace")


def sure_text(c_text: Any) -> str:
    return text(c_text) or ""


def number(value: int, missing: int) -> int | None:
    return None if value == missing else value


@dataclass(frozen=True)
class CallOptions:
    """What any call can be given besides its own parameters."""

    timeout: float | None = None
    """Total time for this call in seconds; None takes the client's."""

    idempotency_key: str | None = None
    """Give your own to be able to repeat a call, even after a restart, without doing its work twice."""

    user_token: str | None = None
    """The end user's token, for calls on a user's behalf."""

    traceparent: str | None = None
    """A W3C trace context that the call belongs to."""


@dataclass(frozen=True)
class CartItem:
    """A line of a cart; the three names are the product's."""

    price_id: str | None = None
    product_id: str | None = None
    tier: str | None = None
    quantity: int = 1


@dataclass(frozen=True)
class UsageEvent:
    """Units that a user used."""

    user_id: str
    units: int = 1
    meter: str | None = None
    id: str | None = None
    """What the event is counted once by; None makes one."""

    at: datetime | None = None
    """When it happened; None: when it reaches the server."""


def milliseconds(seconds: float) -> int:
    """Of a duration: away from zero, as 0 may stand for a default. A microsecond too much is the arithmetic's."""
    if not abs(seconds) < 1e15:
        # Both are made with this module's functions.
        from ._errors import InvalidError
        from ._values import Status
        raise InvalidError(f"a duration is a finite number of seconds, not {seconds}", Status.INVALID, local=True)
    exact = round(seconds * 1000, 3)
    return math.ceil(exact) if exact > 0 else math.floor(exact)


class Keep:
    """Makes C arguments and keeps them alive: for the length of one call, as long as this object lives."""

    def __init__(self) -> None:
        self._kept: list[Any] = []

    def _keep(self, made: Any) -> Any:
        self._kept.append(made)
        return made

    def text(self, value: str | None) -> Any:
        if value is None:
            return ffi.NULL
        encoded = value.encode("utf-8")
        if b"\0" in encoded:
            raise ValueError("a text holds a NUL character")
        return self._keep(ffi.new("char[]", encoded))

    def texts(self, values: Sequence[str] | None) -> Any:
        """Ended by NULL; NULL for None."""
        if values is None:
            return ffi.NULL
        if isinstance(values, str):
            raise TypeError("a list of texts is wanted, not one text")
        return self._keep(ffi.new("char *[]", [self.text(value) for value in values] + [ffi.NULL]))

    def bytes(self, value: bytes) -> Any:
        return self._keep(ffi.from_buffer(value))

    def struct(self, name: str) -> Any:
        """With the defaults of the header."""
        return self._keep(ffi.new(f"{name} *", getattr(lib, f"{name}_init")()))

    def options(self, options: CallOptions | None) -> Any:
        if options is None:
            return ffi.NULL
        made = self.struct("dreamapi_call_options")
        if options.timeout is not None:  # 0 would be the client's
            made.timeout_ms = milliseconds(options.timeout) or (1 if options.timeout >= 0 else -1)
        made.idempotency_key = self.text(options.idempotency_key)
        made.user_token = self.text(options.user_token)
        made.traceparent = self.text(options.traceparent)
        return made

    def items(self, items: Sequence[CartItem]) -> Any:
        made = self._keep(ffi.new("dreamapi_cart_item[]", len(items)))
        for at, item in enumerate(items):
            made[at].price_id = self.text(item.price_id)
            made[at].product_id = self.text(item.product_id)
            made[at].tier = self.text(item.tier)
            made[at].quantity = item.quantity
        return made

    def events(self, events: Sequence[UsageEvent]) -> Any:
        made = self._keep(ffi.new("dreamapi_usage_event[]", len(events)))
        for at, event in enumerate(events):
            made[at].id = self.text(event.id)
            made[at].user_id = self.text(event.user_id)
            made[at].meter = self.text(event.meter)
            made[at].units = event.units
            made[at].at_ms = round(event.at.timestamp() * 1000) if event.at is not None else 0
        return made
