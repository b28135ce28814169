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
	// Says what GET /health announces; nil: no extensions. Set before the first request.
	health func(w http.ResponseWriter)
	// Answers everything else.
	answer func(w http.ResponseWriter, r *http.Request, try int)

	mu       sync.Mutex
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
		s.mu.Unlock()
		if s.health == nil {
			_, _ = io.WriteString(w, `{"status":"ok"}`)
		} else {
			s.health(w)
		}
		return
	}
	s.requests = append(s.requests, asked)
	try := len(s.requests)
	s.mu.Unlock()
	s.answer(w, r, try)
}

func (s *scripted) announce(extensions string) *scripted {
	s.health = func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"status":"ok","extensions":[`+extensions+`]}`) }
	return s
}

func (s *scripted) asked() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]request(nil), s.requests...)
}

func (s *scripted) client(t testing.TB, options dreamapi.Options) *dreamapi.Client {
	t.Helper()
	options.BaseURL = s.URL
	// The environment names the real service's key, for the examples.
	t.Setenv("DREAMAPI_SECRET_KEY", "")
	os.Unsetenv("DREAMAPI_SECRET_KEY")
	if options.SecretKey == "" && options.PublishableKey == "" {
		options.SecretKey = "sk_live_scripted"
	}
	client, err := dreamapi.New(options)
	must(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

func say(w http.ResponseWriter, status int, body string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
