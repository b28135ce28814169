# SPDX-License-Identifier: Apache-2.0 - made by bindings/generate.py from the headers in include/dreamapi
"""What calls answer: frozen, with everything copied out of the C objects."""
from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

from ._convert import number, sure_text, text
from ._ffi import lib

__all__ = [
    "Asset",
    "Checkout",
    "Customer",
    "Customers",
    "Dashboard",
    "DashboardApiKey",
    "DashboardCustomer",
    "DashboardEvent",
    "DashboardTier",
    "Health",
    "History",
    "HistoryDay",
    "HistoryEvent",
    "Policy",
    "Portal",
    "Product",
    "Products",
    "Reason",
    "Source",
    "Status",
    "Tier",
    "Tiers",
    "Token",
    "Totals",
    "Usage",
    "UsageOutcome",
    "UsageOutcomes",
    "WebhookScheme",
]


class Status(enum.IntEnum):
    """One code for each cause a caller can act on. Codes are only ever added: treat an unknown one as a failure."""

    OK = 0

    INVALID = 1
    """A bad argument, or the server found the request malformed (400, 422). Repeating it will not help."""

    NOMEM = 2
    """Out of memory."""

    AUTH = 3
    """The key or the user token is missing, unknown, revoked or expired (401)."""

    FORBIDDEN = 4
    """The key is good but may not do this (403)."""

    NOT_FOUND = 5
    """No such customer, or not one of this project's (404)."""

    CONFLICT = 6
    """The request contradicts the present state, or its idempotency key is in use (409)."""

    LIMIT = 7
    """The user's plan has no units left in this period; dreamapi_error.used and .limit tell the numbers. Nothing was
    counted.
    """

    RATE_LIMITED = 8
    """Too many requests in this minute (429); see dreamapi_error.retry_after_ms and .local. Nothing was counted."""

    TIMEOUT = 9
    """The deadline passed, and the request was surely not carried out or may be repeated without harm."""

    CANCELLED = 10
    """The call was cancelled, or its client was freed. The message says if the request may have been carried out."""

    UNAVAILABLE = 11
    """The service cannot be reached, or says that it cannot answer now (502, 503, 504)."""

    OUTCOME_UNKNOWN = 12
    """The request may have been carried out, and repeating it could do its work twice. The library did not. Repeating
    it with the same idempotency key is safe where dreamapi_error.retriable is 1.
    """

    UNSUPPORTED = 13
    """This library, or this server, cannot do that."""

    TOKEN_REQUIRED = 14
    """The server wants the end user's token for this (dreamapi_call_options.user_token). Nothing was sent."""

    PROTOCOL = 15
    """The answer is not what the contract says; with calls that are no POST also: it is no HTTP, or larger than
    allowed. A POST was carried out all the same, unless the answer is a redirect.
    """

    SUBSCRIPTION_EXPIRED = 16
    """The platform's own subscription has ended (403 subscription_expired): every call fails until it is renewed."""

    TLS = 17
    """No trusted connection: certificate, name or protocol version was refused. Nothing was sent."""

    SERVER = 18
    """The server failed in a way it did not explain (any other 5xx)."""

    FORKED = 19
    """The client was made before fork() and belongs to the parent. Make a new one in the child."""

    PENDING = 20
    """The call is not finished yet."""

    JOURNAL = 21
    """The journal cannot be used: damaged, of another version or another server, or no room for it. The message says
    which.
    """


class Reason(enum.IntEnum):
    """Why a decision is what it is. Codes are only ever added."""

    NONE = 0
    """Allowed."""

    LIMIT = 1
    """The plan has too few units left in this period."""

    HELD = 2
    """There would be enough, but other holders have them at the moment."""

    RATE = 3
    """Too many calls in this minute."""

    EMPTY = 4
    """No unit is here, and the server was not asked yet or did not answer in time."""

    UNAVAILABLE = 5
    """No unit is here, and the server cannot be reached."""

    NO_CUSTOMER = 6
    """The server knows no such user, or deleted them."""

    REFUSED = 7
    """The server refused the client: key, plan of the platform, a token that is needed. The status says which."""


class Source(enum.IntEnum):
    """Where an answer comes from. Codes are only ever added."""

    NONE = 0
    """From nowhere: nothing is known."""

    LEASE = 1
    """From a lease: exact."""

    CACHE = 2
    """From what the server last said, remembered."""

    SERVER = 3
    """From the server, asked for this decision."""

    FALLBACK = 4
    """From the meter's policy, as nothing better was at hand (DREAMAPI_POLICY_ALLOW)."""

    CALLER = 5
    """From the caller (dreamapi_tier_check)."""


