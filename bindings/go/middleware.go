// SPDX-License-Identifier: Apache-2.0

package dreamapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Metering is how Client.Metered meters requests.
type Metering struct {
	// Whose request it is, after your own authentication; empty or an error: it is answered 401. Required.
	User func(r *http.Request) (userID string, err error)
	// What the request costs; nil: one unit.
	Units func(r *http.Request) int64
	// The meter's name; empty: "default".
	Meter string
	// Answers a request that was not admitted; nil: Refuse. err is an *Error.
	Refused func(w http.ResponseWriter, r *http.Request, err error)
}

// Metered is middleware: a request reaches the handler inside only when its user's meter admits it, and is counted then. The handler finds
// the decision with DecisionOf.
func (c *Client) Metered(how Metering) func(http.Handler) http.Handler {
	if how.User == nil {
		how.User = func(*http.Request) (string, error) { return "", errors.New("Metering.User is nil") }
	}
	refuse := how.Refused
	if refuse == nil {
		refuse = func(w http.ResponseWriter, _ *http.Request, err error) { Refuse(w, err) }
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			userID, err := how.User(r)
			if err != nil || userID == "" {
				refuse(w, r, &Error{Code: CodeAuth, Local: true, RetryAfter: -1, Used: -1, Limit: -1, Message: "It is not known whose request this is.", cause: err})
				return
			}
			units := int64(1)
			if how.Units != nil {
				units = how.Units(r)
			}
			decision, err := c.Use(userID, how.Meter, units)
			if err != nil {
				refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), decisionKey{}, decision)))
		})
	}
}

type decisionKey struct{}

// DecisionOf is the decision that admitted the request whose context this is; false outside of Client.Metered.
func DecisionOf(ctx context.Context) (Decision, bool) {
	decision, isThere := ctx.Value(decisionKey{}).(Decision)
	return decision, isThere
}

// Refuse answers a request that was not admitted, as the service itself does: 403 where the plan has no units left, 429 with Retry-After
// where requests come too fast, 401 where nobody knows whose it is, and 503 where it could not be found out. Causes stay inside.
func Refuse(w http.ResponseWriter, err error) {
	var failed *Error
	if !errors.As(err, &failed) {
		failed = &Error{Code: CodeServer, RetryAfter: -1}
	}
	status, body := http.StatusServiceUnavailable, map[string]interface{}{"error": "Service unavailable"}
	switch failed.Code {
	case CodeTierLimit:
		status, body = http.StatusForbidden, map[string]interface{}{"error": "Tier limit reached", "usageCount": failed.Used, "limit": failed.Limit}
	case CodeRateLimited:
		status, body = http.StatusTooManyRequests, map[string]interface{}{"error": "Rate limit exceeded"}
	case CodeNotFound:
		status, body = http.StatusForbidden, map[string]interface{}{"error": "No such customer"}
	case CodeAuth:
		// The client's own key being refused is no fault of the visitor.
		if failed.Local {
			status, body = http.StatusUnauthorized, map[string]interface{}{"error": "Unauthorized"}
		}
	}
	if failed.RetryAfter > 0 && status != http.StatusForbidden {
		seconds := (failed.RetryAfter + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
