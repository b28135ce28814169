// SPDX-License-Identifier: Apache-2.0

package dreamapi_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	dreamapi "github.com/dream-api/dream-api-c/bindings/go"
)

// What becomes of a call: errors, retries, keys, deadlines, cancelling, the end of the client.

const madeCustomer = `{"success":true,"customer":{"id":"user_1","email":"ada@example.test","plan":"free"}}`

func TestErrors(t *testing.T) {
	for _, row := range []struct {
		status int
		header [2]string
		body   string
		kind   error
		check  func(e *dreamapi.Error) bool
	}{
		{400, [2]string{}, `{"error":"Bad email"}`, dreamapi.ErrInvalid, func(e *dreamapi.Error) bool { return e.ServerError == "Bad email" && !e.Retriable }},
		{401, [2]string{}, `{}`, dreamapi.ErrAuth, nil},
		{403, [2]string{}, `{"error":"No"}`, dreamapi.ErrForbidden, nil},
		{403, [2]string{}, `{"error":"Tier limit reached","usageCount":5,"limit":4}`, dreamapi.ErrTierLimit, func(e *dreamapi.Error) bool { return e.Used == 5 && e.Limit == 4 }},
		{403, [2]string{}, `{"error":"subscription_expired"}`, dreamapi.ErrSubscriptionExpired, nil},
		{404, [2]string{"X-Request-Id", "req_7"}, `{}`, dreamapi.ErrNotFound, nil},
		{409, [2]string{}, `{}`, dreamapi.ErrConflict, nil},
		{429, [2]string{"Retry-After", "7"}, `{}`, dreamapi.ErrRateLimited, func(e *dreamapi.Error) bool { return e.RetryAfter == 7*time.Second && e.Retriable && !e.Local }},
		{503, [2]string{}, `{}`, dreamapi.ErrUnavailable, func(e *dreamapi.Error) bool { return e.RetryAfter == -1 }},
		{200, [2]string{}, `nonsense`, dreamapi.ErrProtocol, nil},
	} {
		row := row
		server := script(t, func(w http.ResponseWriter, r *http.Request, try int) {
			if row.header[0] != "" {
				w.Header().Set(row.header[0], row.header[1])
			}
			say(w, row.status, row.body)
		})
		_, err := server.client(t, dreamapi.Options{MaxRetries: -1}).CustomerGet(background, "user_1")
		mustBe(t, err, row.kind)
		var failed *dreamapi.Error
		if !errors.As(fmt.Errorf("wrapped: %w", err), &failed) || failed.HTTPStatus != row.status || failed.Message == "" {
			t.Errorf("%d %s: %+v", row.status, row.body, failed)
		}
		if row.check != nil && !row.check(failed) {
			t.Errorf("%d %s: %+v", row.status, row.body, failed)
		}
		if !strings.HasPrefix(err.Error(), "dreamapi: DREAMAPI_") || errors.Is(err, dreamapi.ErrNoMemory) || !strings.HasPrefix(row.kind.Error(), "dreamapi: ") {
			t.Errorf("%v, %v", err, row.kind)
		}
	}
}

func TestOptionsThatAreRefusedAreNamed(t *testing.T) {
	for _, row := range []struct {
		options dreamapi.Options
		said    string
	}{
		{dreamapi.Options{BaseURL: "ftp://example.test"}, "BaseURL"},
		{dreamapi.Options{BaseURL: "http://example.test", SecretKey: "sk_live_1"}, ""},
		{dreamapi.Options{BaseURL: "https://example.test", SecretKey: "sk live"}, "SecretKey"},
		{dreamapi.Options{BaseURL: "https://example.test", SecretKey: "sk_live_1", Timeout: -1 * time.Second}, "Timeout"},
		{dreamapi.Options{BaseURL: "https://example.test", SecretKey: "sk_live_1", MaxRetries: 1000}, "MaxRetries"},
		{dreamapi.Options{BaseURL: "https://example.test", SecretKey: "sk_live_1", UserAgentSuffix: "a\x00b"}, "NUL"},
		{dreamapi.Options{BaseURL: "https://example.test", SecretKey: "sk_live_1", Log: func(dreamapi.LogLevel, string) {}, MaxResponseSize: 1}, "MaxResponseSize"},
	} {
		client, err := dreamapi.New(row.options)
		mustBe(t, err, dreamapi.ErrInvalid)
		if client != nil || !strings.Contains(err.Error(), row.said) {
			t.Errorf("%+v: %v", row.options, err)
		}
	}
}