class Policy(enum.IntEnum):
    """What a use does when no unit is at hand and the server was not heard. A refusal by the server is never waited
    out.
    """

    WAIT = 0
    """Wait for the server, up to dreamapi_meter_params.wait_ms; then refuse."""

    DENY = 1
    """Refuse at once; the server is asked meanwhile."""

    ALLOW = 2
    """Allow, up to dreamapi_meter_params.allow_units beyond what is granted; they are billed from the next leases."""


class WebhookScheme(enum.IntEnum):
    """How a sender signs. Codes are only ever added."""

    NONE = 0
    """Not said yet: refused."""

    STRIPE = 1
    """Stripe-Signature: t=...,v1=...; the secret is used as it is, "whsec_" included."""

    STANDARD = 2
    """Standard Webhooks and Svix; the secret is base64, with or without "whsec_" before it."""


@dataclass(frozen=True)
class Asset:
    """A file that the service keeps."""

    key: str
    """The file's name at the service."""

    url: str
    """The file's address; without scheme and host it begins with '/' and belongs after the base URL."""

    json: str | None = field(repr=False)
    """The whole answer as it came."""

    @classmethod
    def _read(cls, c_object: Any) -> Asset:
        return cls(
            key=sure_text(lib.dreamapi_asset_key(c_object)),
            url=sure_text(lib.dreamapi_asset_url(c_object)),
            json=text(lib.dreamapi_asset_json(c_object)),
        )


@dataclass(frozen=True)
class Checkout:
    """A page where a user pays."""

    url: str
    """The address to send the user to."""

    json: str | None = field(repr=False)
    """The whole answer as it came."""

    @classmethod
    def _read(cls, c_object: Any) -> Checkout:
        return cls(
            url=sure_text(lib.dreamapi_checkout_url(c_object)),
            json=text(lib.dreamapi_checkout_json(c_object)),
        )


@dataclass(frozen=True)
class Customer:
    """What the service says about a customer."""

    id: str
    """The customer's id."""

    email: str | None
    """None when the answer does not say."""

    first_name: str | None
    """None when not known."""

    last_name: str | None
    """None when not known."""

    plan: str | None
    """The name of the tier; None when the answer does not say."""

    publishable_key: str | None
    """The project's publishable key; None when the answer does not say."""

    created_at: int | None
    """Milliseconds since 1970-01-01T00:00Z; 0 when the answer does not say."""

    status: str | None
    """The subscription's, as in "active"; "none" without one; None when the answer does not say (only lists do)."""

    usage_count: int | None
    """Units used in this period; None when the answer does not say (only lists do)."""

    usage_limit: int | None
    """Units the plan allows in a period, or UNLIMITED; None when the answer does not say (only lists do)."""

    message: str | None
    """The server's remark on what it did; None if it made none."""

    success: bool
    """1 unless the answer says "success": false."""

    json: str | None = field(repr=False)
    """The whole answer as it came and for a customer of a list."""

    @classmethod
    def _read(cls, c_object: Any) -> Customer:
        return cls(
            id=sure_text(lib.dreamapi_customer_id(c_object)),
            email=text(lib.dreamapi_customer_email(c_object)),
            first_name=text(lib.dreamapi_customer_first_name(c_object)),
            last_name=text(lib.dreamapi_customer_last_name(c_object)),
            plan=text(lib.dreamapi_customer_plan(c_object)),
            publishable_key=text(lib.dreamapi_customer_publishable_key(c_object)),
            created_at=number(lib.dreamapi_customer_created_at(c_object), 0),
            status=text(lib.dreamapi_customer_status(c_object)),
            usage_count=number(lib.dreamapi_customer_usage_count(c_object), -1),
            usage_limit=number(lib.dreamapi_customer_usage_limit(c_object), -1),
            message=text(lib.dreamapi_customer_message(c_object)),
            success=lib.dreamapi_customer_success(c_object) != 0,
            json=text(lib.dreamapi_customer_json(c_object)),
        )


@dataclass(frozen=True)
class Customers:
    """One page of a list of customers. A value, like a customer; its customers and their texts are borrowed until
    dreamapi_customers_free.
    """

    items: tuple[Customer, ...]
    """One of them, borrowed from the page; None past the end."""

    next_cursor: str | None
    """Where the next page begins; None when this is the last one. One with few customers, or none, need not be the
    last.
    """

    json: str | None = field(repr=False)
    """The whole answer as it came."""

    @classmethod
    def _read(cls, c_object: Any) -> Customers:
        return cls(
            items=tuple(Customer._read(lib.dreamapi_customers_at(c_object, i)) for i in range(lib.dreamapi_customers_count(c_object))),
            next_cursor=text(lib.dreamapi_customers_next_cursor(c_object)),
            json=text(lib.dreamapi_customers_json(c_object)),
        )


