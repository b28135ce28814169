// SPDX-License-Identifier: Apache-2.0

package dreamapi_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	dreamapi "github.com/dream-api/dream-api-c/bindings/go"
)

// The recorded wire cases, through Go: what tests/wire/run_library.c does in C. Each case that a typed call can send is sent to a server that
// answers as recorded, and as a rule has it; the request must be the recorded one, and every field of the value or of the error must say
// what the answer says. Cases that no typed call can send are counted apart.

type object = map[string]interface{}

var placeholders = [][2]string{
	{"<sk-test", "sk_test_00112233445566778899aabbccddeeff"}, {"<sk", "sk_live_00112233445566778899aabbccddeeff"},
	{"<pk-test", "pk_test_00112233445566778899aabbccddeeff"}, {"<pk", "pk_live_00112233445566778899aabbccddeeff"},
	{"<jwt", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyX3dpcmUxIn0.c2lnbmF0dXJl"}, {"<platform", "plt_00112233445566778899aabbccddeeff"},
	{"<user", "user_wire1"}, {"<id", "user_wire2"}, {"<today+29", "2026-12-22"}, {"<today", "2026-11-23"}, {"<seconds", "7"},
	{"<iso-time", "2026-12-22T12:00:00.000Z"}, {"<http-time", "Mon, 23 Nov 2026 12:00:00 GMT"},
}

func filled(value interface{}) interface{} {
	switch value := value.(type) {
	case string:
		if value == "<int>" {
			return float64(1767225600123)
		}
		return filledText(value)
	case []interface{}:
		for i := range value {
			value[i] = filled(value[i])
		}
	case object:
		for name := range value {
			value[name] = filled(value[name])
		}
	}
	return value
}

func filledText(text string) string {
	start := strings.IndexByte(text, '<')
	end := strings.IndexByte(text, '>')
	if start < 0 || end < start {
		return text
	}
	value := "some-text"
	for _, one := range placeholders {
		if strings.HasPrefix(text[start:], one[0]) {
			value = one[1]
			break
		}
	}
	return text[:start] + value + filledText(text[end+1:])
}

// kind is a typed call: what it can send, and how.
type kind struct {
	method, path string // a path that ends with '/' is followed by an id
	fields       string // what its body may hold
	needed       string
	isOnBehalf   bool
	send         func(c *dreamapi.Client, id string, body object, options ...dreamapi.CallOption) (interface{}, error)
}

func textOf(from object, name string) string {
	text, _ := from[name].(string)
	return text
}

var kinds = []kind{
	{"GET", "/health", "", "", false, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		return c.HealthGet(background, o...)
	}},
	{"GET", "/api/tiers", "", "", false, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		return c.TierList(background, o...)
	}},
	{"GET", "/api/products", "", "", false, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		return c.ProductList(background, o...)
	}},
	{"GET", "/api/usage", "", "", true, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		return c.UsageGet(background, "", o...)
	}},
	{"POST", "/api/data", "", "", true, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		return c.UsageTrack(background, "", o...)
	}},
	{"POST", "/api/create-checkout", "tier priceId successUrl cancelUrl", "", true, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		return c.CheckoutCreate(background, dreamapi.CheckoutParams{Tier: textOf(body, "tier"), PriceID: textOf(body, "priceId"), SuccessURL: textOf(body, "successUrl"), CancelURL: textOf(body, "cancelUrl")}, o...)
	}},
	{"POST", "/api/customer-portal", "returnUrl", "", true, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		return c.PortalCreate(background, dreamapi.PortalParams{ReturnURL: textOf(body, "returnUrl")}, o...)
	}},
	{"POST", "/api/customers", "email firstName lastName plan password", "email", false, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		return c.CustomerCreate(background, dreamapi.CustomerParams{Email: textOf(body, "email"), FirstName: textOf(body, "firstName"), LastName: textOf(body, "lastName"), Plan: textOf(body, "plan"), Password: textOf(body, "password")}, o...)
	}},
	{"GET", "/api/customers/", "", "", false, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		return c.CustomerGet(background, id, o...)
	}},
	{"PATCH", "/api/customers/", "plan", "", false, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		return c.CustomerUpdate(background, id, dreamapi.CustomerUpdateParams{Plan: textOf(body, "plan")}, o...)
	}},
	{"DELETE", "/api/customers/", "", "", false, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		return c.CustomerDelete(background, id, o...)
	}},
	{"POST", "/api/cart/checkout", "items email successUrl cancelUrl", "", false, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		params := dreamapi.CartParams{Email: textOf(body, "email"), SuccessURL: textOf(body, "successUrl"), CancelURL: textOf(body, "cancelUrl")}
		for _, item := range body["items"].([]interface{}) {
			item := item.(object)
			quantity, _ := item["quantity"].(float64)
			params.Items = append(params.Items, dreamapi.CartItem{PriceID: textOf(item, "priceId"), ProductID: textOf(item, "productId"), Tier: textOf(item, "tier"), Quantity: int64(quantity)})
		}
		return c.CartCheckout(background, params, o...)
	}},
	{"GET", "/api/dashboard", "", "", false, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		return c.DashboardGet(background, o...)
	}},
	{"GET", "/api/dashboard/totals", "", "", false, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		return c.DashboardTotals(background, o...)
	}},
	{"POST", "/api/assets", "filename contentType data", "filename", false, func(c *dreamapi.Client, id string, body object, o ...dreamapi.CallOption) (interface{}, error) {
		data, _ := base64.StdEncoding.DecodeString(textOf(body, "data"))
		return c.AssetUpload(background, dreamapi.AssetParams{Filename: textOf(body, "filename"), ContentType: textOf(body, "contentType"), Data: data}, o...)
	}},
}

