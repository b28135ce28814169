// SPDX-License-Identifier: Apache-2.0

package dreamapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"

	dreamapi "github.com/dream-api/dream-api-c/bindings/go"
)

// scripted is a server that answers as it is told, and remembers what it was asked.
type scripted struct {
	URL string
	// Answers everything but GET /health.
	answer func(w http.ResponseWriter, r *http.Request, try int)

	mu       sync.Mutex
	health   func(w http.ResponseWriter) // answers GET /health; nil: there are no extensions
	requests []request
	probes   []request
}

type request struct {
	method, path string
	header       http.Header
	body         string
}

func script(t testing.TB, answer func(w http.ResponseWriter, r *http.Request, try int)) *scripted {
	s := &scripted{answer: answer}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL + "/prefix"
	return s
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	asked := request{r.Method, r.URL.RequestURI(), r.Header, string(body)}
	s.mu.Lock()
	if r.URL.Path == "/prefix/health" {
		s.probes = append(s.probes, asked)
		health := s.health
		s.mu.Unlock()
		if health == nil {
			_, _ = io.WriteString(w, `{"status":"ok"}`)
		} else {
			health(w)
		}
		return
	}
	s.requests = append(s.requests, asked)
	try := len(s.requests)
	s.mu.Unlock()
	s.answer(w, r, try)
}

func (s *scripted) announce(extensions string) *scripted {
	return s.healthy(func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"status":"ok","extensions":[`+extensions+`]}`) })
}

func (s *scripted) healthy(health func(w http.ResponseWriter)) *scripted {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health = health
	return s
}

func (s *scripted) asked() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.requests...)
}

func (s *scripted) probed() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.probes...)
}

func (s *scripted) client(t testing.TB, options dreamapi.Options) *dreamapi.Client {
	t.Helper()
	if options.SecretKey == "" && options.PublishableKey == "" {
		options.SecretKey = "sk_live_scripted"
	}
	return s.clientWithKeys(t, options)
}

// clientWithKeys is one with these keys and no other; maybe none.
func (s *scripted) clientWithKeys(t testing.TB, options dreamapi.Options) *dreamapi.Client {
	t.Helper()
	options.BaseURL = s.URL
	// The environment names the real service's key, for the examples.
	t.Setenv("DREAMAPI_SECRET_KEY", "")
	os.Unsetenv("DREAMAPI_SECRET_KEY")
	client, err := dreamapi.New(options)
	must(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

func say(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
