package main

import (
	"errors"
	"fmt"
	"sync"
)

// selectProdCons has one goroutine receive from several channels, each with a producer of its own.
func selectProdCons(order order) (measurement, error) {
	messages, channels := order.get("messages"), order.get("channels")
	if channels != 2 && channels != 16 {
		return measurement{}, fmt.Errorf("`channels` is 2 or 16, and not %d", channels)
	}
	var sent sync.WaitGroup
	watch := newStopwatch()
	receivers := make([]chan uint64, channels)
	sent.Add(int(channels))
	for producer := range channels {
		queue := make(chan uint64, order.get("capacity"))
		receivers[producer] = queue
		go func() {
			for number := messages * producer / channels; number < messages*(producer+1)/channels; number++ {
				queue <- number
			}
			sent.Done()
		}()
	}
	consume := consumeTwo
	if channels == 16 {
		consume = consumeSixteen
	}
	count, sum, open := consume(messages, receivers)
	sent.Wait()
	measured := watch.stop(messages)
	if !open {
		return measured, errors.New("a channel was disconnected too early")
	}
	if err := unlessEqual("the number of messages", messages, count); err != nil {
		return measured, err
	}
	return measured, unlessEqual("the sum of all messages", messages*(messages-1)/2, sum)
}

func consumeTwo(messages uint64, receivers []chan uint64) (count, sum uint64, open bool) {
	r := [2]chan uint64(receivers)
	for range messages {
		var number uint64
		select {
		case number, open = <-r[0]:
		case number, open = <-r[1]:
		}
		if !open {
			return
		}
		count++
		sum += number
	}
	return
}

func consumeSixteen(messages uint64, receivers []chan uint64) (count, sum uint64, open bool) {
	r := [16]chan uint64(receivers)
	for range messages {
		var number uint64
		select {
		case number, open = <-r[0]:
		case number, open = <-r[1]:
		case number, open = <-r[2]:
		case number, open = <-r[3]:
		case number, open = <-r[4]:
		case number, open = <-r[5]:
		case number, open = <-r[6]:
		case number, open = <-r[7]:
		case number, open = <-r[8]:
		case number, open = <-r[9]:
		case number, open = <-r[10]:
		case number, open = <-r[11]:
		case number, open = <-r[12]:
		case number, open = <-r[13]:
		case number, open = <-r[14]:
		case number, open = <-r[15]:
		}
		if !open {
			return
		}
		count++
		sum += number
	}
	return
}