func kindOf(asked object) (*kind, string) {
	for i := range kinds {
		one := &kinds[i]
		path := textOf(asked, "path")
		if one.method == asked["method"] && (path == one.path || strings.HasSuffix(one.path, "/") && strings.HasPrefix(path, one.path)) {
			return one, strings.TrimPrefix(path, one.path)
		}
	}
	return nil, ""
}

// whyNot is why no typed call can send it; empty if one can.
func whyNot(asked object, one *kind) string {
	if one == nil {
		return "there is no such call"
	}
	headers, _ := asked["headers"].(object)
	for name := range headers {
		if !strings.Contains(" Authorization X-Publishable-Key X-Clerk-Token Content-Type ", " "+name+" ") {
			return "it has headers that the library does not send"
		}
	}
	authorization, hasSecret := headers["Authorization"].(string)
	key, hasKey := headers["X-Publishable-Key"].(string)
	_, hasToken := headers["X-Clerk-Token"]
	body, hasBody := asked["body"].(object)
	switch _, isRaw := asked["body_raw"]; {
	case hasSecret && (!strings.HasPrefix(authorization, "Bearer ") || len(authorization) == 7):
		return "its Authorization is none that the library makes"
	case hasSecret && hasKey || hasKey && key == "":
		return "its keys are none that the library sends"
	case hasToken != one.isOnBehalf:
		return "a user token is missing, or there is one that the call does not take"
	case isRaw:
		return "its body is no JSON"
	case one.needed != "" && textOf(body, one.needed) == "" || one.method == "PATCH" && !hasBody:
		return "a required parameter is missing"
	}
	for name := range body {
		if !strings.Contains(" "+one.fields+" ", " "+name+" ") {
			return "its body has fields that the call has no parameter for"
		}
	}
	return whyNotParts(body, one)
}