@dataclass(frozen=True)
class DashboardCustomer:
    """One user of a dashboard, with subscription and usage."""

    user_id: str
    """The user's id."""

    email: str | None
    """None if there is none."""

    plan: str | None
    """The name of the tier in force; None when the answer does not say."""

    status: str | None
    """The subscription's, as in "active"; "none" without one."""

    usage_count: int
    """Units used in this period."""

    limit: int
    """Units the plan allows in a period, or UNLIMITED."""

    period_start: str | None
    """First day of the period, "YYYY-MM-DD" in UTC; None before the first use."""

    period_end: str | None
    """Last day of the period, "YYYY-MM-DD" in UTC; None before the first use."""

    current_period_end: str | None
    """When the subscription's paid period ends, in ISO 8601; None without a subscription."""

    canceled_at: str | None
    """When the subscription was or will be over, in ISO 8601; None if nobody cancelled it."""

    subscription_id: str | None
    """Stripe's; None if there is none."""

    stripe_customer_id: str | None
    """Stripe's; None if there is none."""

    price_id: str | None
    """Stripe's; None if there is none."""

    product_id: str | None
    """Stripe's; None if there is none."""

    amount: int | None
    """What a period costs, in the currency's smallest unit (cents); None when the answer does not say."""

    currency: str | None
    """Three small letters, as in "usd"; None when the answer does not say."""

    publishable_key: str | None
    """The user's project; None when the answer does not say."""

    @classmethod
    def _read(cls, c_object: Any) -> DashboardCustomer:
        return cls(
            user_id=sure_text(lib.dreamapi_dashboard_customer_user_id(c_object)),
            email=text(lib.dreamapi_dashboard_customer_email(c_object)),
            plan=text(lib.dreamapi_dashboard_customer_plan(c_object)),
            status=text(lib.dreamapi_dashboard_customer_status(c_object)),
            usage_count=lib.dreamapi_dashboard_customer_usage_count(c_object),
            limit=lib.dreamapi_dashboard_customer_limit(c_object),
            period_start=text(lib.dreamapi_dashboard_customer_period_start(c_object)),
            period_end=text(lib.dreamapi_dashboard_customer_period_end(c_object)),
            current_period_end=text(lib.dreamapi_dashboard_customer_current_period_end(c_object)),
            canceled_at=text(lib.dreamapi_dashboard_customer_canceled_at(c_object)),
            subscription_id=text(lib.dreamapi_dashboard_customer_subscription_id(c_object)),
            stripe_customer_id=text(lib.dreamapi_dashboard_customer_stripe_customer_id(c_object)),
            price_id=text(lib.dreamapi_dashboard_customer_price_id(c_object)),
            product_id=text(lib.dreamapi_dashboard_customer_product_id(c_object)),
            amount=number(lib.dreamapi_dashboard_customer_amount(c_object), -1),
            currency=text(lib.dreamapi_dashboard_customer_currency(c_object)),
            publishable_key=text(lib.dreamapi_dashboard_customer_publishable_key(c_object)),
        )


@dataclass(frozen=True)
class DashboardTier:
    """One tier or product of a dashboard."""

    name: str
    """The tier's id, which plans are named by."""

    display_name: str | None
    """The name to show to people; None when the answer does not say."""

    price: int
    """In the currency's smallest unit (cents)."""

    limit: int
    """Units in a period, or UNLIMITED."""

    price_id: str | None
    """Stripe's price; None for a free tier."""

    product_id: str | None
    """Stripe's product; None for a free tier."""

    popular: bool
    """1 for the tier that the developer marks as popular."""

    inventory: int
    """Pieces in stock, or UNLIMITED when stock is not counted."""

    sold_out: bool
    """1 when none is left."""

    publishable_key: str | None
    """The tier's project; None when the answer does not say."""

    project_type: str | None
    """"saas", "store" or "membership"; None when the answer does not say."""

    @classmethod
    def _read(cls, c_object: Any) -> DashboardTier:
        return cls(
            name=sure_text(lib.dreamapi_dashboard_tier_name(c_object)),
            display_name=text(lib.dreamapi_dashboard_tier_display_name(c_object)),
            price=lib.dreamapi_dashboard_tier_price(c_object),
            limit=lib.dreamapi_dashboard_tier_limit(c_object),
            price_id=text(lib.dreamapi_dashboard_tier_price_id(c_object)),
            product_id=text(lib.dreamapi_dashboard_tier_product_id(c_object)),
            popular=lib.dreamapi_dashboard_tier_popular(c_object) != 0,
            inventory=lib.dreamapi_dashboard_tier_inventory(c_object),
            sold_out=lib.dreamapi_dashboard_tier_sold_out(c_object) != 0,
            publishable_key=text(lib.dreamapi_dashboard_tier_publishable_key(c_object)),
            project_type=text(lib.dreamapi_dashboard_tier_project_type(c_object)),
        )


