// SPDX-License-Identifier: Apache-2.0

package dreamapi_test

import (
	"path/filepath"
	"testing"
	"time"

	dreamapi "github.com/dream-api/dream-api-c/bindings/go"
	"github.com/dream-api/dream-api-c/bindings/go/internal/floor"
)

// go test -run - -bench . ./ - the figures of docs/go.md.

// Use and the call into C that does nothing, in turn, in short slices: the best of each is what it costs when nothing else ran.
func BenchmarkUseBesideAnEmptyCall(b *testing.B) {
	meter := benchmarkMeter(b, "endless")
	_, err := meter.Use(1)
	must(b, err)
	empty, used := time.Hour, time.Hour
	for i := 0; i < 2000; i++ {
		empty = shorter(empty, func() { floor.Nothing() })
		used = shorter(used, func() { _, _ = meter.Use(1) })
	}
	b.ReportMetric(float64(empty)/slice, "ns/empty")
	b.ReportMetric(float64(used)/slice, "ns/use")
	b.ReportMetric(float64(used)/float64(empty), "ratio")
	b.ReportMetric(0, "ns/op")
}

const slice = 1000

func shorter(than time.Duration, call func()) time.Duration {
	began := time.Now()
	for i := 0; i < slice; i++ {
		call()
	}
	if took := time.Since(began); took < than {
		return took
	}
	return than
}

func benchmarkMeter(b *testing.B, plan string) *dreamapi.Meter {
	client := connect(b, dreamapi.Options{Journal: filepath.Join(b.TempDir(), "usage.journal")})
	meter, err := client.MeterOpen(customer(b, client, plan))
	must(b, err)
	b.Cleanup(func() { meter.Close() })
	return meter
}

func BenchmarkUse(b *testing.B) {
	meter := benchmarkMeter(b, "endless")
	_, err := meter.Use(1)
	must(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if _, err := meter.Use(1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUseParallel(b *testing.B) {
	meter := benchmarkMeter(b, "endless")
	_, err := meter.Use(1)
	must(b, err)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := meter.Use(1); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkRefused(b *testing.B) {
	meter := benchmarkMeter(b, "free")
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if _, err := meter.Use(6); err == nil {
			b.Fatal("admitted")
		}
	}
}

func TestAUseAllocatesNothing(t *testing.T) {
	client := connect(t)
	meter, err := client.MeterOpen(customer(t, client, "endless"))
	must(t, err)
	defer meter.Close()
	_, err = meter.Use(1)
	must(t, err)
	if count := testing.AllocsPerRun(1000, func() { _, _ = meter.Use(1) }); count != 0 {
		t.Errorf("%v allocations", count)
	}
}
