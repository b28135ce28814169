// SPDX-License-Identifier: Apache-2.0

// Command server is a small backend: people sign up, a route is metered by their plan, and those who want more are sent to pay.
//
//	DREAMAPI_BASE_URL=... DREAMAPI_SECRET_KEY=... go run ./examples/server -listen 127.0.0.1:8080 -journal usage.journal
//	curl -d email=ada@example.com http://127.0.0.1:8080/sign-up     # prints a session
//	curl -H 'Authorization: Bearer SESSION' http://127.0.0.1:8080/report
//	curl -i -X POST -H 'Authorization: Bearer SESSION' http://127.0.0.1:8080/upgrade
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	dreamapi "github.com/dream-api/dream-api-c/bindings/go"
)

// shop is the backend. Sessions live as long as the process: a real one keeps them in its database.
type shop struct {
	client   *dreamapi.Client
	mu       sync.Mutex
	sessions map[string]string // the user of each
}

func (s *shop) routes() http.Handler {
	metered := s.client.Metered(dreamapi.Metering{User: s.user})
	routes := http.NewServeMux()
	routes.HandleFunc("/sign-up", post(s.signUp))
	routes.HandleFunc("/upgrade", post(s.upgrade))
	routes.Handle("/report", metered(http.HandlerFunc(report)))
	return routes
}

// post answers what is no POST.
func post(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "This address takes a POST.", http.StatusMethodNotAllowed)
			return
		}
		serve(w, r)
	}
}

// user is whose session a request belongs to.
func (s *shop) user(r *http.Request) (string, error) {
	session := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	defer s.mu.Unlock()
	userID, isKnown := s.sessions[session]
	if !isKnown {
		return "", errors.New("no such session")
	}
	return userID, nil
}

func (s *shop) signUp(w http.ResponseWriter, r *http.Request) {
	customer, err := s.client.CustomerCreate(r.Context(), dreamapi.CustomerParams{Email: r.PostFormValue("email"), Plan: "free"})
	if errors.Is(err, dreamapi.ErrInvalid) {
		http.Error(w, "This address cannot be used.", http.StatusBadRequest)
		return
	}
	if err != nil {
		log.Print(err)
		dreamapi.Refuse(w, err)
		return
	}
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		log.Print(err)
		dreamapi.Refuse(w, err)
		return
	}
	session := hex.EncodeToString(random[:])
	s.mu.Lock()
	s.sessions[session] = customer.ID
	s.mu.Unlock()
	fmt.Fprintln(w, session)
}

// report is reached only by requests that the user's plan admitted.
func report(w http.ResponseWriter, r *http.Request) {
	decision, _ := dreamapi.DecisionOf(r.Context())
	left := fmt.Sprintf("%d left", decision.Remaining())
	switch decision.Remaining() {
	case dreamapi.Unlimited:
		left = "no limit"
	case -1:
		left = "units left: unknown"
	}
	fmt.Fprintf(w, "Here is your report. Plan %s, %s.\n", decision.Plan(), left)
}

func (s *shop) upgrade(w http.ResponseWriter, r *http.Request) {
	userID, err := s.user(r)
	if err != nil {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "Sign in first.", http.StatusUnauthorized)
		return
	}
	checkout, err := s.client.CheckoutCreate(r.Context(), dreamapi.CheckoutParams{UserID: userID, Tier: "pro"})
	if err != nil {
		log.Print(err)
		dreamapi.Refuse(w, err)
		return
	}
	http.Redirect(w, r, checkout.URL, http.StatusSeeOther)
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "where to listen")
	journal := flag.String("journal", "", "the file where meters keep their counts; without one a crash loses some")
	flag.Parse()
	if err := run(*listen, *journal); err != nil {
		log.Fatal(err)
	}
}

func run(listen, journal string) error {
	client, err := dreamapi.New(dreamapi.Options{Journal: journal, Log: func(level dreamapi.LogLevel, message string) {
		if level == dreamapi.LogLevelWarning {
			log.Print(message)
		}
	}})
	if err != nil {
		return err
	}
	defer client.Close() // settles what was used
	socket, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	log.Printf("listening on http://%s", socket.Addr())
	shop := &shop{client: client, sessions: map[string]string{}}
	server := &http.Server{Handler: shop.routes(), ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(socket) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Shutdown(patience)
}
