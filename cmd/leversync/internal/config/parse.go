package config

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"

	"github.com/leversync/leversync/store"
)

type duration = time.Duration

const (
	minInterval = time.Second // shorter ones are taken for a mistake of unit
	minKeep     = time.Hour
	minWait     = 0
)

func setDatabase(c *Config, s string) error {
	if err := store.CheckURL(s); err != nil {
		return errShape
	}
	c.DatabaseURL = Secret(s)
	return nil
}

// setRedis says nothing of what is wrong with the URL: its parser's errors repeat the password.
func setRedis(c *Config, s string) error {
	opt, err := parseRedis(s)
	if err != nil {
		return errShape
	}
	// A command that fell on a broken connection is tried again: asynq forgets what it can't acknowledge.
	opt.MaxRetries = 5
	c.RedisURL, c.RedisOptions = Secret(s), opt
	return nil
}

func parseRedis(s string) (*redis.Options, error) {
	if strings.Contains(s, "://") {
		opt, err := redis.ParseURL(s)
		if err == nil && opt.TLSConfig != nil {
			opt.TLSConfig.MinVersion = tls.VersionTLS12
		}
		return opt, err
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" || port == "" {
		return nil, errShape
	}
	return &redis.Options{Addr: s}, nil
}

func setKeyring(c *Config, s string) (err error) {
	c.Keyring, err = store.ParseKeyring(s)
	if err != nil { // it names the key by position, and repeats the hint
		text, _, _ := strings.Cut(err.Error(), ": make one")
		return errors.New(text)
	}
	return nil
}

// setUpstream takes a URL that credentials are sent to: https, or http to this machine.
func setUpstream(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, s string) error {
		u, err := url.Parse(s)
		switch {
		case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
			return errors.New("is no absolute URL")
		case u.User != nil, u.RawQuery != "", u.Fragment != "":
			return errors.New("has a user, query or fragment")
		case u.Scheme == "http" && !loopback(u.Hostname()):
			return errors.New("is http, and would send credentials in the clear")
		}
		*field(c) = strings.TrimRight(s, "/")
		return nil
	}
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func setPublic(c *Config, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("is no absolute URL without user, query and fragment")
	}
	c.PublicURL = strings.TrimRight(s, "/")
	return nil
}

func setAddr(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, s string) error {
		if err := CheckAddr(s); err != nil {
			return err
		}
		*field(c) = s
		return nil
	}
}

// CheckAddr says what is wrong with an address to listen on; nil: nothing.
func CheckAddr(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not host:port", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > math.MaxUint16 {
		return fmt.Errorf("%q has no port from 0 to 65535", s)
	}
	return nil
}

// Proxies are networks of proxies.
type Proxies []netip.Prefix

// Hold reports whether addr is one of them.
func (p Proxies) Hold(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(n netip.Prefix) bool { return n.Contains(addr.WithZone("")) })
}

func (p Proxies) String() string {
	var list []string
	for _, n := range p {
		list = append(list, n.String())
	}
	return strings.Join(list, ",")
}

// ParseProxies reads addresses and networks, with commas or blanks between them.
func ParseProxies(s string) (Proxies, error) {
	var out Proxies
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		n, err := netip.ParsePrefix(word)
		if addr, bad := netip.ParseAddr(word); bad == nil {
			n, err = netip.PrefixFrom(addr.Unmap().WithZone(""), addr.Unmap().BitLen()), nil
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q is neither an address nor a network", word)
		case n.Bits() == 0:
			return nil, fmt.Errorf("%q is everybody, and then anybody could say whose request it is", word)
		case n.Addr().Is4In6():
			return nil, fmt.Errorf("%q is a network of IPv4: write it as one", word)
		}
		out = append(out, n.Masked())
	}
	return out, nil
}

func setProxies(c *Config, s string) (err error) {
	c.TrustedProxies, err = ParseProxies(s)
	return err
}

// minPassword keeps out what can be guessed at the rate at which passwords may be tried.
const minPassword = 12

func setPassword(c *Config, s string) error {
	if len(s) < minPassword || len(s) > 1024 {
		return errors.New("is too short, or longer than 1,024 characters")
	}
	if commonPassword(s) {
		return errors.New("is what everybody tries first")
	}
	c.OperatorPassword = Secret(s)
	return nil
}

// commonWords are what examples and installers put where a password belongs.
var commonWords = []string{"password", "passwort", "passwd", "changeme", "changeit", "leversync", "operator", "admin", "administrator", "secret", "letmein", "default", "example", "qwertyuiop", "abcdefghijklmnopqrstuvwxyz"}

// commonPassword reports whether a password is of a few characters over and over, or of nothing but such words, digits
// and punctuation.
func commonPassword(s string) bool {
	different := map[rune]bool{}
	letters := strings.Map(func(r rune) rune {
		different[r] = true
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
	for _, w := range commonWords {
		letters = strings.ReplaceAll(letters, w, "")
	}
	return len(different) < 5 || letters == "" && strings.ContainsFunc(s, unicode.IsLetter) || strings.HasPrefix("01234567890123456789", s) || strings.HasPrefix("12345678901234567890", s)
}

func setBool(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, s string) error {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		*field(c) = b
		return nil
	}
}

func setString(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, s string) error {
		*field(c) = s
		return nil
	}
}

func setDuration(least time.Duration, field func(*Config) *duration) func(*Config, string) error {
	return func(c *Config, s string) error {
		d, err := time.ParseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is no duration", s)
		}
		if d < least {
			return fmt.Errorf("%s is too short: at least %s", d, least)
		}
		*field(c) = d
		return nil
	}
}

// setKeep takes a duration of at least least, or 0.
func setKeep(least time.Duration, field func(*Config) *duration) func(*Config, string) error {
	atLeast := setDuration(least, field)
	return func(c *Config, s string) error {
		if d, err := time.ParseDuration(s); err == nil && d == 0 {
			*field(c) = 0
			return nil
		}
		return atLeast(c, s)
	}
}

func setRate(c *Config, s string) error {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f > 0) || math.IsInf(f, 0) {
		return fmt.Errorf("%q is no number above 0", s)
	}
	c.RateLimit = f
	return nil
}

func setInt(low, high int, field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < low || n > high {
			return fmt.Errorf("%q is out of range", s)
		}
		*field(c) = n
		return nil
	}
}

func setLevel(c *Config, s string) error {
	if err := c.LogLevel.UnmarshalText([]byte(s)); err != nil {
		return fmt.Errorf("%q is no level", s)
	}
	return nil
}

var _ slog.LogValuer = Config{}
