// SPDX-License-Identifier: Apache-2.0

package dreamapi_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dreamapi "github.com/dream-api/dream-api-c/bindings/go"
)

// What is asked of the real service.

var background = context.Background()

func TestCustomersAreMadeReadChangedListedAndDeleted(t *testing.T) {
	client := connect(t)
	made, err := client.CustomerCreate(background, dreamapi.CustomerParams{Email: "ada@example.test", FirstName: "Ada", LastName: "Lovelace", Plan: "free"})
	must(t, err)
	read, err := client.CustomerGet(background, made.ID)
	must(t, err)
	if read.Email != "ada@example.test" || read.FirstName != "Ada" || read.Plan != "free" || time.Since(read.CreatedAt) > time.Hour {
		t.Errorf("%+v", read)
	}
	changed, err := client.CustomerUpdate(background, made.ID, dreamapi.CustomerUpdateParams{Plan: "pro"})
	must(t, err)
	if changed.Plan != "pro" {
		t.Errorf("%+v", changed)
	}
	count := 0
	must(t, client.CustomerEach(background, dreamapi.CustomerListParams{Email: "ada@", Limit: 1}, func(one dreamapi.Customer) bool {
		count++
		return one.ID == made.ID
	}))
	if count != 1 {
		t.Errorf("%d customers of that address", count)
	}
	_, err = client.CustomerDelete(background, made.ID)
	must(t, err)
	_, err = client.CustomerGet(background, made.ID)
	mustBe(t, err, dreamapi.ErrNotFound)
}

func TestAKeyMakesRepeatingSafe(t *testing.T) {
	client := connect(t)
	params := dreamapi.CustomerParams{Email: "once@example.test"}
	first, err := client.CustomerCreate(background, params, dreamapi.WithIdempotencyKey("signup-once"))
	must(t, err)
	again, err := client.CustomerCreate(background, params, dreamapi.WithIdempotencyKey("signup-once"))
	must(t, err)
	if first.ID != again.ID {
		t.Errorf("%s and %s", first.ID, again.ID)
	}
}

func TestEveryOtherCallReachesTheService(t *testing.T) {
	client := connect(t)
	user := customer(t, client, "free")
	health, err := client.HealthGet(background)
	must(t, err)
	if health.Status != "ok" || !health.HasExtension("leases") || health.HasExtension("lease") {
		t.Errorf("%+v", health)
	}
	list, err := client.TierList(background)
	must(t, err)
	if len(list.Items) != 3 || list.Items[0].Limit != dreamapi.Unlimited || len(list.Items[2].Features) != 1 {
		t.Errorf("%+v", list)
	}
	usage, err := client.UsageTrack(background, user)
	must(t, err)
	if usage.Count != 1 || usage.Limit != 5 || usage.Remaining != 4 {
		t.Errorf("%+v", usage)
	}
	outcomes, err := client.UsageBatch(background, []dreamapi.UsageEvent{{ID: "1-" + user, UserID: user, Units: 2, At: time.Now()}, {ID: "1-" + user, UserID: user, Units: 2}, {UserID: user, Units: 9}})
	must(t, err)
	if len(outcomes.Items) != 3 || outcomes.Items[0].Status != "applied" || outcomes.Items[1].Status == "applied" || outcomes.Items[2].Status != "limit" {
		t.Errorf("%+v", outcomes)
	}
	usage, err = client.UsageGet(background, user)
	must(t, err)
	if usage.Count != 3 {
		t.Errorf("%+v", usage)
	}
	history, err := client.UsageHistory(background, dreamapi.UsageHistoryParams{UserID: user})
	must(t, err)
	if len(history.Days) == 0 {
		t.Fatalf("%+v", history)
	}
	if units := history.Days[len(history.Days)-1].Units; units != 3 {
		t.Errorf("%d units today", units)
	}
	checkout, err := client.CheckoutCreate(background, dreamapi.CheckoutParams{UserID: user, Tier: "pro"})
	must(t, err)
	if checkout.URL == "" {
		t.Errorf("%+v", checkout)
	}
	_, err = client.PortalCreate(background, dreamapi.PortalParams{UserID: user})
	mustBe(t, err, dreamapi.ErrInvalid) // never paid for anything
	products, err := client.ProductList(background)
	must(t, err)
	_, err = client.CartCheckout(background, dreamapi.CartParams{Items: []dreamapi.CartItem{{PriceID: "price_unknown", Quantity: 2}, {Tier: "none"}}})
	mustBe(t, err, dreamapi.ErrInvalid)
	asset, err := client.AssetUpload(background, dreamapi.AssetParams{Filename: "pixel.gif", ContentType: "image/gif", Data: []byte("GIF89a")})
	must(t, err)
	dashboard, err := client.DashboardGet(background)
	must(t, err)
	totals, err := client.DashboardTotals(background)
	must(t, err)
	if asset.URL == "" || len(dashboard.Tiers) != 3 || len(dashboard.Customers) == 0 || totals.Projects < 1 || products.JSON == "" {
		t.Errorf("%+v %+v %+v %+v", asset, dashboard, totals, products)
	}
}

