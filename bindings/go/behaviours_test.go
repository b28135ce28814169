// SPDX-License-Identifier: Apache-2.0

package dreamapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	dreamapi "github.com/dream-api/dream-api-c/bindings/go"
)

// The table of behaviours (tests/wire/behaviours.json) in Go: each row is a client, what its server answers, what is done and what that gives,
// and what the server was asked. A word that is not known here fails its row, also where it is a field: nothing is passed over.

const behavioursFile = "../../tests/wire/behaviours.json"

type behaviours struct {
	About   string                `json:"about"`
	Answers map[string]*wireReply `json:"answers"`
	Rows    []*behaviour          `json:"rows"`
}

type behaviour struct {
	Topic     string      `json:"topic"`
	Name      string      `json:"name"`
	Client    clientWords `json:"client"`
	Announces []string    `json:"announces"`
	Meter     *meterWords `json:"meter"`
	Leases    []reference `json:"leases"`
	Server    []reference `json:"server"`
	Do        []wireStep  `json:"do"`
	Asked     []wireAsked `json:"asked"`
	Probes    *int        `json:"probes"`
}

type clientWords struct {
	MaxRetries *int  `json:"maxRetries"`
	TimeoutMs  int64 `json:"timeoutMs"`
}

type meterWords struct {
	Token      string `json:"token"`
	Policy     string `json:"policy"`
	WaitMs     int64  `json:"waitMs"`
	AllowUnits int64  `json:"allowUnits"`
}

// reference is an answer, or the name of one.
type reference struct{ raw json.RawMessage }

func (r *reference) UnmarshalJSON(text []byte) error {
	r.raw = append([]byte(nil), text...)
	return nil
}

type wireReply struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	Text    string            `json:"text"`
	Cut     bool              `json:"cut"`
	Silent  bool              `json:"silent"`
}

type wireStep struct {
	Call      string   `json:"call"`
	Key       string   `json:"key"`
	Token     string   `json:"token"`
	TimeoutMs int64    `json:"timeoutMs"`
	Cancel    bool     `json:"cancel"`
	Use       int64    `json:"use"`
	Check     int64    `json:"check"`
	Refund    bool     `json:"refund"`
	Gives     wireGave `json:"gives"`
}

type wireGave struct {
	Status           string  `json:"status"`
	HTTP             int     `json:"http"`
	Retriable        bool    `json:"retriable"`
	Local            bool    `json:"local"`
	RetryAfterMs     *int64  `json:"retryAfterMs"`
	RetryAfterUpToMs *int64  `json:"retryAfterUpToMs"`
	Used             *int64  `json:"used"`
	Limit            *int64  `json:"limit"`
	Remaining        *int64  `json:"remaining"`
	RequestID        string  `json:"requestId"`
	ServerError      string  `json:"serverError"`
	Message          *string `json:"message"`
	Plan             *string `json:"plan"`
	Reason           string  `json:"reason"`
	Source           string  `json:"source"`
}

type wireAsked struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	Key     string `json:"key"`
	Token   string `json:"token"`
	AfterMs int64  `json:"afterMs"`
}

func strictly(text []byte, into interface{}) error {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// ---- the server ----

type rowServer struct {
	t       *testing.T
	row     *behaviour
	answers map[string]*wireReply
	over    chan struct{}
	url     string

	mu      sync.Mutex
	asked   []askedRow
	arrived chan struct{} // one for each of asked
	probes  int
	grants  int
}

type askedRow struct {
	request
	at time.Time
}

func serveRow(t *testing.T, row *behaviour, answers map[string]*wireReply) *rowServer {
	s := &rowServer{t: t, row: row, answers: answers, over: make(chan struct{}), arrived: make(chan struct{}, 100)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.url = "http://" + listener.Addr().String() + "/prefix"
	if len(row.Server) == 0 && row.Leases == nil {
		must(t, listener.Close()) // nobody listens
		return s
	}
	server := &http.Server{Handler: s}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		close(s.over)
		server.Close()
		<-ended
	})
	return s
}

// answerAt is one of a list, of which the last serves all that follow.
func (s *rowServer) answerAt(list []reference, at int, into interface{}) {
	if at >= len(list) {
		at = len(list) - 1
	}
	raw := list[at].raw
	var name string
	if json.Unmarshal(raw, &name) == nil {
		raw, _ = json.Marshal(s.answers[name])
	}
	if err := json.Unmarshal(raw, into); err != nil {
		s.t.Error(err)
	}
}

