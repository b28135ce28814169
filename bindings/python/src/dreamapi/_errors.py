# SPDX-License-Identifier: Apache-2.0
"""Exceptions: one class for each decision a caller makes. Each also is the built-in that means the same, where there is one."""
from __future__ import annotations

from typing import Any

from ._ffi import ffi, lib
from ._values import Status


class DreamAPIError(Exception):
    """The root of all. `code` is the status to branch on; the rest are the details, None where nothing is known."""

    def __init__(self, message: str, code: Status | int, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.http_status: int | None = details.get("http_status")
        self.retriable: bool = details.get("retriable", False)
        self.local: bool = details.get("local", False)
        self.retry_after: float | None = details.get("retry_after")  # seconds
        self.used: int | None = details.get("used")
        self.limit: int | None = details.get("limit")
        self.request_id: str | None = details.get("request_id")
        self.server_error: str | None = details.get("server_error")

    def __reduce__(self) -> tuple[Any, ...]:
        """Exceptions are pickled by their arguments, of which they keep the message alone."""
        return type(self), (str(self), self.code), self.__dict__


class InvalidError(DreamAPIError, ValueError):
    """A bad argument, or the server found the request malformed."""


class AuthError(DreamAPIError, PermissionError):
    """The key or the user's token is missing, unknown, revoked or expired."""


class ForbiddenError(DreamAPIError, PermissionError):
    """The key is good but may not do this."""


class SubscriptionExpiredError(ForbiddenError):
    """The platform's own subscription has ended."""


class TokenRequiredError(AuthError):
    """The server wants the end user's token for this."""


class NotFoundError(DreamAPIError, LookupError):
    """No such customer, or not one of this project's."""


class ConflictError(DreamAPIError):
    """The request contradicts the present state, or its idempotency key is in use."""


class TierLimitError(DreamAPIError):
    """The user's plan has no units left in this period: `used` of `limit`."""


class RateLimitError(DreamAPIError):
    """Too many requests in this minute; see `retry_after`."""


class CallTimeoutError(DreamAPIError, TimeoutError):
    """The deadline passed; nothing was carried out, or repeating it does no harm."""


class CancelledError(DreamAPIError):
    """The call was cancelled, or its client closed."""


class UnavailableError(DreamAPIError, ConnectionError):
    """The service cannot be reached, or cannot answer now."""


class OutcomeUnknownError(DreamAPIError):
    """The request may have been carried out; repeat it with the same idempotency key where `retriable`."""


class UnsupportedError(DreamAPIError, NotImplementedError):
    """This library, or this server, cannot do that."""


class ForkedError(DreamAPIError):
    """The client was made before a fork and belongs to the parent."""


class JournalError(DreamAPIError, OSError):
    """The journal cannot be used."""


BY_STATUS: dict[int, type[DreamAPIError]] = {
    Status.INVALID: InvalidError,
    Status.AUTH: AuthError,
    Status.FORBIDDEN: ForbiddenError,
    Status.SUBSCRIPTION_EXPIRED: SubscriptionExpiredError,
    Status.TOKEN_REQUIRED: TokenRequiredError,
    Status.NOT_FOUND: NotFoundError,
    Status.CONFLICT: ConflictError,
    Status.LIMIT: TierLimitError,
    Status.RATE_LIMITED: RateLimitError,
    Status.TIMEOUT: CallTimeoutError,
    Status.CANCELLED: CancelledError,
    Status.UNAVAILABLE: UnavailableError,
    Status.OUTCOME_UNKNOWN: OutcomeUnknownError,
    Status.UNSUPPORTED: UnsupportedError,
    Status.FORKED: ForkedError,
    Status.JOURNAL: JournalError,
}


def known(status: int) -> Status | int:
    """A status that this package does not know yet stays a number."""
    try:
        return Status(status)
    except ValueError:
        return status


def words(c_text: Any) -> str:
    return bytes(ffi.string(c_text)).decode("utf-8", "replace")


def failure(status: int, c_error: Any = None) -> BaseException:
    """The exception for a status, with the details of a dreamapi_error if there is one."""
    if status == Status.NOMEM:
        return MemoryError("libdreamapi: out of memory")
    kind = BY_STATUS.get(status, DreamAPIError)
    if c_error is None:
        return kind(words(lib.dreamapi_status_text(status)), known(status))
    return kind(
        words(c_error.message) or words(lib.dreamapi_status_text(status)),
        known(status),
        http_status=c_error.http_status or None,
        retriable=c_error.retriable != 0,
        local=c_error.local != 0,
        retry_after=c_error.retry_after_ms / 1000 if c_error.retry_after_ms >= 0 else None,
        used=c_error.used if c_error.used >= 0 else None,
        limit=c_error.limit if c_error.limit >= 0 else None,
        request_id=words(c_error.request_id) or None,
        server_error=words(c_error.server_error) or None,
    )