func TestAMeterAdmitsExactlyTheLimitAndBooksIt(t *testing.T) {
	client := connect(t, dreamapi.Options{Journal: filepath.Join(t.TempDir(), "usage.journal")})
	user := customer(t, client, "pro")
	meter, err := client.MeterOpen(user)
	must(t, err)
	defer meter.Close()
	var admitted, refused int64
	var all sync.WaitGroup
	for i := 0; i < 16; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for j := 0; j < 80; j++ {
				decision, err := meter.Use(1)
				switch {
				case err == nil && decision.Allowed():
					atomic.AddInt64(&admitted, 1)
				case errors.Is(err, dreamapi.ErrTierLimit) && !decision.Allowed() && decision.Reason() == dreamapi.ReasonLimit:
					atomic.AddInt64(&refused, 1)
				default:
					t.Errorf("%v %+v", err, decision)
				}
			}
		}()
	}
	all.Wait()
	if admitted != 1000 || refused != 280 {
		t.Errorf("%d admitted, %d refused", admitted, refused)
	}
	must(t, client.Flush(background))
	usage, err := client.UsageGet(background, user)
	must(t, err)
	if usage.Count != 1000 || usage.Plan != "pro" {
		t.Errorf("%+v", usage)
	}
	stats, err := client.MeterStats()
	must(t, err)
	if stats.UnitsSettled < 1000 || stats.Denied[dreamapi.ReasonLimit] != 280 || stats.MetersOpen != 1 {
		t.Errorf("%+v", stats)
	}
}

func TestAUseIsRefundedOnce(t *testing.T) {
	client := connect(t)
	user := customer(t, client, "pro")
	meter, err := client.MeterOpen(user)
	must(t, err)
	defer meter.Close()
	decision, err := meter.Use(10)
	must(t, err)
	if decision.Plan() != "pro" || decision.Limit() != 1000 || decision.Units() != 10 || decision.Source() == dreamapi.SourceNone || decision.RetryAfter() != 0 {
		t.Errorf("%+v", decision)
	}
	must(t, meter.Refund(&decision))
	mustBe(t, meter.Refund(&decision), dreamapi.ErrInvalid)
	checked, err := meter.Check(1)
	must(t, err)
	if !checked.Allowed() {
		t.Errorf("%+v", checked)
	}
	must(t, client.Flush(background))
	usage, err := client.UsageGet(background, user)
	must(t, err)
	if usage.Count != 0 {
		t.Errorf("%+v", usage)
	}
}

func TestAReservationBooksWhatTheWorkTook(t *testing.T) {
	client := connect(t)
	user := customer(t, client, "pro")
	meter, err := client.MeterOpen(user)
	must(t, err)
	defer meter.Close()
	reserved, err := meter.Reserve(100, time.Minute)
	must(t, err)
	defer reserved.Release()
	_, err = reserved.Commit(30)
	must(t, err)
	_, err = reserved.Commit(1)
	mustBe(t, err, dreamapi.ErrNotFound)
	left, err := meter.Reserve(50, time.Minute)
	must(t, err)
	left.Release()
	left.Release()
	_, err = meter.Reserve(1001, time.Minute)
	mustBe(t, err, dreamapi.ErrTierLimit)
	must(t, client.Flush(background))
	usage, err := client.UsageGet(background, user)
	must(t, err)
	if usage.Count != 30 {
		t.Errorf("%+v", usage)
	}
}

