# SPDX-License-Identifier: Apache-2.0
"""Client and AsyncClient: the generated calls, and what is local."""
from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ._base import Handle, check, closed
from ._calls import AsyncCalls, Calls
from ._convert import CallOptions, Keep, milliseconds, sure_text
from ._errors import failure
from ._ffi import ffi, lib
from ._meter import Decision, Meter, decided
from ._values import Customer, Policy, Source, Status

# How late flush() may notice that its client was closed, in milliseconds: C's has no cancel handle, so it is waited for in slices.
FLUSH_SLICE_MS = 100


@dataclass(frozen=True)
class TierVerdict:
    """Whether a user's plan is good enough."""

    allowed: bool
    source: Source | int
    plan: str
    age: float
    """How old the older of the plan and the list of tiers is, in seconds."""

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True)
class MeterStats:
    """Counts since the client was made, of this process; see dreamapi_meter_stats."""

    slow_admitted: int
    denied: tuple[int, ...]
    """Uses refused, by Reason."""
    units_granted: int
    units_settled: int
    requests: int
    requests_failed: int
    leases_active: int
    leases_unsettled: int
    settle_lag: float
    """Seconds since the oldest unconfirmed lease ended."""
    journal_bytes: int
    journal_used_bytes: int
    meters_open: int
    units_unreported: int
    units_doubtful: int
    units_owed: int
    leases_damaged: int


class Local(Handle):
    """What needs no request of its own, the same for both clients."""

    def open_meter(
        self,
        user_id: str,
        meter: str | None = None,
        *,
        policy: Policy = Policy.WAIT,
        wait: float | None = None,
        allow_units: int = 0,
        user_token: str | None = None,
        cached_units: int = 0,
    ) -> Meter:
        """Opens a meter; touches no network. `wait` in seconds, the longest of one use with Policy.WAIT. In an event loop take
        Policy.DENY or a wait of 0, since a use waits in its thread."""
        keep, out, error = Keep(), ffi.new("dreamapi_meter **"), ffi.new("dreamapi_error *")
        params = keep.struct("dreamapi_meter_params")
        params.meter = keep.text(meter)
        params.policy = int(policy)
        params.wait_ms = milliseconds(2.0 if wait is None else wait)
        params.allow_units = allow_units
        params.user_token = keep.text(user_token)
        params.cached_units = cached_units
        c_user_id = keep.text(user_id)
        self._open()
        check(lib.dreamapi_meter_open(self._c, c_user_id, params, out, error), error)
        return self._keep(Meter(out[0], self))

    def use(self, user_id: str, units: int = 1, *, meter: str | None = None) -> Decision:
        """Meter.use for programs that keep no meters."""
        keep = Keep()
        c_user_id, c_meter = keep.text(user_id), keep.text(meter)
        self._open()
        return decided(lib.dreamapi_py_client_use(self._c, c_user_id, c_meter, units))

    def flush(self, timeout: float) -> None:
        """Reports every count and hands every unit back now, within `timeout` seconds."""
        self._open()
        error, left = ffi.new("dreamapi_error *"), milliseconds(timeout)
        began = time.monotonic()
        until = began + left / 1000
        while (status := lib.dreamapi_client_flush(self._c, min(left, FLUSH_SLICE_MS), error)) != Status.OK:
            if self._c == ffi.NULL:
                raise closed()
            now = time.monotonic()
            left = math.ceil((until - now) * 1000)
            # What fails before its slice is over is no matter of waiting.
            if left <= 0 or (now - began) * 1000 < FLUSH_SLICE_MS / 2:
                raise failure(status, error)
            began = now

    def meter_stats(self) -> MeterStats:
        stats = ffi.new("dreamapi_meter_stats *")
        self._open()
        check(lib.dreamapi_client_meter_stats(self._c, stats))
        names = [name for name in MeterStats.__dataclass_fields__ if name not in ("denied", "settle_lag")]
        return MeterStats(denied=tuple(stats.denied), settle_lag=stats.settle_lag_ms / 1000, **{name: getattr(stats, name) for name in names})

    def tier_check(
        self,
        user_id: str | None = None,
        *,
        min_plan: str | None = None,
        feature: str | None = None,
        plan: str | None = None,
        max_age: float = 60.0,
        options: CallOptions | None = None,
    ) -> TierVerdict:
        """Is the user's plan at least `min_plan`, or does it have `feature`? A remembered plan may be `max_age` seconds old."""
        keep, verdict, error = Keep(), ffi.new("dreamapi_tier_verdict *"), ffi.new("dreamapi_error *")
        params = keep.struct("dreamapi_tier_check_params")
        params.min_plan = keep.text(min_plan)
        params.feature = keep.text(feature)
        params.plan = keep.text(plan)
        params.max_age_ms = milliseconds(max_age)
        c_user_id, c_options = keep.text(user_id), keep.options(options)
        self._open()
        check(lib.dreamapi_tier_check(self._c, c_user_id, params, c_options, verdict, error), error)
        source = Source(verdict.source) if verdict.source in Source._value2member_map_ else int(verdict.source)
        return TierVerdict(verdict.allowed != 0, source, sure_text(ffi.cast("char *", verdict.plan)), verdict.age_ms / 1000)


class Client(Calls, Local):
    """One project of one service. Any thread may use it; it belongs to the process that made it."""

    def customers(self, *, email: str | None = None, plan: str | None = None, options: CallOptions | None = None) -> Iterator[Customer]:
        """Every customer, newest first, page by page."""
        cursor: str | None = None
        while True:
            page = self.customer_list(cursor=cursor, email=email, plan=plan, options=options)
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class AsyncClient(AsyncCalls, Local):
    """The same for asyncio: calls are awaited, and cancelling the task cancels the call. Belongs to the loop of its first call."""

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def version() -> str:
    """The version of libdreamapi that was loaded."""
    return sure_text(lib.dreamapi_version())


__all__: list[Any] = ["AsyncClient", "Client", "MeterStats", "TierVerdict", "version"]