func TestATextWithANULByteIsRefusedAndNotCut(t *testing.T) {
	server := script(t, func(w http.ResponseWriter, r *http.Request, try int) { say(w, 200, madeCustomer) })
	client := server.client(t, dreamapi.Options{})
	_, err := client.CustomerGet(background, "user_1\x00")
	mustBe(t, err, dreamapi.ErrInvalid)
	_, err = client.CustomerCreate(background, dreamapi.CustomerParams{Email: "a\x00@example.test"})
	mustBe(t, err, dreamapi.ErrInvalid)
	_, err = client.TierCheck(background, "user_1", dreamapi.TierCheckParams{MinPlan: "pro\x00"})
	mustBe(t, err, dreamapi.ErrInvalid)
	_, err = client.Use("user\x00", "", 1)
	mustBe(t, err, dreamapi.ErrInvalid)
	if asked := server.asked(); len(asked) != 0 {
		t.Errorf("%+v", asked)
	}
}

// The behaviours that all languages share: what is repeated, and with which key.
func TestWhatIsRepeated(t *testing.T) {
	for _, row := range []struct {
		name       string
		extensions string
		fails      int
		send       func(c *dreamapi.Client) error
		requests   int
		kind       error
	}{
		{"a GET", "", 2, func(c *dreamapi.Client) error { _, err := c.CustomerGet(background, "user_1"); return err }, 3, nil},
		{"a GET, as often as allowed", "", 9, func(c *dreamapi.Client) error { _, err := c.CustomerGet(background, "user_1"); return err }, 3, dreamapi.ErrUnavailable},
		{"a POST where keys are ignored", "", 1, func(c *dreamapi.Client) error {
			_, err := c.CustomerCreate(background, dreamapi.CustomerParams{Email: "ada@example.test"})
			return err
		}, 1, dreamapi.ErrOutcomeUnknown},
		{"a POST where keys count", `"idempotency"`, 2, func(c *dreamapi.Client) error {
			_, err := c.CustomerCreate(background, dreamapi.CustomerParams{Email: "ada@example.test"})
			return err
		}, 3, nil},
	} {
		row := row
		t.Run(row.name, func(t *testing.T) {
			server := script(t, func(w http.ResponseWriter, r *http.Request, try int) {
				if try <= row.fails {
					// Cut off in the middle of the answer: it may have been carried out.
					w.Header().Set("Content-Length", "1000")
					say(w, 200, "{")
					return
				}
				say(w, 200, madeCustomer)
			}).announce(row.extensions)
			err := row.send(server.client(t, dreamapi.Options{MaxRetries: 2}))
			if row.kind == nil {
				must(t, err)
			} else {
				mustBe(t, err, row.kind)
			}
			asked := server.asked()
			if len(asked) != row.requests {
				t.Fatalf("%d requests", len(asked))
			}
			for _, one := range asked {
				key := one.header.Get("Idempotency-Key")
				if (key == "") != (one.method == "GET") || key != asked[0].header.Get("Idempotency-Key") {
					t.Errorf("%s with the key %q", one.method, key)
				}
			}
			var failed *dreamapi.Error
			if errors.As(err, &failed) && failed.IdempotencyKey != asked[0].header.Get("Idempotency-Key") {
				t.Errorf("the error names the key %q", failed.IdempotencyKey)
			}
		})
	}
}

