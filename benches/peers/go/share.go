package main

import "sync"

// mpmc has producers and consumers share one channel.
func mpmc(order order) (measurement, error) {
	messages, consumers := order.get("messages"), order.get("consumers")
	producers := order.get("producers")
	var sent, ended sync.WaitGroup
	counts, sums := make([]uint64, consumers), make([]uint64, consumers)
	watch := newStopwatch()
	queue := make(chan uint64, order.get("capacity"))
	sent.Add(int(producers))
	for producer := range producers {
		go func() {
			for number := messages * producer / producers; number < messages*(producer+1)/producers; number++ {
				queue <- number
			}
			sent.Done()
		}()
	}
	ended.Add(int(consumers))
	for consumer := range consumers {
		go func() {
			var count, sum uint64
			for number := range queue {
				count++
				sum += number
			}
			counts[consumer], sums[consumer] = count, sum
			ended.Done()
		}()
	}
	sent.Wait()
	close(queue)
	ended.Wait()
	measured := watch.stop(messages)
	if err := unlessEqual("the number of messages", messages, sumOf(counts)); err != nil {
		return measured, err
	}
	return measured, unlessEqual("the sum of all messages", messages*(messages-1)/2, sumOf(sums))
}

// mutex has goroutines take turns with one mutex. All have started before the clock does.
func mutex(order order) (measurement, error) {
	threads := order.get("threads")
	rounds := (order.get("locks") + threads - 1) / threads
	var arrived, ended sync.WaitGroup
	gate := make(chan struct{})
	var lock sync.Mutex
	var number uint64
	arrived.Add(int(threads))
	ended.Add(int(threads))
	for range threads {
		go func() {
			arrived.Done()
			<-gate
			for range rounds {
				lock.Lock()
				number++
				lock.Unlock()
			}
			ended.Done()
		}()
	}
	arrived.Wait()
	watch := newStopwatch()
	close(gate)
	ended.Wait()
	measured := watch.stop(threads * rounds)
	return measured, unlessEqual("the number in the mutex", threads*rounds, number)
}
