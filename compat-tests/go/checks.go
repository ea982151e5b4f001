package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A check gets a topic of its own with one partition.
type check struct {
	name string
	run  func(ctx context.Context, bootstrap, topic string) error
}

var all = []check{
	{"every_field_of_a_record_returns", everyField},
	{"group_goes_on_where_it_committed", goesOn},
	{"group_cooperative_members_share", membersShare},
	{"admin_creates_describes_and_deletes", administers},
	{"admin_offsets_by_time", offsetsByTime},
	{"every_codec_returns", everyCodec},
}

func checks(ctx context.Context, bootstrap, prefix string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err
	}
	defer client.Close()
	for _, c := range all {
		one, cancel := context.WithTimeout(ctx, 30*time.Second)
		_, err := kadm.NewClient(client).CreateTopic(one, 1, 1, nil, prefix+c.name)
		if err == nil {
			err = c.run(one, bootstrap, prefix+c.name)
		}
		cancel()
		if err != nil {
			fmt.Printf("FAIL %s %q\n", c.name, err)
		} else {
			fmt.Printf("ok %s\n", c.name)
		}
	}
	return nil
}

func equal[T comparable](expected, found T, what string) error {
	if expected != found {
		return fmt.Errorf("%s: expected %v, found %v", what, expected, found)
	}
	return nil
}

func send(ctx context.Context, bootstrap string, records []*kgo.Record, options ...kgo.Opt) error {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(bootstrap))...)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.ProduceSync(ctx, records...).FirstErr()
}

func fromStart(ctx context.Context, bootstrap, topic string, count int) (found []*kgo.Record, err error) {
	err = read(ctx, count, func(r *kgo.Record) { found = append(found, r) }, kgo.SeedBrokers(bootstrap),
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	return found, err
}

func numbered(topic string, count int) (records []*kgo.Record) {
	for i := range count {
		records = append(records, &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%d", i), Timestamp: time.UnixMilli(1_600_000_000_000 + int64(i))})
	}
	return records
}

func everyField(ctx context.Context, bootstrap, topic string) error {
	at := time.UnixMilli(1_600_000_000_000)
	sent := &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("v"), Timestamp: at, Headers: []kgo.RecordHeader{{Key: "a", Value: []byte{0, 255}}, {Key: "nothing"}}}
	if err := send(ctx, bootstrap, []*kgo.Record{sent, {Topic: topic, Key: []byte{}, Value: nil}}); err != nil {
		return err
	}
	found, err := fromStart(ctx, bootstrap, topic, 2)
	if err != nil {
		return err
	}
	return errors.Join(
		equal("k v", string(found[0].Key)+" "+string(found[0].Value), "key and value"),
		equal(at.UnixMilli(), found[0].Timestamp.UnixMilli(), "timestamp"),
		equal("[{a [0 255]} {nothing []}]", fmt.Sprint(found[0].Headers), "headers"),
		equal(true, found[1].Value == nil && found[1].Key != nil, "null value, empty key"),
	)
}

func everyCodec(ctx context.Context, bootstrap, topic string) error {
	names := []string{"none", "gzip", "snappy", "lz4", "zstd"}
	for _, name := range names {
		if err := send(ctx, bootstrap, numbered(topic, 1000), kgo.ProducerBatchCompression(codec(name))); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	found, err := fromStart(ctx, bootstrap, topic, 1000*len(names))
	if err != nil {
		return err
	}
	for i, r := range found {
		if err := errors.Join(equal(int64(i), r.Offset, "offset"), equal(fmt.Sprint(i%1000), string(r.Value), "value")); err != nil {
			return err
		}
	}
	return nil
}

func goesOn(ctx context.Context, bootstrap, topic string) error {
	for round := range 2 {
		if err := send(ctx, bootstrap, numbered(topic, 10)); err != nil {
			return err
		}
		member, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
		if err != nil {
			return err
		}
		for found := 0; found < 10; {
			fetches := member.PollFetches(ctx)
			if err := fetches.Err(); err != nil {
				return err
			}
			for _, r := range fetches.Records() {
				if err := equal(int64(round*10+found), r.Offset, "offset"); err != nil {
					return err
				}
				found++
			}
		}
		err = member.CommitUncommittedOffsets(ctx)
		member.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

func membersShare(ctx context.Context, bootstrap, topic string) error {
	admin, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err
	}
	defer admin.Close()
	if _, err := kadm.NewClient(admin).UpdatePartitions(ctx, 4, topic); err != nil {
		return err
	}
	for range 2 {
		member, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic),
			kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.HeartbeatInterval(200*time.Millisecond), kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(time.Second))
		if err != nil {
			return err
		}
		defer member.Close()
		go func() {
			for ctx.Err() == nil && !member.PollFetches(ctx).IsClientClosed() {
			}
		}()
	}
	for {
		described, err := kadm.NewClient(admin).DescribeGroups(ctx, topic)
		if err != nil {
			return err
		}
		owned := 0
		group := described[topic]
		for _, m := range group.Members {
			if a, ok := m.Assigned.AsConsumer(); ok && len(a.Topics) == 1 && len(a.Topics[0].Partitions) == 2 {
				owned += 2
			}
		}
		if group.State == "Stable" && owned == 4 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("members never shared: %v", described)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func administers(ctx context.Context, bootstrap, topic string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	_, err = admin.CreateTopic(ctx, 1, 1, nil, topic)
	if !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create again: %w", err)
	}
	listed, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return err
	}
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return err
	}
	deleted, err := admin.DeleteTopic(ctx, topic)
	if err != nil {
		return err
	}
	return errors.Join(deleted.Err, equal(1, len(listed[topic].Partitions), "partitions"), equal(true, len(configs[0].Configs) > 20, "topic configs"))
}

func offsetsByTime(ctx context.Context, bootstrap, topic string) error {
	if err := send(ctx, bootstrap, numbered(topic, 100)); err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	after, err := admin.ListOffsetsAfterMilli(ctx, 1_600_000_000_042, topic)
	if err != nil {
		return err
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	return errors.Join(equal(int64(42), after[topic][0].Offset, "offset by time"), equal(int64(100), ends[topic][0].Offset, "end"))
}
