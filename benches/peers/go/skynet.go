package main

import (
	"fmt"
	"sync"
)

// skynetTree is the tree of goroutines: see benches/workloads/skynet.rs.
type skynetTree struct{ width, depth, leaves, threads uint64 }

func skynetTreeOf(order order) (skynetTree, error) {
	const most = 10_000_000
	tree := skynetTree{order.get("width"), order.get("depth"), 1, 1}
	for range tree.depth {
		tree.leaves *= tree.width
		tree.threads += tree.leaves
		if tree.threads > most {
			return tree, fmt.Errorf("a tree of width %d and depth %d has more than %d threads; use less",
				tree.width, tree.depth, most)
		}
	}
	return tree, nil
}

func (t skynetTree) check(sum uint64) error {
	return unlessEqual("the sum of all leaves", t.leaves*(t.leaves-1)/2, sum)
}

// skynetChannel has each goroutine start width more and add up what they send it; a leaf sends its
// number.
func skynetChannel(order order) (measurement, error) {
	tree, err := skynetTreeOf(order)
	if err != nil {
		return measurement{}, err
	}
	watch := newStopwatch()
	result := make(chan uint64, 1)
	go skynetSend(tree.width, tree.depth, 0, result)
	sum := <-result
	measured := watch.stop(tree.threads)
	return measured, tree.check(sum)
}

func skynetSend(width, depth, number uint64, up chan<- uint64) {
	if depth == 0 {
		up <- number
		return
	}
	sums := make(chan uint64, width)
	for child := range width {
		go skynetSend(width, depth-1, number*width+child, sums)
	}
	var sum uint64
	for range width {
		sum += <-sums
	}
	up <- sum
}

// skynetJoin is the same, where each goroutine waits for its children by a WaitGroup, and each of
// them has a place for its result.
func skynetJoin(order order) (measurement, error) {
	tree, err := skynetTreeOf(order)
	if err != nil {
		return measurement{}, err
	}
	var sum uint64
	var ended sync.WaitGroup
	ended.Add(1)
	watch := newStopwatch()
	go func() {
		sum = skynetSum(tree.width, tree.depth, 0)
		ended.Done()
	}()
	ended.Wait()
	measured := watch.stop(tree.threads)
	return measured, tree.check(sum)
}

func skynetSum(width, depth, number uint64) uint64 {
	if depth == 0 {
		return number
	}
	var ended sync.WaitGroup
	ended.Add(int(width))
	sums := make([]uint64, width)
	for child := range width {
		go func() {
			sums[child] = skynetSum(width, depth-1, number*width+child)
			ended.Done()
		}()
	}
	ended.Wait()
	return sumOf(sums)
}
