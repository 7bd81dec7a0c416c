package main

import (
	"errors"
	"slices"
	"sync"
	"syscall"
	"time"
)

// parked starts very many goroutines that wait, and releases each of them by a wake-up of its own,
// as the others do by one unpark for each thread: all wait for a message on one channel without a
// buffer, and each message wakes the one that has waited longest. Closing the channel would wake
// all by one call; a channel for each would do the same as this and cost each of them 96 bytes.
//
// Goroutines have no stacks of a fixed size, so the parameter stack says nothing to them.
func parked(order order) (measurement, error) {
	threads, rounds := order.get("threads"), order.get("rounds")
	before := lookAtFootprint()
	var most *held
	watch := newStopwatch()
	for range rounds {
		held, err := parkedRound(threads, before, watch)
		if err != nil {
			return measurement{}, err
		}
		watch.endRound()
		if most == nil || held.Resident >= most.Resident {
			most = held
		}
	}
	measured := watch.stop(threads * rounds)
	measured.held = most
	return measured, nil
}

func parkedRound(threads uint64, before footprint, watch *stopwatch) (*held, error) {
	var arrived, ended sync.WaitGroup
	gate := make(chan struct{})
	results := make([]uint64, threads)
	arrived.Add(int(threads))
	ended.Add(int(threads))
	for number := range threads {
		go func() {
			arrived.Done()
			<-gate
			results[number] = number
			ended.Done()
		}()
	}
	arrived.Wait()
	var held *held
	watch.aside(func() { held = heldSince(before, threads) })
	for range threads {
		gate <- struct{}{}
	}
	ended.Wait()
	return held, checkSum(threads, sumOf(results))
}

// sleepers has very many goroutines sleep at the same time, each for the same duration from its own
// start. The time is without that duration.
func sleepers(order order) (measurement, error) {
	threads := order.get("threads")
	duration := milliseconds(order)
	var arrived, ended sync.WaitGroup
	before := lookAtFootprint()
	watch := newStopwatch()
	late := make([]time.Duration, threads)
	arrived.Add(int(threads))
	ended.Add(int(threads))
	for number := range threads {
		go func() {
			start := time.Now()
			arrived.Done()
			time.Sleep(duration)
			late[number] = time.Since(start) - duration
			ended.Done()
		}()
	}
	arrived.Wait()
	held := heldWhileAllSleep(watch, duration, before, threads)
	ended.Wait()
	overtime := time.Since(watch.start) - duration
	measured := watch.stopAfter(threads, overtime)
	measured.held = held
	slices.Sort(late)
	measured.lateness = latenessOf(late)
	early, _ := slices.BinarySearch(late, 0)
	return measured, unlessEqual("the number of threads that woke early", 0, uint64(early))
}

func milliseconds(order order) time.Duration {
	return time.Duration(order.get("milliseconds")) * time.Millisecond
}

// heldWhileAllSleep looks only if all sleep: then the first one's time is not over, neither before
// the look nor after it.
func heldWhileAllSleep(
	watch *stopwatch, duration time.Duration, before footprint, threads uint64,
) *held {
	if time.Since(watch.start) >= duration {
		return nil
	}
	held := heldSince(before, threads)
	if time.Since(watch.start) >= duration {
		return nil
	}
	return held
}

// latenessOf tells the ranks of what is sorted.
func latenessOf(late []time.Duration) *lateness {
	rank := func(percent int) int64 {
		return late[max((len(late)*percent+99)/100, 1)-1].Nanoseconds()
	}
	return &lateness{P50: rank(50), P99: rank(99), Last: rank(100)}
}

// blocking makes many calls at the same time that block their OS thread. In Go that is any system
// call: the runtime itself hands the processor to another thread, and there is nothing to ask for.
// So the parameter direct says nothing here.
func blocking(order order) (measurement, error) {
	calls, rounds := order.get("calls"), order.get("rounds")
	duration := milliseconds(order)
	complete := make([]uint64, calls)
	watch := newStopwatch()
	for range rounds {
		var ended sync.WaitGroup
		ended.Add(int(calls))
		for number := range calls {
			go func() {
				complete[number] += blockFor(duration)
				ended.Done()
			}()
		}
		ended.Wait()
	}
	measured := watch.stop(calls * rounds)
	return measured, unlessEqual("the number of complete calls", calls*rounds, sumOf(complete))
}

// blockFor blocks the OS thread, and gives 1 if it did so for long enough. It is not time.Sleep,
// which lets other goroutines run on that thread.
func blockFor(duration time.Duration) uint64 {
	start := time.Now()
	left := syscall.NsecToTimespec(duration.Nanoseconds())
	// The runtime interrupts a call by signals of its own.
	for errors.Is(syscall.Nanosleep(&left, &left), syscall.EINTR) {
	}
	if time.Since(start) < duration {
		return 0
	}
	return 1
}