@dataclass(frozen=True)
class DashboardApiKey:
    """One project's key of a dashboard."""

    publishable_key: str
    """What the project is named by."""

    created_at: str | None
    """In UTC, as the server writes it; None when the answer does not say."""

    status: str | None
    """"active" or "revoked"; None when the answer does not say."""

    name: str | None
    """The project's name; None if it has none."""

    project_type: str | None
    """"saas", "store" or "membership"; None when the answer does not say."""

    mode: str | None
    """"live" or "test"; None when the answer does not say."""

    @classmethod
    def _read(cls, c_object: Any) -> DashboardApiKey:
        return cls(
            publishable_key=sure_text(lib.dreamapi_dashboard_api_key_publishable_key(c_object)),
            created_at=text(lib.dreamapi_dashboard_api_key_created_at(c_object)),
            status=text(lib.dreamapi_dashboard_api_key_status(c_object)),
            name=text(lib.dreamapi_dashboard_api_key_name(c_object)),
            project_type=text(lib.dreamapi_dashboard_api_key_project_type(c_object)),
            mode=text(lib.dreamapi_dashboard_api_key_mode(c_object)),
        )


@dataclass(frozen=True)
class DashboardEvent:
    """One event that Stripe or Clerk reported."""

    type: str
    """As in "checkout.session.completed"."""

    created_at: str | None
    """In UTC, as the server writes it; None when the answer does not say."""

    payload: str | None
    """What was reported, as JSON without white space; None when the answer does not say."""

    @classmethod
    def _read(cls, c_object: Any) -> DashboardEvent:
        return cls(
            type=sure_text(lib.dreamapi_dashboard_event_type(c_object)),
            created_at=text(lib.dreamapi_dashboard_event_created_at(c_object)),
            payload=text(lib.dreamapi_dashboard_event_payload(c_object)),
        )


