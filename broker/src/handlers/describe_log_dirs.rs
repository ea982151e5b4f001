//! DescribeLogDirs (key 35, versions 1-5): the log directories, the partitions in them and their sizes.
//!
//! - null asks for every partition; partitions that are not here are left out.
//! - v4: total and usable bytes of the file system. v5: cordoned directories, of which there are none.
//! - A closed directory is told as KAFKA_STORAGE_ERROR.

use std::collections::BTreeMap;
use std::path::Path;

use futures_util::future::join_all;
use protocol::messages::describe_log_dirs::{DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic};
use protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use protocol::{ErrorCode, Uuid};
use storage::{LogDirectory, LogId};

use crate::context::RequestContext;

/// Asks every core for the sizes of its partitions.
pub async fn handle(context: &RequestContext, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let sizes = sizes(context).await;
    let mut results = Vec::new();
    for directory in context.shard.directories() {
        results.push(describe(context, directory, &request, &sizes).await);
    }
    DescribeLogDirsResponse { results, ..Default::default() }
}

/// Bytes of every open partition of this broker.
async fn sizes(context: &RequestContext) -> BTreeMap<(Uuid, i32), i64> {
    let cores = 0..context.shard.shards().cores();
    let asked = cores.map(|core| {
        context.shard.run_on(core, |shard| {
            let size = |id: LogId, bytes: u64| ((id.topic_id, id.partition), i64::try_from(bytes).unwrap_or(i64::MAX));
            let partitions = shard.partitions();
            let sizes: Vec<_> =
                partitions.iter().map(|partition| size(partition.id(), partition.log().bytes())).collect();
            Box::pin(std::future::ready(sizes))
        })
    });
    // A core that is gone is a broker that is shutting down: what is left is told.
    join_all(asked).await.into_iter().flatten().flatten().collect()
}

async fn describe(
    context: &RequestContext,
    directory: &LogDirectory,
    request: &DescribeLogDirsRequest,
    sizes: &BTreeMap<(Uuid, i32), i64>,
) -> DescribeLogDirsResult {
    let log_dir = absolute(&directory.path);
    match context.shard.runtime().disk().space(&directory.path).await {
        Ok(space) => DescribeLogDirsResult {
            log_dir,
            topics: topics(context, directory.id, request, sizes),
            total_bytes: i64::try_from(space.total_bytes).unwrap_or(i64::MAX),
            usable_bytes: i64::try_from(space.available_bytes).unwrap_or(i64::MAX),
            ..Default::default()
        },
        Err(_) => DescribeLogDirsResult { error_code: ErrorCode::KAFKA_STORAGE_ERROR, log_dir, ..Default::default() },
    }
}

/// Tools take the path as absolute, whatever the settings say.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn topics(
    context: &RequestContext,
    directory: Uuid,
    request: &DescribeLogDirsRequest,
    sizes: &BTreeMap<(Uuid, i32), i64>,
) -> Vec<DescribeLogDirsTopic> {
    let (image, node_id) = (context.shard.image(), context.shard.identity().node_id);
    let is_asked = |topic: &str, partition: i32| {
        let asked = |topics: &Vec<protocol::messages::describe_log_dirs::DescribableLogDirTopic>| {
            topics.iter().any(|one| one.topic == topic && one.partitions.contains(&partition))
        };
        request.topics.as_ref().is_none_or(asked)
    };
    let mut topics = Vec::new();
    for topic in image.topics() {
        let here = topic.log_ids().zip(&topic.partitions).filter(|(id, partition)| {
            partition.directory_of(node_id) == Some(directory) && is_asked(&topic.name, id.partition)
        });
        let row = |(id, _): (LogId, _)| {
            let partition_size = *sizes.get(&(id.topic_id, id.partition))?;
            Some(DescribeLogDirsPartition { partition_index: id.partition, partition_size, ..Default::default() })
        };
        let partitions: Vec<_> = here.filter_map(row).collect();
        if !partitions.is_empty() {
            topics.push(DescribeLogDirsTopic { name: topic.name.to_string(), partitions });
        }
    }
    topics
}
