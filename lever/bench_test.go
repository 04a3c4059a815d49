package lever

import "testing"

func BenchmarkDecodePage(b *testing.B) {
	body := fixture(b, "nango__opportunities_list_page01.json")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if items, _, err := decodePage[Opportunity](body); err != nil || len(items) != 100 {
			b.Fatal(len(items), err)
		}
	}
}

func BenchmarkSanitize(b *testing.B) {
	body := fixture(b, "nango__opportunities_list_page01.json")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Sanitize(body); err != nil {
			b.Fatal(err)
		}
	}
}
