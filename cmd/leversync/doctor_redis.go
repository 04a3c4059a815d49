package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

const noRedis = "Redis can't be asked"

// skew is how far two clocks may be apart, and badSkew how far they may not. Leases and watermarks go by Postgres' clock
// alone, so that the first only confuses people; tokens and signatures go by Lever's.
const (
	skew    = 2 * time.Second
	badSkew = 60 * time.Second
)

// ofInfo makes a check of what Redis says of itself.
func ofInfo(judge func(info string) finding) func(context.Context, *doctor) finding {
	return func(_ context.Context, d *doctor) finding {
		if d.redis == nil {
			return skipped("%s", noRedis)
		}
		info, err := d.info()
		if err != nil {
			return skipped("%s", noRedis)
		}
		return judge(info)
	}
}

func checkRedisAnswers(ctx context.Context, d *doctor) finding {
	if d.redis == nil {
		return fail("set REDIS_URL to redis://user:password@host:6379/0", "it is not configured")
	}
	if err := d.redis.Ping(ctx).Err(); err != nil {
		return fail("start it, or check REDIS_URL", "it does not answer: %v", cause(err))
	}
	return ok("it answers")
}

func checkRedisVersion(info string) finding {
	v := infoValue(info, "redis_version")
	var major, minor int
	if _, err := fmt.Sscanf(v, "%d.%d", &major, &minor); err != nil {
		return warn("look which Redis it is: 6.2 or newer is needed", "it does not tell its version")
	}
	if major < 6 || major == 6 && minor < 2 {
		return fail("use Redis 6.2 or newer", "%s is too old: the queue's scripts fail half-way", v)
	}
	return ok("%s", v)
}

func checkRedisPolicy(info string) finding {
	if p := infoValue(info, "maxmemory_policy"); p != "noeviction" {
		return fail("CONFIG SET maxmemory-policy noeviction, and in its configuration", "the policy is %s: it may throw tasks away", p)
	}
	return ok("noeviction")
}

func checkRedisPersistence(info string) finding {
	switch {
	case infoValue(info, "rdb_last_bgsave_status") == "err", infoValue(info, "aof_last_write_status") == "err":
		return fail("look at its log: is its disk full?", "its last write to disk failed: it may refuse writes")
	case infoValue(info, "aof_enabled") != "1" && infoValue(info, "rdb_last_save_time") == infoValue(info, "server_start_time"):
		return ok("it has saved nothing since it started: after a restart, what is due is queued again from Postgres")
	}
	return ok("append-only file: %s; last save: ok", onOff(infoValue(info, "aof_enabled")))
}

func onOff(flag string) string {
	if flag == "1" {
		return "on"
	}
	return "off"
}

func checkRedisMemory(info string) finding {
	used, _ := strconv.ParseInt(infoValue(info, "used_memory"), 10, 64)
	limit, _ := strconv.ParseInt(infoValue(info, "maxmemory"), 10, 64)
	switch {
	case limit > 0 && used > limit:
		return fail("raise maxmemory, or archive and delete tasks", "%s of %s used: it refuses writes", bytesText(used), bytesText(limit))
	case limit > 0 && float64(used) > 0.8*float64(limit):
		return warn("raise maxmemory", "%s of %s used", bytesText(used), bytesText(limit))
	case limit == 0:
		return ok("%s used, no limit set", bytesText(used))
	}
	return ok("%s of %s used", bytesText(used), bytesText(limit))
}

func checkRedisRole(info string) finding {
	if infoValue(info, "role") != "master" {
		return fail("let REDIS_URL name the master", "it is a replica: it takes no writes")
	}
	if n := infoValue(info, "evicted_keys"); n != "" && n != "0" {
		return warn("set maxmemory-policy noeviction; what is due is queued again from Postgres by itself", "it has evicted %s keys since it started", n)
	}
	return ok("a master; nothing was evicted")
}

func checkPostgresClock(_ context.Context, d *doctor) finding {
	if d.store == nil {
		return skipped("%s", noPostgres)
	}
	asked := time.Now()
	s, err := d.server()
	if err != nil {
		return skipped("%s", noPostgres)
	}
	// It may have been asked a moment before: that counts for less than what is looked for.
	return judgeClock("Postgres", s.Now.Sub(asked), checkTimeout)
}

func checkRedisClock(ctx context.Context, d *doctor) finding {
	if d.redis == nil {
		return skipped("%s", noRedis)
	}
	asked := time.Now()
	t, err := d.redis.Time(ctx).Result()
	if err != nil {
		return skipped("%s", noRedis)
	}
	return judgeClock("Redis", t.Sub(asked), time.Since(asked))
}

// judgeClock says what it means that another clock is ahead of ours; took is how little that is known.
func judgeClock(whose string, ahead, took time.Duration) finding {
	off := max(ahead, -ahead) - took
	text := fmt.Sprintf("%s's clock is within %s of this machine's", whose, short(skew))
	if off > skew {
		text = fmt.Sprintf("%s's clock is %s off this machine's", whose, short(max(ahead, -ahead).Round(time.Second)))
	}
	const fix = "run NTP (chrony, systemd-timesyncd) on both machines"
	switch {
	case off > badSkew:
		return fail(fix, "%s", text)
	case off > skew:
		return warn(fix, "%s", text)
	}
	return ok("%s", text)
}
