package levertest

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what the account is like and what the server allows. The zero value is a small account with Lever's limits.
type Config struct {
	Seed          int64
	Opportunities int // 1 to 1,000,000; 0 means 100
	Postings      int // 0 means a 50th of the opportunities, 3 to 500
	Users         int // 0 means 5 and a 100th of the opportunities, at most 300
	Tags          int // beside those of postings; 0 means 17

	RatePerSecond float64 // of each credential; 0 means 10, below 0 no limit
	Burst         int     // 0 means 20
	RetryAfter    bool    // the bucket's 429 says when to come back, which Lever's does not

	Now   func() time.Time // nil means time.Now
	Epoch time.Time        // the account's last moment when it is made; zero means the start of Now's UTC day

	APIKeys      []string // nil means "test-key"
	Confidential bool     // the credentials may read confidential records
	ListInternal bool     // the unfiltered list of postings holds those published internally, too

	ClientID     string        // of the OAuth app; "" means "test-client"
	ClientSecret string        // "" means "test-secret"
	TokenLife    time.Duration // of an access token; 0 means 1 h
	PageTokens   time.Duration // life of a page token; 0 means for ever

	Latency      time.Duration // of every API call
	WebhookRetry time.Duration // the first gap between two deliveries of a webhook, which then doubles; 0 means 1 s
}

// Server is a fake Lever. It is safe for concurrent use. Close it to stop the delivery of webhooks.
type Server struct {
	cfg     Config
	gen     *generator
	mux     *http.ServeMux
	account account // what the oracle reads

	mu      sync.RWMutex // guards all up to the next blank line
	cat     *catalog
	index   index
	overlay map[int]*opportunity // changed and created ones; nil: deleted
	extra   map[int][]int        // created opportunities by contact
	next    int                  // number of the next opportunity
	clock   int64                // of the last mutation, ms
	deleted deletions

	latency  atomic.Int64 // ns
	tokens   tokens
	access   credentials
	counters counters
	faults   faults
	hooks    webhooks
}

// New makes an account and its server. A million opportunities take about a second.
func New(cfg Config) *Server {
	s := newServer(cfg.withDefaults())
	s.cat = s.gen.catalog(s.cfg.Users, s.cfg.Postings, s.cfg.Tags)
	for _, p := range s.cat.postings {
		s.gen.postingTags = append(s.gen.postingTags, p.ownTags())
	}
	s.index.build(s.gen)
	s.next = s.cfg.Opportunities
	s.account = generated{s}
	s.routes()
	return s
}

// newServer is a server with all but an account.
func newServer(cfg Config) *Server {
	s := &Server{cfg: cfg, cat: &catalog{}, overlay: map[int]*opportunity{}, extra: map[int][]int{}, mux: http.NewServeMux()}
	epoch := cfg.Epoch.UnixMilli()
	s.gen = &generator{
		ids: ids{uint64(cfg.Seed)}, count: cfg.Opportunities, userCount: cfg.Users, postingCount: cfg.Postings,
		epoch: epoch, start: epoch - 3*365*dayMillis,
	}
	for i := range cfg.Users {
		s.gen.userIDs = append(s.gen.userIDs, text(s.gen.id(kindUser, i, 0)))
	}
	s.index.ids = s.gen.ids
	s.latency.Store(int64(cfg.Latency))
	s.access.init(cfg)
	s.tokens.life = cfg.PageTokens
	s.counters.start = cfg.Now()
	s.hooks.init(s)
	s.controlRoutes()
	s.authRoutes()
	return s
}

func (c Config) withDefaults() Config {
	orInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	orInt(&c.Opportunities, 100)
	orInt(&c.Postings, min(500, max(3, c.Opportunities/50)))
	orInt(&c.Users, min(300, 5+c.Opportunities/100))
	orInt(&c.Tags, len(tagWords))
	orInt(&c.Burst, 20)
	if c.RatePerSecond == 0 {
		c.RatePerSecond = 10
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Epoch.IsZero() {
		c.Epoch = c.Now().UTC().Truncate(24 * time.Hour)
	}
	if c.APIKeys == nil {
		c.APIKeys = []string{"test-key"}
	}
	if c.ClientID == "" {
		c.ClientID, c.ClientSecret = "test-client", "test-secret"
	}
	if c.TokenLife == 0 {
		c.TokenLife = time.Hour
	}
	if c.WebhookRetry == 0 {
		c.WebhookRetry = time.Second
	}
	return c
}

// Close stops the delivery of webhooks and waits for the one in hand.
func (s *Server) Close() { s.hooks.close() }

func (s *Server) now() time.Time { return s.cfg.Now() }

// get is opportunity n as it is now; nil when it was deleted or never was. The caller holds s.mu.
func (s *Server) get(n int) *opportunity {
	if o, ok := s.overlay[n]; ok {
		return o
	}
	if n < 0 || n >= s.gen.count {
		return nil
	}
	return s.gen.opportunity(n)
}

// coreOf is the core of the opportunity in a row. The caller holds s.mu.
func (s *Server) coreOf(r row) core {
	if r.changed {
		return s.overlay[int(r.n)].core
	}
	return s.gen.core(int(r.n))
}

// whole is the opportunity in a row, whose core is known.
func (s *Server) whole(r row, c core) *opportunity {
	if r.changed {
		return s.overlay[int(r.n)]
	}
	return s.gen.dress(c)
}

// byID is the opportunity with an id, or nil. The caller holds s.mu.
func (s *Server) byID(id string) *opportunity {
	n, ok := s.gen.number(kindOpportunity, id)
	if !ok {
		return nil
	}
	return s.get(n)
}

// childrenOf are the children of o, which the caller must not change.
func (s *Server) childrenOf(o *opportunity) *children {
	if o.children != nil {
		return o.children
	}
	return s.gen.generateChildren(o)
}

// ofContact are the live opportunities of a contact, by number.
func (s *Server) ofContact(contact int) []*opportunity {
	numbers := []int{contact}
	if contact < s.gen.count {
		base := contact / 33 * 33
		numbers = append(numbers, base+31, base+32)
	}
	numbers = append(numbers, s.extra[contact]...)
	slices.Sort(numbers)
	var out []*opportunity
	for _, n := range slices.Compact(numbers) {
		if n < s.gen.count && s.overlay[n] == nil && s.gen.contactOf(n) != contact {
			continue
		}
		if o := s.get(n); o != nil && o.contact == contact {
			out = append(out, o)
		}
	}
	return out
}
