// SPDX-License-Identifier: Apache-2.0

package dreamapi

/*
#include <dreamapi.h>

static dreamapi_asset_params go_asset_params(void)
{
    dreamapi_asset_params params = DREAMAPI_ASSET_PARAMS_INIT;
    return params;
}

static dreamapi_cart_params go_cart_params(void)
{
    dreamapi_cart_params params = DREAMAPI_CART_PARAMS_INIT;
    return params;
}

static dreamapi_tier_check_params go_tier_check_params(void)
{
    dreamapi_tier_check_params params = DREAMAPI_TIER_CHECK_PARAMS_INIT;
    return params;
}

static dreamapi_token_params go_token_params(void)
{
    dreamapi_token_params params = DREAMAPI_TOKEN_PARAMS_INIT;
    return params;
}

static dreamapi_call_options go_call_options(void)
{
    dreamapi_call_options options = DREAMAPI_CALL_OPTIONS_INIT;
    return options;
}
*/
import "C"

import (
	"time"
	"unsafe"
)

// What is more than texts and numbers, or whose zero is not the default; the others are in values_generated.go.

// AssetParams is a file to upload.
type AssetParams struct {
	// Required. The server keeps a harmless form of it as the end of the address.
	Filename string
	// As in "image/png"; empty takes the server's choice.
	ContentType string
	// 1 to AssetMaxSize bytes.
	Data []byte
}

func (p *AssetParams) c(lent *lent) C.dreamapi_asset_params {
	params := C.go_asset_params()
	params.filename = lent.text(p.Filename)
	params.content_type = lent.text(p.ContentType)
	params.data = lent.bytes(p.Data)
	params.size = C.size_t(len(p.Data))
	return params
}

// CartItem is pieces of one product, named by one of its three names.
type CartItem struct {
	// Product.PriceID.
	PriceID string
	// Product.ProductID.
	ProductID string
	// Product.Key.
	Tier string
	// From 1 up; 0 takes the server's choice, which is 1.
	Quantity int64
}

// CartParams is which items to buy. Empty fields are not sent.
type CartParams struct {
	// 1 to CartMaxItems.
	Items []CartItem
	// Where the receipt goes; empty: the page asks.
	Email string
	// Where the page sends the buyer after paying; empty takes the server's choice.
	SuccessURL string
	// Where the page sends the buyer who does not pay; empty takes the server's choice.
	CancelURL string
}

func (p *CartParams) c(lent *lent) C.dreamapi_cart_params {
	params := C.go_cart_params()
	if count := len(p.Items); count > 0 {
		params.items = (*C.dreamapi_cart_item)(lent.memory(C.size_t(count) * C.sizeof_dreamapi_cart_item))
		all := unsafe.Slice(params.items, count)
		for i, item := range p.Items {
			all[i].price_id = lent.text(item.PriceID)
			all[i].product_id = lent.text(item.ProductID)
			all[i].tier = lent.text(item.Tier)
			all[i].quantity = C.int64_t(item.Quantity)
		}
		params.item_count = C.size_t(count)
	}
	params.email = lent.text(p.Email)
	params.success_url = lent.text(p.SuccessURL)
	params.cancel_url = lent.text(p.CancelURL)
	return params
}

// UsageEvent is units that a user used.
type UsageEvent struct {
	// What the event is counted once by; best one that sorts by time, such as a UUIDv7. Empty makes one: then the call itself
	// never counts it twice, but you cannot repeat it.
	ID string
	// Required.
	UserID string
	// Empty takes the default meter.
	Meter string
	// From 1 up; 0 counts as 1.
	Units int64
	// When it happened, to the millisecond; zero: when it reaches the server.
	At time.Time
}

func (l *lent) events(events []UsageEvent) *C.dreamapi_usage_event {
	if len(events) == 0 {
		return nil
	}
	first := (*C.dreamapi_usage_event)(l.memory(C.size_t(len(events)) * C.sizeof_dreamapi_usage_event))
	all := unsafe.Slice(first, len(events))
	for i, event := range events {
		all[i].id = l.text(event.ID)
		all[i].user_id = l.text(event.UserID)
		all[i].meter = l.text(event.Meter)
		all[i].units = C.int64_t(event.Units)
		if !event.At.IsZero() {
			all[i].at_ms = C.int64_t(event.At.UnixMilli())
		}
	}
	return first
}

// TierCheckParams is the question of Client.TierCheck: either MinPlan or Feature.
type TierCheckParams struct {
	// Allowed if the user's plan is this one or a later one in the order of plans.
	MinPlan string
	// Allowed if the tier of the user's plan lists this feature.
	Feature string
	// The user's plan, if it is known already, as from Decision.Plan; empty: it is found out.
	Plan string
	// How old a remembered plan of the user may be; 0: a minute, negative: the server is asked each time.
	MaxAge time.Duration
}

func (p *TierCheckParams) c(lent *lent) C.dreamapi_tier_check_params {
	params := C.go_tier_check_params()
	params.min_plan = lent.text(p.MinPlan)
	params.feature = lent.text(p.Feature)
	params.plan = lent.text(p.Plan)
	if p.MaxAge != 0 {
		params.max_age_ms = milliseconds(maxSpan(p.MaxAge, 0))
	}
	return params
}

// TokenParams is what a token must say besides being signed and in time.
type TokenParams struct {
	// The claim iss must be this; empty: any or none.
	Issuer string
	// The claim aud must be this or have it in its list; empty: it is not looked at.
	Audience string
	// The claim azp must be one of these; none: it is not looked at. Name your own origins here.
	AuthorizedParties []string
	// The token must name one of these projects, by publishable key; none: the client's own (Options.PublishableKey).
	PublishableKeys []string
	// Tokens of any project, or none. Without it and without any key the call is ErrInvalid, since all projects' users share one provider.
	AnyProject bool
	// How far clocks may differ, up to five minutes; 0: a minute, negative: not at all.
	Skew time.Duration
}

func (p *TokenParams) c(lent *lent) C.dreamapi_token_params {
	params := C.go_token_params()
	params.issuer = lent.text(p.Issuer)
	params.audience = lent.text(p.Audience)
	params.authorized_parties = lent.texts(p.AuthorizedParties)
	params.publishable_keys = lent.texts(p.PublishableKeys)
	if p.AnyProject {
		params.any_project = 1
	}
	if p.Skew != 0 {
		params.skew_ms = milliseconds(maxSpan(p.Skew, 0))
	}
	return params
}

// texts is a list ended by nil; nil for an empty one. Texts of it that are empty are kept: they match nothing.
func (l *lent) texts(values []string) **C.char {
	if len(values) == 0 {
		return nil
	}
	first := (**C.char)(l.memory(C.size_t(len(values)+1) * C.size_t(unsafe.Sizeof(uintptr(0)))))
	all := unsafe.Slice(first, len(values))
	for i, value := range values {
		if all[i] = l.text(value); all[i] == nil {
			all[i] = (*C.char)(l.memory(1))
		}
	}
	return first
}

func newCallOptions() C.dreamapi_call_options { return C.go_call_options() }