func (s *rowServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch r.URL.Path {
	case "/prefix/health":
		s.mu.Lock()
		s.probes++
		s.mu.Unlock()
		text, _ := json.Marshal(map[string]interface{}{"status": "ok", "extensions": append([]string{}, s.row.Announces...)})
		say(w, 200, string(text))
	case "/prefix/api/leases":
		s.lease(w, body)
	default:
		s.mu.Lock()
		s.asked = append(s.asked, askedRow{request{r.Method, strings.TrimPrefix(r.URL.Path, "/prefix"), r.Header, string(body)}, time.Now()})
		at := len(s.asked) - 1
		s.mu.Unlock()
		var reply wireReply
		s.answerAt(s.row.Server, at, &reply)
		s.arrived <- struct{}{}
		s.give(w, &reply)
	}
}

func (s *rowServer) give(w http.ResponseWriter, reply *wireReply) {
	if reply.Silent {
		<-s.over
		return
	}
	for name, value := range reply.Headers {
		w.Header().Set(name, value)
	}
	if reply.Cut {
		w.Header().Set("Content-Length", "1000")
		say(w, 200, "{")
		return
	}
	say(w, reply.Status, reply.Text+string(reply.Body))
}

func (s *rowServer) lease(w http.ResponseWriter, body []byte) {
	var wanted struct {
		Acquire []object
		Settle  []object
		Refunds []object
	}
	if err := json.Unmarshal(body, &wanted); err != nil {
		s.t.Error(err)
	}
	grants, settled, refunded := []object{}, []object{}, []object{}
	for _, wish := range wanted.Acquire {
		s.mu.Lock()
		at := s.grants
		s.grants++
		s.mu.Unlock()
		grant := object{}
		s.answerAt(s.row.Leases, at, &grant)
		if grant["silent"] == true {
			<-s.over
			return
		}
		grant["requestId"], grant["periodStart"], grant["periodEnd"] = wish["requestId"], "2023-11-01", "2023-11-30"
		if grant["error"] == nil {
			for name, value := range (object{"leaseId": wish["requestId"], "state": "active", "ttlMs": 60000, "held": grant["granted"], "lost": 0, "rate": nil}) {
				grant[name] = value
			}
		}
		grants = append(grants, grant)
	}
	for _, one := range wanted.Settle {
		state := "active"
		if one["final"] == true {
			state = "final"
		}
		settled = append(settled, object{"leaseId": one["leaseId"], "state": state})
	}
	for _, one := range wanted.Refunds {
		refunded = append(refunded, object{"id": one["id"], "state": "applied"})
	}
	text, _ := json.Marshal(object{"storeEpoch": 1, "settled": settled, "refunded": refunded, "grants": grants})
	say(w, 200, string(text))
}

// ---- a row ----

type rowRun struct {
	t      *testing.T
	row    *behaviour
	server *rowServer
	client *dreamapi.Client
	meter  *dreamapi.Meter
	used   dreamapi.Decision
}

func (r *rowRun) same(what string, got, expected interface{}) {
	if got != expected {
		r.t.Errorf("%s: expected %v, not %v", what, expected, got)
	}
}

func valueOr(value *int64, otherwise int64) int64 {
	if value == nil {
		return otherwise
	}
	return *value
}

// wait compares a time to wait; what is left of one is rounded up.
func (r *rowRun) wait(gives *wireGave, got time.Duration) {
	ms := int64(-1)
	if got >= 0 {
		ms = got.Milliseconds()
	}
	if most := gives.RetryAfterUpToMs; most == nil {
		r.same("retryAfterMs", ms, valueOr(gives.RetryAfterMs, -1))
	} else if ms > *most+1 || ms <= *most-5000 {
		r.t.Errorf("retryAfterUpToMs: expected %d, not %d", *most, ms)
	}
}

