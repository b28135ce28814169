// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	dreamapi "github.com/dream-api/dream-api-c/bindings/go"
	"github.com/dream-api/dream-api-c/bindings/go/internal/stand"
)

const tiers = `[{"name":"free","displayName":"Free","price":0,"limit":2},{"name":"pro","displayName":"Pro","price":2900,"limit":1000}]`

func TestTheServerMetersAndSells(t *testing.T) {
	service, err := stand.Start(tiers)
	if errors.Is(err, stand.ErrNoService) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer service.Stop()
	client, err := dreamapi.New(dreamapi.Options{BaseURL: service.URL, SecretKey: service.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	shop := &shop{client: client, sessions: map[string]string{}}
	server := httptest.NewServer(shop.routes())
	defer server.Close()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, path, session, form string) *http.Response {
		request, err := http.NewRequest(method, server.URL+path, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Authorization", "Bearer "+session)
		answer, err := browser.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	signedUp := ask("POST", "/sign-up", "", url.Values{"email": {"ada@example.test"}}.Encode())
	session, _ := io.ReadAll(signedUp.Body)
	statuses := []int{signedUp.StatusCode}
	for _, one := range []struct{ method, path string }{{"GET", "/report"}, {"GET", "/report"}, {"GET", "/report"}, {"POST", "/upgrade"}} {
		answer := ask(one.method, one.path, strings.TrimSpace(string(session)), "")
		statuses = append(statuses, answer.StatusCode)
		if one.path == "/upgrade" && answer.Header.Get("Location") == "" {
			t.Error("nobody is sent to pay")
		}
	}
	statuses = append(statuses, ask("GET", "/report", "stolen", "").StatusCode, ask("POST", "/upgrade", "stolen", "").StatusCode,
		ask("GET", "/upgrade", "stolen", "").StatusCode, ask("POST", "/sign-up", "", "email=").StatusCode)
	for i, expected := range []int{200, 200, 200, 402, 303, 401, 401, 405, 400} {
		if statuses[i] != expected {
			t.Fatalf("%v", statuses)
		}
	}
	if err := client.Flush(context.Background()); err != nil {
		t.Error(err)
	}
}
