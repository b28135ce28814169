// SPDX-License-Identifier: Apache-2.0

package dreamapi_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	dreamapi "github.com/dream-api/dream-api-c/bindings/go"
	"github.com/dream-api/dream-api-c/bindings/go/internal/stand"
)

const tiers = `[{"name":"free","displayName":"Free","price":0,"limit":5,"rateLimit":null},
	{"name":"pro","displayName":"Pro","price":2900,"limit":1000,"rateLimit":null,"features":["export"]},
	{"name":"endless","displayName":"Endless","price":9900,"limit":"unlimited","rateLimit":null}]`

// service is the real one, the same for all tests; nil where there is none.
var service *stand.Stand

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	// What a developer's shell has set for programs of their own is nothing to the tests.
	for _, name := range []string{"DREAMAPI_BASE_URL", "DREAMAPI_SECRET_KEY", "DREAMAPI_PUBLISHABLE_KEY"} {
		os.Unsetenv(name)
	}
	var err error
	service, err = stand.Start(tiers)
	if err != nil && !errors.Is(err, stand.ErrNoService) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if service != nil {
		defer service.Stop()
		// For the examples, which take everything from the environment.
		os.Setenv("DREAMAPI_BASE_URL", service.URL)
		os.Setenv("DREAMAPI_SECRET_KEY", service.SecretKey)
	}
	code := m.Run()
	if left := ours(); code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "goroutines outlive their clients:\n"+left)
		return 1
	}
	return code
}

// ours is the stacks of this package's goroutines, once those that are ending had their time.
func ours() string {
	deadline := time.Now().Add(5 * time.Second)
	for {
		var left []string
		all := make([]byte, 1<<20)
		for _, one := range strings.Split(string(all[:runtime.Stack(all, true)]), "\n\n") {
			if strings.Contains(one, "dreamapi.(*core)") || strings.Contains(one, "dreamapi.(*Client)") {
				left = append(left, one)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return strings.Join(left, "\n\n")
		}
		runtime.Gosched()
	}
}

func connect(t testing.TB, options ...dreamapi.Options) *dreamapi.Client {
	t.Helper()
	if service == nil {
		t.Skip(stand.ErrNoService)
	}
	var given dreamapi.Options
	if len(options) > 0 {
		given = options[0]
	}
	given.BaseURL, given.SecretKey = service.URL, service.SecretKey
	client, err := dreamapi.New(given)
	must(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

var customers int

func customer(t testing.TB, client *dreamapi.Client, plan string) string {
	t.Helper()
	customers++
	made, err := client.CustomerCreate(context.Background(), dreamapi.CustomerParams{Email: fmt.Sprintf("user%d@example.test", customers), Plan: plan})
	must(t, err)
	return made.ID
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustBe(t testing.TB, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("expected %v, not %v", kind, err)
	}
}

func within(t testing.TB, what string, limit time.Duration, happened <-chan struct{}) {
	t.Helper()
	select {
	case <-happened:
	case <-time.After(limit):
		t.Fatalf("%s did not happen within %v", what, limit)
	}
}
