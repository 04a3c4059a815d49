package mapping

import (
	"strings"

	"github.com/leversync/leversync/store/unified"
)

// The kinds of link.
const (
	urlSocialMedia = "SOCIAL_MEDIA"
	urlPortfolio   = "PORTFOLIO"
	urlBlog        = "BLOG"
	urlOther       = "OTHER"
	urlJobPosting  = "JOB_POSTING"
)

// urlTypes gives the kind of a host by its domain. Blogspot is told by its name, as it has one domain
// per country.
var urlTypes = map[string]string{
	"linkedin.com": urlSocialMedia, "linkedin.cn": urlSocialMedia, "lnkd.in": urlSocialMedia,
	"twitter.com": urlSocialMedia, "x.com": urlSocialMedia,
	"facebook.com": urlSocialMedia, "fb.com": urlSocialMedia,
	"github.com": urlPortfolio, "github.io": urlPortfolio,
	"gitlab.com": urlPortfolio, "gitlab.io": urlPortfolio,
	"behance.net": urlPortfolio, "dribbble.com": urlPortfolio,
	"medium.com": urlBlog, "substack.com": urlBlog,
	"wordpress.com": urlBlog, "wordpress.org": urlBlog, "blogspot": urlBlog,
}

// urls maps the links of a person, each once.
func urls(links []string) []unified.URL {
	out := make([]unified.URL, 0, len(links))
	for _, l := range texts(links...) {
		out = append(out, link(l, urlType(l)))
	}
	return out
}

// postingURLs maps the public pages of a posting, those there are.
func postingURLs(pages ...string) []unified.URL {
	out := make([]unified.URL, 0, len(pages))
	for _, p := range texts(pages...) {
		out = append(out, link(p, urlJobPosting))
	}
	return out
}

func link(value, kind string) unified.URL { return unified.URL{Value: &value, URLType: &kind} }

// urlType tells the kind of a link by its host and the domains above it.
func urlType(l string) string {
	for h := host(l); h != ""; {
		if t, ok := urlTypes[h]; ok {
			return t
		}
		first, rest, _ := strings.Cut(h, ".")
		if t, ok := urlTypes[first]; ok {
			return t
		}
		h = rest
	}
	return urlOther
}

// host finds the host of a link, which may lack a scheme or be no URL at all.
func host(l string) string {
	if _, rest, ok := strings.Cut(l, "://"); ok {
		l = rest
	}
	l = strings.TrimPrefix(l, "//")
	if i := strings.IndexAny(l, `/?#\`); i >= 0 {
		l = l[:i]
	}
	l = l[strings.LastIndexByte(l, '@')+1:]
	l, _, _ = strings.Cut(l, ":")
	return strings.ToLower(strings.Trim(l, ". "))
}
