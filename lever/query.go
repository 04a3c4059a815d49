package lever

import (
	"net/url"
	"strconv"
	"time"
)

func setTime(q url.Values, key string, t time.Time) {
	if !t.IsZero() {
		q.Set(key, strconv.FormatInt(t.UnixMilli(), 10))
	}
}

func setText(q url.Values, key, value string) {
	if value != "" {
		q.Set(key, value)
	}
}
