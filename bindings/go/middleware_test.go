// SPDX-License-Identifier: Apache-2.0

package dreamapi_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	dreamapi "github.com/dream-api/dream-api-c/bindings/go"
)

func TestTheMiddlewareServesWhatThePlanAllows(t *testing.T) {
	client := connect(t)
	user := customer(t, client, "free")
	metered := client.Metered(dreamapi.Metering{
		User: func(r *http.Request) (string, error) {
			if r.Header.Get("X-Broken") != "" {
				return "", errors.New("no session")
			}
			return r.Header.Get("X-User"), nil
		},
		Units: func(r *http.Request) int64 { return int64(len(r.URL.Query()["unit"])) },
	})
	var seen int64
	server := httptest.NewServer(metered(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		decision, isThere := dreamapi.DecisionOf(r.Context())
		if !isThere || !decision.Allowed() {
			t.Errorf("%+v", decision)
		}
		seen += decision.Units()
	})))
	defer server.Close()
	for _, row := range []struct {
		header, value, query string
		status               int
		body                 string
	}{
		{"X-User", user, "?unit=1&unit=2&unit=3", 200, ""},
		{"X-User", user, "?unit=1&unit=2", 200, ""},
		{"X-User", user, "?unit=1", 403, `"limit":5`},
		{"X-User", "user_nobody", "?unit=1", 403, "No such customer"},
		{"X-User", "", "?unit=1", 401, "Unauthorized"},
		{"X-Broken", "1", "?unit=1", 401, "Unauthorized"},
	} {
		request, err := http.NewRequest("GET", server.URL+row.query, nil)
		must(t, err)
		request.Header.Set(row.header, row.value)
		answer, err := http.DefaultClient.Do(request)
		must(t, err)
		body := make([]byte, 1000)
		size, _ := answer.Body.Read(body)
		answer.Body.Close()
		if answer.StatusCode != row.status || !strings.Contains(string(body[:size]), row.body) {
			t.Errorf("%+v: %d %s", row, answer.StatusCode, body[:size])
		}
	}
	if seen != 5 {
		t.Errorf("%d units", seen)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestRefusalsTellTheVisitorNoMoreThanTheyNeed(t *testing.T) {
	for _, row := range []struct {
		err        error
		status     int
		retryAfter string
	}{
		{&dreamapi.Error{Code: dreamapi.CodeRateLimited, RetryAfter: 1500 * time.Millisecond}, 429, "2"},
		{&dreamapi.Error{Code: dreamapi.CodeTierLimit, RetryAfter: time.Hour}, 403, ""},
		{&dreamapi.Error{Code: dreamapi.CodeUnavailable, RetryAfter: time.Second}, 503, "1"},
		{&dreamapi.Error{Code: dreamapi.CodeAuth, Message: "the key was refused"}, 503, ""},
		{errors.New("a secret"), 503, ""},
	} {
		answer := httptest.NewRecorder()
		dreamapi.Refuse(answer, row.err)
		if answer.Code != row.status || answer.Header().Get("Retry-After") != row.retryAfter || strings.Contains(answer.Body.String(), "secret") || strings.Contains(answer.Body.String(), "key") {
			t.Errorf("%v: %d %v %s", row.err, answer.Code, answer.Header(), answer.Body)
		}
	}
}
