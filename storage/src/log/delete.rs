//! Deleting from the front, and all of it.

use std::path::PathBuf;
use std::rc::Rc;

use super::{Log, ReadError};
use crate::error::StorageError;
use crate::ids::Offset;
use crate::wal::Body;
use crate::wal::format::encode_log_start;

impl Log {
    /// DeleteRecords: the new log start is durable before this returns. `Offset(-1)` means the high watermark.
    pub async fn delete_records(self: &Rc<Log>, before: Offset) -> Result<Offset, ReadError> {
        self.check_open()?;
        self.volume.health.check_failed()?;
        let offset = if before.0 == -1 { self.high.get() } else { before.0 };
        if offset < 0 || offset > self.high.get() {
            return Err(ReadError::OffsetOutOfRange);
        }
        if offset > self.start.get() {
            self.move_start(offset).await?;
            if self.volume.health.is_full() {
                self.remove_segments().await?;
            }
        }
        Ok(Offset(self.start.get()))
    }

    /// Moves the log start, durably, then for everyone to see. Waits for room in the write-ahead log.
    pub(crate) async fn move_start(&self, offset: i64) -> Result<(), StorageError> {
        self.volume.room_for_deletion().await?;
        self.check_open()?;
        if offset <= self.start.get() {
            // Somebody went further meanwhile.
            return Ok(());
        }
        let entry = encode_log_start(self.id, offset);
        let position = self.volume.wal.append(&entry, Body::default(), None, None);
        self.state.borrow_mut().log_starts.push_back((position.lsn, offset));
        position.group.wait().await?;
        // Somebody may have gone further meanwhile.
        let start = offset.max(self.start.get());
        self.move_offsets(start, self.high.get(), self.end.get());
        self.state.borrow_mut().producers.on_log_start(Offset(start));
        // The entry says it until write-back, and nobody else, has put it into the file.
        self.volume.wake.notify_one();
        Ok(())
    }

    /// Removes the partition's directory once the deletion is durable: renamed first, so that a half removed one is
    /// never taken for a partition.
    pub(crate) async fn remove_files(&self) -> Result<(), StorageError> {
        let removed = self.removed_path();
        let disk = self.volume.runtime.disk();
        let failed = |error| self.volume.health.write_failed("removing a partition", &error);
        disk.rename(&self.path, &removed).await.map_err(failed)?;
        disk.sync_directory(self.volume.path()).await.map_err(failed)?;
        disk.remove_directory_all(&removed).await.map_err(failed)
    }

    /// Kafka's name for a partition on its way out.
    fn removed_path(&self) -> PathBuf {
        let id = self.volume.runtime.random_u64();
        self.volume.path().join(format!("{}.{id:016x}-delete", self.name))
    }
}