func (r *rowRun) open() {
	options := dreamapi.Options{BaseURL: r.server.url, SecretKey: "sk_live_scripted", Timeout: time.Duration(r.row.Client.TimeoutMs) * time.Millisecond,
		CloseTimeout: 500 * time.Millisecond}
	if retries := r.row.Client.MaxRetries; retries != nil {
		options.MaxRetries = *retries
		if *retries == 0 {
			options.MaxRetries = -1
		}
	}
	var err error
	r.client, err = dreamapi.New(options)
	must(r.t, err)
	r.t.Cleanup(func() { r.client.Close() })
	if meter := r.row.Meter; meter != nil {
		policies := map[string]dreamapi.Policy{"": dreamapi.PolicyWait, "deny": dreamapi.PolicyDeny, "allow": dreamapi.PolicyAllow}
		r.meter, err = r.client.MeterOpen("user_1", dreamapi.MeterOptions{UserToken: meter.Token, Policy: policies[meter.Policy],
			Wait: time.Duration(meter.WaitMs) * time.Millisecond, AllowUnits: meter.AllowUnits})
		must(r.t, err)
		r.t.Cleanup(func() { r.meter.Close() })
	}
}

func (r *rowRun) step(step *wireStep) {
	switch {
	case step.Call != "":
		plan, err := r.call(step)
		r.outcome(&step.Gives, plan, err)
	case step.Refund:
		r.same("status", codeOf(r.meter.Refund(&r.used)), step.Gives.Status)
	case step.Use > 0:
		var err error
		r.used, err = r.meter.Use(step.Use)
		r.decided(&step.Gives, r.used, err)
	case step.Check > 0:
		decision, err := r.meter.Check(step.Check)
		r.decided(&step.Gives, decision, err)
	default:
		r.t.Errorf("nothing is done: %+v", step)
	}
}

// call makes it, and gives the plan of the value that came of it.
func (r *rowRun) call(step *wireStep) (plan string, err error) {
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	if step.TimeoutMs > 0 {
		ctx, cancel = context.WithTimeout(background, time.Duration(step.TimeoutMs)*time.Millisecond)
		defer cancel()
	}
	if step.Cancel {
		go func() {
			<-r.server.arrived
			cancel()
		}()
	}
	options := []dreamapi.CallOption{dreamapi.WithIdempotencyKey(step.Key), dreamapi.WithUserToken(step.Token)}
	var customer *dreamapi.Customer
	switch step.Call {
	case "customer_get":
		customer, err = r.client.CustomerGet(ctx, "user_1", options...)
	case "customer_create":
		customer, err = r.client.CustomerCreate(ctx, dreamapi.CustomerParams{Email: "ada@example.test"}, options...)
	case "customer_update":
		customer, err = r.client.CustomerUpdate(ctx, "user_1", dreamapi.CustomerUpdateParams{Plan: "free"}, options...)
	case "customer_delete":
		customer, err = r.client.CustomerDelete(ctx, "user_1", options...)
	case "usage_track":
		return r.track(ctx, step, options)
	default:
		r.t.Fatalf("there is no call %q", step.Call)
	}
	if err == nil {
		plan = customer.Plan
	}
	return plan, err
}

func (r *rowRun) track(ctx context.Context, step *wireStep, options []dreamapi.CallOption) (string, error) {
	user := "user_1"
	if step.Token != "" {
		user = ""
	}
	usage, err := r.client.UsageTrack(ctx, user, options...)
	if err != nil {
		return "", err
	}
	return usage.Plan, nil
}

func codeOf(err error) string {
	var failed *dreamapi.Error
	if err == nil {
		return "OK"
	}
	if !errors.As(err, &failed) {
		return err.Error()
	}
	return strings.TrimPrefix(failed.Code.String(), "DREAMAPI_")
}

// outcome compares what came of a call. Of a failure everything is told: what a row does not name has nothing to say.
func (r *rowRun) outcome(gives *wireGave, plan string, err error) {
	r.same("status", codeOf(err), gives.Status)
	var failed *dreamapi.Error
	if !errors.As(err, &failed) {
		if gives.Plan == nil || plan != *gives.Plan {
			r.t.Errorf("plan: %q", plan)
		}
		return
	}
	r.same("http", failed.HTTPStatus, gives.HTTP)
	r.same("retriable", failed.Retriable, gives.Retriable)
	r.same("local", failed.Local, gives.Local)
	r.wait(gives, failed.RetryAfter)
	r.same("used", failed.Used, valueOr(gives.Used, -1))
	r.same("limit", failed.Limit, valueOr(gives.Limit, -1))
	r.same("requestId", failed.RequestID, gives.RequestID)
	r.same("serverError", failed.ServerError, gives.ServerError)
	if gives.Message != nil && failed.Message != *gives.Message || failed.Message == "" {
		r.t.Errorf("message: %q", failed.Message)
	}
}

