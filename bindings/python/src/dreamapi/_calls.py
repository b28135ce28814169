# SPDX-License-Identifier: Apache-2.0 - made by bindings/generate.py from the headers in include/dreamapi
"""The calls of Client and AsyncClient; what runs them is in _base.py."""
from __future__ import annotations

from collections.abc import Sequence

from ._base import AsyncBase, Base
from ._convert import CallOptions, CartItem, Keep, UsageEvent
from ._ffi import lib
from ._values import (
    Asset,
    Checkout,
    Customer,
    Customers,
    Dashboard,
    Health,
    History,
    Portal,
    Products,
    Tiers,
    Token,
    Totals,
    Usage,
    UsageOutcomes,
)


class Calls(Base):
    """What a client can ask the service; each call waits for its answer."""

    def asset_upload(
        self,
        *,
        filename: str,
        data: bytes,
        content_type: str | None = None,
        options: CallOptions | None = None,
    ) -> Asset:
        """Uploads a file (POST /api/assets), in base64 within JSON: about 1.4 times its size, held in memory until the
        call ends.
        """
        keep = Keep()
        c_params = keep.struct("dreamapi_asset_params")
        c_params.filename = keep.text(filename)
        c_params.content_type = keep.text(content_type)
        c_params.data = keep.bytes(data)
        c_params.size = len(data)
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_asset_upload_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_asset_result, "dreamapi_asset *", Asset._read, lib.dreamapi_asset_free)

    def checkout_create(
        self,
        *,
        user_id: str | None = None,
        tier: str | None = None,
        price_id: str | None = None,
        success_url: str | None = None,
        cancel_url: str | None = None,
        options: CallOptions | None = None,
    ) -> Checkout:
        """Makes a checkout page (POST /api/create-checkout); every parameter may be left out when a user token is
        given.
        """
        keep = Keep()
        c_params = keep.struct("dreamapi_checkout_params")
        c_params.user_id = keep.text(user_id)
        c_params.tier = keep.text(tier)
        c_params.price_id = keep.text(price_id)
        c_params.success_url = keep.text(success_url)
        c_params.cancel_url = keep.text(cancel_url)
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_checkout_create_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_checkout_result, "dreamapi_checkout *", Checkout._read, lib.dreamapi_checkout_free)

    def cart_checkout(
        self,
        *,
        items: Sequence[CartItem],
        email: str | None = None,
        success_url: str | None = None,
        cancel_url: str | None = None,
        options: CallOptions | None = None,
    ) -> Checkout:
        """Makes a checkout page for the items (POST /api/cart/checkout). Either key will do."""
        keep = Keep()
        c_params = keep.struct("dreamapi_cart_params")
        c_params.items = keep.items(items)
        c_params.item_count = len(items)
        c_params.email = keep.text(email)
        c_params.success_url = keep.text(success_url)
        c_params.cancel_url = keep.text(cancel_url)
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_cart_checkout_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_checkout_result, "dreamapi_checkout *", Checkout._read, lib.dreamapi_checkout_free)

    def customer_create(
        self,
        *,
        email: str,
        first_name: str | None = None,
        last_name: str | None = None,
        plan: str | None = None,
        password: str | None = None,
        options: CallOptions | None = None,
    ) -> Customer:
        """Creates a customer (POST /api/customers)."""
        keep = Keep()
        c_params = keep.struct("dreamapi_customer_params")
        c_params.email = keep.text(email)
        c_params.first_name = keep.text(first_name)
        c_params.last_name = keep.text(last_name)
        c_params.plan = keep.text(plan)
        c_params.password = keep.text(password)
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_customer_create_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_customer_result, "dreamapi_customer *", Customer._read, lib.dreamapi_customer_free)

    def customer_get(self, customer_id: str, *, options: CallOptions | None = None) -> Customer:
        """Reads a customer (GET /api/customers/{id})."""
        keep = Keep()
        c_customer_id = keep.text(customer_id)
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_customer_get_start(self._c, c_customer_id, c_options, out, error),
            lib.dreamapi_customer_result, "dreamapi_customer *", Customer._read, lib.dreamapi_customer_free)

    def customer_update(self, customer_id: str, *, plan: str | None = None, options: CallOptions | None = None) -> Customer:
        """Changes a customer (PATCH /api/customers/{id}); every parameter may be left out, which changes nothing."""
        keep = Keep()
        c_customer_id = keep.text(customer_id)
        c_params = keep.struct("dreamapi_customer_update_params")
        c_params.plan = keep.text(plan)
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_customer_update_start(self._c, c_customer_id, c_params, c_options, out, error),
            lib.dreamapi_customer_result, "dreamapi_customer *", Customer._read, lib.dreamapi_customer_free)

    def customer_delete(self, customer_id: str, *, options: CallOptions | None = None) -> Customer:
        """Deletes a customer (DELETE /api/customers/{id})."""
        keep = Keep()
        c_customer_id = keep.text(customer_id)
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_customer_delete_start(self._c, c_customer_id, c_options, out, error),
            lib.dreamapi_customer_result, "dreamapi_customer *", Customer._read, lib.dreamapi_customer_free)

    def customer_list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        email: str | None = None,
        plan: str | None = None,
        options: CallOptions | None = None,
    ) -> Customers:
        """Reads one page of the project's customers, newest first (GET /api/customers); every parameter may be left
        out. Needs a server with the extension `customer-list`; else DREAMAPI_UNSUPPORTED with nothing sent.
        """
        keep = Keep()
        c_params = keep.struct("dreamapi_customer_list_params")
        if limit is not None:
            c_params.limit = limit
        c_params.cursor = keep.text(cursor)
        c_params.email = keep.text(email)
        c_params.plan = keep.text(plan)
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_customer_list_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_customers_result, "dreamapi_customers *", Customers._read, lib.dreamapi_customers_free)

    def dashboard_get(self, *, options: CallOptions | None = None) -> Dashboard:
        """Reads the project's dashboard (GET /api/dashboard). It is as long as the project has users: see
        dreamapi_options_set_max_response_size.
        """
        keep = Keep()
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_dashboard_get_start(self._c, c_options, out, error),
            lib.dreamapi_dashboard_result, "dreamapi_dashboard *", Dashboard._read, lib.dreamapi_dashboard_free)

    def dashboard_totals(self, *, options: CallOptions | None = None) -> Totals:
        """Reads the figures of all projects (GET /api/dashboard/totals)."""
        keep = Keep()
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_dashboard_totals_start(self._c, c_options, out, error),
            lib.dreamapi_totals_result, "dreamapi_totals *", Totals._read, lib.dreamapi_totals_free)

    def health_get(self, *, options: CallOptions | None = None) -> Health:
        """Asks the service (GET /health), sending no key."""
        keep = Keep()
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_health_get_start(self._c, c_options, out, error),
            lib.dreamapi_health_result, "dreamapi_health *", Health._read, lib.dreamapi_health_free)

    def portal_create(
        self,
        *,
        user_id: str | None = None,
        return_url: str | None = None,
        options: CallOptions | None = None,
    ) -> Portal:
        """Makes a portal page (POST /api/customer-portal); every parameter may be left out when a user token is given."""
        keep = Keep()
        c_params = keep.struct("dreamapi_portal_params")
        c_params.user_id = keep.text(user_id)
        c_params.return_url = keep.text(return_url)
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_portal_create_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_portal_result, "dreamapi_portal *", Portal._read, lib.dreamapi_portal_free)

    def product_list(self, *, options: CallOptions | None = None) -> Products:
        """Lists the products (GET /api/products). Either key will do."""
        keep = Keep()
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_product_list_start(self._c, c_options, out, error),
            lib.dreamapi_products_result, "dreamapi_products *", Products._read, lib.dreamapi_products_free)

    def tier_list(self, *, options: CallOptions | None = None) -> Tiers:
        """Lists the tiers (GET /api/tiers). Either key will do."""
        keep = Keep()
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_tier_list_start(self._c, c_options, out, error),
            lib.dreamapi_tiers_result, "dreamapi_tiers *", Tiers._read, lib.dreamapi_tiers_free)

    def token_verify(
        self,
        token: str,
        *,
        issuer: str | None = None,
        audience: str | None = None,
        authorized_parties: Sequence[str] | None = None,
        publishable_keys: Sequence[str] | None = None,
        any_project: bool | None = None,
        skew_ms: int | None = None,
        options: CallOptions | None = None,
    ) -> Token:
        """Verifies a token. Of `options` (may be None) the timeout counts, if keys have to be waited for. every
        parameter may be left out. DREAMAPI_OK:
        """
        keep = Keep()
        c_token = keep.text(token)
        c_params = keep.struct("dreamapi_token_params")
        c_params.issuer = keep.text(issuer)
        c_params.audience = keep.text(audience)
        c_params.authorized_parties = keep.texts(authorized_parties)
        c_params.publishable_keys = keep.texts(publishable_keys)
        if any_project is not None:
            c_params.any_project = int(any_project)
        if skew_ms is not None:
            c_params.skew_ms = skew_ms
        c_options = keep.options(options)
        return self._answer(
            lambda out, error: lib.dreamapi_token_verify(self._c, c_token, c_params, c_options, out, error),
            "dreamapi_token *", Token._read, lib.dreamapi_token_free)

    def usage_get(self, user_id: str | None = None, *, options: CallOptions | None = None) -> Usage:
        """Reads a user's usage (GET /api/usage); counts nothing."""
        keep = Keep()
        c_user_id = keep.text(user_id)
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_usage_get_start(self._c, c_user_id, c_options, out, error),
            lib.dreamapi_usage_result, "dreamapi_usage *", Usage._read, lib.dreamapi_usage_free)

    def usage_track(self, user_id: str | None = None, *, options: CallOptions | None = None) -> Usage:
        """Counts one unit if the plan allows it (POST /api/data); every parameter may be left out. DREAMAPI_OK:
        counted. DREAMAPI_LIMIT: refused, nothing counted; dreamapi_error.used and .limit tell.
        DREAMAPI_OUTCOME_UNKNOWN: may have been counted.
        """
        keep = Keep()
        c_user_id = keep.text(user_id)
        c_params = keep.struct("dreamapi_usage_track_params")
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_usage_track_start(self._c, c_user_id, c_params, c_options, out, error),
            lib.dreamapi_usage_result, "dreamapi_usage *", Usage._read, lib.dreamapi_usage_free)

    def usage_batch(self, events: Sequence[UsageEvent], *, options: CallOptions | None = None) -> UsageOutcomes:
        """Reports `count` events, 1 to DREAMAPI_USAGE_BATCH_MAX (POST /api/usage/batch); all are copied. DREAMAPI_OK:
        the server looked at each; what it found is in the outcomes, and some may have been refused.
        """
        keep = Keep()
        c_events = keep.events(events)
        c_count = len(events)
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_usage_batch_start(self._c, c_events, c_count, c_options, out, error),
            lib.dreamapi_usage_outcomes_result, "dreamapi_usage_outcomes *", UsageOutcomes._read, lib.dreamapi_usage_outcomes_free)

    def usage_history(
        self,
        *,
        user_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        meter: str | None = None,
        options: CallOptions | None = None,
    ) -> History:
        """Reads a history (GET /api/usage/history); every parameter may be left out. DREAMAPI_INVALID also for days
        that the server does not take, such as too many.
        """
        keep = Keep()
        c_params = keep.struct("dreamapi_usage_history_params")
        c_params.user_id = keep.text(user_id)
        setattr(c_params, "from", keep.text(from_))
        c_params.to = keep.text(to)
        c_params.meter = keep.text(meter)
        c_options = keep.options(options)
        return self._call(
            lambda out, error: lib.dreamapi_usage_history_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_history_result, "dreamapi_history *", History._read, lib.dreamapi_history_free)