@dataclass(frozen=True)
class Dashboard:
    """A project's figures, users, tiers, keys and events."""

    active_subs: int
    """Subscriptions that are active or in trial."""

    canceling_subs: int
    """Those of them that end with their period."""

    mrr: int
    """What the subscriptions bring in a month, in the smallest unit (cents) of their main currency."""

    usage_this_period: int
    """Units that all users used in their present periods."""

    store_sales_count: int
    """Carts that were paid."""

    store_total_revenue: int
    """What they brought, in the currency's smallest unit (cents)."""

    low_stock_products: int
    """Products with few pieces left, by the server's measure."""

    total_inventory: int
    """Pieces in stock, of products whose stock is counted."""

    publishable_key: str | None
    """Of the project whose dashboard this is; None when the answer does not say."""

    secret_key_masked: str | None
    """Stands for the secret key where one is shown; never the key. None when the answer does not say."""

    platform_id: str | None
    """The developer's platform; None when the answer does not say."""

    stripe_account_id: str | None
    """Stripe's; None as long as none is connected."""

    last_event_at: str | None
    """When the newest of the recent events came, in UTC, as the server writes it; None if none came."""

    filter_platform_id: str | None
    """What the answer is about: the platform; None when the answer does not say."""

    filter_publishable_key: str | None
    """What the answer is about: the project; None when the answer does not say."""

    filter_mode: str | None
    """What the answer is about: "live" or "test"; None when the answer does not say."""

    customers: tuple[DashboardCustomer, ...]
    """One of them, borrowed from the dashboard; None past the end."""

    has_more_customers: bool
    """1 when the project has further users, which this answer leaves out; 0 when it does not say. See
    dreamapi_customer_pages_open.
    """

    tiers: tuple[DashboardTier, ...]
    """One of them, borrowed from the dashboard; None past the end."""

    api_keys: tuple[DashboardApiKey, ...]
    """One of them, borrowed from the dashboard; None past the end."""

    events: tuple[DashboardEvent, ...]
    """One of them, borrowed from the dashboard; None past the end."""

    json: str | None = field(repr=False)
    """The whole answer as it came."""

    @classmethod
    def _read(cls, c_object: Any) -> Dashboard:
        return cls(
            active_subs=lib.dreamapi_dashboard_active_subs(c_object),
            canceling_subs=lib.dreamapi_dashboard_canceling_subs(c_object),
            mrr=lib.dreamapi_dashboard_mrr(c_object),
            usage_this_period=lib.dreamapi_dashboard_usage_this_period(c_object),
            store_sales_count=lib.dreamapi_dashboard_store_sales_count(c_object),
            store_total_revenue=lib.dreamapi_dashboard_store_total_revenue(c_object),
            low_stock_products=lib.dreamapi_dashboard_low_stock_products(c_object),
            total_inventory=lib.dreamapi_dashboard_total_inventory(c_object),
            publishable_key=text(lib.dreamapi_dashboard_publishable_key(c_object)),
            secret_key_masked=text(lib.dreamapi_dashboard_secret_key_masked(c_object)),
            platform_id=text(lib.dreamapi_dashboard_platform_id(c_object)),
            stripe_account_id=text(lib.dreamapi_dashboard_stripe_account_id(c_object)),
            last_event_at=text(lib.dreamapi_dashboard_last_event_at(c_object)),
            filter_platform_id=text(lib.dreamapi_dashboard_filter_platform_id(c_object)),
            filter_publishable_key=text(lib.dreamapi_dashboard_filter_publishable_key(c_object)),
            filter_mode=text(lib.dreamapi_dashboard_filter_mode(c_object)),
            customers=tuple(DashboardCustomer._read(lib.dreamapi_dashboard_customer_at(c_object, i)) for i in range(lib.dreamapi_dashboard_customer_count(c_object))),
            has_more_customers=lib.dreamapi_dashboard_has_more_customers(c_object) != 0,
            tiers=tuple(DashboardTier._read(lib.dreamapi_dashboard_tier_at(c_object, i)) for i in range(lib.dreamapi_dashboard_tier_count(c_object))),
            api_keys=tuple(DashboardApiKey._read(lib.dreamapi_dashboard_api_key_at(c_object, i)) for i in range(lib.dreamapi_dashboard_api_key_count(c_object))),
            events=tuple(DashboardEvent._read(lib.dreamapi_dashboard_event_at(c_object, i)) for i in range(lib.dreamapi_dashboard_event_count(c_object))),
            json=text(lib.dreamapi_dashboard_json(c_object)),
        )


@dataclass(frozen=True)
class Totals:
    """The figures of all projects of a platform."""

    mrr: int
    """What the subscriptions bring in a month, in the smallest unit (cents) of their main currency."""

    active_subs: int
    """Subscriptions that are active or in trial."""

    canceling_subs: int
    """Those of them that end with their period."""

    total_products: int
    """Tiers and products on sale."""

    live_projects: int
    """Projects in live mode."""

    projects: int | None
    """Projects of `mode`; None when the answer does not say."""

    mode: str | None
    """What the figures are of: "live" or "test"; None when the answer does not say."""

    platform_id: str | None
    """The developer's platform; None when the answer does not say."""

    json: str | None = field(repr=False)
    """The whole answer as it came."""

    @classmethod
    def _read(cls, c_object: Any) -> Totals:
        return cls(
            mrr=lib.dreamapi_totals_mrr(c_object),
            active_subs=lib.dreamapi_totals_active_subs(c_object),
            canceling_subs=lib.dreamapi_totals_canceling_subs(c_object),
            total_products=lib.dreamapi_totals_total_products(c_object),
            live_projects=lib.dreamapi_totals_live_projects(c_object),
            projects=number(lib.dreamapi_totals_projects(c_object), -1),
            mode=text(lib.dreamapi_totals_mode(c_object)),
            platform_id=text(lib.dreamapi_totals_platform_id(c_object)),
            json=text(lib.dreamapi_totals_json(c_object)),
        )


@dataclass(frozen=True)
class Health:
    """What the service says about itself."""

    status: str
    """"ok" when all is well."""

    extensions: tuple[str, ...]
    """The name of one of them, such as "idempotency"; None past the end."""

    json: str | None = field(repr=False)
    """The whole answer as it came."""

    @classmethod
    def _read(cls, c_object: Any) -> Health:
        return cls(
            status=sure_text(lib.dreamapi_health_status(c_object)),
            extensions=tuple(sure_text(lib.dreamapi_health_extension(c_object, i)) for i in range(lib.dreamapi_health_extension_count(c_object))),
            json=text(lib.dreamapi_health_json(c_object)),
        )


