//! A fetch over all cores: each reads its own partitions, and all of them share one wait.
//!
//! A core with nothing to read yet is not woken to find that out. What a fetch waits for comes with a commit of that core,
//! which looks into its mailbox before each ([`storage::wal::Turns`]): the message is left there, and if the wait is over
//! before it was begun, nobody waits for that core.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::join_all;
use protocol::ErrorCode;
use storage::LogId;
use storage::log::VisibleOffsets;
use storage::runtime::HashMap;

use crate::context::RequestContext;
use crate::metadata::MetadataImage;
use crate::partition::PartitionRead;
use crate::read_partitions::{Reading, ReadingTerms, count_requests, read_partitions};
use crate::shard::{Shard, ShardClosed};

/// How far each partition that is open can be read, known on every core.
#[derive(Debug, Default)]
pub struct VisiblePartitions {
    offsets: RwLock<HashMap<LogId, Arc<VisibleOffsets>>>,
}

impl VisiblePartitions {
    /// A partition was opened, or (`None`) is there no longer.
    pub fn set(&self, id: LogId, offsets: Option<Arc<VisibleOffsets>>) {
        let mut known = self.offsets.write().unwrap_or_else(PoisonError::into_inner);
        match offsets {
            Some(offsets) => known.insert(id, offsets),
            None => known.remove(&id),
        };
    }

    /// First offset, last stable offset and high watermark.
    fn get(&self, id: LogId) -> Option<(i64, i64, i64)> {
        self.offsets.read().unwrap_or_else(PoisonError::into_inner).get(&id).map(|offsets| offsets.get())
    }
}

/// What each core's readings gave, once all of them together are enough or nobody waits any more.
pub async fn read_everywhere(
    context: &RequestContext,
    by_core: BTreeMap<usize, Vec<Reading>>,
    terms: ReadingTerms,
) -> Vec<(usize, PartitionRead)> {
    let shard = &context.shard;
    // A core that has begun ends the wait when it is time. Another may never begin.
    let keeps_time = by_core.contains_key(&shard.core());
    let reads = by_core.into_iter().map(|(core, readings)| read_on(shard, core, readings, &terms));
    let mut all = std::pin::pin!(join_all(reads));
    let expiry = async {
        if keeps_time { std::future::pending().await } else { shard.runtime().sleep_until(terms.deadline).await }
    };
    tokio::select! {
        biased;
        reads = &mut all => return reads.into_iter().flatten().collect(),
        () = context.connection.closed.wait() => {}
        () = expiry => {}
    }
    terms.gathering.finish();
    all.await.into_iter().flatten().collect()
}

async fn read_on(
    shard: &Rc<Shard>,
    core: usize,
    readings: Vec<Reading>,
    terms: &ReadingTerms,
) -> Vec<(usize, PartitionRead)> {
    let rows: Vec<usize> = readings.iter().map(|reading| reading.row).collect();
    let reads = match nothing_yet(shard, core, &readings, terms) {
        Some(nothing) => leave(shard, core, readings, terms, nothing).await,
        None => {
            let terms = terms.clone();
            let begin = move |shard: &Rc<Shard>| read_partitions(shard.clone(), readings, terms);
            shard.run_on(core, move |shard| Box::pin(begin(shard))).await
        }
    };
    let closed = PartitionRead::failed(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    reads.unwrap_or_else(|_| rows.iter().map(|&row| (row, closed.clone())).collect())
}

/// Leaves the readings for when the core looks by itself; `nothing` is the answer if it does not before the wait is over.
async fn leave(
    shard: &Rc<Shard>,
    core: usize,
    readings: Vec<Reading>,
    terms: &ReadingTerms,
    nothing: Vec<(usize, PartitionRead)>,
) -> Result<Vec<(usize, PartitionRead)>, ShardClosed> {
    let claim = Arc::new(Claim::default());
    let (theirs, left, their_terms) = (claim.clone(), readings.clone(), terms.clone());
    let mut reads = std::pin::pin!(shard.shards().leave_on(core, move |shard| {
        let shard = shard.clone();
        Box::pin(async move {
            if theirs.take() {
                return read_partitions(shard, left, their_terms).await;
            }
            count_requests(&shard, &left);
            Vec::new()
        })
    }));
    // What became visible before the message was there has woken nobody.
    if nothing_yet(shard, core, &readings, terms).is_none() {
        shard.shards().wake(core);
    }
    tokio::select! {
        biased;
        reads = &mut reads => reads,
        () = terms.gathering.over() => if claim.take() { Ok(nothing) } else { reads.await },
    }
}

/// Who answers for a core: itself, or whoever stopped waiting for it.
#[derive(Default)]
struct Claim(AtomicBool);

impl Claim {
    /// Whether nobody was faster.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::SeqCst)
    }
}

/// The answer of another core whose partitions the client has read to their ends, and nothing else is to be said of them;
/// `None` if that core has to be asked, or there is no wait.
fn nothing_yet(
    shard: &Shard,
    core: usize,
    readings: &[Reading],
    terms: &ReadingTerms,
) -> Option<Vec<(usize, PartitionRead)>> {
    if core == shard.core() || !terms.gathering.waits() || shard.runtime().now() >= terms.deadline {
        return None;
    }
    let image = shard.image();
    let row = |reading: &Reading| Some((reading.row, empty_read(shard, &image, reading, terms.is_committed_only)?));
    readings.iter().map(row).collect()
}

fn empty_read(
    shard: &Shard,
    image: &MetadataImage,
    reading: &Reading,
    is_committed_only: bool,
) -> Option<PartitionRead> {
    let LogId { topic_id, partition } = reading.id;
    let epoch = image.topic_by_id(topic_id)?.partition(partition)?.leader_epoch.0;
    let agrees = |known: i32| known == -1 || known == epoch;
    let (log_start_offset, last_stable_offset, high_watermark) = shard.visible().get(reading.id)?;
    let end = if is_committed_only { last_stable_offset } else { high_watermark };
    let is_at_end = reading.offset == end && agrees(reading.current_leader_epoch) && agrees(reading.last_fetched_epoch);
    is_at_end.then(|| PartitionRead { high_watermark, last_stable_offset, log_start_offset, ..Default::default() })
}
