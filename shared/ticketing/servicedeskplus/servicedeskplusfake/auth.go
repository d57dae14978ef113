package servicedeskplusfake

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// tokenLife is how long an access token is good.
const tokenLife = time.Hour

// admit checks the credential and the throttle of a call; where it returns
// false, the call is answered.
func (s *Server) admit(c *call) bool {
	if !s.authentic(c.r) {
		c.fail(http.StatusUnauthorized, 4022, "Invalid authentication token")
		return false
	}
	if s.o.Throttle > 0 && !s.underLimit(c.r.Method+" "+c.r.URL.Path, s.o.Throttle) {
		if s.cloud() {
			c.fail(http.StatusTooManyRequests, 4015, "API rate limit exceeded")
		} else {
			c.fail(http.StatusBadRequest, 4000, "URL blocked as maximum access limit exceeded")
		}
		return false
	}
	return true
}

func (s *Server) authentic(r *http.Request) bool {
	if !s.cloud() {
		given := r.Header.Get("authtoken")
		if given == "" {
			given = r.Header.Get("TECHNICIAN_KEY")
		}
		return equal(given, s.o.APIKey)
	}
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	end, known := s.tokens[token]
	return (kind == "Zoho-oauthtoken" || kind == "Bearer") && known && s.o.Now().Before(end)
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// underLimit counts a call to url and tells whether it is one of the first
// limit of the last minute.
func (s *Server) underLimit(url string, limit int) bool {
	s.hits[url] = lastMinute(s.hits[url], s.o.Now())
	if len(s.hits[url]) >= limit {
		return false
	}
	s.hits[url] = append(s.hits[url], s.o.Now())
	return true
}

func lastMinute(times []time.Time, now time.Time) []time.Time {
	for len(times) > 0 && now.Sub(times[0]) >= time.Minute {
		times = times[1:]
	}
	return times
}

// issueToken is the token endpoint of the accounts server. It refuses with
// HTTP 200 and an error in the body, as the vendor's does.
func (s *Server) issueToken(c *call) {
	f := c.form
	switch {
	case f.Get("grant_type") != "refresh_token":
		c.reply(http.StatusOK, object{"error": "unsupported_grant_type"})
		return
	case !equal(f.Get("client_id"), s.o.ClientID), !equal(f.Get("client_secret"), s.o.ClientSecret):
		c.reply(http.StatusOK, object{"error": "invalid_client"})
		return
	case !equal(f.Get("refresh_token"), s.o.RefreshToken):
		c.reply(http.StatusOK, object{"error": "invalid_code"})
		return
	}
	if s.refreshes = lastMinute(s.refreshes, s.o.Now()); len(s.refreshes) >= s.o.RefreshQuota {
		c.reply(http.StatusBadRequest, object{
			"error":             "Access Denied",
			"error_description": "You have made too many requests continuously. Please try again after some time.",
		})
		return
	}
	s.refreshes = append(s.refreshes, s.o.Now())
	token := fmt.Sprintf("1000.fake.%d", s.state.next("token"))
	s.tokens[token] = s.o.Now().Add(tokenLife)
	c.reply(http.StatusOK, object{
		"access_token": token, "api_domain": "https://www.zohoapis.com", "token_type": "Bearer",
		"expires_in": int(tokenLife / time.Second),
	})
}

// Revoke makes every access token invalid.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}