func TestPoliciesAndMetersOfOtherNames(t *testing.T) {
	client := connect(t)
	user := customer(t, client, "free")
	meter, err := client.MeterOpen(user, dreamapi.MeterOptions{Policy: dreamapi.PolicyDeny})
	must(t, err)
	defer meter.Close()
	// Nothing was asked yet, so nothing is here.
	decision, err := meter.Use(1)
	if err == nil || decision.Allowed() || decision.Reason() != dreamapi.ReasonEmpty || decision.Reason().String() != "empty" {
		t.Errorf("%v %+v", err, decision)
	}
	_, err = client.MeterOpen(user, dreamapi.MeterOptions{Meter: string(make([]byte, 3))})
	mustBe(t, err, dreamapi.ErrInvalid)
	_, err = client.Use(user, "", 2)
	must(t, err)
	_, err = client.Use(user, "", 4)
	mustBe(t, err, dreamapi.ErrTierLimit)
	_, err = client.Use("user_unknown", "", 1)
	mustBe(t, err, dreamapi.ErrNotFound)
}

// Without retries: with them, the whole pause may lie within one request.
func TestFlushWaitsForAServiceThatComesBack(t *testing.T) {
	var isAway atomic.Bool
	target, err := url.Parse(service.URL)
	must(t, err)
	forward := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isAway.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	defer server.Close()
	client, err := dreamapi.New(dreamapi.Options{BaseURL: server.URL, SecretKey: service.SecretKey, MaxRetries: -1})
	must(t, err)
	defer client.Close()
	user := customer(t, client, "free")
	_, err = client.Use(user, "", 1)
	must(t, err)
	isAway.Store(true)
	time.AfterFunc(400*time.Millisecond, func() { isAway.Store(false) })
	ctx, cancel := context.WithTimeout(background, 30*time.Second)
	defer cancel()
	must(t, client.Flush(ctx))
	usage, err := client.UsageGet(ctx, user)
	must(t, err)
	if usage.UsageCount != 1 {
		t.Errorf("%+v", usage)
	}
}

func TestADecisionReadsAsASentence(t *testing.T) {
	client := connect(t)
	told := func(user string, units int64) string {
		decision, _ := client.Use(user, "", units)
		return decision.String()
	}
	free := customer(t, client, "free")
	for _, row := range [][2]string{
		{told(free, 1), `allowed on free, \d+ left`},
		{told(free, 1000000), `refused: limit, again in \d+ s`},
		{told(customer(t, client, "endless"), 1), `allowed on endless, no limit`},
		{told("user_unknown", 1), `refused: no_customer, again in \d+ s`},
	} {
		if !regexp.MustCompile("^" + row[1] + "$").MatchString(row[0]) {
			t.Errorf("%q is not %q", row[0], row[1])
		}
	}
}

func TestTierChecks(t *testing.T) {
	client := connect(t)
	pro := customer(t, client, "pro")
	ctx, cancel := context.WithTimeout(background, 20*time.Second)
	defer cancel()
	for _, row := range []struct {
		ctx       context.Context
		user      string
		params    dreamapi.TierCheckParams
		isAllowed bool
		err       error
	}{
		{ctx, pro, dreamapi.TierCheckParams{MinPlan: "free"}, true, nil},
		{background, pro, dreamapi.TierCheckParams{MinPlan: "pro", MaxAge: -1}, true, nil},
		{ctx, pro, dreamapi.TierCheckParams{MinPlan: "endless"}, false, nil},
		{background, "", dreamapi.TierCheckParams{Feature: "export", Plan: "pro"}, true, nil},
		{ctx, "", dreamapi.TierCheckParams{Feature: "export", Plan: "free"}, false, nil},
		{ctx, "", dreamapi.TierCheckParams{MinPlan: "none", Plan: "free"}, false, dreamapi.ErrNotFound},
		{ctx, pro, dreamapi.TierCheckParams{}, false, dreamapi.ErrInvalid},
	} {
		verdict, err := client.TierCheck(row.ctx, row.user, row.params)
		if row.err != nil {
			mustBe(t, err, row.err)
			continue
		}
		must(t, err)
		if verdict.Allowed != row.isAllowed || verdict.Plan == "" {
			t.Errorf("%+v: %+v", row.params, verdict)
		}
	}
}