func whyNotParts(body object, one *kind) string {
	if strings.Contains(one.fields, "data") {
		if data, err := base64.StdEncoding.DecodeString(textOf(body, "data")); err != nil || len(data) == 0 {
			return "its data is not base64"
		}
	}
	if !strings.Contains(one.fields, "items") {
		return ""
	}
	items, _ := body["items"].([]interface{})
	if len(items) == 0 || len(items) > dreamapi.CartMaxItems {
		return "it has no items, or more than a cart"
	}
	for _, item := range items {
		item, _ := item.(object)
		for name, value := range item {
			_, isText := value.(string)
			number, isNumber := value.(float64)
			if name == "quantity" && isNumber && number >= 1 || strings.Contains(" priceId productId tier ", " "+name+" ") && isText {
				continue
			}
			return "an item is none that the library makes"
		}
		if textOf(item, "priceId")+textOf(item, "productId")+textOf(item, "tier") == "" {
			return "an item is none that the library makes"
		}
	}
	return ""
}

// wireName is a field's name on the wire.
func wireName(field string) string {
	field = strings.NewReplacer("ID", "Id", "URL", "Url", "APIKeys", "ApiKeys", "MRR", "Mrr").Replace(field)
	return strings.ToLower(field[:1]) + field[1:]
}

// compared is the fields that some case had a word for.
var compared = map[string]bool{}

// differences compares a value with the recorded object that it was made from, field by field. Fields that are named differently on the wire
// or lie elsewhere are looked for by `elsewhere`.
func differences(value reflect.Value, recorded object) []string {
	var found []string
	for i := 0; i < value.NumField(); i++ {
		name := value.Type().Field(i).Name
		there, isThere := recorded[wireName(name)]
		if !isThere || name == "JSON" {
			continue
		}
		compared[value.Type().Name()+"."+name] = true
		if why := difference(value.Field(i), there); why != "" {
			found = append(found, value.Type().Name()+"."+name+": "+why)
		}
	}
	return found
}

func difference(field reflect.Value, recorded interface{}) string {
	expected := recorded
	switch got := field.Interface().(type) {
	case time.Time:
		ms, _ := recorded.(float64)
		if got.UnixMilli() == int64(ms) {
			return ""
		}
	case string:
		if expected == nil {
			expected = ""
		}
		if whole, isObject := expected.(object); isObject {
			var again object
			if json.Unmarshal([]byte(got), &again) == nil && reflect.DeepEqual(again, whole) {
				return ""
			}
		}
		if got == expected {
			return ""
		}
	case bool:
		if got == expected {
			return ""
		}
	case int64:
		number, isNumber := recorded.(float64)
		if isNumber && got == int64(number) || !isNumber && (got == dreamapi.Unlimited || recorded == nil && got == -1) {
			return ""
		}
	case []string:
		list, _ := recorded.([]interface{})
		if len(list) != len(got) {
			break
		}
		for i := range list {
			if list[i] != got[i] {
				return "another text"
			}
		}
		return ""
	default:
		list, isList := recorded.([]interface{})
		if field.Kind() != reflect.Slice || !isList || len(list) != field.Len() {
			return "another number of parts"
		}
		for i := range list {
			if found := differences(field.Index(i), list[i].(object)); len(found) > 0 {
				return strings.Join(found, "; ")
			}
		}
		return ""
	}
	text, _ := json.Marshal(recorded)
	return "not " + string(text)
}

// partsOf is where the fields of a value are in the answer, and under which names.
func partsOf(value interface{}, answer object) []object {
	at := func(from object, names ...string) object {
		for _, name := range names {
			from, _ = from[name].(object)
		}
		return from
	}
	switch value.(type) {
	case *dreamapi.Customer:
		if _, isDeleted := answer["deleted"].(object); isDeleted {
			return []object{answer, at(answer, "deleted")}
		}
		return []object{answer, at(answer, "customer")}
	case *dreamapi.Usage:
		return []object{answer, at(answer, "usage"), at(answer, "data")}
	case *dreamapi.Totals:
		return []object{{"mode": answer["mode"], "platformId": answer["platformId"]}, at(answer, "totals")}
	case *dreamapi.Tiers:
		return []object{{"items": answer["tiers"]}}
	case *dreamapi.Products:
		return []object{{"items": answer["products"]}}
	case *dreamapi.Dashboard:
		keys, webhook, filters := at(answer, "keys"), at(answer, "webhook"), at(answer, "filters")
		return []object{{"customers": answer["customers"], "tiers": answer["tiers"]}, at(answer, "metrics"), keys, {"lastEventAt": webhook["lastEventAt"], "events": webhook["recent"],
			"filterPlatformId": filters["platformId"], "filterPublishableKey": filters["publishableKey"], "filterMode": filters["mode"]}}
	}
	return []object{answer}
}