func TestWhatACallIsGivenIsSent(t *testing.T) {
	server := script(t, func(w http.ResponseWriter, r *http.Request, try int) { say(w, 200, `{"url":"https://pay.example/1"}`) })
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	client := server.client(t, dreamapi.Options{PublishableKey: "pk_live_1", UserAgentSuffix: "shop/2.1"})
	checkout, err := client.CheckoutCreate(background, dreamapi.CheckoutParams{Tier: "pro"}, dreamapi.WithUserToken("a.b.c"), dreamapi.WithTraceparent(trace), dreamapi.WithIdempotencyKey("k1"))
	must(t, err)
	if checkout.URL != "https://pay.example/1" || checkout.JSON != `{"url":"https://pay.example/1"}` {
		t.Errorf("%+v", checkout)
	}
	sent := server.asked()[0].header
	if sent.Get("X-Clerk-Token") != "a.b.c" || sent.Get("Traceparent") != trace || sent.Get("Idempotency-Key") != "k1" || sent.Get("X-Publishable-Key") != "pk_live_1" || !strings.Contains(sent.Get("User-Agent"), "shop/2.1") {
		t.Errorf("%+v", sent)
	}
}

// stuck is a server that answers nothing until the test is over.
func stuck(t *testing.T) (*scripted, chan struct{}) {
	arrived, over := make(chan struct{}, 100), make(chan struct{})
	server := script(t, func(w http.ResponseWriter, r *http.Request, try int) {
		arrived <- struct{}{}
		<-over
	})
	t.Cleanup(func() { close(over) })
	return server, arrived
}

func TestADeadlineEndsTheCall(t *testing.T) {
	server, _ := stuck(t)
	client := server.client(t, dreamapi.Options{})
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := client.CustomerGet(ctx, "user_1")
	mustBe(t, err, dreamapi.ErrTimeout)
	mustBe(t, err, context.DeadlineExceeded)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	unasked, _ := stuck(t)
	_, err = unasked.client(t, dreamapi.Options{}).CustomerGet(ctx, "user_1")
	mustBe(t, err, context.DeadlineExceeded)
	if len(unasked.asked()) != 0 {
		t.Error("a context that is over sent a request")
	}
	_, err = server.client(t, dreamapi.Options{Timeout: 50 * time.Millisecond}).CustomerGet(background, "user_1")
	mustBe(t, err, dreamapi.ErrTimeout)
}

func TestADeadlineIsNeverTooFarAway(t *testing.T) {
	server := script(t, func(w http.ResponseWriter, r *http.Request, try int) {
		if r.URL.Path == "/prefix/api/tiers" {
			say(w, 200, `{"tiers":[{"id":"pro","name":"pro","price":0,"limit":5}]}`)
			return
		}
		say(w, 200, madeCustomer)
	})
	client := server.client(t, dreamapi.Options{})
	longest := time.Duration(math.MaxInt64)
	for _, deadline := range []time.Time{time.Now().Add(longest), time.Now().AddDate(300, 0, 0), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)} {
		ctx, cancel := context.WithDeadline(background, deadline)
		_, err := client.CustomerGet(ctx, "user_1")
		must(t, err)
		_, err = client.TierCheck(ctx, "", dreamapi.TierCheckParams{MinPlan: "pro", Plan: "pro", MaxAge: longest})
		must(t, err)
		must(t, client.Flush(ctx))
		cancel()
	}
	// What C has a bound for is refused by it.
	_, err := client.MeterOpen("user_1", dreamapi.MeterOptions{Wait: longest})
	mustBe(t, err, dreamapi.ErrInvalid)
	meter, err := client.MeterOpen("user_1")
	must(t, err)
	_, err = meter.Reserve(1, longest)
	mustBe(t, err, dreamapi.ErrInvalid)
}

func TestNoCallEndsBeforeItsContext(t *testing.T) {
	server, _ := stuck(t)
	client := server.client(t, dreamapi.Options{})
	for i := 0; i < 40; i++ {
		deadline := time.Now().Add(2*time.Millisecond + time.Duration(i)*25*time.Microsecond)
		ctx, cancel := context.WithDeadline(background, deadline)
		_, err := client.CustomerGet(ctx, "user_1")
		mustBe(t, err, context.DeadlineExceeded)
		if early := time.Until(deadline); early > 0 {
			t.Fatalf("%v before the deadline", early)
		}
		cancel()
	}
}

