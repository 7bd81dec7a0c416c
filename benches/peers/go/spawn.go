package main

import "sync"

// spawnJoin starts one goroutine after the other and waits for its result, which comes by a
// channel: a goroutine has no handle that could be joined.
func spawnJoin(order order) (measurement, error) {
	threads := order.get("threads")
	var sum uint64
	watch := newStopwatch()
	result := make(chan uint64, 1)
	for number := range threads {
		go func() { result <- number }()
		sum += <-result
	}
	measured := watch.stop(threads)
	return measured, checkSum(threads, sum)
}

// spawnBatch starts many goroutines, each with a place for its result, and waits for all by a
// WaitGroup.
func spawnBatch(order order) (measurement, error) {
	threads := order.get("threads")
	var ended sync.WaitGroup
	watch := newStopwatch()
	results := make([]uint64, threads)
	ended.Add(int(threads))
	for number := range threads {
		go func() {
			results[number] = number
			ended.Done()
		}()
	}
	ended.Wait()
	sum := sumOf(results)
	measured := watch.stop(threads)
	return measured, checkSum(threads, sum)
}

func sumOf(results []uint64) uint64 {
	var sum uint64
	for _, result := range results {
		sum += result
	}
	return sum
}

// checkSum: the goroutines give 0, 1, 2 and so on.
func checkSum(threads, sum uint64) error {
	return unlessEqual("the sum of the results", threads*(threads-1)/2, sum)
}

// primes counts the primes below a limit by trial division, in tasks of very different length.
func primes(order order) (measurement, error) {
	limit, tasks := order.get("limit"), order.get("tasks")
	var ended sync.WaitGroup
	watch := newStopwatch()
	results := make([]uint64, tasks)
	ended.Add(int(tasks))
	for task, chunk := range chunks(limit, tasks) {
		go func() {
			results[task] = count(chunk)
			ended.Done()
		}()
	}
	ended.Wait()
	found := sumOf(results)
	measured := watch.stop(limit)
	return measured, unlessEqual("the number of primes", sieve(limit), found)
}

// chunk is the numbers from start to end, without end.
type chunk struct{ start, end uint64 }

// chunks cuts the numbers below limit into so many, whose lengths are as 1 to 8.
func chunks(limit, tasks uint64) []chunk {
	weight := func(task uint64) uint64 { return task*5%8 + 1 }
	var whole, before uint64
	for task := range tasks {
		whole += weight(task)
	}
	all := make([]chunk, tasks)
	for task := range tasks {
		start := limit * before / whole
		before += weight(task)
		all[task] = chunk{start, limit * before / whole}
	}
	return all
}

func count(chunk chunk) uint64 {
	var primes uint64
	for number := chunk.start; number < chunk.end; number++ {
		// 32 bits are enough for the largest limit, and divide faster.
		if isPrime(uint32(number)) {
			primes++
		}
	}
	return primes
}

func isPrime(number uint32) bool {
	if number < 4 {
		return number > 1
	}
	if number%2 == 0 {
		return false
	}
	for divisor := uint32(3); divisor*divisor <= number; divisor += 2 {
		if number%divisor == 0 {
			return false
		}
	}
	return true
}

// sieve is the number of primes below limit, by the sieve of Eratosthenes.
func sieve(limit uint64) uint64 {
	composite := make([]bool, limit)
	var primes uint64
	for number := uint64(2); number < limit; number++ {
		if composite[number] {
			continue
		}
		primes++
		for multiple := number * number; multiple < limit; multiple += number {
			composite[multiple] = true
		}
	}
	return primes
}

// tree is a Fibonacci number, and how many goroutines were forked for it.
type tree struct{ value, forks uint64 }

// fib computes a Fibonacci number by the definition; the left branch is a goroutine.
func fib(order order) (measurement, error) {
	n, cutoff := order.get("n"), order.get("cutoff")
	watch := newStopwatch()
	found := fork(n, cutoff)
	measured := watch.stop(max(found.forks, 1))
	expected := fromBelow(n, cutoff)
	if err := unlessEqual("the Fibonacci number", expected.value, found.value); err != nil {
		return measured, err
	}
	return measured, unlessEqual("the number of threads", expected.forks, found.forks)
}

func fork(n, cutoff uint64) tree {
	if n < cutoff {
		return tree{value: alone(n)}
	}
	result := make(chan tree, 1)
	go func() { result <- fork(n-1, cutoff) }()
	right := fork(n-2, cutoff)
	left := <-result
	return tree{left.value + right.value, left.forks + right.forks + 1}
}

// alone is the Fibonacci number by the definition, without goroutines.
func alone(n uint64) uint64 {
	if n < 2 {
		return n
	}
	return alone(n-1) + alone(n-2)
}

// fromBelow is what the recurrences say.
func fromBelow(n, cutoff uint64) tree {
	this, next := tree{0, 0}, tree{1, 0}
	for number := uint64(2); number < n+2; number++ {
		after := tree{value: this.value + next.value}
		if number >= cutoff {
			after.forks = this.forks + next.forks + 1
		}
		this, next = next, after
	}
	return this
}
