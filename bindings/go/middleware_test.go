// SPDX-License-Identifier: Apache-2.0

package dreamapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
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
		if (!isThere || !decision.Allowed()) && r.URL.RawQuery != "" {
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
		{"X-User", user, "?unit=1", 402, `"limit":5`},
		{"X-User", "user_nobody", "?unit=1", 403, "No such customer"},
		{"X-User", "", "?unit=1", 401, "Authentication required"},
		{"X-Broken", "1", "?unit=1", 401, "Authentication required"},
		{"X-Broken", "1", "", 200, ""}, // costs nothing
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

// The rows of tests/wire/refusals.json, which Python is held to as well.
type refusal struct {
	Name   string
	Nobody bool
	Token  *toldRefusal
	Use    *toldRefusal
	Answer struct {
		Status  int
		Headers map[string]string
		Body    map[string]interface{}
	}
}

type toldRefusal struct {
	Status       string
	Limit, Used  interface{}
	RetryAfterMs *int64
}

func (told *toldRefusal) failure() *dreamapi.Error {
	failed := &dreamapi.Error{RetryAfter: -1, Used: -1, Limit: -1, Message: "a secret"}
	for failed.Code.String() != "DREAMAPI_"+told.Status {
		failed.Code++
	}
	if limit, isNumber := told.Limit.(float64); isNumber {
		failed.Limit = int64(limit)
	} else if told.Limit == "unlimited" {
		failed.Limit = dreamapi.Unlimited
	}
	if used, isNumber := told.Used.(float64); isNumber {
		failed.Used = int64(used)
	}
	if told.RetryAfterMs != nil {
		failed.RetryAfter = time.Duration(*told.RetryAfterMs) * time.Millisecond
	}
	return failed
}

// answer is what the row's visitor gets.
func (row *refusal) answer(client *dreamapi.Client) *httptest.ResponseRecorder {
	answer := httptest.NewRecorder()
	if row.Use != nil {
		dreamapi.Refuse(answer, row.Use.failure())
		return answer
	}
	metered := client.Metered(dreamapi.Metering{User: func(*http.Request) (string, error) {
		if row.Nobody {
			return "", nil
		}
		return "", fmt.Errorf("the token: %w", row.Token.failure())
	}})
	metered(nil).ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	return answer
}

func TestEachKindOfRefusalIsAnsweredAsInEveryLanguage(t *testing.T) {
	var table struct {
		Always map[string]string
		Rows   []*refusal
	}
	text, err := os.ReadFile("../../tests/wire/refusals.json")
	must(t, err)
	must(t, json.Unmarshal(text, &table))
	client, err := dreamapi.New(dreamapi.Options{BaseURL: "https://example.test", SecretKey: "sk_live_1"})
	must(t, err)
	defer client.Close()
	for _, row := range table.Rows {
		answer := row.answer(client)
		var body map[string]interface{}
		must(t, json.Unmarshal(answer.Body.Bytes(), &body))
		if answer.Code != row.Answer.Status || !reflect.DeepEqual(body, row.Answer.Body) {
			t.Errorf("%s: %d %s", row.Name, answer.Code, answer.Body)
		}
		for _, name := range []string{"Content-Type", "Cache-Control", "WWW-Authenticate", "Retry-After"} {
			if answer.Header().Get(name) != table.Always[name]+row.Answer.Headers[name] {
				t.Errorf("%s: %v", row.Name, answer.Header())
			}
		}
	}
	if len(table.Rows) < 10 {
		t.Errorf("%d rows", len(table.Rows))
	}
}

func TestRefusalsTellTheVisitorNoMoreThanTheyNeed(t *testing.T) {
	for _, row := range []struct {
		err    error
		status int
	}{
		{&dreamapi.Error{Code: dreamapi.CodeAuth, Message: "the key was refused"}, 503},
		{&dreamapi.Error{Code: dreamapi.CodeAuth, Local: true, Message: "the token's key is unknown"}, 401}, // as TokenVerify has it
		{&dreamapi.Error{Code: dreamapi.CodeForbidden, Local: true}, 403},
		{errors.New("a secret"), 503},
	} {
		answer := httptest.NewRecorder()
		dreamapi.Refuse(answer, row.err)
		if answer.Code != row.status || strings.Contains(answer.Body.String(), "secret") || strings.Contains(answer.Body.String(), "key") {
			t.Errorf("%v: %d %v %s", row.err, answer.Code, answer.Header(), answer.Body)
		}
	}
}