func TestCancellingTheContextCancelsTheCallInFlight(t *testing.T) {
	server, arrived := stuck(t)
	client := server.client(t, dreamapi.Options{})
	for name, send := range map[string]func(ctx context.Context) error{
		"a call":       func(ctx context.Context) error { _, err := client.CustomerGet(ctx, "user_1"); return err },
		"a tier check": func(ctx context.Context) error { return tierCheck(ctx, client) },
	} {
		ctx, cancel := context.WithCancel(background)
		done := make(chan struct{})
		go func() {
			defer close(done)
			err := send(ctx)
			mustBeInside(t, name, err, dreamapi.ErrCancelled, context.Canceled)
		}()
		within(t, name, 10*time.Second, arrived1(arrived))
		cancel()
		within(t, "the end of "+name, 5*time.Second, done)
		mustBeInside(t, name, send(ctx), dreamapi.ErrCancelled, context.Canceled)
	}
}

func tierCheck(ctx context.Context, client *dreamapi.Client) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second) // what is left of it ends soon, too
	defer cancel()
	_, err := client.TierCheck(ctx, "", dreamapi.TierCheckParams{MinPlan: "pro", Plan: "free"})
	return err
}

func arrived1(arrived <-chan struct{}) <-chan struct{} {
	one := make(chan struct{})
	go func() {
		<-arrived
		close(one)
	}()
	return one
}

func mustBeInside(t *testing.T, name string, err error, kinds ...error) {
	for _, kind := range kinds {
		if !errors.Is(err, kind) {
			t.Errorf("%s: expected %v, not %v", name, kind, err)
		}
	}
}

func TestCloseCancelsWhatIsInFlightAndMayBeRepeated(t *testing.T) {
	server, arrived := stuck(t)
	client := server.client(t, dreamapi.Options{})
	var all sync.WaitGroup
	for i := 0; i < 8; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			_, err := client.CustomerGet(background, "user_1")
			mustBeInside(t, "a call", err, dreamapi.ErrCancelled)
		}()
	}
	for i := 0; i < 8; i++ {
		<-arrived
	}
	ended := make(chan struct{})
	go func() {
		var closers sync.WaitGroup
		for i := 0; i < 3; i++ {
			closers.Add(1)
			go func() {
				defer closers.Done()
				if err := client.Close(); err != nil {
					t.Error(err)
				}
			}()
		}
		closers.Wait()
		all.Wait()
		close(ended)
	}()
	within(t, "the end of the client and its calls", 10*time.Second, ended)
	must(t, client.Close())
	for name, err := range afterClose(client) {
		mustBeInside(t, name, err, dreamapi.ErrClosed, dreamapi.ErrInvalid)
	}
	if left := ours(); left != "" {
		t.Error(left)
	}
}

func afterClose(client *dreamapi.Client) map[string]error {
	after := map[string]error{"Flush": client.Flush(background)}
	_, after["CustomerGet"] = client.CustomerGet(background, "user_1")
	_, after["MeterOpen"] = client.MeterOpen("user_1")
	_, after["Use"] = client.Use("user_1", "", 1)
	_, after["TierCheck"] = client.TierCheck(background, "user_1", dreamapi.TierCheckParams{MinPlan: "pro"})
	_, after["MeterStats"] = client.MeterStats()
	return after
}

func TestManyCallsAtOnceGetTheirOwnAnswers(t *testing.T) {
	server := script(t, func(w http.ResponseWriter, r *http.Request, try int) {
		id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		say(w, 200, `{"customer":{"id":"`+id+`"}}`)
	})
	client := server.client(t, dreamapi.Options{})
	var all sync.WaitGroup
	for i := 0; i < 200; i++ {
		all.Add(1)
		go func(id string) {
			defer all.Done()
			ctx, cancel := context.WithTimeout(background, 20*time.Second)
			defer cancel()
			if customer, err := client.CustomerGet(ctx, id); err != nil || customer.ID != id {
				t.Errorf("%s: %+v, %v", id, customer, err)
			}
		}(fmt.Sprintf("user_%d", i))
	}
	all.Wait()
}

func TestFlushEndsWithItsContext(t *testing.T) {
	server := script(t, func(w http.ResponseWriter, r *http.Request, try int) { say(w, 503, `{}`) }).announce(`"leases","server-side"`)
	client := server.client(t, dreamapi.Options{CloseTimeout: -1})
	must(t, client.Flush(background)) // there is nothing to settle
	ctx, cancel := context.WithCancel(background)
	cancel()
	mustBe(t, client.Flush(ctx), context.Canceled)
}

