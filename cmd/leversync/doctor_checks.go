package main

// checks are all that the doctor asks, in the order in which it tells.
var checks = []check{
	{"configuration", "variables", checkConfiguration},

	{"Postgres", "reachable", checkPostgres},
	{"Postgres", "version", ofServer(checkPostgresVersion)},
	{"Postgres", "encoding", ofServer(checkEncoding)},
	{"Postgres", "takes writes", ofServer(checkWritable)},
	{"Postgres", "migrations", checkMigrations},
	{"Postgres", "may create", ofServer(checkMayCreate)},
	{"Postgres", "rights", ofUpkeep(checkRights)},
	{"Postgres", "row security", checkRowSecurity},
	{"Postgres", "isolation", ofServer(checkIsolation)},
	{"Postgres", "connections", ofServer(checkConnections)},
	{"Postgres", "durability", ofServer(checkDurability)},
	{"Postgres", "autovacuum", ofServer(checkAutovacuum)},
	{"Postgres", "statistics", ofUpkeep(checkStatistics)},
	{"Postgres", "long transactions", ofUpkeep(checkTransactions)},
	{"Postgres", "replication slots", ofUpkeep(checkSlots)},
	{"Postgres", "size", ofServer(checkSize)},
	{"Postgres", "log's tables", ofWork(checkLogDays)},

	{"Redis", "reachable", checkRedisAnswers},
	{"Redis", "version", ofInfo(checkRedisVersion)},
	{"Redis", "eviction", ofInfo(checkRedisPolicy)},
	{"Redis", "persistence", ofInfo(checkRedisPersistence)},
	{"Redis", "memory", ofInfo(checkRedisMemory)},
	{"Redis", "role", ofInfo(checkRedisRole)},

	{"clocks", "Postgres", checkPostgresClock},
	{"clocks", "Redis", checkRedisClock},
	{"clocks", "Lever", checkLeverClock},

	{"keys", "encryption key", checkKey},
	{"keys", "older keys", checkOldKeys},
	{"keys", "all open", checkSealed},
	{"keys", "API keys", checkAPIKeys},

	{"web", "public URL", checkPublicURL},
	{"web", "it answers", checkPublicAnswers},
	{"web", "OAuth app", checkOAuthApp},
	{"web", "webhooks", checkWebhooks},

	{"Lever", "reachable", checkLever},
	{"Lever", "permissions", checkPermissions},
	{"Lever", "credentials", ofWork(checkRelink)},
	{"Lever", "calls", ofWork(checkCalls)},

	{"work", "schedulers", checkScheduler},
	{"work", "workers", checkWorkers},
	{"work", "queues", ofQueues(checkQueues)},
	{"work", "archived tasks", ofQueues(checkArchived)},
	{"work", "waiting", ofWork(checkUnserved)},
	{"work", "leases", ofWork(checkLeases)},
	{"work", "failed scopes", ofWork(checkFailed)},
	{"work", "freshness", ofWork(checkFresh)},
	{"work", "quarantine", ofWork(checkQuarantine)},
	{"work", "writes", ofWork(checkOutbox)},
}