func kindOfError(answer object) error {
	status := int(answer["status"].(float64))
	body, _ := answer["body"].(object)
	for _, row := range []struct {
		status int
		said   string
		kind   error
	}{
		{403, "Tier limit reached", dreamapi.ErrTierLimit}, {403, "subscription_expired", dreamapi.ErrSubscriptionExpired}, {500, "Not Found", dreamapi.ErrNotFound},
		{500, "No price ID configured for tier", dreamapi.ErrInvalid}, {500, "No such price", dreamapi.ErrInvalid}, {400, "", dreamapi.ErrInvalid},
		{401, "", dreamapi.ErrAuth}, {403, "", dreamapi.ErrForbidden}, {404, "", dreamapi.ErrNotFound}, {429, "", dreamapi.ErrRateLimited},
		{500, "", dreamapi.ErrServer}, {502, "", dreamapi.ErrUnavailable},
	} {
		if status == row.status && (row.said == "" || strings.HasPrefix(textOf(body, "error"), row.said) || strings.HasPrefix(textOf(body, "message"), row.said)) {
			return row.kind
		}
	}
	if status >= 300 {
		return dreamapi.ErrProtocol
	}
	return nil
}

func runWire(t *testing.T, asked, answer object, one *kind, id string) {
	headers, _ := asked["headers"].(object)
	body, _ := asked["body"].(object)
	recorded, _ := answer["body"].(object)
	say := func(w http.ResponseWriter) {
		given, _ := answer["headers"].(object)
		for name, value := range given {
			w.Header().Set(name, value.(string))
		}
		text, _ := json.Marshal(answer["body"])
		w.WriteHeader(int(answer["status"].(float64)))
		_, _ = io.WriteString(w, string(text))
	}
	server := script(t, func(w http.ResponseWriter, r *http.Request, try int) { say(w) })
	if one.path == "/health" {
		server.healthy(say)
	}
	options := dreamapi.Options{MaxRetries: -1, SecretKey: strings.TrimPrefix(textOf(headers, "Authorization"), "Bearer "), PublishableKey: textOf(headers, "X-Publishable-Key")}
	client := server.clientWithKeys(t, options)
	given := []dreamapi.CallOption{dreamapi.WithIdempotencyKey("key-of-this-call")}
	if token := textOf(headers, "X-Clerk-Token"); token != "" {
		given = append(given, dreamapi.WithUserToken(token))
	}
	value, err := one.send(client, id, body, given...)
	checkAnswer(t, value, err, answer, recorded)
	sent := server.asked()
	if one.path == "/health" {
		sent = server.probed()
	}
	if len(sent) != 1 {
		t.Fatalf("%d requests", len(sent))
	}
	checkSent(t, sent[0], asked, body, one)
}

func checkAnswer(t *testing.T, value interface{}, err error, answer, recorded object) {
	if kind := kindOfError(answer); kind != nil {
		mustBe(t, err, kind)
		var failed *dreamapi.Error
		errors.As(err, &failed)
		headers, _ := answer["headers"].(object)
		seconds, _ := strconv.Atoi(textOf(headers, "retry-after"))
		if failed.HTTPStatus != int(answer["status"].(float64)) || failed.Local || seconds > 0 && failed.RetryAfter != time.Duration(seconds)*time.Second ||
			!strings.HasPrefix(failed.ServerError, textOf(recorded, "error")) {
			t.Errorf("%+v", failed)
		}
		if kind == dreamapi.ErrTierLimit && (difference(reflect.ValueOf(failed.Used), recorded["usageCount"]) != "" || difference(reflect.ValueOf(failed.Limit), recorded["limit"]) != "") {
			t.Errorf("%+v", failed)
		}
		return
	}
	must(t, err)
	got := reflect.ValueOf(value).Elem()
	for _, part := range partsOf(value, recorded) {
		for _, why := range differences(got, part) {
			t.Error(why)
		}
	}
	var again object
	if json.Unmarshal([]byte(got.FieldByName("JSON").String()), &again) != nil || !reflect.DeepEqual(again, recorded) {
		t.Errorf("JSON is %s", got.FieldByName("JSON"))
	}
}

