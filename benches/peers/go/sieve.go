package main

import (
	"errors"
	"sync"
)

// sievePrimes finds the first primes by a chain of goroutines, one for each prime, which passes on
// what its prime does not divide. The numbers end with the last prime.
func sievePrimes(order order) (measurement, error) {
	primes, capacity := order.get("primes"), order.get("capacity")
	last, expectedSum, expectedHops := sievePlan(primes)
	var filters sync.WaitGroup
	watch := newStopwatch()
	first := make(chan uint64, capacity)
	go func() {
		for number := uint64(2); number <= last; number++ {
			first <- number
		}
		close(first)
	}()
	incoming := first
	hopsOf := make([]uint64, primes)
	filters.Add(int(primes))
	var found, sum uint64
	for found < primes {
		prime, open := <-incoming
		if !open {
			return measurement{}, errors.New("a channel was disconnected too early")
		}
		sum += prime
		from, out, hops := incoming, make(chan uint64, capacity), &hopsOf[found]
		go func() {
			*hops = sieveFilter(prime, from, out)
			filters.Done()
		}()
		incoming = out
		found++
	}
	filters.Wait()
	hops := found + sumOf(hopsOf)
	measured := watch.stop(hops)
	if err := unlessEqual("the sum of the primes", expectedSum, sum); err != nil {
		return measured, err
	}
	return measured, unlessEqual("the number of hops", expectedHops, hops)
}

// sieveFilter passes on what the prime does not divide, and counts what has come.
func sieveFilter(prime uint64, incoming <-chan uint64, out chan<- uint64) uint64 {
	var hops uint64
	for number := range incoming {
		hops++
		if number%prime != 0 {
			out <- number
		}
	}
	close(out)
	return hops
}

// sievePlan is the last prime, the sum of all, and how many hops there are: see
// benches/workloads/sieve.rs.
func sievePlan(primes uint64) (last, sum, hops uint64) {
	var found []uint64
	for number := uint64(2); uint64(len(found)) < primes; number++ {
		place := uint64(1)
		for int(place) <= len(found) && number%found[place-1] != 0 {
			place++
		}
		hops += place
		if int(place) > len(found) {
			found = append(found, number)
			last = number
			sum += number
		}
	}
	return last, sum, hops
}
