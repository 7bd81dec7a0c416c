package main

import (
	"errors"
	"sync"
	"time"
)

// How long a player waits for the ball, at most, and how long others sleep.
const (
	patience  = time.Hour
	longSleep = 2 * time.Hour
)

// timersCancelled has two goroutines pass a ball, as pingPong does, with timeouts that never fire:
// each wait makes a timer and stops it. Others sleep meanwhile; they end with the program.
func timersCancelled(order order) (measurement, error) {
	rounds, timeout := order.get("rounds"), order.get("timeout") == 1
	var begun sync.WaitGroup
	begun.Add(int(order.get("standing")))
	for range order.get("standing") {
		go func() {
			begun.Done()
			time.Sleep(longSleep)
		}()
	}
	begun.Wait()
	watch := newStopwatch()
	there, back := make(chan uint64, 1), make(chan uint64, 1)
	ball := make(chan uint64, 1)
	pong := make(chan bool, 1)
	go func() {
		var number uint64
		for range rounds {
			there <- number + 1
			var inTime bool
			if number, inTime = within(back, timeout); !inTime {
				break
			}
		}
		ball <- number
	}()
	go func() {
		for range rounds {
			number, inTime := within(there, timeout)
			if !inTime {
				pong <- false
				return
			}
			back <- number + 1
		}
		pong <- true
	}()
	last := <-ball
	if !<-pong {
		return measurement{}, errors.New("the ball was late")
	}
	measured := watch.stop(2 * rounds)
	return measured, unlessEqual("the ball", 2*rounds, last)
}

// within receives from the channel. false: it took too long.
func within(incoming <-chan uint64, timeout bool) (uint64, bool) {
	if !timeout {
		return <-incoming, true
	}
	timer := time.NewTimer(patience)
	select {
	case number := <-incoming:
		timer.Stop()
		return number, true
	case <-timer.C:
		return 0, false
	}
}