// decided compares a decision. The numbers that a row does not name depend on when the next lease came.
func (r *rowRun) decided(gives *wireGave, got dreamapi.Decision, err error) {
	r.same("status", codeOf(err), gives.Status)
	r.same("allowed", got.Allowed(), gives.Status == "OK")
	r.same("reason", got.Reason().String(), gives.Reason)
	r.same("source", got.Source().String(), gives.Source)
	if gives.Plan != nil {
		r.same("plan", got.Plan(), *gives.Plan)
	}
	r.same("limit", got.Limit(), valueOr(gives.Limit, got.Limit()))
	r.same("used", got.Used(), valueOr(gives.Used, got.Used()))
	r.same("remaining", got.Remaining(), valueOr(gives.Remaining, got.Remaining()))
	if gives.RetryAfterMs != nil || gives.RetryAfterUpToMs != nil {
		r.wait(gives, got.RetryAfter())
	}
}

// requests compares what the server was asked.
func (r *rowRun) requests() {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	asked, made := r.server.asked, map[string]string{}
	r.same("requests", len(asked), len(r.row.Asked))
	if r.row.Probes != nil {
		r.same("probes", r.server.probes, *r.row.Probes)
	}
	for i := 0; i < len(asked) && i < len(r.row.Asked); i++ {
		got, expected := asked[i], r.row.Asked[i]
		key := got.header.Get("Idempotency-Key")
		r.same("request", fmt.Sprint(got.method, got.path, got.header.Get("X-Clerk-Token")), fmt.Sprint(expected.Method, expected.Path, expected.Token))
		r.same("authorization", got.header.Get("Authorization"), "Bearer sk_live_scripted")
		if strings.HasPrefix(expected.Key, "$") {
			r.madeKey(made, expected.Key, key)
		} else {
			r.same("key", key, expected.Key)
		}
		if i > 0 && key != "" && key == asked[i-1].header.Get("Idempotency-Key") {
			r.same("the body of another try", got.body, asked[i-1].body)
		}
		if i > 0 && got.at.Sub(asked[i-1].at).Milliseconds() < expected.AfterMs {
			r.t.Errorf("it came after %v", got.at.Sub(asked[i-1].at))
		}
	}
}

// madeKey: the same word is the same key, another word another key.
func (r *rowRun) madeKey(made map[string]string, word, key string) {
	if len(key) < 16 {
		r.t.Errorf("%s is no key that was made: %q", word, key)
	}
	if _, isKnown := made[word]; !isKnown {
		made[word] = key
	}
	for other, its := range made {
		if (its == key) != (other == word) {
			r.t.Errorf("%s is %q, as another key or unlike before", word, key)
		}
	}
}

// checkReferences: what only the server reads has to be understood, too.
func checkReferences(t *testing.T, row *behaviour, answers map[string]*wireReply) {
	for _, one := range row.Server {
		var name string
		if json.Unmarshal(one.raw, &name) == nil {
			if answers[name] == nil {
				t.Errorf("there is no answer %q", name)
			}
		} else if err := strictly(one.raw, &wireReply{}); err != nil {
			t.Error(err)
		}
	}
}

func TestBehaviours(t *testing.T) {
	text, err := os.ReadFile(behavioursFile)
	must(t, err)
	var all behaviours
	must(t, strictly(text, &all))
	var running sync.WaitGroup
	done, room := make(chan string, len(all.Rows)), make(chan struct{}, 16)
	for _, row := range all.Rows {
		running.Add(1)
		room <- struct{}{}
		// They wait for most of their time: some at once, whatever -parallel says.
		go func(row *behaviour) {
			defer func() {
				<-room
				running.Done()
			}()
			t.Run(row.Name, func(t *testing.T) {
				checkReferences(t, row, all.Answers)
				run := &rowRun{t: t, row: row, server: serveRow(t, row, all.Answers)}
				run.open()
				for i := range row.Do {
					run.step(&row.Do[i])
				}
				run.requests()
				done <- row.Name
			})
		}(row)
	}
	running.Wait()
	if len(done) != len(all.Rows) || len(done) < 50 {
		t.Errorf("%d of %d rows were run to their end", len(done), len(all.Rows))
	}
	t.Logf("%d behaviours", len(done))
}
