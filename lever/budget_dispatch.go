package lever

import "time"

// dispatch hands out slots as long as somebody waits for one.
func (b *Budget) dispatch() {
	for {
		lane, waiting, arrived := b.look()
		if waiting == 0 {
			return
		}
		asked := time.Now()
		g := b.reserve(lane, waiting)
		if g.slots == 0 {
			if b.turnAway(asked.Add(g.wait)) > 0 {
				sleepOr(g.wait, arrived)
			}
			continue
		}
		answered := time.Now()
		for i := range g.slots {
			sleepOr(time.Until(answered.Add(g.wait+time.Duration(i)*g.between)), nil)
			b.hand()
		}
	}
}

// look is the first lane that waits, and how many wait in it. With nobody waiting dispatch has ended.
func (b *Budget) look() (lane Lane, waiting int, arrived <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		b.running = false
		return 0, 0, nil
	}
	lane = b.queue[0].lane
	for waiting < len(b.queue) && b.queue[waiting].lane == lane {
		waiting++
	}
	return lane, waiting, b.arrived
}

// reserve asks Redis for slots, one at a rate of 10 a second, some at once at far higher ones, so that
// the way to Redis does not cost any. Where Redis is away, it asks the process's own limiter.
func (b *Budget) reserve(lane Lane, waiting int) grant {
	b.mu.Lock()
	perSecond, succeeded := b.rate, "0"
	if b.succeeded {
		b.succeeded, succeeded = false, "1"
	}
	b.mu.Unlock()
	want := min(waiting, 1+int(perSecond/50), 16)
	g, err := b.budgets.run(b.key, "take", perSecond, budgetBurst, int(lane), microText(horizons[lane]), want, waiting, succeeded)

	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		g = b.reserveAlone(lane)
	} else {
		b.between = g.between
	}
	b.reserved = g.slots
	return g
}

// reserveAlone asks the process's own limiter. b.mu is held.
func (b *Budget) reserveAlone(lane Lane) grant {
	b.between = time.Duration(float64(time.Second) / float64(b.alone.Limit()))
	if left := time.Until(b.blocked); left > 0 {
		return grant{wait: left, between: b.between}
	}
	r := b.alone.Reserve()
	wait := r.Delay()
	if wait > horizons[lane] {
		r.Cancel()
		return grant{wait: wait - horizons[lane], between: b.between}
	}
	return grant{slots: 1, wait: wait, between: b.between}
}

// hand gives a slot to the first of the queue; nobody may be there any more.
func (b *Budget) hand() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reserved--
	if len(b.queue) == 0 {
		return
	}
	b.queue[0].done <- nil
	b.queue[0] = nil
	b.queue = b.queue[1:]
}

// turnAway sends home whoever cannot wait until asking again helps, and says how many stay.
func (b *Budget) turnAway(again time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	stay := b.queue[:0]
	for i, w := range b.queue {
		if !w.deadline.Before(again) {
			stay = append(stay, w)
			continue
		}
		w.done <- &BudgetError{RetryAfter: time.Until(again) + time.Duration(i)*b.between}
	}
	clear(b.queue[len(stay):])
	b.queue = stay
	return len(stay)
}

// sleepOr sleeps, or until wake is closed.
func sleepOr(d time.Duration, wake <-chan struct{}) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	}
}
