package main

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cpuTime is the CPU time of this process so far, of all its threads, in the kernel and outside.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// footprint is what this process holds at one moment; 0 where /proc is not mounted.
type footprint struct {
	resident   uint64
	pageTables uint64
	mappings   uint64
}

func lookAtFootprint() footprint {
	status := statusText()
	return footprint{
		resident:   bytesIn(status, "VmRSS:"),
		pageTables: bytesIn(status, "VmPTE:"),
		mappings:   countMappings(),
	}
}

// peak is the most memory that this process has held so far.
func peak() uint64 {
	return bytesIn(statusText(), "VmHWM:")
}

func statusText() string {
	text, _ := os.ReadFile("/proc/self/status")
	return string(text)
}

// bytesIn reads the line `VmRSS:      1234 kB`.
func bytesIn(status, name string) uint64 {
	_, rest, _ := strings.Cut(status, name)
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, _ := strconv.ParseUint(fields[0], 10, 64)
	return kilobytes * 1024
}

// countMappings counts lines, a piece at a time: the text of all mappings can be megabytes.
func countMappings() uint64 {
	file, err := os.Open("/proc/self/maps")
	if err != nil {
		return 0
	}
	defer file.Close()
	var piece [4096]byte
	lines := 0
	for {
		count, err := file.Read(piece[:])
		lines += bytes.Count(piece[:count], []byte{'\n'})
		if err != nil {
			return uint64(lines)
		}
	}
}

// heldSince looks now, while so many goroutines wait, at what has come since before.
func heldSince(before footprint, threads uint64) *held {
	now := lookAtFootprint()
	resident := max(now.resident, before.resident) - before.resident
	pageTables := max(now.pageTables, before.pageTables) - before.pageTables
	return &held{
		Resident:            resident,
		ResidentPerThread:   float64(resident) / float64(threads),
		PageTablesPerThread: float64(pageTables) / float64(threads),
		Mappings:            now.mappings,
	}
}