@dataclass(frozen=True)
class Portal:
    """A page where a user manages what they pay for."""

    url: str
    """The address to send the user to."""

    json: str | None = field(repr=False)
    """The whole answer as it came."""

    @classmethod
    def _read(cls, c_object: Any) -> Portal:
        return cls(
            url=sure_text(lib.dreamapi_portal_url(c_object)),
            json=text(lib.dreamapi_portal_json(c_object)),
        )


@dataclass(frozen=True)
class Product:
    """One product of a list."""

    id: str
    """The product's id."""

    key: str | None
    """The name that the developer gave it in the settings, which carts may name it by; None when the answer does not
    say.
    """

    name: str | None
    """The name as the service shows it; None when the answer does not say."""

    display_name: str | None
    """The name to show to people; None when the answer does not say."""

    description: str | None
    """May be ""; None when the answer does not say."""

    price: int
    """In the currency's smallest unit (cents)."""

    currency: str | None
    """Three small letters, as in "usd"; None when the answer does not say."""

    image_url: str | None
    """None if there is none."""

    inventory: int
    """Pieces in stock, or UNLIMITED when stock is not counted."""

    sold_out: bool
    """1 when none is left."""

    price_id: str | None
    """Stripe's price; None for a product that cannot be bought yet."""

    product_id: str | None
    """Stripe's product; None for a product that cannot be bought yet."""

    features: tuple[str, ...]
    """One of the features; None past the end."""

    @classmethod
    def _read(cls, c_object: Any) -> Product:
        return cls(
            id=sure_text(lib.dreamapi_product_id(c_object)),
            key=text(lib.dreamapi_product_key(c_object)),
            name=text(lib.dreamapi_product_name(c_object)),
            display_name=text(lib.dreamapi_product_display_name(c_object)),
            description=text(lib.dreamapi_product_description(c_object)),
            price=lib.dreamapi_product_price(c_object),
            currency=text(lib.dreamapi_product_currency(c_object)),
            image_url=text(lib.dreamapi_product_image_url(c_object)),
            inventory=lib.dreamapi_product_inventory(c_object),
            sold_out=lib.dreamapi_product_sold_out(c_object) != 0,
            price_id=text(lib.dreamapi_product_price_id(c_object)),
            product_id=text(lib.dreamapi_product_product_id(c_object)),
            features=tuple(sure_text(lib.dreamapi_product_feature(c_object, i)) for i in range(lib.dreamapi_product_feature_count(c_object))),
        )


@dataclass(frozen=True)
class Products:
    """A list of products."""

    items: tuple[Product, ...]
    """One of them, borrowed from the list; None past the end."""

    json: str | None = field(repr=False)
    """The whole answer as it came."""

    @classmethod
    def _read(cls, c_object: Any) -> Products:
        return cls(
            items=tuple(Product._read(lib.dreamapi_products_at(c_object, i)) for i in range(lib.dreamapi_products_count(c_object))),
            json=text(lib.dreamapi_products_json(c_object)),
        )


@dataclass(frozen=True)
class Tier:
    """One tier of a list."""

    id: str
    """The tier's id, which plans are named by."""

    name: str | None
    """The name as the service shows it; None when the answer does not say."""

    display_name: str | None
    """The name to show to people; None when the answer does not say."""

    price: int
    """In the currency's smallest unit (cents)."""

    limit: int
    """Units in a period, or UNLIMITED."""

    features: tuple[str, ...]
    """One of the features; None past the end."""

    description: str | None
    """May be ""; None when the answer does not say."""

    billing_mode: str | None
    """"subscription" or "one_off"; None when the answer does not say."""

    image_url: str | None
    """None if there is none."""

    inventory: int
    """Pieces in stock, or UNLIMITED when stock is not counted."""

    sold_out: bool
    """1 when none is left."""

    popular: bool
    """1 for the tier that the developer marks as popular."""

    stripe_price_id: str | None
    """Stripe's price; None for a free tier."""

    price_id: str | None
    """The same under the wire's other name."""

    product_id: str | None
    """Stripe's product; None for a free tier."""

    trial_days: int | None
    """Days of trial; None when there is no trial."""

    @classmethod
    def _read(cls, c_object: Any) -> Tier:
        return cls(
            id=sure_text(lib.dreamapi_tier_id(c_object)),
            name=text(lib.dreamapi_tier_name(c_object)),
            display_name=text(lib.dreamapi_tier_display_name(c_object)),
            price=lib.dreamapi_tier_price(c_object),
            limit=lib.dreamapi_tier_limit(c_object),
            features=tuple(sure_text(lib.dreamapi_tier_feature(c_object, i)) for i in range(lib.dreamapi_tier_feature_count(c_object))),
            description=text(lib.dreamapi_tier_description(c_object)),
            billing_mode=text(lib.dreamapi_tier_billing_mode(c_object)),
            image_url=text(lib.dreamapi_tier_image_url(c_object)),
            inventory=lib.dreamapi_tier_inventory(c_object),
            sold_out=lib.dreamapi_tier_sold_out(c_object) != 0,
            popular=lib.dreamapi_tier_popular(c_object) != 0,
            stripe_price_id=text(lib.dreamapi_tier_stripe_price_id(c_object)),
            price_id=text(lib.dreamapi_tier_price_id(c_object)),
            product_id=text(lib.dreamapi_tier_product_id(c_object)),
            trial_days=number(lib.dreamapi_tier_trial_days(c_object), -1),
        )


