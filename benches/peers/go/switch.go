package main

import (
	"runtime"
	"sync"
)

// yield has goroutines give way to each other. All have started before the clock does; closing
// the gate's channel lets them go.
func yield(order order) (measurement, error) {
	threads := order.get("threads")
	rounds := (order.get("yields") + threads - 1) / threads
	var arrived, ended sync.WaitGroup
	gate := make(chan struct{})
	returned := make([]uint64, threads)
	arrived.Add(int(threads))
	ended.Add(int(threads))
	for number := range threads {
		go func() {
			arrived.Done()
			<-gate
			returned[number] = giveWay(rounds)
			ended.Done()
		}()
	}
	arrived.Wait()
	watch := newStopwatch()
	close(gate)
	ended.Wait()
	measured := watch.stop(threads * rounds)
	return measured, unlessEqual("the number of yields", threads*rounds, sumOf(returned))
}

func giveWay(rounds uint64) uint64 {
	var returned uint64
	for range rounds {
		runtime.Gosched()
		returned++
	}
	return returned
}

// pingPong has two goroutines pass a ball over two channels that hold one message each.
func pingPong(order order) (measurement, error) {
	rounds := order.get("rounds")
	watch := newStopwatch()
	there, back := make(chan uint64, 1), make(chan uint64, 1)
	ball := make(chan uint64, 1)
	var pong sync.WaitGroup
	pong.Add(1)
	go func() { ball <- lead(rounds, there, back) }()
	go func() {
		passOn(rounds, there, back)
		pong.Done()
	}()
	last := <-ball
	pong.Wait()
	measured := watch.stop(rounds)
	return measured, unlessEqual("the ball", 2*rounds, last)
}

// ring has a token go round a ring of goroutines, over a channel of capacity 1 from each to the
// next.
func ring(order order) (measurement, error) {
	threads, rounds := order.get("threads"), order.get("rounds")
	var others sync.WaitGroup
	others.Add(int(threads - 1))
	watch := newStopwatch()
	first := make(chan uint64, 1)
	incoming := first
	for range threads - 1 {
		from, out := incoming, make(chan uint64, 1)
		go func() {
			passOn(rounds, from, out)
			others.Done()
		}()
		incoming = out
	}
	token := make(chan uint64, 1)
	go func() { token <- lead(rounds, first, incoming) }()
	last := <-token
	others.Wait()
	measured := watch.stop(threads * rounds)
	return measured, unlessEqual("the token", threads*rounds, last)
}

func lead(rounds uint64, out chan<- uint64, incoming <-chan uint64) uint64 {
	var token uint64
	for range rounds {
		out <- token + 1
		token = <-incoming
	}
	return token
}

func passOn(rounds uint64, incoming <-chan uint64, out chan<- uint64) {
	for range rounds {
		out <- <-incoming + 1
	}
}
