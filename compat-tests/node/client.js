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