@dataclass(frozen=True)
class Tiers:
    """A list of tiers."""

    items: tuple[Tier, ...]
    """One of them, borrowed from the list; None past the end."""

    json: str | None = field(repr=False)
    """The whole answer as it came."""

    @classmethod
    def _read(cls, c_object: Any) -> Tiers:
        return cls(
            items=tuple(Tier._read(lib.dreamapi_tiers_at(c_object, i)) for i in range(lib.dreamapi_tiers_count(c_object))),
            json=text(lib.dreamapi_tiers_json(c_object)),
        )


@dataclass(frozen=True)
class Token:
    """What a verified token says. Immutable; any thread may read it, also after the client is gone."""

    user_id: str
    """`sub`."""

    publishable_key: str | None
    """The project: `publicMetadata.publishableKey`, else `publishableKey`."""

    plan: str | None
    """`publicMetadata.plan`, else `plan`: as the provider had it when the token was made. dreamapi_tier_check takes it
    as a plan.
    """

    email: str | None
    """`email`, else `publicMetadata.email`, else `primary_email`."""

    session_id: str | None
    """`sid`."""

    expires_at_ms: int
    """`exp`, in milliseconds since 1970-01-01T00:00Z, without the skew."""

    json: str = field(repr=False)
    """The payload as it was signed: JSON."""

    @classmethod
    def _read(cls, c_object: Any) -> Token:
        return cls(
            user_id=sure_text(lib.dreamapi_token_user_id(c_object)),
            publishable_key=text(lib.dreamapi_token_publishable_key(c_object)),
            plan=text(lib.dreamapi_token_plan(c_object)),
            email=text(lib.dreamapi_token_email(c_object)),
            session_id=text(lib.dreamapi_token_session_id(c_object)),
            expires_at_ms=lib.dreamapi_token_expires_at_ms(c_object),
            json=sure_text(lib.dreamapi_token_json(c_object)),
        )


@dataclass(frozen=True)
class Usage:
    """What a user used, and what the plan allows."""

    user_id: str | None
    """The user's id; None when the answer does not say (after dreamapi_usage_track)."""

    plan: str
    """The name of the tier in force."""

    usage_count: int
    """Units used in this period."""

    count: int
    """The same number under the wire's other name."""

    limit: int
    """Units the plan allows in a period, or UNLIMITED."""

    remaining: int
    """Units left, or UNLIMITED; never negative. Limit minus count where the answer does not say."""

    period_start: str | None
    """First day of the period, "YYYY-MM-DD" in UTC; None when the answer does not say."""

    period_end: str | None
    """Last day of the period, "YYYY-MM-DD" in UTC; None when the answer does not say."""

    message: str | None
    """The server's remark on what it did; None if it made none."""

    success: bool
    """1 unless the answer says "success": false."""

    json: str | None = field(repr=False)
    """The whole answer as it came."""

    @classmethod
    def _read(cls, c_object: Any) -> Usage:
        return cls(
            user_id=text(lib.dreamapi_usage_user_id(c_object)),
            plan=sure_text(lib.dreamapi_usage_plan(c_object)),
            usage_count=lib.dreamapi_usage_usage_count(c_object),
            count=lib.dreamapi_usage_count(c_object),
            limit=lib.dreamapi_usage_limit(c_object),
            remaining=lib.dreamapi_usage_remaining(c_object),
            period_start=text(lib.dreamapi_usage_period_start(c_object)),
            period_end=text(lib.dreamapi_usage_period_end(c_object)),
            message=text(lib.dreamapi_usage_message(c_object)),
            success=lib.dreamapi_usage_success(c_object) != 0,
            json=text(lib.dreamapi_usage_json(c_object)),
        )


