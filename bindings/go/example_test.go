// SPDX-License-Identifier: Apache-2.0

package dreamapi_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	dreamapi "github.com/dream-api/dream-api-c/bindings/go"
)

// A client takes from the environment what the options leave out.
func Example() {
	client, err := dreamapi.New(dreamapi.Options{Timeout: 5 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx := context.Background()
	customer, err := client.CustomerCreate(ctx, dreamapi.CustomerParams{Email: "grace@example.test", Plan: "free"})
	if err != nil {
		log.Fatal(err)
	}
	meter, err := client.MeterOpen(customer.ID)
	if err != nil {
		log.Fatal(err)
	}
	defer meter.Close()
	for i := 0; i < 6; i++ {
		decision, err := meter.Use(1)
		switch {
		case err == nil:
			fmt.Println("served on", decision.Plan())
		case errors.Is(err, dreamapi.ErrTierLimit):
			fmt.Println("refused:", decision.Reason())
		default:
			log.Fatal(err)
		}
	}
	// Output:
	// served on free
	// served on free
	// served on free
	// served on free
	// served on free
	// refused: limit
}

func ExampleError() {
	client, err := dreamapi.New(dreamapi.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	_, err = client.CustomerGet(context.Background(), "user_nobody")
	var failed *dreamapi.Error
	if errors.As(err, &failed) {
		fmt.Println(failed.Code, failed.HTTPStatus, failed.Retriable)
	}
	fmt.Println(errors.Is(err, dreamapi.ErrNotFound))
	// Output:
	// DREAMAPI_NOT_FOUND 404 false
	// true
}

func ExampleMeter_Reserve() {
	client, err := dreamapi.New(dreamapi.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	customer, err := client.CustomerCreate(context.Background(), dreamapi.CustomerParams{Email: "alan@example.test", Plan: "pro"})
	if err != nil {
		log.Fatal(err)
	}
	meter, err := client.MeterOpen(customer.ID)
	if err != nil {
		log.Fatal(err)
	}
	defer meter.Close()
	reserved, err := meter.Reserve(400, time.Minute)
	if err != nil {
		log.Fatal(err)
	}
	defer reserved.Release() // bills nothing if the work below fails
	took := int64(123)
	decision, err := reserved.Commit(took)
	fmt.Println(decision.Units(), err)
	// Output: 123 <nil>
}

func ExampleClient_Metered() {
	client, err := dreamapi.New(dreamapi.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	customer, err := client.CustomerCreate(context.Background(), dreamapi.CustomerParams{Email: "edsger@example.test"})
	if err != nil {
		log.Fatal(err)
	}
	metered := client.Metered(dreamapi.Metering{
		User:  func(r *http.Request) (string, error) { return customer.ID, nil }, // from your own session
		Units: func(r *http.Request) int64 { return 3 },
	})
	handler := metered(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "a report") }))
	for i := 0; i < 2; i++ {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest("GET", "/report", nil))
		fmt.Println(answer.Code)
	}
	// Output:
	// 200
	// 402
}

func ExampleVerifyWebhook() {
	replays, err := dreamapi.NewWebhookReplays(10000)
	if err != nil {
		log.Fatal(err)
	}
	defer replays.Close()
	secret := "whsec_of_this_endpoint"
	options := dreamapi.WebhookOptions{Scheme: dreamapi.WebhookSchemeStripe, Secrets: []string{secret}, Replays: replays}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			err = dreamapi.VerifyWebhook(r.Header, body, options)
		}
		switch {
		case err == nil:
			fmt.Println("act on", string(body))
		case errors.Is(err, dreamapi.ErrConflict):
			fmt.Println("taken before")
		default:
			http.Error(w, "not a webhook of ours", http.StatusBadRequest)
		}
	})
	body := `{"type":"checkout.session.completed"}`
	for _, signature := range []string{signedLikeStripe(time.Now(), secret, body), signedLikeStripe(time.Now(), "another", body)} {
		for try := 0; try < 2; try++ {
			request := httptest.NewRequest("POST", "/webhook/stripe", strings.NewReader(body))
			request.Header.Set("Stripe-Signature", signature)
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, request)
			fmt.Println(answer.Code)
		}
	}
	// Output:
	// act on {"type":"checkout.session.completed"}
	// 200
	// taken before
	// 200
	// 400
	// 400
}
