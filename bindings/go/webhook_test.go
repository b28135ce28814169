// SPDX-License-Identifier: Apache-2.0

package dreamapi_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dreamapi "github.com/dream-api/dream-api-c/bindings/go"
)

// The Standard Webhooks vector is the one of that specification and of Svix's documentation; Stripe's signature was computed with Python's
// hmac.
const (
	stripeBody   = `{"id":"evt_1","object":"event","type":"checkout.session.completed"}`
	stripeGood   = "t=1700000000,v1=d1e4aa90551919f198c22ba0a9691b35338d4b631d54ce1f1465e93b1d41c430"
	stripeSecret = "whsec_test_secret"
	svixBody     = `{"test": 2432232314}`
	svixSecret   = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

func stripeHeader(signature string) http.Header {
	header := http.Header{}
	header.Set("stripe-signature", signature)
	return header
}

func svixHeader(prefix string) http.Header {
	header := http.Header{}
	header.Set(prefix+"-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	header.Set(prefix+"-timestamp", "1614265330")
	header.Set(prefix+"-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
	return header
}

func without(header http.Header, name string) http.Header {
	header.Del(name)
	return header
}

func with(header http.Header, name, value string) http.Header {
	header.Set(name, value)
	return header
}

var (
	ofStripe = dreamapi.WebhookOptions{Scheme: dreamapi.WebhookSchemeStripe, Secrets: []string{stripeSecret}, Now: time.Unix(1700000000, 0)}
	ofSvix   = dreamapi.WebhookOptions{Scheme: dreamapi.WebhookSchemeStandard, Secrets: []string{svixSecret}, Now: time.Unix(1614265330, 0)}
)

// changed is the options after a change.
func changed(options dreamapi.WebhookOptions, change func(o *dreamapi.WebhookOptions)) dreamapi.WebhookOptions {
	change(&options)
	return options
}

func later(options dreamapi.WebhookOptions, by time.Duration) dreamapi.WebhookOptions {
	return changed(options, func(o *dreamapi.WebhookOptions) { o.Now = o.Now.Add(by) })
}

func TestWebhooksAreVerified(t *testing.T) {
	for _, row := range []struct {
		name    string
		header  http.Header
		body    string
		options dreamapi.WebhookOptions
		kind    error // nil: it is genuine
		said    string
	}{
		{"Stripe's", stripeHeader(stripeGood), stripeBody, ofStripe, nil, ""},
		{"Svix's", svixHeader("svix"), svixBody, ofSvix, nil, ""},
		{"of Standard Webhooks", svixHeader("webhook"), svixBody, ofSvix, nil, ""},
		{"no signature", http.Header{}, stripeBody, ofStripe, dreamapi.ErrProtocol, "missing"},
		{"an empty signature", stripeHeader(""), stripeBody, ofStripe, dreamapi.ErrProtocol, "malformed"},
		{"a signature with a NUL", stripeHeader(stripeGood + "\x00"), stripeBody, ofStripe, dreamapi.ErrProtocol, "NUL"},
		{"no id", without(svixHeader("svix"), "svix-id"), svixBody, ofSvix, dreamapi.ErrProtocol, "missing"},
		{"an empty id", with(svixHeader("svix"), "svix-id", ""), svixBody, ofSvix, dreamapi.ErrProtocol, "malformed"},
		{"no time", without(svixHeader("svix"), "svix-timestamp"), svixBody, ofSvix, dreamapi.ErrProtocol, "missing"},
		{"another body", stripeHeader(stripeGood), stripeBody + " ", ofStripe, dreamapi.ErrAuth, ""},
		{"no body", stripeHeader(stripeGood), "", ofStripe, dreamapi.ErrAuth, ""},
		{"another id", with(svixHeader("svix"), "svix-id", "msg_1"), svixBody, ofSvix, dreamapi.ErrAuth, ""},
		{"another's scheme", stripeHeader(stripeGood), stripeBody, ofSvix, dreamapi.ErrProtocol, "missing"},
		{"an old secret beside a new one", stripeHeader(stripeGood), stripeBody,
			changed(ofStripe, func(o *dreamapi.WebhookOptions) { o.Secrets = []string{"whsec_new", stripeSecret} }), nil, ""},
		{"another secret", stripeHeader(stripeGood), stripeBody,
			changed(ofStripe, func(o *dreamapi.WebhookOptions) { o.Secrets = []string{"whsec_new"} }), dreamapi.ErrAuth, ""},
		{"five minutes late", stripeHeader(stripeGood), stripeBody, later(ofStripe, 5*time.Minute), nil, ""},
		{"later than that", stripeHeader(stripeGood), stripeBody, later(ofStripe, 5*time.Minute+time.Second), dreamapi.ErrTimeout, ""},
		{"ahead of time", svixHeader("svix"), svixBody, later(ofSvix, -301*time.Second), dreamapi.ErrTimeout, ""},
		{"a second late, which is too late", stripeHeader(stripeGood), stripeBody,
			changed(later(ofStripe, time.Second), func(o *dreamapi.WebhookOptions) { o.Tolerance = -1 }), dreamapi.ErrTimeout, ""},
		{"an hour late, which is fine", stripeHeader(stripeGood), stripeBody,
			changed(later(ofStripe, time.Hour), func(o *dreamapi.WebhookOptions) { o.Tolerance = time.Hour }), nil, ""},
		{"by the system's clock", stripeHeader(stripeGood), stripeBody,
			changed(ofStripe, func(o *dreamapi.WebhookOptions) { o.Now = time.Time{} }), dreamapi.ErrTimeout, ""},
		{"no scheme", stripeHeader(stripeGood), stripeBody, changed(ofStripe, func(o *dreamapi.WebhookOptions) { o.Scheme = 0 }), dreamapi.ErrInvalid, ""},
		{"no secret", stripeHeader(stripeGood), stripeBody, changed(ofStripe, func(o *dreamapi.WebhookOptions) { o.Secrets = nil }), dreamapi.ErrInvalid, ""},
		{"an empty secret", stripeHeader(stripeGood), stripeBody,
			changed(ofStripe, func(o *dreamapi.WebhookOptions) { o.Secrets = []string{stripeSecret, ""} }), dreamapi.ErrInvalid, ""},
		{"a secret with a NUL", stripeHeader(stripeGood), stripeBody,
			changed(ofStripe, func(o *dreamapi.WebhookOptions) { o.Secrets = []string{stripeSecret + "\x00"} }), dreamapi.ErrInvalid, "NUL"},
		{"a secret that is no base64", svixHeader("svix"), svixBody,
			changed(ofSvix, func(o *dreamapi.WebhookOptions) { o.Secrets = []string{"whsec_!"} }), dreamapi.ErrInvalid, ""},
	} {
		err := dreamapi.VerifyWebhook(row.header, []byte(row.body), row.options)
		if row.kind == nil {
			if err != nil {
				t.Errorf("%s: %v", row.name, err)
			}
			continue
		}
		var failed *dreamapi.Error
		if !errors.Is(err, row.kind) || !errors.As(err, &failed) || !failed.Local || !strings.Contains(failed.Message, row.said) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

func TestAWebhookIsTakenOnceByManyGoroutines(t *testing.T) {
	replays, err := dreamapi.NewWebhookReplays(100)
	must(t, err)
	options := changed(ofStripe, func(o *dreamapi.WebhookOptions) { o.Replays = replays })
	var taken, seen int32
	var all sync.WaitGroup
	for i := 0; i < 16; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			switch err := dreamapi.VerifyWebhook(stripeHeader(stripeGood), []byte(stripeBody), options); {
			case err == nil:
				atomic.AddInt32(&taken, 1)
			case errors.Is(err, dreamapi.ErrConflict):
				atomic.AddInt32(&seen, 1)
			default:
				t.Error(err)
			}
		}()
	}
	all.Wait()
	if taken != 1 || seen != 15 {
		t.Errorf("taken %d times, seen %d times", taken, seen)
	}
	must(t, replays.Close())
	must(t, replays.Close())
	err = dreamapi.VerifyWebhook(stripeHeader(stripeGood), []byte(stripeBody), options)
	mustBe(t, err, dreamapi.ErrClosed)
}

func TestAReplaySetThatIsFullSaysSo(t *testing.T) {
	replays, err := dreamapi.NewWebhookReplays(1)
	must(t, err)
	defer replays.Close()
	must(t, dreamapi.VerifyWebhook(stripeHeader(stripeGood), []byte(stripeBody), changed(ofStripe, func(o *dreamapi.WebhookOptions) { o.Replays = replays })))
	signature := signedLikeStripe(ofStripe.Now, stripeSecret, "{}")
	err = dreamapi.VerifyWebhook(stripeHeader(signature), []byte("{}"), changed(ofStripe, func(o *dreamapi.WebhookOptions) { o.Replays = replays }))
	mustBe(t, err, dreamapi.ErrUnavailable)
	for _, capacity := range []int{0, -1, dreamapi.WebhookReplaysMax + 1} {
		_, err := dreamapi.NewWebhookReplays(capacity)
		mustBe(t, err, dreamapi.ErrInvalid)
	}
}

// A set may be closed while it is asked: each check ends as ever, or finds it closed.
func TestAReplaySetMayBeClosedWhileItIsAsked(t *testing.T) {
	replays, err := dreamapi.NewWebhookReplays(10000)
	must(t, err)
	var all, begun sync.WaitGroup
	for i := 0; i < 4; i++ {
		all.Add(1)
		begun.Add(1)
		go func(i int) {
			defer all.Done()
			for n := 0; ; n++ {
				if n == 1 {
					begun.Done()
				}
				body := fmt.Sprintf("{%d,%d}", i, n)
				options := changed(ofStripe, func(o *dreamapi.WebhookOptions) { o.Replays = replays })
				err := dreamapi.VerifyWebhook(stripeHeader(signedLikeStripe(ofStripe.Now, stripeSecret, body)), []byte(body), options)
				if errors.Is(err, dreamapi.ErrClosed) {
					return
				}
				if err != nil && !errors.Is(err, dreamapi.ErrUnavailable) {
					t.Error(err)
				}
			}
		}(i)
	}
	begun.Wait()
	must(t, replays.Close())
	all.Wait()
}

func signedLikeStripe(at time.Time, secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%d.%s", at.Unix(), body)
	return fmt.Sprintf("t=%d,v1=%s", at.Unix(), hex.EncodeToString(mac.Sum(nil)))
}

// A reader may keep its buffer beside pointers of Go's; the bytes alone are lent to C.
func TestVerifyWebhookTakesABodyFromAStructWithPointers(t *testing.T) {
	reader := &struct {
		next  *int
		bytes [256]byte
	}{next: new(int)}
	size := copy(reader.bytes[:], stripeBody)
	if err := dreamapi.VerifyWebhook(stripeHeader(stripeGood), reader.bytes[:size], ofStripe); err != nil {
		t.Fatal(err)
	}
}