@dataclass(frozen=True)
class UsageOutcome:
    """What became of one event."""

    id: str | None
    """The event's id, given or made; None when the answer does not say."""

    status: str
    """"applied": counted now. "duplicate": counted before, also by an earlier try of this call. "limit": the plan has
    too few units left, nothing counted. "error": nothing counted, see dreamapi_usage_outcome_error. Others may be
    added.
    """

    error: str | None
    """What was wrong with the event, in the server's words; None if nothing was."""

    @classmethod
    def _read(cls, c_object: Any) -> UsageOutcome:
        return cls(
            id=text(lib.dreamapi_usage_outcome_id(c_object)),
            status=sure_text(lib.dreamapi_usage_outcome_status(c_object)),
            error=text(lib.dreamapi_usage_outcome_error(c_object)),
        )


@dataclass(frozen=True)
class UsageOutcomes:
    """What became of each event, in the order in which they were given."""

    items: tuple[UsageOutcome, ...]
    """One of them, borrowed from the list; None past the end."""

    json: str | None = field(repr=False)
    """The whole answer as it came."""

    @classmethod
    def _read(cls, c_object: Any) -> UsageOutcomes:
        return cls(
            items=tuple(UsageOutcome._read(lib.dreamapi_usage_outcomes_at(c_object, i)) for i in range(lib.dreamapi_usage_outcomes_count(c_object))),
            json=text(lib.dreamapi_usage_outcomes_json(c_object)),
        )


@dataclass(frozen=True)
class HistoryDay:
    """One day of a history."""

    date: str
    """"YYYY-MM-DD" in UTC."""

    units: int
    """Units used on that day."""

    @classmethod
    def _read(cls, c_object: Any) -> HistoryDay:
        return cls(
            date=sure_text(lib.dreamapi_history_day_date(c_object)),
            units=lib.dreamapi_history_day_units(c_object),
        )


@dataclass(frozen=True)
class HistoryEvent:
    """What became of a subscription."""

    time: str
    """When it happened ("at" on the wire), in ISO 8601."""

    user_id: str | None
    """Whose subscription; None when the answer does not say."""

    subscription_id: str | None
    """Stripe's; None if there is none."""

    type: str
    """What happened, as the server names it."""

    plan: str | None
    """The name of the tier; None when the answer does not say."""

    status: str | None
    """The subscription's from then on; None when the answer does not say."""

    amount: int | None
    """What a period costs, in the currency's smallest unit (cents); None when the answer does not say."""

    currency: str | None
    """Three small letters, as in "usd"; None when the answer does not say."""

    @classmethod
    def _read(cls, c_object: Any) -> HistoryEvent:
        return cls(
            time=sure_text(lib.dreamapi_history_event_time(c_object)),
            user_id=text(lib.dreamapi_history_event_user_id(c_object)),
            subscription_id=text(lib.dreamapi_history_event_subscription_id(c_object)),
            type=sure_text(lib.dreamapi_history_event_type(c_object)),
            plan=text(lib.dreamapi_history_event_plan(c_object)),
            status=text(lib.dreamapi_history_event_status(c_object)),
            amount=number(lib.dreamapi_history_event_amount(c_object), -1),
            currency=text(lib.dreamapi_history_event_currency(c_object)),
        )


@dataclass(frozen=True)
class History:
    """Usage day by day."""

    user_id: str | None
    """Whose history; None: the whole project's."""

    meter: str | None
    """Of which meter; None when the answer does not say."""

    from_: str | None
    """The first day, "YYYY-MM-DD" in UTC; None when the answer does not say."""

    to: str | None
    """The last day, "YYYY-MM-DD" in UTC; None when the answer does not say."""

    days: tuple[HistoryDay, ...]
    """One of them, borrowed from the history; None past the end."""

    events: tuple[HistoryEvent, ...]
    """One of them, borrowed from the history; None past the end."""

    has_more_events: bool
    """1 when there were more events in these days than the server tells at once."""

    json: str | None = field(repr=False)
    """The whole answer as it came."""

    @classmethod
    def _read(cls, c_object: Any) -> History:
        return cls(
            user_id=text(lib.dreamapi_history_user_id(c_object)),
            meter=text(lib.dreamapi_history_meter(c_object)),
            from_=text(lib.dreamapi_history_from(c_object)),
            to=text(lib.dreamapi_history_to(c_object)),
            days=tuple(HistoryDay._read(lib.dreamapi_history_day_at(c_object, i)) for i in range(lib.dreamapi_history_day_count(c_object))),
            events=tuple(HistoryEvent._read(lib.dreamapi_history_event_at(c_object, i)) for i in range(lib.dreamapi_history_event_count(c_object))),
            has_more_events=lib.dreamapi_history_has_more_events(c_object) != 0,
            json=text(lib.dreamapi_history_json(c_object)),
        )
