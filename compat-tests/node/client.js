// kafkajs behind the contract of harness/line_clients.py, and its own checks: produce | consume | checks.
'use strict'
const assert = require('node:assert')
const readline = require('node:readline')
const { Kafka, CompressionTypes, ConfigResourceTypes, logLevel } = require('kafkajs')

const CODECS = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP }
const BATCH = 2000
const SECONDS_WITHOUT_RECORDS = 20

function connect(bootstrap) {
  return new Kafka({ clientId: 'kafkajs', brokers: [bootstrap], logLevel: logLevel.ERROR, retry: { retries: 8 } })
}

async function produce(bootstrap, topic, codec) {
  const producer = connect(bootstrap).producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  let messages = []
  const flush = async () => {
    if (messages.length) await producer.send({ topic, messages, acks: -1, compression: CODECS[codec] })
    messages = []
  }
  for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const tab = line.indexOf('\t')
    messages.push({ key: tab ? line.slice(0, tab) : null, value: line.slice(tab + 1) })
    if (messages.length === BATCH) await flush()
  }
  await flush()
  await producer.disconnect()
}

// Reads `count` messages of a topic from its start, through a group of its own: kafkajs has no other way.
async function read(bootstrap, topic, count, group, each) {
  const consumer = connect(bootstrap).consumer({ groupId: group })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  let found = 0
  let last = Date.now()
  await new Promise((resolve, reject) => {
    const watch = setInterval(() => {
      if (Date.now() - last > SECONDS_WITHOUT_RECORDS * 1000) {
        clearInterval(watch)
        reject(new Error(`${found} of ${count} records, then nothing for ${SECONDS_WITHOUT_RECORDS} s`))
      }
    }, 500)
    consumer.run({
      eachBatchAutoResolve: true,
      eachBatch: async ({ batch }) => {
        for (const message of batch.messages) each(batch.partition, message)
        found += batch.messages.length
        last = Date.now()
        if (found >= count) {
          clearInterval(watch)
          resolve()
        }
      },
    }).catch(reject)
  })
  await consumer.disconnect()
}

async function consume(bootstrap, topic, count) {
  const parts = []
  await read(bootstrap, topic, Number(count), `${topic}-kafkajs-${process.pid}`, (partition, m) => {
    parts.push(Buffer.from(`${partition}\t${m.offset}\t`), m.key ?? Buffer.alloc(0), Buffer.from('\t'), m.value, Buffer.from('\n'))
  })
  await new Promise((resolve) => process.stdout.write(Buffer.concat(parts), resolve))
}