func TestTheLogIsHandedItsLines(t *testing.T) {
	server := script(t, func(w http.ResponseWriter, r *http.Request, try int) { say(w, 503, `{}`) })
	lines := make(chan string, 1000)
	client := server.client(t, dreamapi.Options{MaxRetries: 2, Log: func(level dreamapi.LogLevel, message string) { lines <- level.String() + ": " + message }})
	_, err := client.CustomerGet(background, "user_1")
	mustBe(t, err, dreamapi.ErrUnavailable)
	must(t, client.Close())
	close(lines)
	count := 0
	for line := range lines {
		count++
		if strings.Contains(line, "sk_live_scripted") || strings.HasPrefix(line, "unknown") {
			t.Error(line)
		}
	}
	if count == 0 {
		t.Error("no line")
	}
}

// The service as it is today knows no leases: a use is a request, on behalf of the user whose token a function gives.
func TestTokensComeFromTheFunction(t *testing.T) {
	server := script(t, func(w http.ResponseWriter, r *http.Request, try int) {
		say(w, 200, `{"success":true,"usage":{"count":1,"limit":5,"plan":"free"}}`)
	})
	client := server.client(t, dreamapi.Options{})
	var whose string
	meter, err := client.MeterOpen("user_1", dreamapi.MeterOptions{Token: func(userID string) (string, error) {
		whose = userID
		return "a.b.c", nil
	}})
	must(t, err)
	defer meter.Close()
	decision, err := meter.Use(1)
	must(t, err)
	if !decision.Allowed() || decision.Source() != dreamapi.SourceServer || whose != "user_1" || server.asked()[0].header.Get("X-Clerk-Token") != "a.b.c" {
		t.Errorf("%+v for %q", decision, whose)
	}
	failing, err := client.MeterOpen("user_2", dreamapi.MeterOptions{Token: func(string) (string, error) { return "", errors.New("signed out") }})
	must(t, err)
	defer failing.Close()
	_, err = failing.Use(1)
	mustBe(t, err, dreamapi.ErrAuth)
	if len(server.asked()) != 1 {
		t.Error("a use without its token was sent")
	}
}

func TestATokenFunctionThatPanicsLeavesItsMeter(t *testing.T) {
	server := script(t, func(w http.ResponseWriter, r *http.Request, try int) { say(w, 500, `{}`) })
	client := server.client(t, dreamapi.Options{})
	for name, end := range map[string]func(){"a panic": func() { panic("no session") }, "the end of the goroutine": runtime.Goexit} {
		meter, err := client.MeterOpen("user_1", dreamapi.MeterOptions{Token: func(string) (string, error) {
			end()
			return "", nil
		}})
		must(t, err)
		left := make(chan struct{})
		go func() {
			defer close(left)
			defer func() { _ = recover() }()
			_, err := meter.Use(1)
			t.Errorf("%s: %v", name, err)
		}()
		<-left
		must(t, meter.Close())
		if stats, err := client.MeterStats(); err != nil || stats.MetersOpen != 0 {
			t.Errorf("%s: %d meters are open, %v", name, stats.MetersOpen, err)
		}
	}
	if len(server.asked()) != 0 {
		t.Error("a use without its token was sent")
	}
}

func TestCloseWaitsForATierCheckThatWasGivenUp(t *testing.T) {
	server, arrived := stuck(t)
	client := server.client(t, dreamapi.Options{})
	deadline := time.Now().Add(400 * time.Millisecond)
	ctx, cancel := context.WithDeadline(background, deadline)
	defer cancel()
	checked := make(chan struct{})
	go func() {
		defer close(checked)
		if _, err := client.TierCheck(ctx, "", dreamapi.TierCheckParams{MinPlan: "pro", Plan: "free"}); err == nil {
			t.Error("nobody answered, and there is an answer")
		}
	}()
	select {
	case <-arrived:
	case <-checked: // on a machine that has no time for it
	}
	cancel()
	within(t, "the end of the check", 5*time.Second, checked)
	must(t, client.Close())
	if early := time.Until(deadline); early > 0 {
		t.Errorf("it was closed %v before the deadline", early)
	}
	if left := ours(); left != "" {
		t.Error(left)
	}
}
