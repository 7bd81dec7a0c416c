package main

import (
	"runtime"
	"time"
)

// measurement is what a run gives when its result is right. Its fields are those of the same name
// in benches/src/measurement.rs.
type measurement struct {
	ops      uint64
	elapsed  time.Duration
	cpu      time.Duration
	rounds   []time.Duration
	held     *held
	lateness *lateness
	latency  *lateness
}

// stopwatch runs from its making until it is stopped.
type stopwatch struct {
	cpu    time.Duration
	start  time.Time
	round  time.Time
	rounds []time.Duration
}

func newStopwatch() *stopwatch {
	// The clock last: asking for the usage is no part of the work.
	cpu := cpuTime()
	start := time.Now()
	return &stopwatch{cpu: cpu, start: start, round: start}
}

// aside does something that is no part of the work, while the work stands still.
func (w *stopwatch) aside(something func()) {
	cpu, start := cpuTime(), time.Now()
	something()
	w.cpu += cpuTime() - cpu
	elapsed := time.Since(start)
	w.start = w.start.Add(elapsed)
	w.round = w.round.Add(elapsed)
}

// endRound ends a round, and begins the next one.
func (w *stopwatch) endRound() {
	now := time.Now()
	w.rounds = append(w.rounds, now.Sub(w.round))
	w.round = now
}

func (w *stopwatch) stop(ops uint64) measurement {
	return w.stopAfter(ops, time.Since(w.start))
}

// stopAfter is stop, where the time is another one.
func (w *stopwatch) stopAfter(ops uint64, elapsed time.Duration) measurement {
	return measurement{ops: ops, elapsed: elapsed, cpu: cpuTime() - w.cpu, rounds: w.rounds}
}

// record is what is printed. Its fields are those of the same name in benches/src/record.rs.
type record struct {
	Runtime    string            `json:"runtime"`
	Workload   string            `json:"workload"`
	Params     map[string]uint64 `json:"params"`
	Workers    int               `json:"workers"`
	Ops        uint64            `json:"ops"`
	Seconds    float64           `json:"seconds"`
	NsPerOp    float64           `json:"ns_per_op"`
	CPUSeconds float64           `json:"cpu_seconds"`
	CPUNsPerOp float64           `json:"cpu_ns_per_op"`
	PeakBytes  uint64            `json:"peak_bytes"`
	Rounds     []float64         `json:"rounds,omitempty"`
	*held
	Lateness *lateness `json:"lateness,omitempty"`
	Latency  *lateness `json:"latency,omitempty"`
}

// held is what goroutines held while all of them waited.
type held struct {
	Resident            uint64  `json:"resident_bytes"`
	ResidentPerThread   float64 `json:"resident_bytes_per_thread"`
	PageTablesPerThread float64 `json:"page_table_bytes_per_thread"`
	Mappings            uint64  `json:"mappings"`
}

// lateness is how late goroutines woke that slept, or how long requests took.
type lateness struct {
	P50  int64 `json:"p50_ns"`
	P99  int64 `json:"p99_ns"`
	Last int64 `json:"last_ns"`
}

func newRecord(workload string, order order, m measurement) record {
	ops := float64(m.ops)
	var rounds []float64
	for _, round := range m.rounds {
		rounds = append(rounds, float64(round.Nanoseconds())*float64(len(m.rounds))/ops)
	}
	return record{
		Runtime:    "go",
		Workload:   workload,
		Params:     order.parameters,
		Workers:    runtime.GOMAXPROCS(0),
		Ops:        m.ops,
		Seconds:    m.elapsed.Seconds(),
		NsPerOp:    float64(m.elapsed.Nanoseconds()) / ops,
		CPUSeconds: m.cpu.Seconds(),
		CPUNsPerOp: float64(m.cpu.Nanoseconds()) / ops,
		PeakBytes:  peak(),
		Rounds:     rounds,
		held:       m.held,
		Lateness:   m.lateness,
		Latency:    m.latency,
	}
}
