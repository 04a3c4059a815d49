package levertest

// mix is the finaliser of splitmix64: a bijection of 64 bits without visible order.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// rng is a small generator of pseudo-random numbers; equal seeds give equal rows of numbers.
type rng uint64

// newRNG is the generator for item n of a purpose, in the account of seed.
func newRNG(seed uint64, purpose kind, n int) rng {
	return rng(mix(seed ^ mix(uint64(purpose)<<40^uint64(n))))
}

func (r *rng) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	x := uint64(*r)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// n is a number from 0 to k-1; 0 where k < 1.
func (r *rng) n(k int) int {
	if k < 1 {
		return 0
	}
	return int(r.next() >> 1 % uint64(k))
}

// between is a number from lo to hi, both included; lo where hi < lo.
func (r *rng) between(lo, hi int64) int64 {
	if hi <= lo {
		return lo
	}
	return lo + int64(r.next()>>1%uint64(hi-lo+1))
}

// in is true in p of 1000 cases.
func (r *rng) in(p int) bool { return r.n(1000) < p }

// pick is one of list.
func pick[T any](r *rng, list []T) T { return list[r.n(len(list))] }
