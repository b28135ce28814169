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
	// Whose request it is, after your own authentication, or by Client.TokenVerify. Empty, or an error that is no *Error: nobody's, which
	// is answered 401. Required.
	User func(r *http.Request) (userID string, err error)
	// What the request costs; nil: one unit. A request that costs 0 is passed on untouched.
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
			units := int64(1)
			if how.Units != nil {
				units = how.Units(r)
			}
			if units == 0 {
				next.ServeHTTP(w, r)
				return
			}
			userID, err := how.User(r)
			if err != nil || userID == "" {
				refuse(w, r, unidentified(err))
				return
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

// userError is the cause of an *Error that is about the user's credentials, not about a use.
type userError struct {
	cause    error
	isNobody bool
}

func (e *userError) Error() string {
	if e.cause == nil {
		return "dreamapi: nobody is signed in"
	}
	return e.cause.Error()
}

func (e *userError) Unwrap() error { return e.cause }

// unidentified is why it is not known whose request it is: what came of verifying a token, or that there is nobody.
func unidentified(err error) *Error {
	var told *Error
	if errors.As(err, &told) {
		failed := *told
		failed.cause = &userError{cause: err}
		return &failed
	}
	return &Error{Code: CodeAuth, Local: true, RetryAfter: -1, Used: -1, Limit: -1, Message: "It is not known whose request this is.",
		cause: &userError{cause: err, isNobody: true}}
}

// Refuse answers a request that was not admitted, as the package for Python and the nginx module do: 401 where nobody is signed in or a
// token is not good, 402 where the plan has no units left, 403 where the token is of another project or its user no customer, 429 where
// requests come too fast, and 503 where it could not be found out; with Retry-After where waiting helps. err is from a use or from
// Client.TokenVerify. Causes stay inside.
func Refuse(w http.ResponseWriter, err error) {
	failed := &Error{Code: CodeServer, RetryAfter: -1, Used: -1, Limit: -1}
	_ = errors.As(err, &failed)
	var user *userError
	isUser := errors.As(err, &user)
	status, why := 0, ""
	if isUser || failed.Local {
		status, why = userRefusal(failed, user)
	}
	body := map[string]interface{}{}
	if status == 0 {
		status, why = useRefusal(failed.Code)
		addNumbers(body, failed)
	}
	body["error"] = why
	if seconds := retryAfter(failed, status, isUser); seconds > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// userRefusal is the status and the text where it is not known whose request it is; 0 where the error, user being nil, is about something else.
func userRefusal(failed *Error, user *userError) (int, string) {
	switch {
	case user != nil && user.isNobody:
		return http.StatusUnauthorized, "Authentication required"
	case failed.Code == CodeAuth:
		return http.StatusUnauthorized, "Token refused"
	case failed.Code == CodeForbidden:
		return http.StatusForbidden, "Token of another project"
	case user != nil:
		return http.StatusServiceUnavailable, "Authentication unavailable"
	}
	return 0, ""
}

// useRefusal is the status and the text of a use. The client's own key being refused is no fault of the visitor.
func useRefusal(code Code) (int, string) {
	switch code {
	case CodeTierLimit:
		return http.StatusPaymentRequired, "Tier limit reached"
	case CodeRateLimited:
		return http.StatusTooManyRequests, "Too many requests"
	case CodeNotFound:
		return http.StatusForbidden, "No such customer"
	}
	return http.StatusServiceUnavailable, "Metering unavailable"
}

// addNumbers adds what is known; no limit at all is null.
func addNumbers(body map[string]interface{}, failed *Error) {
	if failed.Limit == Unlimited {
		body["limit"] = nil
	} else if failed.Limit >= 0 {
		body["limit"] = failed.Limit
	}
	if failed.Used >= 0 {
		body["used"] = failed.Used
	}
}

// retryAfter is in whole seconds, rounded up: sooner would be too soon. 0: waiting does not help.
func retryAfter(failed *Error, status int, isUser bool) int64 {
	isPassing := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
	switch {
	case isUser && !isPassing:
		return 0
	case failed.RetryAfter > 0:
		return int64((failed.RetryAfter + time.Second - 1) / time.Second)
	case isPassing:
		return 1
	}
	return 0
}
