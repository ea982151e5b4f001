// franz-go behind the contract of harness/line_clients.py, and its own checks: produce | consume | checks.
package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const timeout = 10 * time.Minute

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	command, rest := os.Args[1], os.Args[2:]
	var err error
	switch command {
	case "produce":
		err = produce(ctx, rest[0], rest[1], rest[2])
	case "consume":
		err = consume(ctx, rest[0], rest[1], rest[2])
	case "checks":
		err = checks(ctx, rest[0], rest[1])
	default:
		err = fmt.Errorf("unknown command %s", command)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func codec(name string) kgo.CompressionCodec {
	return map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[name]
}

func produce(ctx context.Context, bootstrap, topic, codecName string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchCompression(codec(codecName)), kgo.ProducerLinger(20*time.Millisecond), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		return err
	}
	defer client.Close()
	var failure kgo.FirstErrPromise
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		key, value, _ := bytes.Cut(lines.Bytes(), []byte{'\t'})
		record := &kgo.Record{Value: bytes.Clone(value)}
		if len(key) > 0 {
			record.Key = bytes.Clone(key)
		}
		client.Produce(ctx, record, failure.Promise())
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	if err := failure.Err(); err != nil {
		return err
	}
	return lines.Err()
}

func consume(ctx context.Context, bootstrap, topic, countText string) error {
	count, err := strconv.Atoi(countText)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	return read(ctx, count, func(r *kgo.Record) {
		fmt.Fprintf(out, "%d\t%d\t%s\t%s\n", r.Partition, r.Offset, r.Key, r.Value)
	}, kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
}

// read hands over `count` records, or fails when none comes for 20 seconds.
func read(ctx context.Context, count int, each func(*kgo.Record), options ...kgo.Opt) error {
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	for found := 0; found < count; {
		poll, cancel := context.WithTimeout(ctx, 20*time.Second)
		fetches := client.PollFetches(poll)
		cancel()
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("%d of %d records, then: %w", found, count, err)
		}
		fetches.EachRecord(each)
		found += fetches.NumRecords()
	}
	return nil
}