func checkSent(t *testing.T, sent request, asked, body object, one *kind) {
	headers, _ := asked["headers"].(object)
	if sent.method != one.method || sent.path != "/prefix"+textOf(asked, "path") {
		t.Errorf("%s %s", sent.method, sent.path)
	}
	for _, name := range []string{"Authorization", "X-Publishable-Key", "X-Clerk-Token"} {
		if sent.header.Get(name) != textOf(headers, name) {
			t.Errorf("%s: %s", name, sent.header.Get(name))
		}
	}
	if key := sent.header.Get("Idempotency-Key"); (key == "key-of-this-call") != (one.method == "POST") {
		t.Errorf("Idempotency-Key: %s", key)
	}
	said := object{}
	if sent.body != "" && json.Unmarshal([]byte(sent.body), &said) != nil || len(said)+len(body) > 0 && !reflect.DeepEqual(said, body) {
		t.Errorf("the body sent is %s", sent.body)
	}
}

// Only extensions have these, and service_test.go reads them.
const ofExtensions = " Customer.Status Customer.UsageCount Customer.UsageLimit Dashboard.HasMoreCustomers Totals.Projects Health.Extensions "

func checkEveryFieldWasCompared(t *testing.T) {
	for _, value := range []interface{}{dreamapi.Tier{}, dreamapi.Product{}, dreamapi.Customer{}, dreamapi.Usage{}, dreamapi.Checkout{}, dreamapi.Portal{}, dreamapi.Asset{},
		dreamapi.Dashboard{}, dreamapi.DashboardCustomer{}, dreamapi.DashboardTier{}, dreamapi.DashboardEvent{}, dreamapi.DashboardAPIKey{}, dreamapi.Totals{}, dreamapi.Health{}} {
		of := reflect.TypeOf(value)
		for i := 0; i < of.NumField(); i++ {
			name := of.Name() + "." + of.Field(i).Name
			if of.Field(i).Name != "JSON" && !compared[name] && !strings.Contains(ofExtensions, " "+name+" ") {
				t.Errorf("no case has a word for %s", name)
			}
		}
	}
}

func TestWireCases(t *testing.T) {
	files, err := filepath.Glob("../../tests/wire/*.json")
	must(t, err)
	sort.Strings(files)
	cases, sendable, runs, apart := 0, 0, 0, map[string]int{}
	var everywhere struct{ Cases, Answers int } // as the fixture says
	for _, file := range files {
		var recorded struct {
			Cases      []object
			TypedCalls struct{ Cases, Answers int }
		}
		text, err := os.ReadFile(file)
		must(t, err)
		must(t, json.Unmarshal(text, &recorded))
		if recorded.TypedCalls.Cases > 0 {
			everywhere = recorded.TypedCalls
		}
		for _, one := range recorded.Cases {
			filled(one)
			asked := one["request"].(object)
			call, id := kindOf(asked)
			cases++
			if why := whyNot(asked, call); why != "" {
				apart[why]++
				continue
			}
			sendable++
			for _, which := range []string{"response", "expected"} {
				if answer, isThere := one[which].(object); isThere {
					runs++
					t.Run(textOf(one, "name")+"/"+which, func(t *testing.T) { runWire(t, asked, answer, call, id) })
				}
			}
		}
	}
	checkEveryFieldWasCompared(t)
	if sendable != everywhere.Cases || runs != everywhere.Answers {
		t.Errorf("%d cases and %d answers, where every language has %+v", sendable, runs, everywhere)
	}
	t.Logf("%d of %d wire cases sent, %d answers; the others: %v", sendable, cases, runs, apart)
}
