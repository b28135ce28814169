// SPDX-License-Identifier: Apache-2.0

package dreamapi_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	dreamapi "github.com/dream-api/dream-api-c/bindings/go"
)

// signed is a token with these claims (ES256), and the PEM of the key that verifies it.
func signed(t *testing.T, claims string) (token, keys string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(key.Public().(crypto.PublicKey))
	must(t, err)
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	must(t, err)
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestTokensAreVerifiedWithoutARequest(t *testing.T) {
	until := time.Now().Add(time.Minute).Truncate(time.Second)
	token, keys := signed(t, fmt.Sprintf(`{"sub":"user_1","exp":%d,"azp":"https://shop.example","publicMetadata":{"publishableKey":"pk_live_1","plan":"pro"}}`, until.Unix()))
	client, err := dreamapi.New(dreamapi.Options{BaseURL: "https://example.test", SecretKey: "sk_live_1", TokenKeys: keys})
	must(t, err)
	defer client.Close()
	verified, err := client.TokenVerify(background, token, dreamapi.TokenParams{PublishableKeys: []string{"pk_live_0", "pk_live_1"}, AuthorizedParties: []string{"https://shop.example"}})
	must(t, err)
	if verified.UserID != "user_1" || verified.Plan != "pro" || !verified.ExpiresAt.Equal(until) {
		t.Errorf("%+v", verified)
	}
	for _, row := range []struct {
		token  string
		params dreamapi.TokenParams
		kind   error
	}{
		{token, dreamapi.TokenParams{PublishableKeys: []string{"pk_live_2"}}, dreamapi.ErrForbidden},
		{token, dreamapi.TokenParams{AnyProject: true, AuthorizedParties: []string{"", "https://other.example"}}, dreamapi.ErrAuth},
		{token, dreamapi.TokenParams{AnyProject: true, Issuer: "https://other.example"}, dreamapi.ErrAuth},
		{token + "A", dreamapi.TokenParams{AnyProject: true}, dreamapi.ErrAuth},
		{token, dreamapi.TokenParams{}, dreamapi.ErrInvalid},
	} {
		_, err := client.TokenVerify(background, row.token, row.params)
		mustBe(t, err, row.kind)
	}
}