const CHECKS = {
  async every_field_of_a_record_returns(kafka, bootstrap, topic) {
    const producer = kafka.producer()
    await producer.connect()
    const sent = { key: 'k', value: 'v', headers: { a: Buffer.from([0, 255]), b: 'two' }, timestamp: '1600000000000' }
    await producer.send({ topic, messages: [sent, { key: 'tombstone', value: null }] })
    await producer.disconnect()
    const found = []
    await read(bootstrap, topic, 2, `${topic}-group`, (_, m) => found.push(m))
    assert.deepStrictEqual([found[0].key.toString(), found[0].value.toString(), found[0].timestamp], ['k', 'v', '1600000000000'])
    assert.deepStrictEqual(found[0].headers.a, Buffer.from([0, 255]))
    assert.strictEqual(found[1].value, null)
  },
  async admin_creates_describes_and_deletes(kafka, bootstrap, topic) {
    const admin = kafka.admin()
    await admin.connect()
    const made = `${topic}-made`
    assert.strictEqual(await admin.createTopics({ topics: [{ topic: made, numPartitions: 3, configEntries: [{ name: 'retention.ms', value: '5000' }] }] }), true)
    const { topics } = await admin.fetchTopicMetadata({ topics: [made] })
    assert.strictEqual(topics[0].partitions.length, 3)
    const described = await admin.describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name: made, configNames: ['retention.ms'] }] })
    assert.strictEqual(described.resources[0].configEntries[0].configValue, '5000')
    await admin.deleteTopics({ topics: [made] })
    assert.ok(!(await admin.listTopics()).includes(made))
    await admin.disconnect()
  },
  async offsets_by_group_and_time(kafka, bootstrap, topic) {
    const producer = kafka.producer()
    await producer.connect()
    for (let i = 0; i < 10; i++) await producer.send({ topic, messages: [{ value: 'x', timestamp: String(1600000000000 + i) }] })
    await producer.disconnect()
    const admin = kafka.admin()
    await admin.connect()
    const [{ high, low }] = await admin.fetchTopicOffsets(topic)
    assert.deepStrictEqual([low, high], ['0', '10'])
    assert.strictEqual((await admin.fetchTopicOffsetsByTimestamp(topic, 1600000000004))[0].offset, '4')
    await admin.setOffsets({ groupId: `${topic}-set`, topic, partitions: [{ partition: 0, offset: '7' }] })
    assert.strictEqual((await admin.fetchOffsets({ groupId: `${topic}-set`, topics: [topic] }))[0].partitions[0].offset, '7')
    await admin.deleteGroups([`${topic}-set`])
    await admin.disconnect()
  },
  // kafkajs knows the eager protocol alone, so all partitions change hands at once.
  async group_members_come_and_go(kafka, bootstrap, topic) {
    const admin = kafka.admin()
    await admin.connect()
    const [shared, groupId] = [`${topic}-shared`, `${topic}-group`]
    await admin.createTopics({ topics: [{ topic: shared, numPartitions: 6 }], waitForLeaders: true })
    const owned = new Map()
    const join = async () => {
      const member = kafka.consumer({ groupId, heartbeatInterval: 300, sessionTimeout: 10000 })
      member.on(member.events.GROUP_JOIN, ({ payload }) => owned.set(member, payload.memberAssignment[shared] ?? []))
      await member.connect()
      await member.subscribe({ topics: [shared] })
      await member.run({ eachMessage: async () => {} })
      owned.set(member, owned.get(member) ?? [])
      return member
    }
    const leave = async (member) => {
      await member.disconnect()
      owned.delete(member)
    }
    const settled = (count) =>
      until(`${count} members share 6 partitions`, async () => {
        const parts = [...owned.values()]
        return parts.length === count && parts.every((p) => p.length === 6 / count) && new Set(parts.flat()).size === 6
      })
    const first = await join()
    await settled(1)
    const [second, third] = await Promise.all([join(), join()])
    await settled(3)
    const { groups } = await admin.describeGroups([groupId])
    assert.deepStrictEqual([groups[0].state, groups[0].protocolType, groups[0].members.length], ['Stable', 'consumer', 3])
    await leave(second)
    await settled(2)
    await leave(first)
    await settled(1)
    await leave(third)
    await until('the group is empty', async () => (await admin.describeGroups([groupId])).groups[0].state === 'Empty')
    assert.ok((await admin.listGroups()).groups.some((g) => g.groupId === groupId))
    await admin.disconnect()
  },
  async transactions_commit_and_abort(kafka, bootstrap, topic) {
    const producer = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    for (const [value, commit] of [['a', true], ['b', false], ['c', true], ['d', false], ['e', true]]) {
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: [{ value: `${value}1` }, { value: `${value}2` }] })
      await (commit ? transaction.commit() : transaction.abort())
    }
    await producer.disconnect()
    const found = []
    await read(bootstrap, topic, 6, `${topic}-group`, (_, m) => found.push(m.value.toString()))
    assert.deepStrictEqual(found, ['a1', 'a2', 'c1', 'c2', 'e1', 'e2'])
  },
  async transactions_carry_offsets_of_a_group(kafka, bootstrap, topic) {
    const producer = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 })
    const admin = kafka.admin()
    await producer.connect()
    await admin.connect()
    const consumerGroupId = `${topic}-group`
    const committed = async () => (await admin.fetchOffsets({ groupId: consumerGroupId, topics: [topic] }))[0].partitions[0].offset
    const transact = async (offset, commit) => {
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: [{ value: offset }] })
      await transaction.sendOffsets({ consumerGroupId, topics: [{ topic, partitions: [{ partition: 0, offset }] }] })
      await (commit ? transaction.commit() : transaction.abort())
    }
    await transact('5', true)
    await until('the offset of the transaction is there', async () => (await committed()) === '5')
    await transact('9', false)
    assert.strictEqual(await committed(), '5')
    await transact('7', true)
    await until('the offset of the next is there', async () => (await committed()) === '7')
    await producer.disconnect()
    await admin.disconnect()
  },
  async admin_changes_topics_and_configs(kafka, bootstrap, topic) {
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic, messages: Array.from({ length: 10 }, (_, i) => ({ value: String(i) })) })
    await producer.disconnect()
    const admin = kafka.admin()
    await admin.connect()
    const { brokers, controller } = await admin.describeCluster()
    assert.ok(brokers.some((b) => b.nodeId === controller && `${b.host}:${b.port}` === bootstrap))
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] })
    assert.strictEqual((await admin.fetchTopicOffsets(topic))[0].low, '4')
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
    await until('the topic has 3 partitions', async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length === 3)
    const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
    await admin.alterConfigs({ resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '7000' }] }] })
    const { resources } = await admin.describeConfigs({ resources: [{ ...resource, configNames: ['retention.ms'] }] })
    assert.strictEqual(resources[0].configEntries[0].configValue, '7000')
    await assert.rejects(admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] }), /partitions/i)
    await admin.disconnect()
  },
}

// Waits until `condition()` holds, or fails with what it waited for.
async function until(what, condition) {
  const deadline = Date.now() + SECONDS_WITHOUT_RECORDS * 1000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${SECONDS_WITHOUT_RECORDS} s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function checks(bootstrap, prefix) {
  const kafka = connect(bootstrap)
  const admin = kafka.admin()
  await admin.connect()
  for (const [name, check] of Object.entries(CHECKS)) {
    const topic = prefix + name
    try {
      await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true })
      await check(kafka, bootstrap, topic)
      console.log(`ok ${name}`)
    } catch (failure) {
      console.log(`FAIL ${name} ${String(failure.stack).replaceAll('\n', ' ')}`)
    }
  }
  await admin.disconnect()
}

process.env.KAFKAJS_NO_PARTITIONER_WARNING = '1'
const [command, ...rest] = process.argv.slice(2)
const commands = { produce, consume, checks }
commands[command](...rest).then(
  () => process.exit(0),
  (failure) => {
    console.error(failure)
    process.exit(1)
  },
)