class AsyncCalls(AsyncBase):
    """The same calls for asyncio."""

    async def asset_upload(
        self,
        *,
        filename: str,
        data: bytes,
        content_type: str | None = None,
        options: CallOptions | None = None,
    ) -> Asset:
        """Uploads a file (POST /api/assets), in base64 within JSON: about 1.4 times its size, held in memory until the
        call ends.
        """
        keep = Keep()
        c_params = keep.struct("dreamapi_asset_params")
        c_params.filename = keep.text(filename)
        c_params.content_type = keep.text(content_type)
        c_params.data = keep.bytes(data)
        c_params.size = len(data)
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_asset_upload_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_asset_result, "dreamapi_asset *", Asset._read, lib.dreamapi_asset_free)

    async def checkout_create(
        self,
        *,
        user_id: str | None = None,
        tier: str | None = None,
        price_id: str | None = None,
        success_url: str | None = None,
        cancel_url: str | None = None,
        options: CallOptions | None = None,
    ) -> Checkout:
        """Makes a checkout page (POST /api/create-checkout); every parameter may be left out when a user token is
        given.
        """
        keep = Keep()
        c_params = keep.struct("dreamapi_checkout_params")
        c_params.user_id = keep.text(user_id)
        c_params.tier = keep.text(tier)
        c_params.price_id = keep.text(price_id)
        c_params.success_url = keep.text(success_url)
        c_params.cancel_url = keep.text(cancel_url)
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_checkout_create_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_checkout_result, "dreamapi_checkout *", Checkout._read, lib.dreamapi_checkout_free)

    async def cart_checkout(
        self,
        *,
        items: Sequence[CartItem],
        email: str | None = None,
        success_url: str | None = None,
        cancel_url: str | None = None,
        options: CallOptions | None = None,
    ) -> Checkout:
        """Makes a checkout page for the items (POST /api/cart/checkout). Either key will do."""
        keep = Keep()
        c_params = keep.struct("dreamapi_cart_params")
        c_params.items = keep.items(items)
        c_params.item_count = len(items)
        c_params.email = keep.text(email)
        c_params.success_url = keep.text(success_url)
        c_params.cancel_url = keep.text(cancel_url)
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_cart_checkout_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_checkout_result, "dreamapi_checkout *", Checkout._read, lib.dreamapi_checkout_free)

    async def customer_create(
        self,
        *,
        email: str,
        first_name: str | None = None,
        last_name: str | None = None,
        plan: str | None = None,
        password: str | None = None,
        options: CallOptions | None = None,
    ) -> Customer:
        """Creates a customer (POST /api/customers)."""
        keep = Keep()
        c_params = keep.struct("dreamapi_customer_params")
        c_params.email = keep.text(email)
        c_params.first_name = keep.text(first_name)
        c_params.last_name = keep.text(last_name)
        c_params.plan = keep.text(plan)
        c_params.password = keep.text(password)
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_customer_create_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_customer_result, "dreamapi_customer *", Customer._read, lib.dreamapi_customer_free)

    async def customer_get(self, customer_id: str, *, options: CallOptions | None = None) -> Customer:
        """Reads a customer (GET /api/customers/{id})."""
        keep = Keep()
        c_customer_id = keep.text(customer_id)
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_customer_get_start(self._c, c_customer_id, c_options, out, error),
            lib.dreamapi_customer_result, "dreamapi_customer *", Customer._read, lib.dreamapi_customer_free)

    async def customer_update(
        self,
        customer_id: str,
        *,
        plan: str | None = None,
        options: CallOptions | None = None,
    ) -> Customer:
        """Changes a customer (PATCH /api/customers/{id}); every parameter may be left out, which changes nothing."""
        keep = Keep()
        c_customer_id = keep.text(customer_id)
        c_params = keep.struct("dreamapi_customer_update_params")
        c_params.plan = keep.text(plan)
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_customer_update_start(self._c, c_customer_id, c_params, c_options, out, error),
            lib.dreamapi_customer_result, "dreamapi_customer *", Customer._read, lib.dreamapi_customer_free)

    async def customer_delete(self, customer_id: str, *, options: CallOptions | None = None) -> Customer:
        """Deletes a customer (DELETE /api/customers/{id})."""
        keep = Keep()
        c_customer_id = keep.text(customer_id)
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_customer_delete_start(self._c, c_customer_id, c_options, out, error),
            lib.dreamapi_customer_result, "dreamapi_customer *", Customer._read, lib.dreamapi_customer_free)

    async def customer_list(
        self,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        email: str | None = None,
        plan: str | None = None,
        options: CallOptions | None = None,
    ) -> Customers:
        """Reads one page of the project's customers, newest first (GET /api/customers); every parameter may be left
        out. Needs a server with the extension `customer-list`; else DREAMAPI_UNSUPPORTED with nothing sent.
        """
        keep = Keep()
        c_params = keep.struct("dreamapi_customer_list_params")
        if limit is not None:
            c_params.limit = limit
        c_params.cursor = keep.text(cursor)
        c_params.email = keep.text(email)
        c_params.plan = keep.text(plan)
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_customer_list_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_customers_result, "dreamapi_customers *", Customers._read, lib.dreamapi_customers_free)

    async def dashboard_get(self, *, options: CallOptions | None = None) -> Dashboard:
        """Reads the project's dashboard (GET /api/dashboard). It is as long as the project has users: see
        dreamapi_options_set_max_response_size.
        """
        keep = Keep()
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_dashboard_get_start(self._c, c_options, out, error),
            lib.dreamapi_dashboard_result, "dreamapi_dashboard *", Dashboard._read, lib.dreamapi_dashboard_free)

    async def dashboard_totals(self, *, options: CallOptions | None = None) -> Totals:
        """Reads the figures of all projects (GET /api/dashboard/totals)."""
        keep = Keep()
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_dashboard_totals_start(self._c, c_options, out, error),
            lib.dreamapi_totals_result, "dreamapi_totals *", Totals._read, lib.dreamapi_totals_free)

    async def health_get(self, *, options: CallOptions | None = None) -> Health:
        """Asks the service (GET /health), sending no key."""
        keep = Keep()
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_health_get_start(self._c, c_options, out, error),
            lib.dreamapi_health_result, "dreamapi_health *", Health._read, lib.dreamapi_health_free)

    async def portal_create(
        self,
        *,
        user_id: str | None = None,
        return_url: str | None = None,
        options: CallOptions | None = None,
    ) -> Portal:
        """Makes a portal page (POST /api/customer-portal); every parameter may be left out when a user token is given."""
        keep = Keep()
        c_params = keep.struct("dreamapi_portal_params")
        c_params.user_id = keep.text(user_id)
        c_params.return_url = keep.text(return_url)
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_portal_create_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_portal_result, "dreamapi_portal *", Portal._read, lib.dreamapi_portal_free)

    async def product_list(self, *, options: CallOptions | None = None) -> Products:
        """Lists the products (GET /api/products). Either key will do."""
        keep = Keep()
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_product_list_start(self._c, c_options, out, error),
            lib.dreamapi_products_result, "dreamapi_products *", Products._read, lib.dreamapi_products_free)

    async def tier_list(self, *, options: CallOptions | None = None) -> Tiers:
        """Lists the tiers (GET /api/tiers). Either key will do."""
        keep = Keep()
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_tier_list_start(self._c, c_options, out, error),
            lib.dreamapi_tiers_result, "dreamapi_tiers *", Tiers._read, lib.dreamapi_tiers_free)

    async def token_verify(
        self,
        token: str,
        *,
        issuer: str | None = None,
        audience: str | None = None,
        authorized_parties: Sequence[str] | None = None,
        publishable_keys: Sequence[str] | None = None,
        any_project: bool | None = None,
        skew_ms: int | None = None,
        options: CallOptions | None = None,
    ) -> Token:
        """Verifies a token. Of `options` (may be None) the timeout counts, if keys have to be waited for. every
        parameter may be left out. DREAMAPI_OK:
        """
        keep = Keep()
        c_token = keep.text(token)
        c_params = keep.struct("dreamapi_token_params")
        c_params.issuer = keep.text(issuer)
        c_params.audience = keep.text(audience)
        c_params.authorized_parties = keep.texts(authorized_parties)
        c_params.publishable_keys = keep.texts(publishable_keys)
        if any_project is not None:
            c_params.any_project = int(any_project)
        if skew_ms is not None:
            c_params.skew_ms = skew_ms
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_token_verify_start(self._c, c_token, c_params, c_options, out, error),
            lib.dreamapi_token_result, "dreamapi_token *", Token._read, lib.dreamapi_token_free)

    async def usage_get(self, user_id: str | None = None, *, options: CallOptions | None = None) -> Usage:
        """Reads a user's usage (GET /api/usage); counts nothing."""
        keep = Keep()
        c_user_id = keep.text(user_id)
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_usage_get_start(self._c, c_user_id, c_options, out, error),
            lib.dreamapi_usage_result, "dreamapi_usage *", Usage._read, lib.dreamapi_usage_free)

    async def usage_track(self, user_id: str | None = None, *, options: CallOptions | None = None) -> Usage:
        """Counts one unit if the plan allows it (POST /api/data); every parameter may be left out. DREAMAPI_OK:
        counted. DREAMAPI_LIMIT: refused, nothing counted; dreamapi_error.used and .limit tell.
        DREAMAPI_OUTCOME_UNKNOWN: may have been counted.
        """
        keep = Keep()
        c_user_id = keep.text(user_id)
        c_params = keep.struct("dreamapi_usage_track_params")
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_usage_track_start(self._c, c_user_id, c_params, c_options, out, error),
            lib.dreamapi_usage_result, "dreamapi_usage *", Usage._read, lib.dreamapi_usage_free)

    async def usage_batch(self, events: Sequence[UsageEvent], *, options: CallOptions | None = None) -> UsageOutcomes:
        """Reports `count` events, 1 to DREAMAPI_USAGE_BATCH_MAX (POST /api/usage/batch); all are copied. DREAMAPI_OK:
        the server looked at each; what it found is in the outcomes, and some may have been refused.
        """
        keep = Keep()
        c_events = keep.events(events)
        c_count = len(events)
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_usage_batch_start(self._c, c_events, c_count, c_options, out, error),
            lib.dreamapi_usage_outcomes_result, "dreamapi_usage_outcomes *", UsageOutcomes._read, lib.dreamapi_usage_outcomes_free)

    async def usage_history(
        self,
        *,
        user_id: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        meter: str | None = None,
        options: CallOptions | None = None,
    ) -> History:
        """Reads a history (GET /api/usage/history); every parameter may be left out. DREAMAPI_INVALID also for days
        that the server does not take, such as too many.
        """
        keep = Keep()
        c_params = keep.struct("dreamapi_usage_history_params")
        c_params.user_id = keep.text(user_id)
        setattr(c_params, "from", keep.text(from_))
        c_params.to = keep.text(to)
        c_params.meter = keep.text(meter)
        c_options = keep.options(options)
        return await self._call(
            lambda out, error: lib.dreamapi_usage_history_start(self._c, c_params, c_options, out, error),
            lib.dreamapi_history_result, "dreamapi_history *", History._read, lib.dreamapi_history_free)
