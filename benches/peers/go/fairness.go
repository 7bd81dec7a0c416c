package main

import (
	"runtime"
	"slices"
	"sync"
	"time"
)

// computed is what one hog has computed.
type computed struct{ slices, sum uint64 }

// fairness has some goroutines compute without end, and one sleep for a moment, again and again. Go
// takes the processor away from those who keep it; with hogs=1 they give way by themselves. A thread
// of the operating system does not free a goroutine from Go's scheduler, so hogs=2 is as 0, as is 3.
func fairness(order order) (measurement, error) {
	threads, steps := order.get("threads"), order.get("slice")
	givesWay := order.get("hogs") == 1
	nap := time.Duration(order.get("microseconds")) * time.Microsecond
	right := digest(nil, steps)
	hogs := make([]computed, threads)
	var late []time.Duration
	var ended sync.WaitGroup
	ended.Add(int(threads) + 1)
	watch := newStopwatch()
	end := watch.start.Add(milliseconds(order))
	go func() {
		late = sleepUntil(end, watch.start, nap)
		ended.Done()
	}()
	for hog := range hogs {
		go func() {
			hogs[hog] = computeUntil(end, steps, givesWay)
			ended.Done()
		}()
	}
	ended.Wait()
	var whole time.Duration
	for _, each := range late {
		whole += each
	}
	measured := watch.stopAfter(uint64(len(late)), whole)
	slices.Sort(late)
	measured.lateness = latenessOf(late)
	for _, hog := range hogs {
		if err := unlessEqual("the sum of a hog's slices", right*hog.slices, hog.sum); err != nil {
			return measured, err
		}
	}
	early, _ := slices.BinarySearch(late, 0)
	return measured, unlessEqual("the number of sleeps that ended early", 0, uint64(early))
}

// sleepUntil sleeps once at least. The first sleep begins with the time, even if the sleeper does
// not.
func sleepUntil(end, start time.Time, nap time.Duration) []time.Duration {
	var late []time.Duration
	for len(late) == 0 || time.Now().Before(end) {
		time.Sleep(nap)
		late = append(late, time.Since(start)-nap)
		start = time.Now()
	}
	return late
}

// computeUntil computes one slice at least.
func computeUntil(end time.Time, steps uint64, givesWay bool) computed {
	var done computed
	for {
		done.slices++
		done.sum += digest(nil, steps)
		if !time.Now().Before(end) {
			return done
		}
		if givesWay {
			runtime.Gosched()
		}
	}
}
