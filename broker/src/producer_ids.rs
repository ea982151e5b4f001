//! Producer ids: each core hands out ids of a block it has reserved in the metadata log, so that no id is given twice,
//! not even by a broker that was killed in between. What is left of a block is lost with the process.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use tokio::sync::Mutex;

use crate::metadata::{MetadataError, MetadataImage, MetadataRecord};
use crate::shard::Shard;

/// Ids reserved at a time (ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE).
const BLOCK_IDS: i64 = 1000;

/// One core's block.
#[derive(Default)]
pub struct ProducerIds {
    next: Cell<i64>,
    end: Cell<i64>,
    /// One reservation at a time.
    turn: Mutex<()>,
}

impl ProducerIds {
    /// An id nobody had; waits for the metadata log when the block is used up.
    pub async fn next(&self, shard: &Rc<Shard>) -> Result<i64, MetadataError> {
        let _turn = self.turn.lock().await;
        if self.next.get() == self.end.get() {
            let block = shard.change_metadata(reserve).await?;
            self.next.set(block.start);
            self.end.set(block.end);
        }
        let id = self.next.get();
        self.next.set(id + 1);
        Ok(id)
    }
}

fn reserve(image: &MetadataImage) -> (Vec<MetadataRecord>, Range<i64>) {
    let start = image.next_producer_id;
    let next = start + BLOCK_IDS;
    (vec![MetadataRecord::ProducerIdsReserved { next }], start..next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_do_not_overlap() {
        let mut image = MetadataImage::default();
        for start in [0, 1000, 2000] {
            let (records, block) = reserve(&image);
            assert_eq!(block, start..start + 1000);
            records.iter().for_each(|record| image.apply(record).expect("fits"));
        }
    }
}