func TestForgottenClientsAndMetersAreCollected(t *testing.T) {
	client := connect(t)
	user := customer(t, client, "pro")
	func() {
		forgotten := connectForgotten(t)
		meter, err := forgotten.MeterOpen(user)
		must(t, err)
		_, err = meter.Use(7)
		must(t, err)
	}()
	// The meter is collected first, then the client, whose end settles.
	deadline := time.Now().Add(20 * time.Second)
	for {
		runtime.GC()
		usage, err := client.UsageGet(background, user)
		must(t, err)
		if usage.Count == 7 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", usage)
		}
	}
}

func connectForgotten(t *testing.T) *dreamapi.Client {
	client, err := dreamapi.New(dreamapi.Options{BaseURL: service.URL, SecretKey: service.SecretKey})
	must(t, err)
	return client
}

func TestObjectsOutliveTheirClientAndCollections(t *testing.T) {
	client := connect(t)
	user := customer(t, client, "endless")
	meter, err := client.MeterOpen(user)
	must(t, err)
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Add(1)
	go func() {
		defer all.Done()
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	for i := 0; i < 200; i++ {
		_, err := meter.Use(1)
		must(t, err)
		if i%20 == 0 {
			_, err = client.UsageGet(background, user)
			must(t, err)
		}
	}
	close(stop)
	all.Wait()
	must(t, client.Close())
	_, err = meter.Use(1)
	mustBe(t, err, dreamapi.ErrClosed)
	must(t, meter.Close())
	must(t, meter.Close())
}

func TestAClientThatClosesLeavesNoJournalOpen(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "usage.journal")
	client := connect(t, dreamapi.Options{Journal: journal})
	user := customer(t, client, "pro")
	var meters []*dreamapi.Meter // never closed
	for i := 0; i < 3; i++ {
		meter, err := client.MeterOpen(user)
		must(t, err)
		_, err = meter.Use(1)
		must(t, err)
		meters = append(meters, meter)
	}
	if isClean(t, journal) {
		t.Error("an open journal says that it is closed")
	}
	must(t, client.Close())
	if !isClean(t, journal) {
		t.Error("the journal is left open")
	}
	for _, meter := range meters {
		_, err := meter.Use(1)
		mustBe(t, err, dreamapi.ErrClosed)
		_, err = meter.Reserve(1, time.Second)
		mustBe(t, err, dreamapi.ErrClosed)
	}
}

// isClean reads the header's word (docs/journal.md).
func isClean(t *testing.T, journal string) bool {
	t.Helper()
	text, err := os.ReadFile(journal)
	must(t, err)
	return binary.LittleEndian.Uint32(text[20:]) != 0
}

func TestMetersCloseWhileTheyAreUsed(t *testing.T) {
	client := connect(t)
	user := customer(t, client, "endless")
	for round := 0; round < 20; round++ {
		meter, err := client.MeterOpen(user)
		must(t, err)
		var all sync.WaitGroup
		for i := 0; i < 4; i++ {
			all.Add(1)
			go func() {
				defer all.Done()
				for {
					if _, err := meter.Use(1); errors.Is(err, dreamapi.ErrClosed) {
						return
					} else if err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
		_, err = meter.Use(1)
		must(t, err)
		must(t, meter.Close())
		all.Wait()
	}
	stats, err := client.MeterStats()
	must(t, err)
	if stats.MetersOpen != 0 {
		t.Errorf("%d meters are open", stats.MetersOpen)
	}
}
